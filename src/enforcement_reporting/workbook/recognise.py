"""Which form, unit and period a workbook holds, and the observations in it.

Everything is decided from the content: the form by its title and its header labels, the period by the texts around
the table, the unit by its name in the row or in a line such as 填报单位：…. Where the content allows two answers, there
is a finding and no answer. The rest of the workbook goes on.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from enforcement_reporting.catalog import Catalog, Form, Indicator, Unit
from enforcement_reporting.findings import ReadingFinding
from enforcement_reporting.periods import Period, Recognition, speaks_of_time
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
from enforcement_reporting.workbook.labels import money_stated, row_texts, unit_lines, units_mentioned

# How much of a form a sheet must carry to be taken for it: with its title, and without.
COVERAGE_WITH_TITLE = 0.5
COVERAGE_WITHOUT_TITLE = 0.8
# Titles, periods and names outside the table are looked for in so many rows at the top and at the end of a sheet.
TOP_ROWS, END_ROWS = 250, 50

# A note below a table may speak of any form and any period.
_NOTE = re.compile(r"\s*[(（【\[]?\s*(?:[0-9一二三四五六七八九十]{1,2}[、.．]|[备附]?\s*注|说\s*明)")
# Units in which things are measured and not counted: money, shares, ratios (件/人), lengths, weights, times, 万人.
_MEASURED = re.compile(
    r"[元%‰/]|倍|[十百千万亿]\S|吨|克|公斤|斤$|米|公里|里$|亩|公顷|升|小时|学时|课时|分钟|[天日月年]$|度$|分$|百分点"
)


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
class _Break:
    """Where a table is interrupted: the first row of it, the texts there, and the header that follows them if any.

    ``foreign``: what follows is the header of another form.
    """

    row: int
    texts: list[str]
    header: Header | None
    foreign: bool = False


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
            result.file_findings.append(table.header_finding("unit_column_missing", expected=label))
            return
        breaks = list(table.breaks(self._is_header_of_another))
        ends = [item.row for item in breaks if item.header or item.foreign]
        recognition = self._period(form, table.until(ends[0]) if ends else table, sheet, result)
        if recognition.period is None:
            return
        # Texts that the first table carries too are printed again on each page and say nothing new.
        known = set(map(plain, table.texts_above()))
        for item in breaks:
            titles = [text for text in item.texts if plain(text) not in known and not _NOTE.match(text)]
            period = form.calendar.calendar().recognise(titles, [recognition.evidence])
            foreign = item.foreign or any(form.form_id not in self._forms_titled(text) for text in titles)
            same_columns = item.header is None or item.header.repeats(table.match.header)
            if period.period == recognition.period and same_columns and not foreign:
                continue
            self._read_table(table.until(item.row), sheet, recognition.period, result)
            if foreign or item.header is None or period.period is None or not form.unit_labels:
                result.file_findings.append(table.another_table(item.row, None if foreign else period.period))
                return
            match = _Match(match.finder, item.header, match.titled)
            money = table.money
            table, recognition = _Table(sheet.grid, match, table.units, item.row), period
            table.money = table.money or money
            known = set(map(plain, item.texts))
            if table.unit_column is None:
                label = " / ".join(form.unit_labels)
                result.file_findings.append(table.header_finding("unit_column_missing", expected=label))
                return
        assert recognition.period is not None
        self._read_table(table, sheet, recognition.period, result)

    def _read_table(self, table: _Table, sheet: _Sheet, period: Period, result: ReadWorkbook) -> None:
        """Read the submissions in one table of a sheet."""
        form = table.match.form
        table.period = period
        result.sheet_findings[sheet.name, form.form_id].extend(table.header_findings())
        if form.unit_labels:
            table.read_rows(period, result)
        elif unit := self._single_unit(table, sheet, period, result):
            table.read_single_row(unit, period, result)

    def _forms_titled(self, text: str) -> set[str]:
        """Return the forms whose title stands in a text, or all where none does."""
        titles = self._titles.findall(plain(text))
        numbers = set().union(*(self._by_title[title] for title in titles)) if titles else range(len(self._finders))
        return {self._finders[number].form.form_id for number in numbers}

    def _is_header_of_another(self, row: Sequence[Cell], form: Form) -> bool:
        """Return whether a row, no header row of ``form``, looks like a header row of another form."""
        filled = [cell for cell in row if cell != ""]
        if len(filled) < 2 or not all(isinstance(cell, str) for cell in filled):
            return False
        hits: Counter[int] = Counter()
        for cell in filled:
            label = joined([split_unit(as_text(cell), self._units_of_measure)[0]])
            hits.update({number for number, _ in self._by_label.get(label, ())})
        return any(
            count >= 2 and 2 * count >= len(filled) and self._finders[number].form is not form
            for number, count in hits.items()
        )

    def _form(self, sheet: _Sheet, result: ReadWorkbook) -> _Match | None:
        """Return the form that a sheet holds; a finding says why where there is none or more than one."""
        titled = self._titled(sheet)
        matches = self._matches(sheet.grid, titled)
        if not matches:
            titles = "、".join(f"《{self._finders[number].form.title}》" for number in sorted(titled))
            kind = "table_not_found" if titles else "sheet_not_recognised"
            form_id = self._finders[min(titled)].form.form_id if len(titled) == 1 else ""
            result.file_findings.append(ReadingFinding(kind, sheet.name, stated=titles, form_id=form_id))
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

    def _period(self, form: Form, table: _Table, sheet: _Sheet, result: ReadWorkbook) -> Recognition:
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
                    table.finding(
                        "file_name_differs",
                        cells=_cells_of(sheet.grid, recognition.evidence.split(" | ")),
                        stated=in_file_name.name,
                        expected=period.name,
                        period_id=period.period_id,
                    )
                )
        elif recognition.candidates:
            stated = "、".join(candidate.name for candidate in recognition.candidates)
            cells = _cells_of(sheet.grid, recognition.evidence.split(" | "))
            result.file_findings.append(table.finding("ambiguous_period", cells=cells, stated=stated))
        else:
            example = _EXAMPLES[form.calendar.kind.value]
            result.file_findings.append(table.header_finding("period_not_recognised", expected=example))
        return recognition

    def _single_unit(self, table: _Table, sheet: _Sheet, period: Period, result: ReadWorkbook) -> Unit | None:
        """Return the unit of a sheet that holds one unit, named outside the table.

        A line 填报单位：… outweighs a mention anywhere else, even where the name in it is not known.
        """
        units = table.units
        own, workbook = table.outside_texts(), sheet.workbook
        named, strangers = unit_lines(own, units)
        if strangers and not named:
            stated = "、".join(strangers)
            cells = _cells_naming(sheet.grid, strangers)
            result.file_findings.append(table.finding("unknown_unit", cells=cells, stated=stated))
            return None
        named = named or unit_lines(workbook.texts, units)[0]
        for texts in (own, workbook.texts, [workbook.file_name]):
            named = named or units_mentioned(texts, units)
        if not named:
            result.file_findings.append(table.header_finding("unit_not_found"))
        elif len(named) > 1:
            stated = "、".join(unit.name for unit in named)
            cells = _cells_naming(sheet.grid, [name for unit in named for name in (unit.name, *unit.aliases)])
            result.file_findings.append(table.finding("ambiguous_unit", cells=cells, stated=stated))
        elif not _in_force(named[0], period):
            cells = _cells_naming(sheet.grid, [named[0].name, *named[0].aliases])
            result.file_findings.append(
                table.finding("unit_not_in_force", cells=cells, stated=named[0].name, expected=period.name)
            )
        else:
            return named[0]
        return None


class _Table:
    """A sheet's table, read by the form it was matched to; what belongs to it begins in row ``begins``.

    ``money`` are the units of money that a line such as 单位：元 states. Findings say ``period`` once it is set.
    """

    period: Period | None = None

    def __init__(self, grid: Grid, match: _Match, units: Mapping[str, Unit], begins: int = 0) -> None:
        self.grid, self.match, self.units, self._begins = grid, match, units, begins
        self._form, self._header, self._units = match.form, match.header, units
        self._marks = frozenset(self._form.not_applicable_marks)
        total_row = self._form.total_row
        self._total_labels = {plain(label) for label in total_row.labels} if total_row else set()
        self._value_columns = [column.index for column in self._header.by_indicator.values()]
        self._below = range(self._header.last + 1, len(grid.rows))
        self.unit_column = self._unit_column()
        self.money = money_stated(self.texts_above())

    def until(self, row: int) -> _Table:
        """Return the same table, ending before a row."""
        table = copy(self)
        table._below = range(self._header.last + 1, row)
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

    def breaks(self, is_header_of_another: Callable[[Sequence[Cell], Form], bool]) -> Iterator[_Break]:
        """Yield where, between rows of figures, texts or a header stand: a new page, or another table."""
        finder, texts_from, row = self.match.finder, None, self._below.start
        while row < self._below.stop:
            cells = self.grid.rows[row]
            if not any(isinstance(cell, str) and cell.strip() for cell in cells):
                is_text = False
            elif finder.is_header_row(self.grid, row):
                if header := finder.find_again(self.grid, row):
                    start = row if texts_from is None else texts_from
                    yield _Break(start, _texts(self.grid, range(start, row)), header)
                    row, texts_from = header.last, None
                row += 1
                continue
            elif is_header_of_another(cells, self._form):
                yield _Break(row if texts_from is None else texts_from, [], None, foreign=True)
                return
            else:
                is_text = self._unit_name(row) not in self._units and not self._is_figures(row)
            if is_text:
                texts_from = row if texts_from is None else texts_from
            elif texts_from is not None and any(cell != "" for cell in cells):
                yield _Break(texts_from, _texts(self.grid, range(texts_from, row)), None)
                texts_from = None
            row += 1

    def names_units(self) -> bool:
        """Return whether a row names a unit."""
        return any(self._unit_name(row) in self._units for row in self._below)

    def texts_above(self) -> list[str]:
        """Return the texts above the header."""
        return _texts(self.grid, range(self._begins, self._header.first))

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
        findings = []
        for indicator in self._form.indicators:
            column = self._header.by_indicator.get(indicator.indicator_id)
            if doubtful := self._header.doubtful.get(indicator.indicator_id):
                cells = "、".join(self._cells(*item.place) for item in doubtful)
                findings.append(self.finding("ambiguous_header", cells=cells, expected=indicator.label_path))
            elif column is None and not indicator.optional:
                findings.append(self.header_finding("missing_header", expected=indicator.label_path))
            elif column and power_of_ten(self._written_in(column, indicator), indicator.unit_of_measure) is None:
                findings.append(
                    self.finding(
                        "unit_of_measure_mismatch",
                        cells=self._cells(*column.place),
                        stated=self._written_in(column, indicator),
                        expected=indicator.unit_of_measure,
                        indicator=indicator.caption,
                    )
                )
        for column in self._header.unknown:
            cells = self._cells(*column.place)
            findings.append(self.finding("unknown_header", cells=cells, stated=" / ".join(column.path)))
        return findings

    def header_finding(self, kind: str, expected: str = "") -> ReadingFinding:
        """Return a finding about the header as a whole."""
        header, sheet = self._header, self.grid.name
        first = self.grid.address(header.first, min(column.index for column in header.columns))
        last = self.grid.address(header.last, max(column.index for column in header.columns))
        return self.finding(kind, cells=f"{sheet}!{first}:{last}", expected=expected)

    def _written_in(self, column: Column, indicator: Indicator) -> str:
        """Return the unit of measure of a column: its header's, or that of money said beside the table."""
        if column.unit_of_measure or indicator.unit_of_measure not in MONEY:
            return column.unit_of_measure
        return "、".join(self.money)

    def read_rows(self, period: Period, result: ReadWorkbook) -> None:
        """Read one submission from each row that names a unit, and the printed total row as a statement."""
        assert self.unit_column is not None
        form = self._form
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
                result.file_findings.append(self.finding("unknown_unit", cells=cells, stated=stated))
            elif not _in_force(unit, period):
                result.file_findings.append(
                    self.finding("unit_not_in_force", cells=cells, stated=unit.name, expected=period.name)
                )
            elif unit.unit_id in rows_of_unit:
                rows_of_unit[unit.unit_id].findings.append(self.finding("unit_repeated", cells=cells, stated=unit.name))
            else:
                submission = self._submission(row, unit.unit_id, period, "unit", unit.name)
                rows_of_unit[unit.unit_id] = submission
                result.submissions.append(submission)
        if not rows_seen:
            result.file_findings.append(self.header_finding("no_rows"))

    def read_single_row(self, unit: Unit, period: Period, result: ReadWorkbook) -> None:
        """Read the one row of figures of a sheet that holds a single unit."""
        rows = [row for row in self._below if self._is_figures(row)]
        # Where another table follows at once, nothing of it is this one's: the row below the sheet is blank.
        first_row = self._below.start if self._below else len(self.grid.rows)
        submission = self._submission(rows[0] if rows else first_row, unit.unit_id, period, "unit", unit.name)
        for row in rows[1:]:
            first = min(column for column in self._value_columns if self._cell(row, column) != "")
            cells = self._cells(row, first)
            submission.findings.append(self.finding("row_left_out", cells=cells, stated=unit.name))
        result.submissions.append(submission)

    def _submission(self, row: int, unit_id: str, period: Period, row_role: str, name: str) -> ReadSubmission:
        sheet = self.grid.name
        submission = ReadSubmission(self._form.form_id, unit_id, period, row_role, sheet, [])
        for indicator in self._form.indicators:
            column = self._header.by_indicator.get(indicator.indicator_id)
            if column and power_of_ten(self._written_in(column, indicator), indicator.unit_of_measure) is not None:
                submission.observations.append(self._observe(row, column, indicator, submission))
        if submission.observations and all(item.state == "blank" for item in submission.observations):
            cells = f"{sheet}!{submission.observations[0].cell}"
            submission.findings.append(self.finding("blank_submission", cells=cells, stated=name))
        return submission

    def _observe(self, row: int, column: Column, indicator: Indicator, submission: ReadSubmission) -> Observation:
        sheet, address = self.grid.name, self.grid.address(row, column.index)
        text, parsed = self._parse(row, column, indicator, address)
        if parsed.state == "unreadable":
            without_value = address in self.grid.without_value
            submission.findings.append(
                self.finding(
                    "formula_without_value" if without_value else "unreadable_cell",
                    cells=f"{sheet}!{address}",
                    stated=text,
                    expected=f"数字（{indicator.unit_of_measure}）",
                    indicator=indicator.caption,
                )
            )
        elif parsed.value is not None and (kind := _implausible(parsed.value, indicator)):
            submission.findings.append(
                self.finding(
                    kind,
                    cells=f"{sheet}!{address}",
                    stated=text,
                    expected=indicator.unit_of_measure,
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
        wanted, written_in = indicator.unit_of_measure, self._written_in(column, indicator)
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


def _cells_of(grid: Grid, texts: Sequence[str]) -> str:
    """Return the cells on the sheet in which texts stand, or begin with what stands before a colon."""
    found = []
    for row in _outer(range(len(grid.rows))):
        for column, cell in enumerate(grid.rows[row]):
            if isinstance(cell, str) and cell.strip():
                text = as_text(cell)
                is_label = text.rstrip().endswith((":", "："))
                if text in texts or (is_label and any(other.startswith(text) for other in texts)):
                    found.append(f"{grid.name}!{grid.address(row, column)}")
    return "、".join(found)


def _cells_naming(grid: Grid, names: Iterable[str]) -> str:
    """Return the cells on the sheet in which one of the names occurs."""
    wanted = [plain(name) for name in names]
    found = [
        f"{grid.name}!{grid.address(row, column)}"
        for row in _outer(range(len(grid.rows)))
        for column, cell in enumerate(grid.rows[row])
        if isinstance(cell, str) and any(name in plain(as_text(cell)) for name in wanted)
    ]
    return "、".join(found)


def _implausible(value: Decimal, indicator: Indicator) -> str:
    """Return the kind of finding that a value is worth which cannot have been counted, or nothing."""
    if indicator.measure_kind not in ("flow", "stock"):
        return ""
    if value < 0:
        return "negative_value"
    return "fractional_count" if value % 1 and not _MEASURED.search(indicator.unit_of_measure) else ""


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
            kept.findings.append(
                ReadingFinding(
                    "submission_repeated",
                    item.sheet,
                    cells=f"{item.sheet}!{cell}" if cell else item.sheet,
                    stated=kept.sheet,
                    form_id=item.form_id,
                    period_id=item.period.period_id,
                )
            )
    return list(first.values())


_EXAMPLES = {
    "month": "2025年9月",
    "quarter": "2025年第三季度",
    "half": "2025年上半年",
    "year": "2025年度",
    "year_to_date": "2025年1—9月",
    "campaign": "2023年5月1日-2023年9月26日",
}
