"""A form's table on a sheet: what the rows around it say, where it ends, and the figures in its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress, starmap
from operator import getitem, itemgetter
from typing import NamedTuple

from enforcement_reporting.catalog import Form, Indicator, Lifetime, Unit, Version
from enforcement_reporting.findings import ReadingFinding
from enforcement_reporting.periods import Period
from enforcement_reporting.texts import MONEY, plain
from enforcement_reporting.workbook.addresses import column_letters
from enforcement_reporting.workbook.cells import Cell, parse_text, power_of_ten
from enforcement_reporting.workbook.grid import Grid, as_text
from enforcement_reporting.workbook.header import Column, Header, HeaderFinder, Place
from enforcement_reporting.workbook.labels import UnitLine, units_named
from enforcement_reporting.workbook.measures import (
    BLANK_CELL,
    TYPED,
    Measure,
    Reading,
    agree,
    measure_of,
    read_number,
    read_typed,
    unreadable,
)
from enforcement_reporting.workbook.remembered import Lookup
from enforcement_reporting.workbook.submission import Observations, ReadSubmission, ReadWorkbook

# Titles, periods and names outside the table are looked for in so many rows at the top and at the end of a sheet.
TOP_ROWS, END_ROWS = 250, 50

_MOST_COLUMNS = 16_384
_MOST_PLANS, _ROWS_KEPT = 16, 64
_NOT_FILLED_IN = frozenset(("blank", "not_applicable"))  # the second is what a template says itself
# In C, as they are called for every cell.
_look_up: Callable[[Lookup[Cell, Reading], Cell], Reading] = getitem
_oddity_of: Callable[[Reading], str] = itemgetter(Reading._fields.index("oddity"))


class Line(NamedTuple):
    """What the cells of a row say, wherever the row stands.

    Its texts, those of them that speak of time, the units of money that are stated in them, the lines such as
    填报单位：… among them, the forms whose titles are in them, and the cells that are labels of a form or part of one.
    ``length`` counts the characters.
    """

    texts: tuple[str, ...]
    dated: tuple[str, ...] = ()
    money: tuple[str, ...] = ()
    units: tuple[UnitLine, ...] = ()
    titles: frozenset[int] = frozenset()
    labels: tuple[str, ...] = ()
    length: int = 0


SILENT = Line(())

_ReadLine = Callable[[tuple[str, ...], int, list[Cell]], Line]  # of the texts, how many cells are filled, all cells


class MadeFor(NamedTuple):
    """What the template of a sheet was made for, the form in the period's version: the unit is None for all of them."""

    form: Form
    period: Period
    unit: Unit | None
    is_current: bool


class Sheet:
    """A sheet with what its rows say, and what is needed of the workbook around it."""

    made_for: MadeFor | None = None

    def __init__(self, grid: Grid, workbook: Workbook, read_line: _ReadLine, read_inner_line: _ReadLine) -> None:
        self.grid, self.name, self.workbook = grid, grid.name, workbook
        self.outer_rows = outer(range(len(grid.rows)))
        # In the middle of a long sheet stand figures: what is said there of time is looked at only where it matters.
        self._read_line, self._inner = read_line, set(range(TOP_ROWS, len(grid.rows) - END_ROWS))
        rows = zip(grid.texts, grid.filled, grid.rows, strict=True)
        if self._inner:
            self.lines = [
                (read_inner_line if row in self._inner else read_line)(*said) for row, said in enumerate(rows)
            ]
            self.outer_lines = [self.lines[row] for row in self.outer_rows]
        else:
            self.lines = self.outer_lines = list(starmap(read_line, rows))

    def texts_in(self, rows: Iterable[int]) -> list[str]:
        """Return the texts in some rows."""
        lines = self.lines
        return [text for row in rows for text in lines[row].texts]

    def dated_in(self, rows: Sequence[int]) -> list[str]:
        """Return the texts in some rows that speak of time."""
        lines = self._read(rows) if self._inner else self.lines
        return [text for row in rows for text in lines[row].dated]

    def money_in(self, rows: Iterable[int]) -> list[str]:
        """Return the units of money that are stated in some rows."""
        lines = self._read(rows) if self._inner else self.lines
        money = [unit for row in rows for unit in lines[row].money]
        return list(dict.fromkeys(money)) if money else money

    def units_in(self, rows: Iterable[int]) -> tuple[UnitLine, ...]:
        """Return the lines in some rows that name a unit."""
        lines = self._read(rows) if self._inner else self.lines
        return tuple([unit for row in rows for unit in lines[row].units])

    def _read(self, rows: Iterable[int]) -> list[Line]:
        """Return what the rows say, having read some of them in full."""
        for row in self._inner.intersection(rows):
            self.lines[row] = self._read_line(self.grid.texts[row], self.grid.filled[row], self.grid.rows[row])
            self._inner.discard(row)
        return self.lines


@dataclass
class Workbook:
    """What is known of the whole workbook.

    Its name and what that says of time, what the rows at the top and at the end of all sheets say, and the texts there
    that speak of time.
    """

    file_name: str
    time_in_name: str
    lines: list[Line] = field(default_factory=list)
    dated: list[str] = field(default_factory=list)

    @cached_property
    def texts(self) -> list[str]:
        """The texts in the rows at the top and at the end of all sheets, and the sheets' names."""
        return [text for line in self.lines for text in line.texts]


@dataclass
class _Break:
    """Where a table is interrupted: the first row of it, the texts there, and the header that follows them if any.

    ``foreign``: what follows is the header of another form.
    """

    row: int
    texts: list[str]
    header: Header | None
    foreign: bool = False


class _Fault(NamedTuple):
    """Something wrong with a header, where it stands: no places mean the header as a whole."""

    kind: str
    places: tuple[Place, ...]
    stated: str = ""
    expected: str = ""
    indicator: str = ""


@dataclass
class _Plan:
    """How the rows under a header are read, and what is wrong with the header.

    The lists run in step: the indicators that have a column, where it stands, and how its figures are read.
    """

    faults: list[_Fault] = field(default_factory=list)
    indicators: list[Indicator] = field(default_factory=list)
    indicator_ids: list[str] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    letters: list[str] = field(default_factory=list)
    measures: list[Measure] = field(default_factory=list)
    stored: list[Lookup[Cell, Reading]] = field(default_factory=list)

    @cached_property
    def _pick(self) -> Callable[[list[Cell]], Sequence[Cell]]:
        """What takes the cells out of a row, in one go."""
        columns = self.columns
        return itemgetter(*columns) if len(columns) > 1 else lambda row: [row[column] for column in columns]

    @cached_property
    def addresses(self) -> Lookup[int, tuple[str, ...]]:
        """The cells in the columns of a row, by its number."""
        return Lookup(_ROWS_KEPT, lambda number: tuple([f"{letters}{number}" for letters in self.letters]))

    def cells(self, row: list[Cell]) -> Sequence[Cell]:
        """Return the cells in the columns of a row, that are blank beyond its end."""
        try:
            return self._pick(row)
        except IndexError:
            return [row[column] if column < len(row) else "" for column in self.columns]


@dataclass
class Match:
    """A form, in one of its versions, matched to a sheet, or to all sheets of the same skeleton."""

    finder: HeaderFinder
    header: Header
    titled: bool
    _plans: dict[tuple[int, tuple[str, ...]], _Plan] = field(default_factory=dict)

    @cached_property
    def form(self) -> Form:
        """The form that is matched."""
        return self.finder.form

    @cached_property
    def likeness(self) -> float:
        """How far the form's indicators and the sheet's columns are the same, from 0 to 1."""
        return self.finder.likeness(self.header)

    @cached_property
    def value_columns(self) -> list[int]:
        """The columns of the indicators, in their order."""
        return [column.index for column in self.header.by_indicator.values()]

    @cached_property
    def by_place(self) -> list[int]:
        """The columns of the indicators, from left to right."""
        return sorted(self.value_columns)

    @cached_property
    def marks(self) -> frozenset[str]:
        """What stands for 不适用."""
        return frozenset(self.form.not_applicable_marks)

    @cached_property
    def total_labels(self) -> frozenset[str]:
        """What the total row goes by."""
        return frozenset(map(plain, self.form.total_row.labels)) if self.form.total_row else frozenset()

    def plan(self, left: int, money: Sequence[str]) -> _Plan:
        """Return how figures are read from a sheet that begins in column ``left`` and states units of money."""
        key = (left, tuple(money))
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            self._plans[key] = plan = self._planned(*key)
        return plan

    def _planned(self, left: int, money: tuple[str, ...]) -> _Plan:
        plan = _Plan()
        faults = plan.faults
        for indicator in self.form.indicators:
            column = self.header.by_indicator.get(indicator.indicator_id)
            wanted = indicator.unit_of_measure
            if doubtful := self.header.doubtful.get(indicator.indicator_id):
                places = tuple(item.place for item in doubtful)
                faults.append(_Fault("ambiguous_header", places, expected=indicator.label_path))
            elif column is None:
                if not indicator.optional:
                    faults.append(_Fault("missing_header", (), expected=indicator.label_path))
            else:
                # The unit of measure is the header's, or that of money said beside the table.
                written_in = column.unit_of_measure or ("、".join(money) if wanted in MONEY else "")
                if power_of_ten(written_in, wanted) is None:
                    fault = ("unit_of_measure_mismatch", (column.place,), written_in, wanted, indicator.caption)
                    faults.append(_Fault(*fault))
                else:
                    is_count = indicator.measure_kind in ("flow", "stock")
                    measure = measure_of(wanted, written_in, self.marks, is_count)
                    plan.indicators.append(indicator)
                    plan.indicator_ids.append(f"{self.form.form_id}.{indicator.indicator_id}")
                    plan.columns.append(column.index)
                    plan.letters.append(column_letters(left + column.index))
                    plan.measures.append(measure)
                    plan.stored.append(measure.stored)
        faults += [_Fault("unknown_header", (column.place,), " / ".join(column.path)) for column in self.header.unknown]
        return plan


class Table:
    """A sheet's table, read by the form it was matched to; what belongs to it begins in row ``begins``.

    ``money`` are the units of money that a line such as 单位：元 states. Findings say ``period`` once it is set.
    """

    period: Period | None = None

    def __init__(self, sheet: Sheet, match: Match, units: Mapping[str, Unit], begins: int = 0) -> None:
        self.sheet, self.grid, self.match, self.units = sheet, sheet.grid, match, units
        self._form, self._header, self._units = match.form, match.header, units
        self._below = range(self._header.last + 1, len(self.grid.rows))
        self.rows_above = range(begins, self._header.first)
        self.rows_of_header = range(self._header.first, self._header.last + 1)
        self._figures_in: dict[int, bool] = {}
        self._rows_below: list[int] | None = None
        self.unit_column = self._unit_column()
        self.money = sheet.money_in(self.rows_above)

    def until(self, row: int) -> Table:
        """Return the same table, ending before a row."""
        table = copy(self)
        table._below, table._figures_in = range(self._header.last + 1, row), {}
        table._rows_below = None
        return table

    def finding(
        self,
        kind: str,
        *,
        cells: str = "",
        stated: str = "",
        expected: str = "",
        indicator: str = "",
        period_id: str = "",
    ) -> ReadingFinding:
        """Return a finding about this table, which says the form and, once it is known, the period."""
        return ReadingFinding(
            kind,
            self.grid.name,
            cells=cells,
            stated=stated,
            expected=expected,
            indicator=indicator,
            form=self._form.title,
            form_id=self._form.form_id,
            period_id=period_id or (self.period.period_id if self.period else ""),
        )

    def another_table(self, row: int, period: Period | None) -> ReadingFinding:
        """Return the finding that another table, for the period where that is known, begins in a row."""
        column = next((index for index, cell in enumerate(self.grid.rows[row]) if cell != ""), 0)
        number = str(self.grid.top + row + 1)
        return self.finding(
            "another_table", cells=self._cells(row, column), stated=number, period_id=period.period_id if period else ""
        )

    def breaks(
        self, finders: Sequence[HeaderFinder], is_header_of_another: Callable[[Sequence[Cell], Form], bool]
    ) -> Iterator[_Break]:
        """Yield where, between rows of figures, texts or a header stand: a new page, or another table.

        ``finders`` are those of the form in all its versions.
        """
        texts_from, row = None, self._below.start
        while row < self._below.stop:
            cells, line = self.grid.rows[row], self.sheet.lines[row]
            if not line.texts:
                is_text = False
            elif line.labels and any(finder.is_header_row(self.grid, row) for finder in finders):
                found = ((finder, finder.find_again(self.grid, row)) for finder in finders)
                likeness = [(finder.likeness(header), header) for finder, header in found if header]
                if likeness:
                    header = max(likeness, key=itemgetter(0))[1]
                    start = row if texts_from is None else texts_from
                    yield _Break(start, self.sheet.texts_in(range(start, row)), header)
                    row, texts_from = header.last, None
                row += 1
                continue
            elif line.labels and is_header_of_another(cells, self._form):
                yield _Break(row if texts_from is None else texts_from, [], None, foreign=True)
                return
            else:
                is_text = self._unit_name(row) not in self._units and not self._is_figures(row)
            if is_text:
                texts_from = row if texts_from is None else texts_from
            elif texts_from is not None and any(cell != "" for cell in cells):
                yield _Break(texts_from, self.sheet.texts_in(range(texts_from, row)), None)
                texts_from = None
            row += 1

    def names_units(self) -> bool:
        """Return whether a row names a unit."""
        return any(self._unit_name(row) in self._units for row in self._below)

    def units_stated(self) -> list[Unit]:
        """Return the units that the table says it is of: those of its rows, or those in a line such as 填报单位：…."""
        if self.unit_column is None:
            return units_named(self.sheet.units_in(self.rows_outside()), self._units)[0]
        names = map(self._unit_name, self._below)
        return [self._units[name] for name in dict.fromkeys(names) if name in self._units]

    def rows_below(self) -> list[int]:
        """Return the rows below the header that are not rows of figures."""
        if self._rows_below is None:
            self._rows_below = [row for row in outer(self._below) if not self._is_figures(row)]
        return self._rows_below

    def texts_above(self) -> list[str]:
        """Return the texts above the header."""
        return self.sheet.texts_in(self.rows_above)

    def rows_outside(self) -> list[int]:
        """Return the rows above the header and those below it that are not rows of figures."""
        return [*self.rows_above, *self.rows_below()]

    def header_findings(self) -> list[ReadingFinding]:
        """Return what is wrong with the header: columns missing, unknown, doubtful, or in the wrong unit."""
        return [
            self.finding(
                fault.kind,
                cells="、".join(self._cells(*place) for place in fault.places) or self._header_cells(),
                stated=fault.stated,
                expected=fault.expected,
                indicator=fault.indicator,
            )
            for fault in self.match.plan(self.grid.left, self.money).faults
        ]

    def wrong_version(self, used: Version, due: Version) -> ReadingFinding:
        """Return the finding that the table is in the version ``used`` of its form, and not in the one that is due."""
        there, wanted = ({item.indicator_id: item for item in version.form.indicators} for version in (used, due))
        renamed = [name for name in there.keys() & wanted.keys() if not _same_label(there[name], wanted[name])]
        changes = [
            ("缺少", [wanted[name].label_path for name in wanted if name not in there]),
            ("多出", [there[name].label_path for name in there if name not in wanted]),
            ("", [f"{there[name].label_path}”应为“{wanted[name].label_path}" for name in there if name in renamed]),
        ]
        said = "；".join(what + "、".join(f"“{label}”" for label in labels) for what, labels in changes if labels)
        columns = self._header.by_indicator
        places = [columns[name].place for name in there if name in columns and (name not in wanted or name in renamed)]
        return self.finding(
            "wrong_version",
            cells="、".join(self._cells(*place) for place in places) or self._header_cells(),
            stated=_in_force(used.lifetime),
            expected=f"{_in_force(due.lifetime)}（本表{said}）",
        )

    def header_finding(self, kind: str, expected: str = "") -> ReadingFinding:
        """Return a finding about the header as a whole."""
        return self.finding(kind, cells=self._header_cells(), expected=expected)

    def _header_cells(self) -> str:
        header = self._header
        first = self.grid.address(header.first, min(column.index for column in header.columns))
        last = self.grid.address(header.last, max(column.index for column in header.columns))
        return f"{self.grid.name}!{first}:{last}"

    def read_rows(self, period: Period, result: ReadWorkbook) -> None:
        """Read one submission from each row that names a unit, and the printed total row as a statement.

        What a table of one unit adds up says nothing of all units: its total row is held against that unit's, and so is
        the unit in a line such as 填报单位：….
        """
        assert self.unit_column is not None
        form = self._form
        found: list[ReadSubmission] = []
        rows_of_unit: dict[str, ReadSubmission] = {}
        rows = 0
        for row in self._below:
            name, cells = self._unit_name(row), self._cells(row, self.unit_column.index)
            unit = self._units.get(name)
            if unit is None and (not self._is_figures(row) or self.match.finder.is_header_row(self.grid, row)):
                continue
            if form.total_row and name in self.match.total_labels and unit is None:
                found.append(self._submission(row, form.total_row.states, period, "total", name))
                continue
            rows += 1
            if unit is None:
                stated = "".join(as_text(self._cell(row, self.unit_column.index)).split())
                kind = "unknown_unit" if stated else "row_without_unit"
                result.file_findings.append(self.finding(kind, cells=cells, stated=stated))
            elif not unit.is_in_force(period):
                result.file_findings.append(
                    self.finding("unit_not_in_force", cells=cells, stated=unit.name, expected=period.name)
                )
            elif unit.unit_id in rows_of_unit:
                rows_of_unit[unit.unit_id].findings.append(self.finding("unit_repeated", cells=cells, stated=unit.name))
            else:
                found.append(self._submission(row, unit.unit_id, period, "unit", unit.name))
                rows_of_unit[unit.unit_id] = found[-1]
                name_stands_in = cells
        (own,) = rows_of_unit.values() if rows == len(rows_of_unit) == 1 else (None,)
        # As nearly all sheets are: whether there are other units is seen at the first.
        if own and any(unit.unit_id != own.unit_id for unit in self._units.values()):
            own.findings += [finding for item in found if item is not own for finding in self._differences(item, own)]
            own.findings += self._unit_line_differs(own, name_stands_in)
            found = [own]
        result.submissions += found
        if not rows and not found:
            result.file_findings.append(self.header_finding("no_rows"))

    def _unit_line_differs(self, own: ReadSubmission, cells: str) -> Iterator[ReadingFinding]:
        """Yield that the sheet names another unit than its only row."""
        lines = self.sheet.units_in(self.rows_outside())
        if any((unit := self._units.get(line.name)) and unit.unit_id == own.unit_id for line in lines):
            return  # as nearly all say
        named = units_named(lines, self._units)[0] if lines else []
        if named and own.unit_id not in {unit.unit_id for unit in named}:
            expected = next(unit.name for unit in self._units.values() if unit.unit_id == own.unit_id)
            yield self.finding("unit_line_differs", cells=cells, stated=named[0].name, expected=expected)

    def _differences(self, total: ReadSubmission, own: ReadSubmission) -> Iterator[ReadingFinding]:
        """Yield where the total row of a table says something else than the only row that it is the total of."""
        indicators = self.match.plan(self.grid.left, self.money).indicators
        for indicator, said, of_unit in zip(indicators, total.observations, own.observations, strict=True):
            if None not in (said.value, of_unit.value) and not agree(said, of_unit):
                yield self.finding(
                    "total_of_one_differs",
                    cells=f"{self.grid.name}!{said.cell}",
                    stated=said.text,
                    expected=of_unit.text,
                    indicator=indicator.caption,
                )

    def read_single_row(self, unit: Unit, period: Period, result: ReadWorkbook) -> None:
        """Read the one row of figures of a sheet that holds a single unit."""
        rows = [row for row in self._below if self._is_figures(row)]
        # Where another table follows at once, nothing of it is this one's: the row below the sheet is blank.
        first_row = self._below.start if self._below else len(self.grid.rows)
        submission = self._submission(rows[0] if rows else first_row, unit.unit_id, period, "unit", unit.name)
        for row in rows[1:]:
            first = min(column for column in self.match.value_columns if self._cell(row, column) != "")
            cells = self._cells(row, first)
            submission.findings.append(self.finding("row_left_out", cells=cells, stated=unit.name))
        result.submissions.append(submission)

    def _submission(self, row: int, unit_id: str, period: Period, row_role: str, name: str) -> ReadSubmission:
        grid, plan = self.grid, self.match.plan(self.grid.left, self.money)
        cells = plan.cells(grid.rows[row] if row < len(grid.rows) else [])
        addresses = plan.addresses[grid.top + row + 1]
        if grid.is_plain:
            readings = list(map(_look_up, plan.stored, cells))
            shown_otherwise = map(grid.formats.__contains__, addresses) if grid.formats else ()
            for place in compress(range(len(readings)), shown_otherwise):
                readings[place] = self._read(cells[place], plan.measures[place], addresses[place])
        else:
            readings = list(map(self._read, cells, plan.measures, addresses))
        observations = Observations(plan.indicator_ids, readings, addresses)
        submission = ReadSubmission(self._form.form_id, unit_id, period, row_role, grid.name, observations)
        # Found in C: a row has many cells and few that are odd. The list is whole before any of them is read again.
        for place in list(compress(range(len(readings)), map(_oddity_of, readings))):
            reading = readings[place]
            if reading is TYPED:
                readings[place] = reading = self._read(cells[place], plan.measures[place], addresses[place])
            if reading.oddity:
                oddity = self._oddity(reading.oddity, addresses[place], reading.text, plan.indicators[place])
                submission.findings.append(oddity)
        if readings and readings[0].state in _NOT_FILLED_IN:
            states = {reading.state for reading in readings}
            if "blank" in states and states <= _NOT_FILLED_IN:
                cells_of_first = f"{grid.name}!{addresses[0]}"
                submission.findings.append(self.finding("blank_submission", cells=cells_of_first, stated=name))
        return submission

    def _read(self, cell: Cell, measure: Measure, address: str) -> Reading:
        """Return what a cell says."""
        if isinstance(cell, float):
            return read_number(cell, measure, self.grid.formats.get(address))
        if isinstance(cell, str) and cell.strip():
            return read_typed(as_text(cell), measure)
        if cell != "" and not isinstance(cell, str):
            return unreadable(as_text(cell))
        if error := self.grid.errors.get(address):
            return unreadable(error)
        return unreadable("") if address in self.grid.without_value else BLANK_CELL

    def _oddity(self, kind: str, address: str, text: str, indicator: Indicator) -> ReadingFinding:
        """Return the finding about a cell that is no number, or none that can have been counted."""
        expected = indicator.unit_of_measure
        if kind == "unreadable_cell":
            expected = f"数字（{expected}）"
            kind = "formula_without_value" if address in self.grid.without_value else kind
        cells = f"{self.grid.name}!{address}"
        return self.finding(kind, cells=cells, stated=text, expected=expected, indicator=indicator.caption)

    def _is_figures(self, row: int) -> bool:
        """Return whether a row below the header holds figures, as against a note, a signature or column numbers."""
        if row not in self._figures_in:
            self._figures_in[row] = self._holds_figures(row)
        return self._figures_in[row]

    def _holds_figures(self, row: int) -> bool:
        columns = self.match.value_columns
        if (
            self.unit_column is not None
            and self._unit_name(row) in self._units
            and any(isinstance(self._cell(row, column), float) for column in columns)
        ):
            return True  # as nearly all are: the first figure says so
        if self._is_column_numbers(row):
            return False
        if self.unit_column is None:
            return any(self._is_number(self._cell(row, column)) for column in columns)
        filled = [cell for column in columns if (cell := self._cell(row, column)) != ""]
        if not filled:
            return False
        has_number = any(map(self._is_number, filled))
        name = self._cell(row, self.unit_column.index)
        if ":" in plain(as_text(name)):  # 填表人：… is a signature
            return False
        return (has_number or 2 * len(filled) >= len(columns)) and (name != "" or len(filled) > 1)

    def _is_number(self, cell: Cell) -> bool:
        if isinstance(cell, str):
            return parse_text(as_text(cell), "%", "", self.match.marks).state in ("value", "zero", "not_applicable")
        return isinstance(cell, float)

    def _is_column_numbers(self, row: int) -> bool:
        """Return whether the row right below the header numbers its columns (甲 1 2 3)."""
        columns = self.match.by_place
        if row != self._header.last + 1 or len(columns) < 2:
            return False
        if self.unit_column and self._unit_name(row) in self._units:
            return False
        expected = 0
        for column in columns:
            number = _column_number(self._cell(row, column))
            if number != (expected or number) or not (expected or 1 <= number <= 3):
                return False
            expected = number + 1
        # In a table of one unit the first row may really hold 1, 2, 3.
        others = (self._cell(later, column) for later in self._below[1:] for column in columns)
        return len(columns) > 3 or self.unit_column is not None or any(self._is_number(cell) for cell in others)

    def _unit_column(self) -> Column | None:
        """Return the column in which the units stand; of several, the one that names most of them."""
        columns = self._header.unit_columns
        if len(columns) < 2:
            return columns[0] if columns else None
        named = {
            column.index: sum(plain(as_text(self._cell(row, column.index))) in self._units for row in self._below)
            for column in columns
        }
        return max(columns, key=lambda column: named[column.index])

    def _unit_name(self, row: int) -> str:
        """Return the name a row goes by; 合计 may be written, or merged, over the columns left of the units'."""
        if self.unit_column is None:
            return ""
        name = plain(as_text(self._cell(row, self.unit_column.index)))
        if not name:
            left = (plain(as_text(self._cell(row, column))) for column in range(self.unit_column.index))
            name = next((label for label in left if label in self.match.total_labels), "")
        return name

    def _cell(self, row: int, column: int) -> Cell:
        """Return a cell; beyond the used part of the sheet and where there is only white space it is blank."""
        if row >= len(self.grid.rows) or column >= len(self.grid.rows[row]):
            return ""
        cell = self.grid.rows[row][column]
        return cell if not isinstance(cell, str) or cell.strip() else ""

    def _cells(self, row: int, column: int) -> str:
        return f"{self.grid.name}!{self.grid.address(row, column)}"


def _same_label(one: Indicator, other: Indicator) -> bool:
    return [*map(plain, one.label)] == [*map(plain, other.label)]


def _in_force(lifetime: Lifetime) -> str:
    """Return in words which version was in force at some time."""
    first, last = (f"{day.year}年{day.month}月{day.day}日" if day else "" for day in lifetime)
    if first:
        return f"{first}至{last}的表式" if last else f"{first}起的表式"
    return f"截至{last}的表式"


def _column_number(cell: Cell) -> int:
    """Return the number of a column that a cell states, or 0 where it states none."""
    if isinstance(cell, float):
        return int(cell) if 0 < cell < _MOST_COLUMNS and cell.is_integer() else 0
    text = as_text(cell).strip("()（） ")
    return int(text) if text.isascii() and text.isdigit() else 0


def outer(rows: range) -> Sequence[int]:
    """Return the first and the last rows."""
    return rows if len(rows) <= TOP_ROWS + END_ROWS else [*rows[:TOP_ROWS], *rows[-END_ROWS:]]
