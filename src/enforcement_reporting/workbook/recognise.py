"""Which form, unit and period a workbook holds, and the observations in it.

Everything is decided from the content: the form by its title and its header labels, the period by the texts around
the table, the unit by its name in the row or in a line such as 填报单位：…. Where the content allows two answers, there
is a finding and no answer. The rest of the workbook goes on. The mark of a template settles what the content leaves
open; where it says something else than the content, these are two answers too.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property, lru_cache, partial
from typing import Any, NamedTuple

from enforcement_reporting.catalog import Catalog, Form, Indicator, Unit
from enforcement_reporting.findings import ReadingFinding
from enforcement_reporting.periods import Calendar, CalendarKind, Period, Recognition, speaks_of_time
from enforcement_reporting.texts import MONEY, joined, plain, split_unit
from enforcement_reporting.workbook.addresses import column_letters
from enforcement_reporting.workbook.cells import Cell, State, parse_text, power_of_ten
from enforcement_reporting.workbook.grid import Grid, as_text, open_workbook
from enforcement_reporting.workbook.header import SEARCH_ROWS, Column, Header, HeaderFinder, Place
from enforcement_reporting.workbook.labels import money_stated, row_texts, unit_lines, units_mentioned
from enforcement_reporting.workbook.mark import layout_of, mark_in
from enforcement_reporting.workbook.measures import (
    BLANK_CELL,
    Measure,
    Reading,
    measure_of,
    read_number,
    read_stored,
    read_typed,
    unreadable,
)
from enforcement_reporting.workbook.remembered import LONGEST

# How much of a form a sheet must carry to be taken for it: with its title, and without.
COVERAGE_WITH_TITLE = 0.5
COVERAGE_WITHOUT_TITLE = 0.8
# Titles, periods and names outside the table are looked for in so many rows at the top and at the end of a sheet.
TOP_ROWS, END_ROWS = 250, 50

# A note below a table may speak of any form and any period.
_NOTE = re.compile(r"\s*[(（【\[]?\s*(?:[0-9一二三四五六七八九十]{1,2}[、.．]|[备附]?\s*注|说\s*明)")
_MOST_PLANS = 16
_LONGEST_LINE = 2_000  # characters in a row whose cells are remembered together
# Rows as they stand in a skeleton.
_BLANK_ROW: tuple[Cell, ...] = ("",)
_OTHER_ROW: tuple[Cell, ...] = (0.0,)  # a number is no label


class Observation(NamedTuple):
    """One indicator of one submission: the text as typed, its cell, and the exact number in it if there is one."""

    indicator_id: str
    state: State
    value: Decimal | None
    text: str
    decimals: int | None
    cell: str


_observation: Callable[[tuple[Any, ...]], Observation] = partial(tuple.__new__, Observation)  # in C throughout


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


class _Line(NamedTuple):
    """What the cells of a row say, wherever the row stands.

    Its texts, those of them that speak of time, the forms whose titles are in them, and the cells that are labels of
    a form or part of one.
    """

    texts: tuple[str, ...]
    dated: tuple[str, ...]
    titles: frozenset[int]
    labels: tuple[str, ...]


_SILENT = _Line((), (), frozenset(), ())


_ReadLine = Callable[[Sequence[Cell]], _Line]


class _MadeFor(NamedTuple):
    """What the template of a sheet was made for: the unit is None where all are meant."""

    form: Form
    period: Period
    unit: Unit | None
    is_current: bool


class _Sheet:
    """A sheet with what its rows say, and what is needed of the workbook around it."""

    made_for: _MadeFor | None = None

    def __init__(self, grid: Grid, workbook: _Workbook, read_line: _ReadLine, read_inner_line: _ReadLine) -> None:
        self.grid, self.name, self.workbook = grid, grid.name, workbook
        self.outer_rows = _outer(range(len(grid.rows)))
        # In the middle of a long sheet stand figures: what is said there of time is looked at only where it matters.
        self._read_line, self._inner = read_line, set(range(len(grid.rows))) - set(self.outer_rows)
        self.lines = [
            (read_inner_line if row in self._inner else read_line)(filled) for row, filled in enumerate(grid.filled)
        ]
        self.texts = self.texts_in(self.outer_rows)

    def texts_in(self, rows: Iterable[int]) -> list[str]:
        """Return the texts in some rows."""
        lines = self.lines
        return [text for row in rows for text in lines[row].texts]

    def dated_in(self, rows: Iterable[int]) -> list[str]:
        """Return the texts in some rows that speak of time."""
        for row in self._inner.intersection(rows) if self._inner else ():
            self.lines[row] = self._read_line(self.grid.filled[row])
            self._inner.discard(row)
        lines = self.lines
        return [text for row in rows for text in lines[row].dated]


@dataclass
class _Workbook:
    """What is known of the whole workbook: the texts on all its sheets, and those of them that speak of time."""

    file_name: str
    is_named_by_time: bool
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


class _Skeleton(NamedTuple):
    """What a sheet's forms and headers depend on.

    Of a row that can be no header row, that is one in which less than half is labels, only the labels count.
    """

    rows: tuple[tuple[Cell, ...], ...]
    types: tuple[tuple[type, ...], ...]  # 1.0 and True are equal
    spans: tuple[tuple[Place, Place], ...]


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
    numbers: list[Measure] = field(default_factory=list)

    def cells(self, row: list[Cell]) -> list[Cell]:
        """Return the cells in the columns of a row, that are blank beyond its end."""
        try:
            return [row[column] for column in self.columns]
        except IndexError:
            return [row[column] if column < len(row) else "" for column in self.columns]


@dataclass
class _Match:
    """A form matched to a sheet, or to all sheets of the same skeleton."""

    finder: HeaderFinder
    header: Header
    titled: bool
    _plans: dict[tuple[int, tuple[str, ...]], _Plan] = field(default_factory=dict)

    @property
    def form(self) -> Form:
        return self.finder.form

    @cached_property
    def value_columns(self) -> list[int]:
        return [column.index for column in self.header.by_indicator.values()]

    @cached_property
    def by_place(self) -> list[int]:
        return sorted(self.value_columns)

    @cached_property
    def marks(self) -> frozenset[str]:
        return frozenset(self.form.not_applicable_marks)

    @cached_property
    def total_labels(self) -> frozenset[str]:
        return frozenset(map(plain, self.form.total_row.labels)) if self.form.total_row else frozenset()

    def plan(self, left: int, money: Sequence[str]) -> _Plan:
        """Return how figures are read from a sheet that begins in column ``left`` and states units of money."""
        key = (left, tuple(money))
        if key not in self._plans:
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            self._plans[key] = self._planned(*key)
        return self._plans[key]

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
                    plan.numbers.append(measure.numbers)
        faults += [_Fault("unknown_header", (column.place,), " / ".join(column.path)) for column in self.header.unknown]
        return plan


class Reader:
    """Reads workbooks against one catalog; what can be prepared once per catalog is prepared here."""

    def __init__(self, catalog: Catalog) -> None:
        units_of_measure = frozenset(
            {item.unit_of_measure for form in catalog.forms for item in form.indicators} | set(MONEY)
        )
        self._units_of_measure = units_of_measure
        self._finders = [HeaderFinder(form, units_of_measure) for form in catalog.forms]
        self._form_by_id = catalog.form_by_id
        self._labels = frozenset().union(*(finder.labels for finder in self._finders))
        self._by_label: dict[str, set[tuple[int, str]]] = defaultdict(set)
        self._by_title: dict[str, set[int]] = defaultdict(set)
        for number, finder in enumerate(self._finders):
            for label, indicator_id in finder.lowest_labels:
                self._by_label[label].add((number, indicator_id))
            for title in (finder.form.title, *finder.form.title_aliases):
                self._by_title[plain(title)].add(number)
        self._labels |= self._by_label.keys()
        # Longest first: a title inside a longer title is not a title of its own.
        self._titles = re.compile("|".join(map(re.escape, sorted(self._by_title, key=len, reverse=True))))
        self._units: dict[str, dict[str, Unit]] = {
            authority.authority_id: {
                plain(name): unit for unit in authority.reporting_units for name in (unit.name, *unit.aliases)
            }
            for authority in catalog.authorities
        }
        calendars = [form.calendar.calendar() for form in catalog.forms]
        # By number, and equal ones once, so that texts understood for one form are understood for the next.
        self._calendars = list(dict.fromkeys(calendars))
        self._calendar_number = {
            form.form_id: self._calendars.index(calendar)
            for form, calendar in zip(catalog.forms, calendars, strict=True)
        }
        # Units send the same forms again and again: what comes again is looked up.
        self._said = lru_cache(4096)(self._read_text)
        self._line_of_texts = lru_cache(2048)(self._read_texts)
        self._matches_of_skeleton = lru_cache(256)(self._matched)
        self._recognised = lru_cache(1024)(self._recognise)
        self._made_for = lru_cache(1024)(self._read_mark)

    def read(self, content: bytes, file_name: str) -> ReadWorkbook:
        """Return the submissions in a workbook and what was wrong while reading.

        Sheets that are hidden from people are not read. Raises UnreadableWorkbook where the bytes cannot be read.
        """
        opened = open_workbook(content)
        result = ReadWorkbook()
        if opened.has_macros:
            result.file_findings.append(ReadingFinding("macros_ignored", ""))
        result.file_findings.extend(ReadingFinding("hidden_sheet", name) for name in opened.hidden)
        workbook = _Workbook(file_name, speaks_of_time(file_name))
        sheets = [_Sheet(grid, workbook, self._line, self._inner_line) for grid in opened.grids if not grid.is_empty]
        for sheet in sheets:
            sheet.made_for = self._made_for(sheet.grid.mark) if sheet.grid.mark else None
            name = self._said(sheet.name)
            workbook.texts += [*sheet.texts, sheet.name]
            workbook.dated += [*sheet.dated_in(sheet.outer_rows), *name.dated]
        for sheet in sheets:
            self._read_sheet(sheet, result)
        result.submissions = _once_each(result.submissions)
        return result

    def _read_sheet(self, sheet: _Sheet, result: ReadWorkbook) -> None:
        match = self._form(sheet, result)
        if match is None:
            return
        form = match.form
        table = _Table(sheet, match, self._units[form.authority_id])
        if form.unit_labels and table.unit_column is None:
            label = " / ".join(form.unit_labels)
            result.file_findings.append(table.header_finding("unit_column_missing", expected=label))
            return
        breaks = list(table.breaks(self._is_header_of_another))
        ends = [item.row for item in breaks if item.header or item.foreign]
        recognition = self._period(form, table.until(ends[0]) if ends else table, sheet, result)
        if recognition.period is None or self._differs(table, recognition, result):
            return
        # Texts that the first table carries too are printed again on each page and say nothing new.
        known = set(map(plain, table.texts_above())) if breaks else set()
        for item in breaks:
            titles = [text for text in item.texts if plain(text) not in known and not _NOTE.match(text)]
            period = self._calendar(form).recognise(titles, [recognition.evidence])
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
            table, recognition = _Table(sheet, match, table.units, item.row), period
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

    def _read_mark(self, text: str) -> _MadeFor | None:
        """Return what a template was made for, where its mark speaks of what the catalog knows."""
        mark = mark_in(text)
        form = self._form_by_id.get(mark.form_id) if mark else None
        if mark is None or form is None:
            return None
        period = next((item for item in self._calendar(form).periods() if item.period_id == mark.period_id), None)
        unit = next((item for item in self._units[form.authority_id].values() if item.unit_id == mark.unit_id), None)
        if period is None or (unit is None and mark.unit_id):
            return None
        return _MadeFor(form, period, unit, mark.layout == layout_of(form))

    @staticmethod
    def _differs(table: _Table, recognition: Recognition, result: ReadWorkbook) -> bool:
        """Return whether a sheet says something else than the mark of its template; add what is to be said of it."""
        made_for, form, period = table.sheet.made_for, table.match.form, recognition.period
        if made_for is None or period is None:
            return False
        units = table.units_named()
        strangers = [unit for unit in units if made_for.unit not in (None, unit)]
        if made_for.form is form and made_for.period == period and not strangers:
            if not made_for.is_current:
                result.file_findings.append(table.header_finding("template_outdated"))
            return False
        texts = recognition.evidence.split(" | ")
        whose = made_for.unit.name if made_for.unit else ""
        result.file_findings.append(
            table.finding(
                "template_differs",
                cells=_cells_naming(table.grid, [unit.name for unit in strangers]) or _cells_of(table.grid, texts),
                stated=f"《{form.title}》{period.name}{'、'.join(unit.name for unit in units)}",
                expected=f"《{made_for.form.title}》{made_for.period.name}{whose}",
                period_id=period.period_id,
            )
        )
        return True

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
        made_for = sheet.made_for
        if made_for and not titled:
            titled = frozenset(number for number, item in enumerate(self._finders) if item.form is made_for.form)
        matches = self._matches(sheet, titled)
        if not matches:
            titles = "、".join(f"《{self._finders[number].form.title}》" for number in sorted(titled))
            kind = "table_not_found" if titles else "sheet_not_recognised"
            form_id = self._finders[min(titled)].form.form_id if len(titled) == 1 else ""
            result.file_findings.append(ReadingFinding(kind, sheet.name, stated=titles, form_id=form_id))
            return None
        if len(matches) == 1:
            return matches[0]
        if any(match.titled for match in matches):
            matches = [match for match in matches if match.titled]
        if len({match.form.authority_id for match in matches}) > 1:
            matches = [match for match in matches if self._names_units(match, sheet)] or matches
        likeness = {id(match): match.finder.likeness(match.header) for match in matches}
        best = [match for match in matches if likeness[id(match)] == max(likeness.values())]
        if len(best) > 1 and made_for:
            best = [match for match in best if match.form is made_for.form] or best
        if len(best) > 1:
            titles = "、".join(f"《{match.form.title}》" for match in best)
            result.file_findings.append(ReadingFinding("ambiguous_form", sheet.name, stated=titles))
            return None
        return best[0]

    def _line(self, filled: Sequence[Cell]) -> _Line:
        """Return what the cells of a row say that are not blank."""
        if not filled or (type(filled[0]) is float and set(map(type, filled)) == {float}):
            return _SILENT
        try:
            length = len("".join(filled))  # type: ignore[arg-type]
        except TypeError:  # numbers among them
            return self._read_texts(filled)
        return (self._line_of_texts if length <= _LONGEST_LINE else self._read_texts)(tuple(filled))

    def _read_texts(self, filled: Sequence[Cell]) -> _Line:
        texts = row_texts(filled)
        said = list(map(self._said, texts))
        return _Line(
            tuple(texts),
            tuple(text for item in said for text in item.dated),
            frozenset().union(*(item.titles for item in said)),
            tuple(cell for cell in filled if isinstance(cell, str) and self._said(as_text(cell)).labels),
        )

    def _read_text(self, text: str) -> _Line:
        """Return what a single text says."""
        titles: set[int] = set()
        for title in self._titles.findall(plain(text)):
            titles |= self._by_title[title]
        dated = (text,) if speaks_of_time(text) else ()
        return _Line((text,), dated, frozenset(titles), (text,) if self._is_label(text) else ())

    def _is_label(self, text: str) -> bool:
        """Return whether a text is a label of any form, or part of one."""
        label = split_unit(text, self._units_of_measure)[0]
        return label in self._labels or joined([label]) in self._labels

    def _inner_line(self, filled: Sequence[Cell]) -> _Line:
        """Return the texts and labels among the filled cells of a row, and nothing else of what they say."""
        labels = [cell for cell in filled if isinstance(cell, str) and self._is_label(as_text(cell))]
        return _Line(tuple(row_texts(filled)), (), frozenset(), tuple(labels))

    def _titled(self, sheet: _Sheet) -> frozenset[int]:
        """Return the forms whose titles stand on a sheet."""
        titles = [sheet.lines[row].titles for row in sheet.outer_rows]
        return self._said(sheet.name).titles.union(*titles)

    def _matches(self, sheet: _Sheet, titled: frozenset[int]) -> list[_Match]:
        """Return the forms that a sheet may be."""
        skeleton = self._skeleton(sheet)
        if skeleton is None:
            return self._matched(sheet.grid, titled)
        return self._matches_of_skeleton(skeleton, titled)

    def _skeleton(self, sheet: _Sheet) -> _Skeleton | None:
        """Return what forms and headers depend on, or None where it is too large to be remembered."""
        grid = sheet.grid
        if len(grid.rows) > SEARCH_ROWS or len(grid.spans) > SEARCH_ROWS:
            return None
        rows: list[tuple[Cell, ...]] = []
        types = []
        room = LONGEST
        for line, row, filled in zip(sheet.lines, grid.rows, grid.filled, strict=True):
            if not line.labels:
                rows.append(_OTHER_ROW if filled else _BLANK_ROW)
            elif 2 * len(line.labels) < len(filled):
                rows.append((*line.labels, *_OTHER_ROW * (len(line.labels) + 1)))  # no header row either
                room -= sum(map(len, line.labels))
            else:
                rows.append(tuple(row))
                types.append(tuple(map(type, row)))
                room -= len(row) + sum(map(len, line.texts))
            if room < 0:
                return None
        return _Skeleton(tuple(rows), tuple(types), tuple(grid.spans.items()))

    def _matched(self, sheet: Grid | _Skeleton, titled: frozenset[int]) -> list[_Match]:
        """Return the forms that a sheet may be, or all sheets that have a skeleton: what is not in it cannot matter."""
        grid = sheet if isinstance(sheet, Grid) else Grid("", list(map(list, sheet.rows)), spans=dict(sheet.spans))
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
        table = _Table(sheet, match, units)
        if table.unit_column:
            return table.names_units()
        return bool(unit_lines(sheet.texts, units)[0] or units_mentioned(sheet.texts, units))

    def _period(self, form: Form, table: _Table, sheet: _Sheet, result: ReadWorkbook) -> Recognition:
        workbook = sheet.workbook
        # What says nothing of time has no bearing on it, but in a list a period may have any name.
        is_list = form.calendar.kind is CalendarKind.LIST
        said_in = sheet.texts_in if is_list else sheet.dated_in
        file_name = (workbook.file_name,) if is_list or workbook.is_named_by_time else ()
        number = self._calendar_number[form.form_id]
        recognition = self._recognised(
            number,
            (*said_in(table.rows_above), *((sheet.name,) if is_list else self._said(sheet.name).dated)),
            tuple(said_in(table.rows_below())),
            (*said_in(table.rows_of_header), *workbook.dated),
            file_name,
        )
        made_for = sheet.made_for
        if made_for and made_for.form is form and made_for.period in (recognition.candidates or (made_for.period,)):
            recognition = Recognition((made_for.period,), recognition.evidence)
        period = recognition.period
        if period:
            in_file_name = self._recognised(number, file_name, (recognition.evidence,)).period
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

    def _calendar(self, form: Form) -> Calendar:
        return self._calendars[self._calendar_number[form.form_id]]

    def _recognise(self, number: int, *levels: tuple[str, ...]) -> Recognition:
        return self._calendars[number].recognise(*levels)

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
        if not named and sheet.made_for and sheet.made_for.unit:
            named = [sheet.made_for.unit]
        named = named or unit_lines(workbook.texts, units)[0]
        for texts in (own, workbook.texts, [workbook.file_name]):
            named = named or units_mentioned(texts, units)
        if not named:
            result.file_findings.append(table.header_finding("unit_not_found"))
        elif len(named) > 1:
            stated = "、".join(unit.name for unit in named)
            cells = _cells_naming(sheet.grid, [name for unit in named for name in (unit.name, *unit.aliases)])
            result.file_findings.append(table.finding("ambiguous_unit", cells=cells, stated=stated))
        elif not named[0].is_in_force(period):
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

    def __init__(self, sheet: _Sheet, match: _Match, units: Mapping[str, Unit], begins: int = 0) -> None:
        self.sheet, self.grid, self.match, self.units = sheet, sheet.grid, match, units
        self._form, self._header, self._units = match.form, match.header, units
        self._below = range(self._header.last + 1, len(self.grid.rows))
        self.rows_above = range(begins, self._header.first)
        self.rows_of_header = range(self._header.first, self._header.last + 1)
        self._figures_in: dict[int, bool] = {}
        self.unit_column = self._unit_column()
        self.money = money_stated(self.texts_above())

    def until(self, row: int) -> _Table:
        """Return the same table, ending before a row."""
        table = copy(self)
        table._below, table._figures_in = range(self._header.last + 1, row), {}
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
            cells, line = self.grid.rows[row], self.sheet.lines[row]
            if not line.texts:
                is_text = False
            elif line.labels and finder.is_header_row(self.grid, row):
                if header := finder.find_again(self.grid, row):
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

    def units_named(self) -> list[Unit]:
        """Return the units that the table says it is of: those of its rows, or those in a line such as 填报单位：…."""
        if self.unit_column is None:
            return unit_lines(self.outside_texts(), self._units)[0]
        names = map(self._unit_name, self._below)
        return [self._units[name] for name in dict.fromkeys(names) if name in self._units]

    def rows_below(self) -> list[int]:
        """Return the rows below the header that are not rows of figures."""
        return [row for row in _outer(self._below) if not self._is_figures(row)]

    def texts_above(self) -> list[str]:
        """Return the texts above the header."""
        return self.sheet.texts_in(self.rows_above)

    def outside_texts(self) -> list[str]:
        """Return the texts above the header and those below it that are not part of a row of figures."""
        return self.sheet.texts_in([*self.rows_above, *self.rows_below()])

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

    def header_finding(self, kind: str, expected: str = "") -> ReadingFinding:
        """Return a finding about the header as a whole."""
        return self.finding(kind, cells=self._header_cells(), expected=expected)

    def _header_cells(self) -> str:
        header = self._header
        first = self.grid.address(header.first, min(column.index for column in header.columns))
        last = self.grid.address(header.last, max(column.index for column in header.columns))
        return f"{self.grid.name}!{first}:{last}"

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
            if form.total_row and name in self.match.total_labels and unit is None:
                result.submissions.append(self._submission(row, form.total_row.states, period, "total", name))
            elif unit is None:
                stated = "".join(as_text(self._cell(row, self.unit_column.index)).split()) or "（空白）"
                result.file_findings.append(self.finding("unknown_unit", cells=cells, stated=stated))
            elif not unit.is_in_force(period):
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
            first = min(column for column in self.match.value_columns if self._cell(row, column) != "")
            cells = self._cells(row, first)
            submission.findings.append(self.finding("row_left_out", cells=cells, stated=unit.name))
        result.submissions.append(submission)

    def _submission(self, row: int, unit_id: str, period: Period, row_role: str, name: str) -> ReadSubmission:
        grid, number = self.grid, str(self.grid.top + row + 1)
        plan = self.match.plan(grid.left, self.money)
        cells = plan.cells(grid.rows[row] if row < len(grid.rows) else [])
        addresses = [letters + number for letters in plan.letters]
        readings = [
            read_stored(cell, numbers)
            if type(cell) is float and not grid.formats
            else self._read(cell, measure, address)
            for cell, numbers, measure, address in zip(cells, plan.numbers, plan.measures, addresses, strict=True)
        ]
        # Column by column and not one by one: there are millions of them.
        said = zip(*readings, strict=True) if readings else ((), (), (), (), ())
        states, values, texts, decimals, oddities = said
        observations = list(
            map(_observation, zip(plan.indicator_ids, states, values, texts, decimals, addresses, strict=True))
        )
        submission = ReadSubmission(self._form.form_id, unit_id, period, row_role, grid.name, observations)
        if any(oddities):
            submission.findings.extend(
                self._oddity(oddity, address, text, indicator)
                for oddity, address, text, indicator in zip(oddities, addresses, texts, plan.indicators, strict=True)
                if oddity
            )
        if observations and {"blank"} <= {item.state for item in observations} <= {"blank", "not_applicable"}:
            cells_of_first = f"{grid.name}!{observations[0].cell}"
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
        cells = (self._cell(row, column) for column in columns)
        if self._is_column_numbers(row):
            return False
        if self.unit_column is None:
            return any(map(self._is_number, cells))
        filled = [cell for cell in cells if cell != ""]
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
            text = as_text(self._cell(row, column)).strip("()（） ")
            number = int(text) if text.isascii() and text.isdigit() else 0
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


def _outer(rows: range) -> list[int]:
    """Return the first and the last rows."""
    return [*rows[:TOP_ROWS], *rows[TOP_ROWS:][-END_ROWS:]]


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
    "week": "2025年第37周（9月8日—9月14日）",
    "list": "该期的名称，或起止日期，如2025年1月1日—2025年3月31日",
}
