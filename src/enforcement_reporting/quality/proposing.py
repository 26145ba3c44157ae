"""Proposals in the warehouse: what would mend the findings of a check, worked out from the rows they are about.

Only sheets with a finding that can be mended are fetched, a number of them at once: what this costs follows the number
of findings, and nothing is fetched where there are none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import namedtuple_row

from enforcement_reporting.catalog import Catalog
from enforcement_reporting.periods import Period
from enforcement_reporting.quality.at_hand import Sheets, Submission
from enforcement_reporting.quality.mending import MENDABLE, Sheet
from enforcement_reporting.quality.rules import Source, Suite
from enforcement_reporting.warehouse.figures import readings_of
from enforcement_reporting.workbook import Observations, ReadSubmission, ReadWorkbook

_SHEETS_AT_ONCE = 100
_MOST_OF_A_SHEET = 200  # findings; beyond, it is the sheet that is wrong and no figure of it

_SheetKey = tuple[int, str, str, str]  # file, form, sheet, period


class _Key(NamedTuple):
    """Which submission another one is held against: the latest without an error of its own."""

    unit_id: str
    form_id: str
    period_id: str
    row_role: str


_FINDINGS = """
select f.finding_id, f.rule_id, f.submission_id, s.file_id, s.form_id, s.sheet, s.period_id
from due d
join quality.findings f on f.submission_id = d.submission_id
join intake.submissions s on s.unit_id = d.unit_id and s.submission_id = d.submission_id
where f.rule_kind = any(%s) and f.origin <> 'reading' and f.severity <> 'notice'
order by s.file_id, s.form_id, s.sheet, s.period_id, f.finding_id
"""

_ROWS = """
select s.submission_id, s.unit_id, s.form_id, s.period_id, s.row_role, s.sheet, s.file_id
from unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]) w (file_id, form_id, sheet, period_id)
join intake.submissions s
    on s.file_id = w.file_id and s.form_id = w.form_id and s.sheet = w.sheet and s.period_id = w.period_id
order by s.file_id, s.form_id, s.sheet, s.period_id, s.row_role, s.unit_id, s.submission_id
"""

_PARTNERS = """
select distinct on (w.unit_id, w.form_id, w.period_id, w.row_role)
    s.submission_id, s.unit_id, s.form_id, s.period_id, s.row_role, s.sheet, s.file_id
from unnest(%s::text[], %s::text[], %s::text[], %s::text[]) w (unit_id, form_id, period_id, row_role)
join intake.submissions s
    on s.form_id = w.form_id and s.period_id = w.period_id and s.unit_id = w.unit_id and s.row_role = w.row_role
where s.policy = 'archive' or not exists (
    select from quality.findings f
    where f.submission_id = s.submission_id and f.severity = 'error' and f.origin in ('reading', 'form')
)
order by w.unit_id, w.form_id, w.period_id, w.row_role, s.received_at desc, s.file_sha256 desc, s.submission_id desc
"""

_FIGURES = """
select f.submission_id, l.indicator_ids, f.cell_states, f.stated_values, f.stated_texts, f.decimals, f.cells
from unnest(%s::text[]) w (submission_id)
join intake.figures f on f.submission_id = w.submission_id
join intake.layouts l on l.layout_id = f.layout_id
"""


def propose(connection: psycopg.Connection, catalog: Catalog, suites: Sequence[Suite]) -> None:
    """Write to the findings on the submissions in ``due`` what would mend them, where anything is borne out."""
    with connection.cursor(row_factory=namedtuple_row) as cursor:
        findings: list[Any] = cursor.execute(_FINDINGS, [list(MENDABLE)]).fetchall()
    by_sheet = {key: list(found) for key, found in groupby(findings, key=_sheet_of)}
    tables = {form.form_id for form in catalog.tables}  # sentences have no neighbours
    few = [key for key, found in by_sheet.items() if len(found) <= _MOST_OF_A_SHEET and key[1] in tables]
    if not few:
        return
    warehouse = _Warehouse(connection, catalog, suites)
    for start in range(0, len(few), _SHEETS_AT_ONCE):
        proposals = []
        for key, sheet, numbers in warehouse.sheets(few[start : start + _SHEETS_AT_ONCE]):
            for finding in by_sheet[key]:
                number = numbers.get(finding.submission_id)
                if number is not None and (said := sheet.proposals(number, finding.rule_id)):
                    proposals.append((finding.finding_id, json.dumps([item.as_json() for item in said])))
        if proposals:
            connection.execute(
                "update quality.findings f set proposals = w.proposals::jsonb"
                " from unnest(%s::text[], %s::text[]) w (finding_id, proposals) where f.finding_id = w.finding_id",
                _columns(proposals),
            )


def _sheet_of(row: Any) -> _SheetKey:
    return row.file_id, row.form_id, row.sheet, row.period_id


def _key_of(unit_id: str, period: Period | None, row_role: str, source: Source) -> _Key | None:
    """Return which submission a row is held against, where there can be one."""
    period_id = period and (period.period_id if source.when == "now" else period.previous_period_id)
    return _Key(unit_id, source.form_id, period_id, row_role) if period_id else None


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return list(map(list, zip(*rows, strict=True)))


class _Warehouse:
    """The submissions of the warehouse, as they are when they are at hand."""

    def __init__(self, connection: psycopg.Connection, catalog: Catalog, suites: Sequence[Suite]) -> None:
        self._connection, self._catalog = connection, catalog
        self._known = Sheets(catalog, suites)
        self._periods: dict[str, dict[str, Period]] = {}

    def sheets(self, keys: Sequence[_SheetKey]) -> Iterator[tuple[_SheetKey, Sheet, dict[str, int]]]:
        """Yield sheets, each with the numbers of its rows by submission; no rows whose unit or period is no more."""
        rows = self._rows(_ROWS, keys)
        looked_up = {row.form_id: self._known.looked_up(row.form_id) for row in rows}
        wanted = {
            partner
            for row in rows
            for source in looked_up[row.form_id]
            if (partner := _key_of(row.unit_id, self._period(row), row.row_role, source))
        }
        partners = self._rows(_PARTNERS, sorted(wanted))
        looked_at = {(row.submission_id,) for row in (*rows, *partners)}
        said = {found.submission_id: found for found in self._rows(_FIGURES, looked_at)}
        latest = {
            _Key(row.unit_id, row.form_id, row.period_id, row.row_role): row for row in filter(self._is_known, partners)
        }

        def partner_of(item: Submission, source: Source) -> Submission | None:
            partner = _key_of(item.read.unit_id, item.read.period, item.read.row_role, source)
            row = latest.get(partner) if partner else None
            return self._submission(row, said, ReadWorkbook()) if row else None

        for key, found in groupby(rows, key=_sheet_of):
            if together := list(filter(self._is_known, found)):
                workbook = ReadWorkbook()
                sheet = self._known.sheet([self._submission(row, said, workbook) for row in together], partner_of)
                yield key, sheet, {row.submission_id: number for number, row in enumerate(together)}

    def _rows(self, query: str, keys: Iterable[tuple[Any, ...]]) -> list[Any]:
        columns = _columns(keys)
        with self._connection.cursor(row_factory=namedtuple_row) as cursor:
            return cursor.execute(query.encode(), columns).fetchall() if columns else []

    def _is_known(self, row: Any) -> bool:
        """Return whether a submission's unit and period still are in the catalog."""
        return row.unit_id in self._known.units and self._period(row) is not None

    def _period(self, row: Any) -> Period | None:
        form = self._catalog.form_by_id.get(row.form_id)
        if row.form_id not in self._periods:
            periods = form.calendar.calendar().periods() if form else ()
            self._periods[row.form_id] = {period.period_id: period for period in periods}
        return self._periods[row.form_id].get(row.period_id)

    def _submission(self, row: Any, said: Mapping[str, Any], workbook: ReadWorkbook) -> Submission:
        """Return a submission with what it says. It is made where it is looked at: those of all sheets are many."""
        observations = Observations((), (), ())
        if (found := said.get(row.submission_id)) is not None:
            readings = readings_of(found.cell_states, found.stated_values, found.stated_texts, found.decimals)
            observations = Observations(found.indicator_ids, readings, found.cells)
        period = self._period(row)
        assert period is not None
        read = ReadSubmission(row.form_id, row.unit_id, period, row.row_role, row.sheet, observations)
        return Submission(read, workbook)
