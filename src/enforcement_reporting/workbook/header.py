"""The header of a form's table on a sheet: which rows it takes up, and which column belongs to which indicator."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from enforcement_reporting.catalog import Form
from enforcement_reporting.texts import joined, plain, split_unit
from enforcement_reporting.workbook.grid import Grid, as_text
from enforcement_reporting.workbook.labels import money_stated, row_texts

SEARCH_ROWS = 200
DEEPEST_HEADER = 12

Place = tuple[int, int]


@dataclass
class Column:
    """A column of the header: its labels from top to bottom, the lowest one's cell, and the unit of measure."""

    index: int
    path: tuple[str, ...]
    unit_of_measure: str
    place: Place

    @property
    def keys(self) -> tuple[str, str]:
        """Return the column's path as one text, with the unit of measure as its last step and without."""
        return joined((*self.path, self.unit_of_measure)), joined(self.path)


@dataclass
class Header:
    """A form's header on a sheet. ``doubtful`` are the indicators for which several columns qualify."""

    first: int
    last: int
    columns: list[Column]
    by_indicator: dict[str, Column] = field(default_factory=dict)
    doubtful: dict[str, list[Column]] = field(default_factory=dict)
    unit_columns: list[Column] = field(default_factory=list)
    unknown: list[Column] = field(default_factory=list)

    def repeats(self, other: Header) -> bool:
        """Return whether whatever this header names stands in the same columns, in the same units, as in the other."""
        for indicator_id, column in self.by_indicator.items():
            known = other.by_indicator.get(indicator_id)
            if known is None or known.index != column.index:
                return False
            if column.unit_of_measure not in ("", known.unit_of_measure):
                return False
        units = {column.index for column in self.unit_columns}
        return units <= {column.index for column in other.unit_columns}


class HeaderFinder:
    """Finds one form's header. A column qualifies by its labels alone, never by where it stands."""

    def __init__(self, form: Form, units_of_measure: frozenset[str]) -> None:
        self.form = form
        self._units_of_measure = units_of_measure
        self.unit_labels = frozenset(map(plain, form.unit_labels))
        self._ignored = frozenset(map(plain, form.ignored_labels))
        self._paths: dict[str, list[tuple[str, ...]]] = {
            indicator.indicator_id: [
                tuple(split_unit(label, units_of_measure)[0] for label in path)
                for path in (indicator.label, *indicator.aliases)
            ]
            for indicator in form.indicators
        }
        self._by_key = _unique(
            (joined(path), indicator_id) for indicator_id, paths in self._paths.items() for path in paths
        )
        self._by_ending = _unique(
            (joined(path[-length:]), indicator_id)
            for indicator_id, paths in self._paths.items()
            for path in paths
            for length in range(1, len(path))
        )
        components = {label for paths in self._paths.values() for path in paths for label in path}
        self._labels = components | set(self._by_key) | self.unit_labels | self._ignored | units_of_measure
        self.lowest_labels = {
            (key, indicator_id)
            for indicator_id, paths in self._paths.items()
            for path in paths
            for key in (joined(path[-1:]), joined(path))
        }
        self.required = sum(not indicator.optional for indicator in form.indicators)

    def find(self, grid: Grid) -> Header | None:
        """Return the form's header on the sheet, or None where none of its labels stands in one."""
        rows = self._rows(grid)
        if rows is None:
            return None
        header = self._read(grid, *rows)
        return header if header.by_indicator or header.doubtful else None

    def find_again(self, grid: Grid, row: int) -> Header | None:
        """Return the header that begins in a row below the first one; None where too little of it stands there."""
        last = row
        while last + 1 < min(len(grid.rows), row + DEEPEST_HEADER) and self.is_header_row(grid, last + 1):
            last += 1
        header = self._read(grid, row, _with_blank_rows(grid, row, last))
        return header if 2 * len(header.by_indicator) >= self.required else None

    def likeness(self, header: Header) -> float:
        """Return how far the form's indicators and the sheet's columns are the same, from 0 to 1."""
        found = len(header.by_indicator) + len(header.doubtful)
        return found / (max(self.required, found) + len(header.unknown))

    def coverage(self, header: Header) -> float:
        """Return how much of the form is there."""
        return min(1.0, (len(header.by_indicator) + len(header.doubtful)) / max(1, self.required))

    def is_header_row(self, grid: Grid, row: int) -> bool:
        """Return whether a row holds header labels, as one does that is printed again on a new page."""
        return self._hits(grid, row) > 0

    def _read(self, grid: Grid, first: int, last: int) -> Header:
        """Return the header in these rows, with and without merged group labels."""
        header = self._assigned(grid, first, last, carried=False)
        if len(header.by_indicator) < self.required:
            # Group labels that were not merged over their columns: believed only if then everything finds its place.
            carried = self._assigned(grid, first, last, carried=True)
            if len(carried.by_indicator) >= self.required and not (carried.unknown or carried.doubtful):
                header = carried
        return header

    def _rows(self, grid: Grid) -> tuple[int, int] | None:
        """Return first and last row of the header: of the first run of rows that holds most of the form's labels."""
        runs: list[tuple[int, int, int]] = []  # hits, first, last
        for row in range(min(len(grid.rows), SEARCH_ROWS)):
            hits = self._hits(grid, row)
            if not hits:
                continue
            if runs and runs[-1][2] == row - 1 and row - runs[-1][1] < DEEPEST_HEADER:
                runs[-1] = (runs[-1][0] + hits, runs[-1][1], row)
            else:
                runs.append((hits, row, row))
        if not runs:
            return None
        enough = max(runs)[0] / 2
        _, first, last = next(run for run in runs if run[0] > enough)
        return first, _with_blank_rows(grid, first, last)

    @property
    def labels(self) -> set[str]:
        """Return every text, as split_unit and as joined returns it, that counts as a label in a header row."""
        return self._labels

    def _is_label(self, label: str) -> bool:
        return label in self._labels or joined([label]) in self._by_key

    def _hits(self, grid: Grid, row: int) -> int:
        """Return how many cells of a row are labels of the form, or 0 where most are not."""
        filled = [cell for cell in grid.rows[row] if cell != ""]
        hits = sum(
            self._is_label(split_unit(as_text(cell), self._units_of_measure)[0])
            for cell in filled
            if isinstance(cell, str)
        )
        # 单位： | 元 is said of the table
        if 2 * hits < len(filled) or (hits and money_stated(row_texts(grid.rows[row]))):
            return 0
        return hits

    def _assigned(self, grid: Grid, first: int, last: int, *, carried: bool) -> Header:
        """Return the header in these rows with its columns assigned to indicators."""
        header = Header(first, last, self._columns(grid, first, last, carried=carried))
        hits: dict[str, list[Column]] = defaultdict(list)
        left, named = [], []
        for column in header.columns:
            with_unit, without_unit = column.keys
            if indicator_id := self._by_key.get(with_unit) or self._by_key.get(without_unit):
                hits[indicator_id].append(column)
                named.append(column)
            elif {column.path[-1], column.path[0], without_unit} & self.unit_labels:
                header.unit_columns.append(column)
            elif not {column.path[-1], without_unit} & self._ignored:
                left.append(column)
        shared = _shared_top([*named, *left])
        similar: dict[str, list[Column]] = defaultdict(list)
        for column in left:
            # The group label above is missing, or a label stands above the whole table.
            below = joined(column.path[shared:])
            indicator_id = self._by_ending.get(column.keys[1]) or (self._by_key.get(below) if shared else None)
            if indicator_id and indicator_id not in hits:
                similar[indicator_id].append(column)
            else:
                header.unknown.append(column)
        for indicator_id, columns in {**hits, **similar}.items():
            if len(columns) == 1:
                header.by_indicator[indicator_id] = columns[0]
            else:
                header.doubtful[indicator_id] = columns
        return header

    def _columns(self, grid: Grid, first: int, last: int, *, carried: bool) -> list[Column]:
        """Return the columns that have a label; ``carried``: a label in the upper rows reaches to the next one."""
        width = max(len(row) for row in grid.rows)
        highest = {
            column: row
            for row in range(last, first - 1, -1)
            for column, cell in enumerate(grid.rows[row])
            if cell != ""
        }
        filled: dict[Place, tuple[str, Place]] = {}
        for row in range(first, last + 1):
            before: tuple[str, Place] | None = None
            for column, cell in enumerate(grid.rows[row]):
                text = as_text(cell)
                if text.strip():
                    before = (text, (row, column))
                    filled.update(dict.fromkeys(_covered(grid, row, column, last), before))
                elif carried and before and row < highest.get(column, first) and (row, column) not in filled:
                    filled[row, column] = before
        columns = []
        for index in range(width):
            steps = dict.fromkeys(filled[row, index] for row in range(first, last + 1) if (row, index) in filled)
            path, unit_of_measure, place = [], "", (first, index)
            for text, origin in steps:
                label, unit = split_unit(text, self._units_of_measure)
                if label in self._units_of_measure and not unit:
                    label, unit = "", label
                unit_of_measure = unit or unit_of_measure
                if label:
                    path.append(label)
                    place = origin
            if path:
                columns.append(Column(index, tuple(path), unit_of_measure, place))
        return columns


def _with_blank_rows(grid: Grid, first: int, last: int) -> int:
    """Return the last row of a header; a cell merged downwards takes in the rows below it, as far as they are blank."""
    reach = max((end for (row, _), (end, _) in grid.spans.items() if first <= row <= last), default=last)
    while last < min(reach, len(grid.rows) - 1) and all(cell == "" for cell in grid.rows[last + 1]):
        last += 1
    return last


def _covered(grid: Grid, row: int, column: int, last_row: int) -> Iterator[Place]:
    """Yield the cells of the header that a cell is merged over; another text ends it, as no merged range has two."""
    yield row, column
    end_row, end_column = grid.spans.get((row, column), (row, column))
    for r in range(row, min(end_row, last_row) + 1):
        cells = grid.rows[r]
        for c in range(column, min(end_column, len(cells) - 1) + 1):
            if (r, c) != (row, column):
                if cells[c] != "":
                    break
                yield r, c


def _unique(pairs: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Return the keys that stand for one indicator only."""
    found: dict[str, set[str]] = defaultdict(set)
    for key, indicator_id in pairs:
        found[key].add(indicator_id)
    return {key: next(iter(ids)) for key, ids in found.items() if len(ids) == 1}


def _shared_top(columns: Sequence[Column]) -> int:
    """Return how many labels all columns have in common at the top (and have more below)."""
    shared = 0
    while columns and all(len(column.path) > shared + 1 for column in columns):
        if len({column.path[shared] for column in columns}) > 1:
            break
        shared += 1
    return shared if len(columns) > 1 else 0
