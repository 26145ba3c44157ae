"""Which form, unit and period a workbook holds, and the observations in it.

Everything is decided from the content: the form by its title and its header labels, the period by the texts around
the table, the unit by its name in the row or in a line such as 填报单位：…. Where the content allows two answers, there
is a finding and no answer. The rest of the workbook goes on. The mark of a template settles what the content leaves
open; where it says something else than the content, these are two answers too.

A form that changed is looked for in each of its versions. The one that a sheet is most like is the one it is read by;
where that is not the period's own, a finding says so.
"""

from __future__ import annotations

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from enforcement_reporting.catalog import Catalog, Form, Unit
from enforcement_reporting.findings import ReadingFinding
from enforcement_reporting.periods import Calendar, CalendarKind, Period, Recognition, speaks_of_time, words_of_time
from enforcement_reporting.texts import MONEY, joined, plain, split_unit
from enforcement_reporting.workbook.bulletin import Bulletins
from enforcement_reporting.workbook.cells import Cell
from enforcement_reporting.workbook.grid import Grid, as_text
from enforcement_reporting.workbook.header import SEARCH_ROWS, Header, HeaderFinder, Place
from enforcement_reporting.workbook.labels import (
    EXAMPLES,
    UnitLine,
    money_stated,
    row_texts,
    unit_line,
    units_mentioned,
    units_named,
)
from enforcement_reporting.workbook.opening import open_workbook
from enforcement_reporting.workbook.package import ReaderFailed, UnreadableWorkbook
from enforcement_reporting.workbook.remembered import LONGEST
from enforcement_reporting.workbook.review_list import LIST_SHEET, explanations_in, is_list
from enforcement_reporting.workbook.submission import ReadSubmission, ReadWorkbook
from enforcement_reporting.workbook.table import SILENT, Line, MadeFor, Match, Sheet, Table, Workbook, outer
from enforcement_reporting.workbook.template_mark import layout_of, mark_in

log = logging.getLogger(__name__)

# How much of a form a sheet must carry to be taken for it: with its title, and without.
COVERAGE_WITH_TITLE = 0.5
COVERAGE_WITHOUT_TITLE = 0.8

# A note below a table may speak of any form and any period.
_NOTE = re.compile(r"\s*[(（【\[]?\s*(?:[0-9一二三四五六七八九十]{1,2}[、.．]|[备附]?\s*注|说\s*明)")
# But what a table itself covers should be what its title says; what is compared or planned is another matter.
_STATES_PERIOD = re.compile(
    "统计(?:时间|期间|区间|时段|期|截止|截至)|报表期|所属期|数据(?:截[至止]|为|系)|本表(?:统计|反映|数据|为|系)"
)
_SPEAKS_OF_OTHERS = re.compile(r"比|同期|上年|去年|较|计划|含|其中|口径|起|[〔\[]")
_LAST_DAY = re.compile("(?<=月)(?:[0-9０-９]{1,2}[日号]|底|末)")
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}$")
_LONGEST_LINE = 2_000  # characters in a row whose cells are remembered together
_MOST_LINES = 4  # that name a unit and are remembered together
# Rows as they stand in a skeleton.
_BLANK_ROW: tuple[Cell, ...] = ("",)
_OTHER_ROW: tuple[Cell, ...] = (0.0,)  # a number is no label


class _Skeleton(NamedTuple):
    """What a sheet's forms and headers depend on.

    Of a row that can be no header row, that is one in which less than half is labels, only the labels count.
    """

    rows: tuple[tuple[Cell, ...], ...]
    types: tuple[tuple[type, ...], ...]  # of rows that hold more than texts, for 1.0 and True are equal
    spans: tuple[tuple[Place, Place], ...]


class Reader:
    """Reads workbooks against one catalog; what can be prepared once per catalog is prepared here."""

    def __init__(self, catalog: Catalog) -> None:
        units_of_measure = frozenset(
            {item.unit_of_measure for form in catalog.forms for item in form.indicators} | set(MONEY)
        )
        self._units_of_measure = units_of_measure
        self._finders = [
            HeaderFinder(version.form, units_of_measure) for form in catalog.tables for version in form.versions
        ]
        self._bulletins = Bulletins(catalog)
        self._finders_of: dict[str, list[HeaderFinder]] = defaultdict(list)
        self._form_by_id = catalog.form_by_id
        self._labels = frozenset().union(*(finder.labels for finder in self._finders))
        self._by_label: dict[str, set[tuple[int, str]]] = defaultdict(set)
        self._by_title: dict[str, set[int]] = defaultdict(set)
        for number, finder in enumerate(self._finders):
            self._finders_of[finder.form.form_id].append(finder)
            for label, indicator_id in finder.lowest_labels:
                self._by_label[label].add((number, indicator_id))
            form = self._form_by_id[finder.form.form_id]
            # By any of its titles: an old layout may stand under a new one.
            for title in (form.title, *form.title_aliases, *(earlier.title for earlier in form.earlier_titles)):
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
        self._units_named = lru_cache(1024)(self._find_units)
        self._made_for = lru_cache(1024)(self._read_mark)

    def read(self, content: bytes, file_name: str) -> ReadWorkbook:
        """Return the submissions in a workbook and what was wrong while reading.

        Sheets that are hidden from people are not read. Raises UnreadableWorkbook where the bytes cannot be read, and
        nothing else on account of a file: a fault in a reader, ours or a library's, is logged with its trace and is
        ReaderFailed. What speaks of the process and not of the file goes on: no memory, a stop from outside.
        """
        try:
            return self._read(content, file_name)
        except (UnreadableWorkbook, MemoryError):
            raise
        except BaseException as error:
            # A panic in Rust is no Exception, and its class cannot be imported.
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            log.exception("%s: reading it failed", file_name)
            raise ReaderFailed(error) from error

    def _read(self, content: bytes, file_name: str) -> ReadWorkbook:
        opened = open_workbook(content)
        file_name = _EXTENSION.sub("", file_name)  # 2025-09.xlsx speaks of a month, and of no decimals of it
        result = ReadWorkbook()
        if opened.has_macros:
            result.file_findings.append(ReadingFinding("macros_ignored", ""))
        result.file_findings.extend(ReadingFinding("hidden_sheet", name) for name in opened.hidden)
        workbook = Workbook(file_name, words_of_time(file_name))
        lists = [grid for grid in opened.grids if is_list(grid)]
        result.explanations = [explanation for grid in lists for explanation in explanations_in(grid)]
        grids = [grid for grid in opened.grids if not grid.is_empty and grid not in lists] if lists else opened.grids
        sheets = [Sheet(grid, workbook, self._line, self._inner_line) for grid in grids if not grid.is_empty]
        for sheet in sheets:
            sheet.made_for = self._made_for(sheet.grid.mark) if sheet.grid.mark else None
            workbook.lines += [*sheet.outer_lines, self._said(sheet.name)]
        workbook.dated = [text for line in workbook.lines for text in line.dated]
        in_prose = opened.prose is not None and self._bulletins.read(opened.prose, file_name, workbook.dated, result)
        if not opened.grids and opened.prose and not in_prose:
            raise UnreadableWorkbook(
                "文件中没有表格，正文也不是可以采集的通报。请把数据填在表格里，或用 Excel 报送。",
                "prose without tables",
            )
        for sheet in sheets:
            # The paragraphs of a document stand above its tables too: they are read once.
            is_bulletin = not in_prose and self._bulletins.read(sheet.grid, file_name, workbook.dated, result)
            self._read_sheet(sheet, result, silently=is_bulletin)
        result.submissions = _once_each(result.submissions)
        if result.explanations and not result.submissions:
            first = result.explanations[0]
            result.file_findings.append(ReadingFinding("explanations_alone", LIST_SHEET, cells=first.cell))
        return result

    def _read_sheet(self, sheet: Sheet, result: ReadWorkbook, *, silently: bool) -> None:
        """Read the tables on a sheet; ``silently``: that it has none is nothing to be said."""
        matches = self._form(sheet, ReadWorkbook() if silently else result)
        if not matches:
            return
        match = matches[0]
        form = match.form
        table = Table(sheet, match, self._units[form.authority_id])
        if form.unit_labels and table.unit_column is None:
            label = " / ".join(form.unit_labels)
            result.file_findings.append(table.header_finding("unit_column_missing", expected=label))
            return
        breaks = list(table.breaks(self._finders_of[form.form_id], self._is_header_of_another))
        ends = [item.row for item in breaks if item.header or item.foreign]
        recognition = self._period(form, table.until(ends[0]) if ends else table, sheet, result)
        if recognition.period is None:
            return
        if (own := self._version_for(matches, recognition.period)) is not match:
            table = Table(sheet, own, table.units)
        if self._differs(table, recognition, result):
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
            match = self._version_for(self._versions_again(match, item.header, sheet), period.period)
            money = table.money
            table, recognition = Table(sheet, match, table.units, item.row), period
            table.money = table.money or money
            known = set(map(plain, item.texts))
            if table.unit_column is None:
                label = " / ".join(form.unit_labels)
                result.file_findings.append(table.header_finding("unit_column_missing", expected=label))
                return
        assert recognition.period is not None
        self._read_table(table, sheet, recognition.period, result)

    def _read_table(self, table: Table, sheet: Sheet, period: Period, result: ReadWorkbook) -> None:
        """Read the submissions in one table of a sheet."""
        form = table.match.form
        table.period = period
        if findings := self._wrong_version(table, period) + table.header_findings():
            result.sheet_findings[sheet.name, form.form_id] += findings
        if form.unit_labels:
            table.read_rows(period, result)
        elif unit := self._single_unit(table, sheet, period, result):
            table.read_single_row(unit, period, result)

    def _version_for(self, matches: Sequence[Match], period: Period) -> Match:
        """Return the version in which a table is read: the period's own, unless it is more like another."""
        form_id = matches[0].form.form_id
        if len(self._finders_of[form_id]) > 1:
            due = self._form_by_id[form_id].version_of(period).form
            own = next((match for match in matches if match.form is due), None)
            if own and own.likeness >= matches[0].likeness:
                return own
        return matches[0]

    def _versions_again(self, match: Match, header: Header, sheet: Sheet) -> list[Match]:
        """Return the versions of a form that a header further down may be, the likeliest first."""
        finders = self._finders_of[match.form.form_id]
        if len(finders) == 1:
            return [Match(match.finder, header, match.titled)]
        found = ((finder, finder.find_again(sheet.grid, header.first)) for finder in finders)
        matches = [Match(finder, header, match.titled) for finder, header in found if header]
        return sorted(matches, key=lambda match: -match.likeness)

    def _wrong_version(self, table: Table, period: Period) -> list[ReadingFinding]:
        """Return the finding that a table is not in the version that its period is reported by, or nothing."""
        form_id = table.match.form.form_id
        if len(self._finders_of[form_id]) == 1:
            return []
        form = self._form_by_id[form_id]
        due = form.version_of(period)
        if table.match.form is due.form:
            return []
        used = next(version for version in form.versions if version.form is table.match.form)
        return [table.wrong_version(used, due)]

    def _read_mark(self, text: str) -> MadeFor | None:
        """Return what a template was made for, where its mark speaks of what the catalog knows."""
        mark = mark_in(text)
        form = self._form_by_id.get(mark.form_id) if mark else None
        if mark is None or form is None:
            return None
        period = next((item for item in self._calendar(form).periods() if item.period_id == mark.period_id), None)
        unit = next((item for item in self._units[form.authority_id].values() if item.unit_id == mark.unit_id), None)
        if period is None or (unit is None and mark.unit_id):
            return None
        due = form.version_of(period).form
        return MadeFor(due, period, unit, mark.layout == layout_of(due))

    def _differs(self, table: Table, recognition: Recognition, result: ReadWorkbook) -> bool:
        """Return whether a sheet says something else than the mark of its template; add what is to be said of it."""
        made_for, form, period = table.sheet.made_for, table.match.form, recognition.period
        if made_for is None or period is None:
            return False
        units = table.units_stated()
        strangers = [unit for unit in units if made_for.unit not in (None, unit)]
        if made_for.form.form_id == form.form_id and made_for.period == period and not strangers:
            if not made_for.is_current and not self._wrong_version(table, period):
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
            count >= 2 and 2 * count >= len(filled) and self._finders[number].form.form_id != form.form_id
            for number, count in hits.items()
        )

    def _form(self, sheet: Sheet, result: ReadWorkbook) -> list[Match]:
        """Return the form that a sheet holds, in each version that it may be, the likeliest first.

        A finding says why where there is none or more than one.
        """
        titled = self._titled(sheet)
        made_for = sheet.made_for
        if made_for and not titled:
            wanted = made_for.form.form_id
            titled = frozenset(number for number, item in enumerate(self._finders) if item.form.form_id == wanted)
        matches = self._matches(sheet, titled)
        if not matches:
            form_ids = list(dict.fromkeys(self._finders[number].form.form_id for number in sorted(titled)))
            titles = "、".join(f"《{self._form_by_id[form_id].title}》" for form_id in form_ids)
            kind = "table_not_found" if titles else "sheet_not_recognised"
            form_id = form_ids[0] if len(form_ids) == 1 else ""
            result.file_findings.append(ReadingFinding(kind, sheet.name, stated=titles, form_id=form_id))
            return []
        if len(matches) == 1:
            return matches
        if any(match.titled for match in matches):
            matches = [match for match in matches if match.titled]
        if len({match.form.authority_id for match in matches}) > 1:
            matches = [match for match in matches if self._names_units(match, sheet)] or matches
        matches = sorted(matches, key=lambda match: (-match.likeness, match.header.first))
        best = [match for match in matches if match.likeness == matches[0].likeness]
        if len(best) > 1 and made_for:
            best = [match for match in best if match.form.form_id == made_for.form.form_id] or best
        by_form = {match.form.form_id: match for match in reversed(best)}
        if len(by_form) > 1:
            titles = "、".join(f"《{match.form.title}》" for match in reversed(by_form.values()))
            result.file_findings.append(ReadingFinding("ambiguous_form", sheet.name, stated=titles))
            return []
        return [match for match in matches if match.form.form_id in by_form]

    def _line(self, texts: tuple[str, ...], filled: int, row: Sequence[Cell]) -> Line:
        """Return what the cells of a row say, given its texts too and how many of its cells are filled."""
        if not texts:
            return SILENT
        said = "".join(texts)
        takes_number = len(texts) < filled and (":" in said or "：" in said)
        if takes_number or len(said) > _LONGEST_LINE:
            return self._read_texts(row)
        return self._line_of_texts(texts)

    def _read_texts(self, row: Sequence[Cell]) -> Line:
        texts = row_texts(row)
        said = list(map(self._said, texts))
        return Line(
            tuple(texts),
            tuple([text for item in said for text in item.dated]),
            tuple([unit for item in said for unit in item.money]),
            tuple([unit for item in said for unit in item.units]),
            frozenset().union(*[item.titles for item in said]),
            tuple([cell for cell in row if isinstance(cell, str) and cell and self._said(as_text(cell)).labels]),
            sum(map(len, texts)),
        )

    def _read_text(self, text: str) -> Line:
        """Return what a single text says."""
        titles: set[int] = set()
        for title in self._titles.findall(plain(text)):
            titles |= self._by_title[title]
        return Line(
            (text,),
            (text,) if speaks_of_time(text) else (),
            tuple(money_stated([text])),
            (unit,) if (unit := unit_line(text)) else (),
            frozenset(titles),
            (text,) if self._is_label(text) else (),
            len(text),
        )

    def _is_label(self, text: str) -> bool:
        """Return whether a text is a label of any form, or part of one."""
        label = split_unit(text, self._units_of_measure)[0]
        return label in self._labels or joined([label]) in self._labels

    def _inner_line(self, texts: tuple[str, ...], _filled: int, row: Sequence[Cell]) -> Line:
        """Return the texts and labels in a row, and nothing else of what it says."""
        labels = [text for text in texts if self._is_label(as_text(text))]
        said = row_texts(row)
        return Line(tuple(said), labels=tuple(labels), length=sum(map(len, said)))

    def _titled(self, sheet: Sheet) -> frozenset[int]:
        """Return the forms whose titles stand on a sheet."""
        return self._said(sheet.name).titles.union(*[line.titles for line in sheet.outer_lines if line.titles])

    def _matches(self, sheet: Sheet, titled: frozenset[int]) -> list[Match]:
        """Return the forms that a sheet may be."""
        skeleton = self._skeleton(sheet)
        if skeleton is None:
            return self._matched(sheet.grid, titled)
        return self._matches_of_skeleton(skeleton, titled)

    def _skeleton(self, sheet: Sheet) -> _Skeleton | None:
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
                continue
            room -= len(row) + line.length
            if room < 0:
                return None
            if 2 * len(line.labels) < filled:
                rows.append((*line.labels, *_OTHER_ROW * (len(line.labels) + 1)))  # no header row either
            else:
                rows.append(tuple(row))
                if len(line.texts) < filled:
                    types.append(tuple(map(type, row)))
        return _Skeleton(tuple(rows), tuple(types), tuple(grid.spans.items()))

    def _matched(self, sheet: Grid | _Skeleton, titled: frozenset[int]) -> list[Match]:
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
            match = Match(finder, header, number in titled)
            if match.titled or match.likeness >= COVERAGE_WITHOUT_TITLE:
                matches.append(match)
        return matches

    def _names_units(self, match: Match, sheet: Sheet) -> bool:
        """Return whether a sheet names units of the form's authority: in its column of units, or else anywhere."""
        units = self._units[match.form.authority_id]
        table = Table(sheet, match, units)
        if table.unit_column:
            return table.names_units()
        lines, texts = sheet.units_in(sheet.outer_rows), sheet.texts_in(sheet.outer_rows)
        return bool(units_named(lines, units)[0] or units_mentioned(texts, units))

    def _period(self, form: Form, table: Table, sheet: Sheet, result: ReadWorkbook) -> Recognition:
        workbook = sheet.workbook
        # What says nothing of time has no bearing on it, but in a list a period may have any name.
        is_list = form.calendar.kind is CalendarKind.LIST
        said_in = sheet.texts_in if is_list else sheet.dated_in
        file_name = (workbook.file_name if is_list else workbook.time_in_name,)
        number = self._calendar_number[form.form_id]
        recognition = self._recognised(
            number,
            (*said_in(table.rows_above), *((sheet.name,) if is_list else self._said(sheet.name).dated)),
            tuple(said_in(table.rows_below())),
            (*said_in(table.rows_of_header), *workbook.dated),
            file_name,
        )
        made_for = sheet.made_for
        known = recognition.candidates or (made_for.period if made_for else None,)
        if made_for and made_for.form.form_id == form.form_id and made_for.period in known:
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
            if not is_list:
                result.file_findings += self._notes_that_differ(number, table, sheet, recognition)
        elif recognition.candidates:
            stated = "、".join(candidate.name for candidate in recognition.candidates)
            cells = _cells_of(sheet.grid, recognition.evidence.split(" | "))
            result.file_findings.append(table.finding("ambiguous_period", cells=cells, stated=stated))
        else:
            example = EXAMPLES[form.calendar.kind.value]
            result.file_findings.append(table.header_finding("period_not_recognised", expected=example))
        return recognition

    def _notes_that_differ(
        self, number: int, table: Table, sheet: Sheet, recognition: Recognition
    ) -> Iterator[ReadingFinding]:
        """Yield a finding for each note below a table that says the table is of another period."""
        evidence, period = recognition.evidence, recognition.period
        for text in sheet.texts_in(table.rows_below()):
            if text in evidence or not _STATES_PERIOD.search(text) or _SPEAKS_OF_OTHERS.search(text):
                continue
            for said in dict.fromkeys((text, _LAST_DAY.sub("", text))):
                found = self._recognised(number, (said,), (evidence,))
                if found.evidence != said:
                    continue
                if period and found.period and found.period != period:
                    yield table.finding(
                        "note_differs",
                        cells=_cells_of(sheet.grid, [text]),
                        stated=found.period.name,
                        expected=period.name,
                        period_id=period.period_id,
                    )
                break

    def _calendar(self, form: Form) -> Calendar:
        return self._calendars[self._calendar_number[form.form_id]]

    def _recognise(self, number: int, *levels: tuple[str, ...]) -> Recognition:
        return self._calendars[number].recognise(*levels)

    def _find_units(self, authority_id: str, lines: tuple[UnitLine, ...]) -> tuple[list[Unit], list[str]]:
        return units_named(lines, self._units[authority_id])

    def _single_unit(self, table: Table, sheet: Sheet, period: Period, result: ReadWorkbook) -> Unit | None:
        """Return the unit of a sheet that holds one unit, named outside the table.

        A line 填报单位：… outweighs a mention anywhere else, even where the name in it is not known.
        """
        form, units = table.match.form, table.units
        outside, workbook = table.rows_outside(), sheet.workbook
        lines = sheet.units_in(outside)
        find = self._units_named if len(lines) <= _MOST_LINES else self._find_units
        named, strangers = find(form.authority_id, lines)
        if strangers and not named:
            stated = "、".join(strangers)
            cells = _cells_naming(sheet.grid, strangers)
            result.file_findings.append(table.finding("unknown_unit", cells=cells, stated=stated))
            return None
        if not named and sheet.made_for and sheet.made_for.unit:
            named = [sheet.made_for.unit]
        if not named:
            named, _ = units_named([unit for line in workbook.lines for unit in line.units], units)
            for texts in (sheet.texts_in(outside), workbook.texts, [workbook.file_name]):
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


def _cells_of(grid: Grid, texts: Sequence[str]) -> str:
    """Return the cells on the sheet in which texts stand, or begin with what stands before a colon."""
    found = []
    for row in outer(range(len(grid.rows))):
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
        for row in outer(range(len(grid.rows)))
        for column, cell in enumerate(grid.rows[row])
        if isinstance(cell, str) and any(name in plain(as_text(cell)) for name in wanted)
    ]
    return "、".join(found)


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
