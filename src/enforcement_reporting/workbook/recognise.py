"""Which form, unit and period a workbook holds, and the observations in it.

Everything is decided from the content: the form by its title and its header labels, the period by the texts around
the table, the unit by its name in the row or in a line such as 填报单位：…. Where the content allows two answers, there
is a finding and no answer. The rest of the workbook goes on.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from enforcement_reporting.catalog import Catalog, Form, Indicator, Unit
from enforcement_reporting.findings import ReadingFinding
from enforcement_reporting.periods import Period, speaks_of_time
from enforcement_reporting.texts import MONEY, joined, plain, split_unit
from enforcement_reporting.workbook.cells import (
    BLANK,
    UNREADABLE,
    Parsed,
    State,
    parse_stored,
    parse_text,
    power_of_ten,
)
from enforcement_reporting.workbook.grid import Cell, Grid, as_text, open_workbook
from enforcement_reporting.workbook.header import SEARCH_ROWS, Column, Header, HeaderFinder
from enforcement_reporting.workbook.labels import row_texts, unit_lines, units_mentioned

# How much of a form a sheet must carry to be taken for it: with its title, and without.
COVERAGE_WITH_TITLE = 0.5
COVERAGE_WITHOUT_TITLE = 0.8
# Titles, periods and names outside the table are looked for in so many rows at the top and at the end of a sheet.
TOP_ROWS, END_ROWS = 250, 50


@dataclass(frozen=True, slots=True)
class Observation:
    """One indicator of one submission: the text as typed, its cell, and the exact number in it if there is one."""

    indicator_id: str
    state: State
    value: Decimal | None
    text: str
    decimals: int | None
    cell: str


@dataclass
class ReadSubmission:
    """One unit's figures on one form for one period; ``row_role`` is 'total' for a printed total row."""

    form_id: str
    unit_id: str
    period: Period
    row_role: str
    sheet: str
    observations: list[Observation]
    findings: list[ReadingFinding] = field(default_factory=list)


@dataclass
class ReadWorkbook:
    """All that was found in a workbook. ``sheet_findings`` maps (sheet, form) to what concerns all its rows."""

    submissions: list[ReadSubmission] = field(default_factory=list)
    file_findings: list[ReadingFinding] = field(default_factory=list)
    sheet_findings: dict[tuple[str, str], list[ReadingFinding]] = field(default_factory=lambda: defaultdict(list))


@dataclass
class _Sheet:
    """A sheet with the texts on it, and what is needed of the workbook around it."""

    grid: Grid
    texts: list[str]
    workbook: _Workbook

    @property
    def name(self) -> str:
        return self.grid.name


@dataclass
class _Workbook:
    """What is known of the whole workbook: the texts on all its sheets, and those of them that speak of time."""

    file_name: str
    texts: list[str] = field(default_factory=list)
    dated: list[str] = field(default_factory=list)


@dataclass
class _Match:
    """A form matched to a sheet."""

    finder: HeaderFinder
    header: Header
    titled: bool

    @property
    def form(self) -> Form:
        return self.finder.form


class Reader:
    """Reads workbooks against one catalog; what can be prepared once per catalog is prepared here."""

    def __init__(self, catalog: Catalog) -> None:
        units_of_measure = frozenset(
            {item.unit_of_measure for form in catalog.forms for item in form.indicators} | set(MONEY)
        )
        self._units_of_measure = units_of_measure
        self._finders = [HeaderFinder(form, units_of_measure) for form in catalog.forms]
        self._by_label: dict[str, set[tuple[int, str]]] = defaultdict(set)
        self._by_title: dict[str, set[int]] = defaultdict(set)
        for number, finder in enumerate(self._finders):
            for label, indicator_id in finder.lowest_labels:
                self._by_label[label].add((number, indicator_id))
            for title in (finder.form.title, *finder.form.title_aliases):
                self._by_title[plain(title)].add(number)
        # Longest first: a title inside a longer title is not a title of its own.
        self._titles = re.compile("|".join(map(re.escape, sorted(self._by_title, key=len, reverse=True))))
        self._units: dict[str, dict[str, Unit]] = {
            authority.authority_id: {
                plain(name): unit for unit in authority.reporting_units for name in (unit.name, *unit.aliases)
            }
            for authority in catalog.authorities
        }

    def read(self, content: bytes, file_name: str) -> ReadWorkbook:
        """Return the submissions in a workbook and what was wrong while reading.

        Sheets that are hidden from people are not read. Raises UnreadableWorkbook where the bytes cannot be read.
        """
        opened = open_workbook(content)
        result = ReadWorkbook()
        if opened.has_macros:
            result.file_findings.append(ReadingFinding("macros_ignored", ""))
        result.file_findings.extend(ReadingFinding("hidden_sheet", name) for name in opened.hidden)
        workbook = _Workbook(file_name)
        sheets = [
            _Sheet(grid, _texts(grid, _outer(range(len(grid.rows)))), workbook)
            for grid in opened.grids
            if not grid.is_empty
        ]
        workbook.texts = [text for sheet in sheets for text in (*sheet.texts, sheet.name)]
        workbook.dated = [text for text in workbook.texts if speaks_of_time(text)]
        for sheet in sheets:
            self._read_sheet(sheet, result)
        result.submissions = _once_each(result.submissions)
        return result

    def _read_sheet(self, sheet: _Sheet, result: ReadWorkbook) -> None:
        match = self._form(sheet, result)
        if match is None:
            return
        form = match.form
        table = _Table(sheet.grid, match, self._units[form.authority_id])
        if form.unit_labels and table.unit_column is None:
            label = " / ".join(form.unit_labels)
            finding = table.header_finding("unit_column_missing", expected=label, form=form.title)
            result.file_findings.append(finding)
            return
        period = self._period(form, table, sheet, result)
        if period is None:
            return
        result.sheet_findings[sheet.name, form.form_id].extend(table.header_findings())
        if form.unit_labels:
            table.read_rows(period, result)
        elif unit := self._single_unit(table, sheet, period, result):
            table.read_single_row(unit, period, result)

    def _form(self, sheet: _Sheet, result: ReadWorkbook) -> _Match | None:
        """Return the form that a sheet holds; a finding says why where there is none or more than one."""
        titled = self._titled(sheet)
        matches = self._matches(sheet.grid, titled)
        if not matches:
            titles = "、".join(f"《{self._finders[number].form.title}》" for number in sorted(titled))
            kind = "table_not_found" if titles else "sheet_not_recognised"
            result.file_findings.append(ReadingFinding(kind, sheet.name, stated=titles))
            return None
        if any(match.titled for match in matches):
            matches = [match for match in matches if match.titled]
        if len({match.form.authority_id for match in matches}) > 1:
            matches = [match for match in matches if self._names_units(match, sheet)] or matches
        likeness = {id(match): match.finder.likeness(match.header) for match in matches}
        best = [match for match in matches if likeness[id(match)] == max(likeness.values())]
        if len(best) > 1:
            titles = "、".join(f"《{match.form.title}》" for match in best)
            result.file_findings.append(ReadingFinding("ambiguous_form", sheet.name, stated=titles))
            return None
        return best[0]

    def _titled(self, sheet: _Sheet) -> set[int]:
        """Return the forms whose titles stand on a sheet."""
        found: set[int] = set()
        for text in (*sheet.texts, sheet.name):
            for title in self._titles.findall(plain(text)):
                found |= self._by_title[title]
        return found

    def _matches(self, grid: Grid, titled: set[int]) -> list[_Match]:
        """Return the forms that a sheet may be."""
        labels = {
            joined([split_unit(as_text(cell), self._units_of_measure)[0]])
            for row in grid.rows[:SEARCH_ROWS]
            for cell in row
            if isinstance(cell, str) and cell
        }
        seen = set().union(*(self._by_label[label] for label in labels if label in self._by_label))
        found = Counter(number for number, _ in seen)
        matches = []
        for number, finder in enumerate(self._finders):
            least = (COVERAGE_WITH_TITLE if number in titled else COVERAGE_WITHOUT_TITLE) * finder.required
            if not found[number] or found[number] < least:
                continue
            header = finder.find(grid)
            if header is None or finder.coverage(header) * finder.required < least:
                continue
            if number in titled or finder.likeness(header) >= COVERAGE_WITHOUT_TITLE:
                matches.append(_Match(finder, header, number in titled))
        return matches

    def _names_units(self, match: _Match, sheet: _Sheet) -> bool:
        """Return whether a sheet names units of the form's authority: in its column of units, or else anywhere."""
        units = self._units[match.form.authority_id]
        table = _Table(sheet.grid, match, units)
        if table.unit_column:
            return table.names_units()
        return bool(unit_lines(sheet.texts, units)[0] or units_mentioned(sheet.texts, units))

    def _period(self, form: Form, table: _Table, sheet: _Sheet, result: ReadWorkbook) -> Period | None:
        calendar, workbook = form.calendar.calendar(), sheet.workbook
        recognition = calendar.recognise(
            [*table.texts_above(), sheet.name],
            table.texts_below(),
            [*table.header_texts(), *workbook.dated],
            [workbook.file_name],
        )
        period = recognition.period
        if period:
            in_file_name = calendar.recognise([workbook.file_name], [recognition.evidence]).period
            if in_file_name and in_file_name != period:
                result.file_findings.append(
                    ReadingFinding(
                        "file_name_differs",
                        sheet.name,
                        stated=in_file_name.name,
                        expected=period.name,
                        form=form.title,
                    )
                )
        elif recognition.candidates:
            stated = "、".join(candidate.name for candidate in recognition.candidates)
            result.file_findings.append(ReadingFinding("ambiguous_period", sheet.name, stated=stated, form=form.title))
        else:
            example = _EXAMPLES[form.calendar.kind.value]
            result.file_findings.append(
                ReadingFinding("period_not_recognised", sheet.name, expected=example, form=form.title)
            )
        return period

    def _single_unit(self, table: _Table, sheet: _Sheet, period: Period, result: ReadWorkbook) -> Unit | None:
        """Return the unit of a sheet that holds one unit, named outside the table.

        A line 填报单位：… outweighs a mention anywhere else, even where the name in it is not known.
        """
        form, units = table.match.form, self._units[table.match.form.authority_id]
        own, workbook = table.outside_texts(), sheet.workbook
        named, strangers = unit_lines(own, units)
        if strangers and not named:
            stated = "、".join(strangers)
            result.file_findings.append(ReadingFinding("unknown_unit", sheet.name, stated=stated, form=form.title))
            return None
        named = named or unit_lines(workbook.texts, units)[0]
        for texts in (own, workbook.texts, [workbook.file_name]):
            named = named or units_mentioned(texts, units)
        if not named:
            result.file_findings.append(ReadingFinding("unit_not_found", sheet.name, form=form.title))
        elif len(named) > 1:
            stated = "、".join(unit.name for unit in named)
            result.file_findings.append(ReadingFinding("ambiguous_unit", sheet.name, stated=stated, form=form.title))
        elif not _in_force(named[0], period):
            result.file_findings.append(
                ReadingFinding("unit_not_in_force", sheet.name, stated=named[0].name, expected=period.name)
            )
        else:
            return named[0]
        return None


class _Table:
    """A sheet's table, read by the form it was matched to."""

    def __init__(self, grid: Grid, match: _Match, units: Mapping[str, Unit]) -> None:
        self.grid, self.match = grid, match
        self._form, self._header, self._units = match.form, match.header, units
        self._marks = frozenset(self._form.not_applicable_marks)
        total_row = self._form.total_row
        self._total_labels = {plain(label) for label in total_row.labels} if total_row else set()
        self._value_columns = [column.index for column in self._header.by_indicator.values()]
        self._below = range(self._header.last + 1, len(grid.rows))
        self.unit_column = self._unit_column()

    def names_units(self) -> bool:
        """Return whether a row names a unit."""
        return any(self._unit_name(row) in self._units for row in self._below)

    def texts_above(self) -> list[str]:
        """Return the texts above the header."""
        return _texts(self.grid, range(self._header.first))

    def texts_below(self) -> list[str]:
        """Return the texts below the header that are not part of a row of figures."""
        return _texts(self.grid, (row for row in _outer(self._below) if not self._is_figures(row)))

    def outside_texts(self) -> list[str]:
        """Return the texts above the header and those below it that are not part of a row of figures."""
        return self.texts_above() + self.texts_below()

    def header_texts(self) -> list[str]:
        """Return the texts of the header itself."""
        return _texts(self.grid, range(self._header.first, self._header.last + 1))

    def header_findings(self) -> list[ReadingFinding]:
        """Return what is wrong with the header: columns missing, unknown, doubtful, or in the wrong unit."""
        sheet, findings = self.grid.name, []
        for indicator in self._form.indicators:
            column = self._header.by_indicator.get(indicator.indicator_id)
            if doubtful := self._header.doubtful.get(indicator.indicator_id):
                cells = "、".join(self._cells(*item.place) for item in doubtful)
                findings.append(ReadingFinding("ambiguous_header", sheet, cells=cells, expected=indicator.label_path))
            elif column is None and not indicator.optional:
                findings.append(self.header_finding("missing_header", expected=indicator.label_path))
            elif column and power_of_ten(column.unit_of_measure, indicator.unit_of_measure) is None:
                findings.append(
                    ReadingFinding(
                        "unit_of_measure_mismatch",
                        sheet,
                        cells=self._cells(*column.place),
                        stated=column.unit_of_measure,
                        expected=indicator.unit_of_measure,
                        indicator=indicator.caption,
                    )
                )
        for column in self._header.unknown:
            cells = self._cells(*column.place)
            findings.append(ReadingFinding("unknown_header", sheet, cells=cells, stated=" / ".join(column.path)))
        return findings

    def header_finding(self, kind: str, expected: str, form: str = "") -> ReadingFinding:
        """Return a finding about the header as a whole."""
        header, sheet = self._header, self.grid.name
        first = self.grid.address(header.first, min(column.index for column in header.columns))
        last = self.grid.address(header.last, max(column.index for column in header.columns))
        return ReadingFinding(kind, sheet, cells=f"{sheet}!{first}:{last}", expected=expected, form=form)

    def read_rows(self, period: Period, result: ReadWorkbook) -> None:
        """Read one submission from each row that names a unit, and the printed total row as a statement."""
        assert self.unit_column is not None
        sheet, form = self.grid.name, self._form
        rows_of_unit: dict[str, ReadSubmission] = {}
        rows_seen = False
        for row in self._below:
            name, cells = self._unit_name(row), self._cells(row, self.unit_column.index)
            unit = self._units.get(name)
            if unit is None and (not self._is_figures(row) or self.match.finder.is_header_row(self.grid, row)):
                continue
            rows_seen = True
            if form.total_row and name in self._total_labels and unit is None:
                result.submissions.append(self._submission(row, form.total_row.states, period, "total", name))
            elif unit is None:
                stated = "".join(as_text(self._cell(row, self.unit_column.index)).split()) or "（空白）"
                result.file_findings.append(
                    ReadingFinding("unknown_unit", sheet, cells=cells, stated=stated, form=form.title)
                )
            elif not _in_force(unit, period):
                result.file_findings.append(
                    ReadingFinding("unit_not_in_force", sheet, cells=cells, stated=unit.name, expected=period.name)
                )
            elif unit.unit_id in rows_of_unit:
                rows_of_unit[unit.unit_id].findings.append(
                    ReadingFinding("unit_repeated", sheet, cells=cells, stated=unit.name)
                )
            else:
                submission = self._submission(row, unit.unit_id, period, "unit", unit.name)
                rows_of_unit[unit.unit_id] = submission
                result.submissions.append(submission)
        if not rows_seen:
            result.file_findings.append(ReadingFinding("no_rows", sheet, form=form.title))

    def read_single_row(self, unit: Unit, period: Period, result: ReadWorkbook) -> None:
        """Read the one row of figures of a sheet that holds a single unit."""
        rows = [row for row in self._below if self._is_figures(row)]
        submission = self._submission(
            rows[0] if rows else self._header.last + 1, unit.unit_id, period, "unit", unit.name
        )
        for row in rows[1:]:
            first = min(column for column in self._value_columns if self._cell(row, column) != "")
            cells = self._cells(row, first)
            submission.findings.append(ReadingFinding("row_left_out", self.grid.name, cells=cells, stated=unit.name))
        result.submissions.append(submission)

    def _submission(self, row: int, unit_id: str, period: Period, row_role: str, name: str) -> ReadSubmission:
        sheet = self.grid.name
        submission = ReadSubmission(self._form.form_id, unit_id, period, row_role, sheet, [])
        for indicator in self._form.indicators:
            column = self._header.by_indicator.get(indicator.indicator_id)
            if column and power_of_ten(column.unit_of_measure, indicator.unit_of_measure) is not None:
                submission.observations.append(self._observe(row, column, indicator, submission))
        if submission.observations and all(item.state == "blank" for item in submission.observations):
            cells = f"{sheet}!{submission.observations[0].cell}"
            submission.findings.append(ReadingFinding("blank_submission", sheet, cells=cells, stated=name))
        return submission

    def _observe(self, row: int, column: Column, indicator: Indicator, submission: ReadSubmission) -> Observation:
        sheet, address = self.grid.name, self.grid.address(row, column.index)
        text, parsed = self._parse(row, column, indicator, address)
        if parsed.state == "unreadable":
            without_value = address in self.grid.without_value
            submission.findings.append(
                ReadingFinding(
                    "formula_without_value" if without_value else "unreadable_cell",
                    sheet,
                    cells=f"{sheet}!{address}",
                    stated=text,
                    expected=f"数字（{indicator.unit_of_measure}）",
                    indicator=indicator.caption,
                )
            )
        return Observation(
            f"{self._form.form_id}.{indicator.indicator_id}",
            parsed.state,
            parsed.value,
            text,
            parsed.decimals,
            address,
        )

    def _parse(self, row: int, column: Column, indicator: Indicator, address: str) -> tuple[str, Parsed]:
        """Return a cell's text as it stands on the sheet, and what it says."""
        cell = self._cell(row, column.index)
        wanted, written_in = indicator.unit_of_measure, column.unit_of_measure
        if cell == "":
            if error := self.grid.errors.get(address):
                return error, UNREADABLE
            return "", UNREADABLE if address in self.grid.without_value else BLANK
        text = as_text(cell)
        if isinstance(cell, str):
            return text, parse_text(text, wanted, written_in, self._marks)
        if not isinstance(cell, float):
            return text, UNREADABLE
        number_format = self.grid.formats.get(address)
        if number_format and (number_format.percent or indicator.measure_kind not in ("flow", "stock")):
            # What the sheet shows is what was stated: 76.1%, not the 0.761 behind it.
            shown = number_format.show(cell)
            if shown is not None:
                return shown, parse_text(shown, wanted, written_in, self._marks)
        return text, parse_stored(text, wanted, written_in)

    def _is_figures(self, row: int) -> bool:
        """Return whether a row below the header holds figures, as against a note, a signature or column numbers."""
        cells = [self._cell(row, column) for column in self._value_columns]
        filled = [cell for cell in cells if cell != ""]
        if not filled or self._is_column_numbers(row, cells):
            return False
        has_number = any(self._is_number(cell) for cell in filled)
        if self.unit_column is None:
            return has_number
        name = self._cell(row, self.unit_column.index)
        if ":" in plain(as_text(name)):  # 填表人：… is a signature
            return False
        return (has_number or 2 * len(filled) >= len(cells)) and (name != "" or len(filled) > 1)

    def _is_number(self, cell: Cell) -> bool:
        if isinstance(cell, str):
            return parse_text(as_text(cell), "%", "", self._marks).state in ("value", "zero", "not_applicable")
        return isinstance(cell, float)

    def _is_column_numbers(self, row: int, cells: list[Cell]) -> bool:
        """Return whether the row right below the header numbers its columns (甲 1 2 3)."""
        if row != self._header.last + 1 or len(cells) < 2:
            return False
        if self.unit_column and self._unit_name(row) in self._units:
            return False
        by_place = sorted(zip(self._value_columns, (as_text(cell).strip("()（） ") for cell in cells), strict=True))
        numbers = [int(text) if text.isascii() and text.isdigit() else 0 for _, text in by_place]
        if numbers != list(range(numbers[0], numbers[0] + len(numbers))) or not 1 <= numbers[0] <= 3:
            return False
        # In a table of one unit the first row may really hold 1, 2, 3.
        others = (self._cell(later, column) for later in self._below[1:] for column in self._value_columns)
        return len(cells) > 3 or self.unit_column is not None or any(self._is_number(cell) for cell in others)

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
            name = next((label for label in left if label in self._total_labels), "")
        return name

    def _cell(self, row: int, column: int) -> Cell:
        """Return a cell; beyond the used part of the sheet and where there is only white space it is blank."""
        if row >= len(self.grid.rows) or column >= len(self.grid.rows[row]):
            return ""
        cell = self.grid.rows[row][column]
        return cell if not isinstance(cell, str) or cell.strip() else ""

    def _cells(self, row: int, column: int) -> str:
        return f"{self.grid.name}!{self.grid.address(row, column)}"


def _texts(grid: Grid, rows: Iterable[int]) -> list[str]:
    return [text for row in rows for text in row_texts(grid.rows[row])]


def _outer(rows: range) -> list[int]:
    """Return the first and the last rows."""
    return [*rows[:TOP_ROWS], *rows[TOP_ROWS:][-END_ROWS:]]


def _in_force(unit: Unit, period: Period) -> bool:
    """Return whether a unit exists in the period."""
    return (unit.valid_from or date.min) <= period.ends_on and (unit.valid_to or date.max) >= period.starts_on


def _once_each(submissions: Iterable[ReadSubmission]) -> list[ReadSubmission]:
    """Return the first submission of each unit, form and period; a second one in the same file becomes a finding."""
    first: dict[tuple[str, str, str, str], ReadSubmission] = {}
    for item in submissions:
        kept = first.setdefault((item.form_id, item.unit_id, item.period.period_id, item.row_role), item)
        if kept is not item:
            cell = item.observations[0].cell if item.observations else ""
            cells = f"{item.sheet}!{cell}" if cell else item.sheet
            kept.findings.append(ReadingFinding("submission_repeated", item.sheet, cells=cells, stated=kept.sheet))
    return list(first.values())


_EXAMPLES = {
    "month": "2025年9月",
    "quarter": "2025年第三季度",
    "half": "2025年上半年",
    "year": "2025年度",
    "year_to_date": "2025年1—9月",
    "campaign": "2023年5月1日-2023年9月26日",
}
