"""A sheet as a grid of cells with the sheet's own addresses, whatever kind of file it comes from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from enforcement_reporting.workbook.addresses import column_letters
from enforcement_reporting.workbook.cells import Cell
from enforcement_reporting.workbook.formats import NumberFormat
from enforcement_reporting.workbook.package import UnreadableWorkbook
from enforcement_reporting.workbook.template_mark import NOTES

MAX_CELLS = 500_000  # of all sheets together, in the rectangles from the first cell to the last
MAX_MERGED = 50_000
MAX_TEXT_BYTES = 100_000_000  # of all cells together, each with its own copy of a shared text
MAX_CELL_CHARACTERS = 2_000
PROSE = "正文"

Place = tuple[int, int]  # row and column, counted from 0


@dataclass
class Grid:
    """One sheet: cells as rows of values ('' where blank), with the sheet's own coordinates.

    ``rows[r][c]`` is the cell in row ``top + r`` and column ``left + c``, counted from 0. ``spans`` maps the first
    cell of a merged range to its last, in the same relative coordinates. By address: ``without_value`` are formulas
    that were saved without a result, ``errors`` error values such as #DIV/0!, ``formats`` what a number is shown as.
    Of each row, ``texts`` are the texts in their order, and ``filled`` is how many cells are not blank. ``is_plain``:
    there is nothing but texts and numbers, and what has no format is shown as it is stored. ``mark`` is that of the
    template the sheet comes from.
    """

    name: str
    rows: list[list[Cell]]
    top: int = 0
    left: int = 0
    spans: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    without_value: frozenset[str] = frozenset()
    errors: dict[str, str] = field(default_factory=dict)
    formats: dict[str, NumberFormat] = field(default_factory=dict)
    texts: list[tuple[str, ...]] = field(default_factory=list)
    filled: list[int] = field(default_factory=list)
    is_plain: bool = field(default=False, compare=False)
    mark: str = ""

    def __post_init__(self) -> None:
        if not self.filled:
            self.filled = [sum(cell != "" for cell in row) for row in self.rows]
            self.texts = [tuple(cell for cell in row if isinstance(cell, str) and cell) for row in self.rows]

    def address(self, row: int, column: int) -> str:
        """Return the cell's address as people know it, such as B7."""
        return f"{column_letters(self.left + column)}{self.top + row + 1}"

    @property
    def is_empty(self) -> bool:
        """Return whether there is nothing at all on the sheet."""
        return not any(self.filled)


@dataclass
class OpenedWorkbook:
    """The sheets that people see, the names of those that are hidden, and whether there are macros (never run).

    ``prose`` are the paragraphs beside the tables of a document, each in a row of its own, as a sheet named 正文.
    """

    grids: list[Grid]
    hidden: list[str]
    has_macros: bool
    prose: Grid | None = None


@dataclass
class LooseCells:
    """The cells of one sheet by their places, as a file lists them: in any order, with nothing where nothing stands.

    ``mark`` is that of the template the sheet comes from.
    """

    name: str
    mark: str = ""
    values: dict[Place, Cell] = field(default_factory=dict)
    spans: dict[Place, Place] = field(default_factory=dict)
    without_value: set[Place] = field(default_factory=set)
    errors: dict[Place, str] = field(default_factory=dict)
    formats: dict[Place, NumberFormat] = field(default_factory=dict)

    def put(self, row: int, column: int, value: Cell) -> None:
        """Put a value into a cell; a blank text is no value. Raises UnreadableWorkbook where there are too many."""
        if value != "":
            self.values[row, column] = value
            self._count(row, column)

    def put_error(self, row: int, column: int, error: str) -> None:
        """Say that a cell holds an error value such as #DIV/0!."""
        self.errors[row, column] = error
        self._count(row, column)

    def put_formula(self, row: int, column: int) -> None:
        """Say that a cell holds a formula without a result."""
        self.without_value.add((row, column))
        self._count(row, column)

    def _count(self, row: int, column: int) -> None:
        if len(self.values) + len(self.errors) + len(self.without_value) > MAX_CELLS:
            raise too_large(self.name, row, column)

    def merge(self, row: int, column: int, last_row: int, last_column: int) -> None:
        """Merge the cells from one to another; from a cell back to one before it nothing is merged."""
        if row <= last_row and column <= last_column and (row, column) != (last_row, last_column):
            self.spans[row, column] = last_row, last_column
        if len(self.spans) > MAX_MERGED:
            raise UnreadableWorkbook(
                f"工作表“{self.name}”的合并单元格过多，拒绝读取。请删去表格以外的内容后再报。",
                f"sheet {self.name}: more than {MAX_MERGED} merged ranges",
            )


def as_prose(paragraphs: Iterable[str]) -> Grid:
    """Return paragraphs as a sheet, a row for each; what tabs part stands in cells side by side."""
    rows: list[list[Cell]] = [[text.strip() for text in paragraph.split("\t", 15)] for paragraph in paragraphs]
    width = max(map(len, rows), default=0)
    return Grid(PROSE, [[*row, *[""] * (width - len(row))] for row in rows])


def as_grids(sheets: Iterable[LooseCells]) -> list[Grid]:
    """Return the sheets as grids, each the rectangle of its own cells; refuse what would be too large together.

    Sheets of a template that explain and hold no table are left out.
    """
    grids, room = [], MAX_CELLS
    for sheet in sheets:
        if sheet.mark == NOTES:
            continue
        places = sheet.values.keys() | sheet.errors.keys() | sheet.without_value
        rows, columns = {row for row, _ in places}, {column for _, column in places}
        top, left = min(rows, default=0), min(columns, default=0)
        bottom, right = max(rows, default=-1), max(columns, default=-1)
        room -= (bottom - top + 1) * (right - left + 1)
        if room < 0:
            raise too_large(sheet.name, bottom, right)
        cells: list[list[Cell]] = [[""] * (right - left + 1) for _ in range(top, bottom + 1)]
        for (row, column), value in sheet.values.items():
            cells[row - top][column - left] = value
        spans = {
            (row - top, column - left): (end - top, last - left) for (row, column), (end, last) in sheet.spans.items()
        }
        grids.append(
            Grid(
                *(sheet.name, cells, top, left, spans, frozenset(_address(place) for place in sheet.without_value)),
                errors={_address(place): error for place, error in sheet.errors.items()},
                formats={_address(place): number_format for place, number_format in sheet.formats.items()},
                mark=sheet.mark,
            )
        )
    return grids


def too_large(sheet: str, row: int, column: int) -> UnreadableWorkbook:
    """Return what refuses a sheet that reaches as far as a cell, counted from 0."""
    last = _address((row, column))
    return UnreadableWorkbook(
        f"工作表“{sheet}”的数据区一直到 {last}，超出可读取的范围。请删去表格以外的内容后再报。",
        f"sheet {sheet} reaches to {last}: more than {MAX_CELLS} cells",
    )


def _address(place: Place) -> str:
    return f"{column_letters(place[1])}{place[0] + 1}"


def as_text(cell: Cell) -> str:
    """Return a cell's value as text.

    A number has the digits that were typed: no decimal point where it is whole, and at most the fifteen significant
    digits that spreadsheets keep, so that 0.1 + 0.2 is 0.3.
    """
    if isinstance(cell, str):
        return cell[:MAX_CELL_CHARACTERS].replace("\0", "")
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float):
        if cell.is_integer() and abs(cell) < 1e15:
            return str(int(cell))
        digits = f"{cell:.15g}"
        return f"{Decimal(digits):f}" if "e" in digits else digits
    return str(cell)
