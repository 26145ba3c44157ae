"""Which form, unit and period a workbook holds, and the observations in it.

Everything is decided from the content: the form by its title and its header labels, the period by the texts around
the table, the unit by its name in the row or in a line such as 填报单位：…. Where the content allows two answers, there
is a finding and no answer. The rest of the workbook goes on.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from enforcement_reporting.catalog import Catalog, Form, Indicator, Unit
from enforcement_reporting.findings import ReadingFinding
from enforcement_reporting.periods import Period
from enforcement_reporting.workbook.cells import (
    BLANK,
    MONEY,
    UNREADABLE,
    Parsed,
    State,
    conversion,
    parse_number,
    parse_text,
)
from enforcement_reporting.workbook.formats import shown_percentages
from enforcement_reporting.workbook.grid import Cell, Grid, as_text, has_macros, read_grids

# How much of a form's labels a sheet must carry to be taken for that form without its title.
COVERAGE_WITHOUT_TITLE = 0.8
HEADER_SEARCH_ROWS = 200


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
class _Column:
    """A column of the header band: its labels from top to bottom, and the unit of measure written there."""

    index: int
    path: tuple[str, ...]
    unit_of_measure: str
    top_cell: tuple[int, int]


@dataclass
class _Band:
    """The header rows of a table and its columns."""

    first: int
    last: int
    columns: list[_Column]


@dataclass
class _Match:
    """A form matched to a sheet."""

    labels: _FormReader
    band: _Band
    columns: dict[str, _Column]
    doubtful: dict[str, list[_Column]]
    titled: bool

    @property
    def form(self) -> Form:
        return self.labels.form

    @property
    def rank(self) -> tuple[bool, float]:
        return self.titled, len(self.columns) / len(self.form.indicators)


class Reader:
    """Reads workbooks against one catalog; what can be prepared once per catalog is prepared here."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        declared = {item.unit_of_measure for form in catalog.forms for item in form.indicators}
        self._units_of_measure = declared | set(MONEY)
        self._forms = [_FormReader(form, self._units_of_measure) for form in catalog.forms]
        self._forms_by_label: dict[str, set[int]] = defaultdict(set)
        for number, form_reader in enumerate(self._forms):
            for label in form_reader.vocabulary:
                self._forms_by_label[label].add(number)
        self._units: dict[str, dict[str, Unit]] = {}
        for authority in catalog.authorities:
            names = {}
            for unit in authority.reporting_units:
                for name in (unit.name, *unit.aliases):
                    names[plain(name)] = unit
            self._units[authority.authority_id] = names

    def read(self, content: bytes, file_name: str) -> ReadWorkbook:
        """Return the submissions in a workbook and what was wrong while reading.

        Raises UnreadableWorkbook where the bytes cannot be read at all.
        """
        grids = read_grids(content)
        result = ReadWorkbook()
        if file_name.lower().endswith(".xlsm") and has_macros(content):
            result.file_findings.append(ReadingFinding("macros_ignored", ""))
        workbook_texts = [text for grid in grids for text in _texts(grid)]
        percentages = _Lazy(lambda: shown_percentages(content))
        for grid in grids:
            if not grid.is_empty:
                self._read_sheet(grid, workbook_texts, file_name, percentages, result)
        result.submissions = _once_each(result.submissions)
        return result

    def _read_sheet(
        self, grid: Grid, workbook_texts: list[str], file_name: str, percentages: _Lazy, result: ReadWorkbook
    ) -> None:
        matches = self._matches(grid)
        if not matches:
            result.file_findings.append(ReadingFinding("sheet_not_recognised", grid.name))
            return
        best = max(match.rank for match in matches)
        candidates = [match for match in matches if match.rank == best]
        if len(candidates) > 1:
            titles = "、".join(f"《{match.form.title}》" for match in candidates)
            result.file_findings.append(ReadingFinding("ambiguous_form", grid.name, stated=titles))
            return
        match = candidates[0]
        table = _Table(grid, match, percentages)
        period = self._period(match.form, table, workbook_texts, file_name, result)
        if period is None:
            return
        known = self._known_units(match.form, period)
        findings = result.sheet_findings[grid.name, match.form.form_id]
        findings.extend(table.header_findings())
        if match.form.unit_labels:
            table.read_rows(known, period, result)
        else:
            self._read_single(table, known, period, workbook_texts, file_name, result)

    def _matches(self, grid: Grid) -> list[_Match]:
        """Return the forms that a sheet may be, matched to its columns."""
        labels = {
            label
            for row in grid.rows[:HEADER_SEARCH_ROWS]
            for cell in row
            if isinstance(cell, str) and cell
            for label in [split_unit(cell, self._units_of_measure)[0]]
        }
        hits: Counter[int] = Counter()
        for label in labels:
            hits.update(self._forms_by_label.get(label, ()))
        whole_text = plain(" ".join(_texts(grid)) + grid.name)
        matches = []
        for number, count in hits.items():
            form_reader = self._forms[number]
            titled = any(title in whole_text for title in form_reader.titles)
            if not titled and count < COVERAGE_WITHOUT_TITLE * len(form_reader.vocabulary):
                continue
            match = form_reader.match(grid, titled)
            if match and (titled or match.rank[1] >= COVERAGE_WITHOUT_TITLE):
                matches.append(match)
        return matches

    def _period(
        self, form: Form, table: _Table, workbook_texts: list[str], file_name: str, result: ReadWorkbook
    ) -> Period | None:
        sheet = table.grid.name
        recognition = form.calendar.calendar().recognise(
            [*table.outside_texts(), sheet], [*workbook_texts, *table.header_texts()], [file_name]
        )
        if recognition.period:
            return recognition.period
        if recognition.candidates:
            stated = "、".join(period.name for period in recognition.candidates)
            result.file_findings.append(ReadingFinding("ambiguous_period", sheet, stated=stated, form=form.title))
        else:
            example = _EXAMPLES[form.calendar.kind.value]
            result.file_findings.append(
                ReadingFinding("period_not_recognised", sheet, expected=example, form=form.title)
            )
        return None

    def _known_units(self, form: Form, period: Period) -> dict[str, Unit]:
        """Return the units that exist in the period, by every name they are known under."""
        return {
            name: unit
            for name, unit in self._units[form.authority_id].items()
            if (unit.valid_from or date.min) <= period.ends_on and (unit.valid_to or date.max) >= period.starts_on
        }

    def _read_single(
        self,
        table: _Table,
        known: dict[str, Unit],
        period: Period,
        workbook_texts: list[str],
        file_name: str,
        result: ReadWorkbook,
    ) -> None:
        """Read a sheet that holds one unit, named outside the table."""
        sheet, form = table.grid.name, table.match.form
        for texts in (table.outside_texts(), workbook_texts, [file_name]):
            named = {unit.unit_id: unit for unit in _units_named(texts, known)}
            if len(named) > 1:
                stated = "、".join(unit.name for unit in named.values())
                result.file_findings.append(ReadingFinding("ambiguous_unit", sheet, stated=stated, form=form.title))
                return
            if named:
                (unit,) = named.values()
                table.read_single_row(unit, period, result)
                return
        result.file_findings.append(ReadingFinding("unit_not_found", sheet, form=form.title))


class _FormReader:
    """How one form's labels are found on a sheet."""

    def __init__(self, form: Form, units_of_measure: set[str]) -> None:
        self.form = form
        self.titles = [plain(title) for title in (form.title, *form.title_aliases)]
        self.unit_labels = {plain(label) for label in form.unit_labels}
        self.ignored = {plain(label) for label in form.ignored_labels}
        self.paths: dict[str, list[tuple[str, ...]]] = {}
        for indicator in form.indicators:
            self.paths[indicator.indicator_id] = [
                tuple(split_unit(label, units_of_measure)[0] for label in path)
                for path in (indicator.label, *indicator.aliases)
            ]
        components = {label for paths in self.paths.values() for path in paths for label in path}
        joined = {"".join(path) for paths in self.paths.values() for path in paths}
        self.vocabulary = components | self.unit_labels
        self._header_labels = self.vocabulary | joined | self.ignored
        self._units_of_measure = units_of_measure

    def match(self, grid: Grid, titled: bool) -> _Match | None:
        """Return this form matched to the sheet's best header band, or None where there is no such band."""
        rows = self._band_rows(grid)
        if rows is None:
            return None
        band = self._read_band(grid, *rows)
        columns, doubtful = self._assign(band.columns)
        if not columns:
            return None
        return _Match(self, band, columns, doubtful, titled)

    def _band_rows(self, grid: Grid) -> tuple[int, int] | None:
        """Return first and last row of the run of rows that holds most of the form's labels."""
        scores: list[int] = []
        for row in grid.rows[:HEADER_SEARCH_ROWS]:
            filled = [cell for cell in row if cell != ""]
            labels = [
                label
                for cell in filled
                if isinstance(cell, str)
                for label in [split_unit(cell, self._units_of_measure)[0]]
                if label in self._header_labels or label in self._units_of_measure
            ]
            scores.append(len(labels) if 2 * len(labels) >= len(filled) else 0)
        best, best_score, first, score = None, 0, None, 0
        for index, hits in enumerate([*scores, 0]):
            if hits:
                first = index if first is None else first
                score += hits
            elif first is not None:
                if score > best_score:
                    best, best_score = (first, index - 1), score
                first, score = None, 0
        if best is None:
            return None
        # A header cell merged downwards reaches to the end of the band even where its last row is otherwise blank.
        last = max(
            (end for (row, _), (end, _) in grid.spans.items() if best[0] <= row <= best[1]),
            default=best[1],
        )
        return best[0], min(max(best[1], last), len(grid.rows) - 1)

    def _read_band(self, grid: Grid, first: int, last: int) -> _Band:
        filled: dict[tuple[int, int], tuple[str, tuple[int, int]]] = {}
        width = max(len(row) for row in grid.rows)
        for row in range(first, last + 1):
            for column in range(width):
                text = as_text(grid.rows[row][column]) if column < len(grid.rows[row]) else ""
                if not text.strip():
                    continue
                end_row, end_column = grid.spans.get((row, column), (row, column))
                for r in range(row, min(end_row, last) + 1):
                    for c in range(column, min(end_column, width - 1) + 1):
                        filled[r, c] = (text, (row, column))
        columns = []
        for column in range(width):
            path: list[str] = []
            unit_of_measure, top_cell, seen = "", (first, column), set()
            for row in range(first, last + 1):
                text, origin = filled.get((row, column), ("", (row, column)))
                if not text or origin in seen:
                    continue
                if not seen:
                    top_cell = origin
                seen.add(origin)
                label, unit = split_unit(text, self._units_of_measure)
                if label in self._units_of_measure and not unit:
                    label, unit = "", label
                unit_of_measure = unit or unit_of_measure
                if label:
                    path.append(label)
            if path:
                columns.append(_Column(column, tuple(path), unit_of_measure, top_cell))
        return _Band(first, last, columns)

    def _assign(self, columns: Sequence[_Column]) -> tuple[dict[str, _Column], dict[str, list[_Column]]]:
        """Return the column of each indicator, and the indicators for which several columns qualify.

        A column qualifies by its whole label path, with or without the unit of measure as the last label. Where no
        column does, one whose path ends like the indicator's is taken if that is so for one column and one
        indicator only.
        """
        exact: dict[str, list[_Column]] = defaultdict(list)
        wanted = {key: name for name, paths in self.paths.items() for path in paths for key in [_joined(path)]}
        for column in columns:
            with_unit = _joined((*column.path, column.unit_of_measure))
            name = wanted.get(with_unit) or wanted.get(_joined(column.path))
            if name:
                exact[name].append(column)
        taken = {column.index for found in exact.values() for column in found}
        free = [column for column in columns if column.index not in taken and not self._is_other(column)]
        similar: dict[str, list[_Column]] = defaultdict(list)
        for column in free:
            names = [name for name, paths in self.paths.items() if name not in exact and _ends_alike(column, paths)]
            if len(names) == 1:
                similar[names[0]].append(column)
        found = {**similar, **exact}
        return (
            {name: hits[0] for name, hits in found.items() if len(hits) == 1},
            {name: hits for name, hits in found.items() if len(hits) > 1},
        )

    def _is_other(self, column: _Column) -> bool:
        return bool({column.path[-1], _joined(column.path)} & (self.unit_labels | self.ignored))

    def unit_column(self, band: _Band) -> _Column | None:
        """Return the column in which the units stand."""
        found = [c for c in band.columns if {c.path[-1], c.path[0], _joined(c.path)} & self.unit_labels]
        return found[0] if found else None

    def unknown_columns(self, match: _Match) -> list[_Column]:
        """Return the columns that belong to nothing the form declares."""
        used = {column.index for column in match.columns.values()}
        used |= {column.index for columns in match.doubtful.values() for column in columns}
        return [column for column in match.band.columns if column.index not in used and not self._is_other(column)]


class _Table:
    """A sheet's table, read by the form it was matched to."""

    def __init__(self, grid: Grid, match: _Match, percentages: _Lazy) -> None:
        self.grid, self.match = grid, match
        self._unit_column = match.labels.unit_column(match.band)
        self._percentages = percentages
        self._marks = frozenset(match.form.not_applicable_marks)
        self._total_labels = {plain(label) for label in match.form.total_row.labels} if match.form.total_row else set()
        self._value_columns = [column.index for column in match.columns.values()]

    def outside_texts(self) -> list[str]:
        """Return the texts above the header and those below it that are not part of a row of figures."""
        band = self.match.band
        above = [text for row in self.grid.rows[: band.first] for text in _row_texts(row)]
        below = [
            text
            for index, row in enumerate(self.grid.rows[band.last + 1 :], band.last + 1)
            if not self._is_figures(index)
            for text in _row_texts(row)
        ]
        return above + below

    def header_texts(self) -> list[str]:
        """Return the texts of the header itself."""
        band = self.match.band
        return [text for row in self.grid.rows[band.first : band.last + 1] for text in _row_texts(row)]

    def header_findings(self) -> list[ReadingFinding]:
        """Return what is wrong with the header: columns missing, unknown, doubtful, or in the wrong unit."""
        sheet, match = self.grid.name, self.match
        findings = []
        if match.form.unit_labels and self._unit_column is None:
            label = " / ".join(match.form.unit_labels)
            findings.append(self._header_finding("missing_header", expected=label))
        for indicator in match.form.indicators:
            column = match.columns.get(indicator.indicator_id)
            if doubtful := match.doubtful.get(indicator.indicator_id):
                cells = "、".join(f"{sheet}!{self.grid.address(*item.top_cell)}" for item in doubtful)
                findings.append(
                    ReadingFinding("ambiguous_header", sheet, cells=cells, expected=indicator.label_path)
                )
            elif column is None and not indicator.optional:
                findings.append(self._header_finding("missing_header", expected=indicator.label_path))
            elif column and conversion(column.unit_of_measure, indicator.unit_of_measure) is None:
                findings.append(
                    ReadingFinding(
                        "unit_of_measure_mismatch",
                        sheet,
                        cells=f"{sheet}!{self.grid.address(*column.top_cell)}",
                        stated=column.unit_of_measure,
                        expected=indicator.unit_of_measure,
                        indicator=indicator.caption,
                    )
                )
        for column in match.labels.unknown_columns(match):
            cells = f"{sheet}!{self.grid.address(*column.top_cell)}"
            findings.append(ReadingFinding("unknown_header", sheet, cells=cells, stated=" / ".join(column.path)))
        return findings

    def read_rows(self, known: dict[str, Unit], period: Period, result: ReadWorkbook) -> None:
        """Read one submission from each row that names a unit, and the printed total row as a statement."""
        if self._unit_column is None:
            return
        sheet, form = self.grid.name, self.match.form
        rows_of_unit: dict[str, ReadSubmission] = {}
        for index in range(self.match.band.last + 1, len(self.grid.rows)):
            name_cell = self._cell(index, self._unit_column.index)
            name = plain(as_text(name_cell))
            unit = known.get(name)
            if unit is None and not self._is_figures(index):
                continue
            if name in self._total_labels and form.total_row:
                result.submissions.append(self._submission(index, form.total_row.states, period, "total"))
                continue
            cells = f"{sheet}!{self.grid.address(index, self._unit_column.index)}"
            if unit is None:
                stated = re.sub(r"\s+", "", as_text(name_cell)) or "（空白）"
                result.file_findings.append(
                    ReadingFinding("unknown_unit", sheet, cells=cells, stated=stated, form=form.form_id)
                )
            elif unit.unit_id in rows_of_unit:
                rows_of_unit[unit.unit_id].findings.append(
                    ReadingFinding("unit_repeated", sheet, cells=cells, stated=unit.name)
                )
            else:
                submission = self._submission(index, unit.unit_id, period, "unit", unit.name)
                rows_of_unit[unit.unit_id] = submission
                result.submissions.append(submission)

    def read_single_row(self, unit: Unit, period: Period, result: ReadWorkbook) -> None:
        """Read the one row of figures of a sheet that holds a single unit."""
        below = range(self.match.band.last + 1, len(self.grid.rows))
        index = next((row for row in below if self._is_figures(row)), None)
        if index is None:
            index = min(self.match.band.last + 1, len(self.grid.rows) - 1)
        result.submissions.append(self._submission(index, unit.unit_id, period, "unit", unit.name))

    def _submission(
        self, row: int, unit_id: str, period: Period, row_role: str, unit_name: str = ""
    ) -> ReadSubmission:
        form, sheet = self.match.form, self.grid.name
        submission = ReadSubmission(form.form_id, unit_id, period, row_role, sheet, [])
        for indicator in form.indicators:
            column = self.match.columns.get(indicator.indicator_id)
            if column is None or conversion(column.unit_of_measure, indicator.unit_of_measure) is None:
                continue
            submission.observations.append(self._observe(row, column, indicator, submission))
        if submission.observations and all(item.state == "blank" for item in submission.observations):
            first = submission.observations[0].cell
            submission.findings.append(
                ReadingFinding("blank_submission", sheet, cells=f"{sheet}!{first}", stated=unit_name)
            )
        return submission

    def _observe(self, row: int, column: _Column, indicator: Indicator, submission: ReadSubmission) -> Observation:
        sheet, address = self.grid.name, self.grid.address(row, column.index)
        cell = self._cell(row, column.index)
        text = as_text(cell)
        wanted, written_in = indicator.unit_of_measure, column.unit_of_measure
        parsed: Parsed
        if cell == "" and address in self.grid.without_value:
            parsed = UNREADABLE
            submission.findings.append(
                ReadingFinding(
                    "formula_without_value", sheet, cells=f"{sheet}!{address}", indicator=indicator.caption
                )
            )
        elif cell == "" and address not in self.grid.errors:
            parsed = BLANK
        else:
            text = text or self.grid.errors.get(address, "")
            if isinstance(cell, float):
                if indicator.measure_kind == "rate" and (shown := self._percentages.get(sheet, address)):
                    text = shown
                    parsed = parse_text(text, wanted, written_in, self._marks)
                else:
                    parsed = parse_number(Decimal(text), wanted, written_in)
            elif isinstance(cell, str):
                parsed = parse_text(text, wanted, written_in, self._marks)
            else:
                parsed = UNREADABLE
            if parsed.state == "unreadable":
                submission.findings.append(
                    ReadingFinding(
                        "unreadable_cell",
                        sheet,
                        cells=f"{sheet}!{address}",
                        stated=text,
                        expected=f"数字（{wanted}）",
                        indicator=indicator.caption,
                    )
                )
        return Observation(
            f"{self.match.form.form_id}.{indicator.indicator_id}",
            parsed.state,
            parsed.value,
            text,
            parsed.decimals,
            address,
        )

    def _is_figures(self, row: int) -> bool:
        """Return whether a row below the header holds figures, as against a note or a title."""
        if self._unit_column is None:
            return any(
                isinstance(cell, float) or parse_text(as_text(cell), "%", "", self._marks).state in ("value", "zero")
                for column in self._value_columns
                for cell in [self._cell(row, column)]
            )
        name = self._cell(row, self._unit_column.index)
        others = sum(self._cell(row, column) != "" for column in self._value_columns)
        spans_table = self.grid.spans.get((row, self._unit_column.index), (row, 0))[1] > self._unit_column.index
        return others > 0 and not spans_table and (name != "" or others > 1)

    def _cell(self, row: int, column: int) -> Cell:
        cells = self.grid.rows[row]
        cell = cells[column] if column < len(cells) else ""
        return cell if not isinstance(cell, str) or cell.strip() else ""

    def _header_finding(self, kind: str, expected: str) -> ReadingFinding:
        band, sheet = self.match.band, self.grid.name
        first = self.grid.address(band.first, min(column.index for column in band.columns))
        last = self.grid.address(band.last, max(column.index for column in band.columns))
        return ReadingFinding(kind, sheet, cells=f"{sheet}!{first}:{last}", expected=expected)


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


class _Lazy:
    """Number formats, read only when a rate turns out to be a number: it costs more than all the rest."""

    def __init__(self, load: Callable[[], dict[tuple[str, str], str]]) -> None:
        self._load = load
        self._shown: dict[tuple[str, str], str] | None = None

    def get(self, sheet: str, address: str) -> str | None:
        """Return the percentage shown in a cell, if it is shown as one."""
        if self._shown is None:
            self._shown = self._load()
        return self._shown.get((sheet, address))


_EXAMPLES = {
    "month": "2025年9月",
    "quarter": "2025年第三季度",
    "half": "2025年上半年",
    "year": "2025年度",
    "year_to_date": "2025年1—9月",
    "campaign": "2023年5月1日-2023年9月26日",
}
_UNIT_IN_BRACKETS = re.compile(r"^(.*)\(([^()]+)\)$")
_SAME_CHARACTERS = str.maketrans(
    {"，": "、", ",": "、", "“": None, "”": None, '"': None, "‘": None, "’": None, "'": None, "－": "-", "—": "-", "–": "-"}
)


def plain(text: str) -> str:
    """Return a label for comparison: no white space or quotation marks, one width, one comma, one dash."""
    normal = unicodedata.normalize("NFKC", text.translate(_SAME_CHARACTERS))
    return re.sub(r"\s+", "", normal).translate(_SAME_CHARACTERS).lower()


def split_unit(label: str, units_of_measure: Iterable[str]) -> tuple[str, str]:
    """Return (plain label, unit of measure in brackets at its end, or '')."""
    text = plain(label)
    match = _UNIT_IN_BRACKETS.match(text)
    if match and match[2] in units_of_measure:
        return match[1], match[2]
    return text, ""


def _joined(path: Iterable[str]) -> str:
    return re.sub(r"[-/·:>]", "", "".join(path))


def _ends_alike(column: _Column, paths: Iterable[tuple[str, ...]]) -> bool:
    """Return whether a column's path and one of the paths end with the same labels, down to the shorter of them."""
    for path in paths:
        length = min(len(path), len(column.path))
        if column.path[-length:] == path[-length:]:
            return True
    return False


def _texts(grid: Grid) -> list[str]:
    return [text for row in grid.rows for text in _row_texts(row)]


def _row_texts(row: Sequence[Cell]) -> list[str]:
    return [cell for cell in row if isinstance(cell, str) and cell.strip()]


def _units_named(texts: Iterable[str], known: dict[str, Unit]) -> list[Unit]:
    """Return the units named in the texts; a line 填报单位：… outweighs a mention anywhere else."""
    mentioned = []
    for text in texts:
        line = plain(text)
        if match := re.match(r"^(?:填报|报送|报告)?单位(?:名称)?(?:\(盖章\)|\(公章\))?:(.+)$", line):
            if unit := known.get(match[1].split("(")[0]):
                return [unit]
            continue
        names = [name for name in known if name in line]
        # 开发区 inside 高新开发区 is not a mention of its own.
        mentioned += [known[n] for n in names if not any(n != other and n in other for other in names)]
    return mentioned
