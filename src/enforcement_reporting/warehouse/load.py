"""What is written into the schemas catalog and intake. Rows go in by COPY, each file in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import psycopg
from psycopg import sql

from enforcement_reporting.catalog import Catalog, Unit, resolve
from enforcement_reporting.findings import ReadingFinding
from enforcement_reporting.workbook import ReadSubmission, ReadWorkbook

FileOutcome = Literal["taken_in", "duplicate", "unreadable"]


@dataclass(frozen=True)
class Delivery:
    """A file as it was received.

    ``landing_key`` tells one arrival in a landing place from another of the same bytes: each is recorded once. A file
    that was handed over by name has none.
    """

    file_name: str
    file_sha256: str
    size_bytes: int
    landing_key: str | None
    policy: str
    received_at: datetime


def load_catalog_tables(connection: psycopg.Connection, catalog: Catalog) -> bool:
    """Make the schema ``catalog`` say what the YAML says; return whether anything had to change."""
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtext('enforcement_reporting.catalog'))")
        row = connection.execute("select catalog_sha256 from catalog.state").fetchone()
        if row and row[0] == catalog.sha256:
            return False
        for table, columns, rows in _catalog_rows(catalog):
            connection.execute(sql.SQL("delete from {}").format(sql.Identifier("catalog", table)))
            _copy(connection, ("catalog", table), columns, rows)
        connection.execute("update catalog.state set catalog_sha256 = %s", [catalog.sha256])
        connection.execute("insert into intake.touched default values")  # names and numbers in the marts may change
    return True


def _recorded(connection: psycopg.Connection, delivery: Delivery) -> tuple[int, FileOutcome] | None:
    """Return how this very arrival was recorded before: by a run that was killed, or by one at work beside us."""
    if delivery.landing_key is None:
        return None
    connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 1))", [delivery.landing_key])
    row = connection.execute(
        "select file_id, outcome from intake.files where landing_key = %s and file_sha256 = %s",
        [delivery.landing_key, delivery.file_sha256],
    ).fetchone()
    return (row[0], row[1]) if row else None


def record_refused(
    connection: psycopg.Connection,
    delivery: Delivery,
    reason: str,
    findings: Sequence[ReadingFinding],
    catalog: Catalog,
) -> tuple[int, FileOutcome]:
    """Record a file from which nothing could be taken, with the reason for the clerk; return its number and outcome."""
    with connection.transaction():
        if recorded := _recorded(connection, delivery):
            return recorded
        file_id = _insert_file(connection, delivery, "unreadable", reason)
        placed = _placed_findings(ReadWorkbook(file_findings=list(findings)), (), catalog)
        _copy_findings(connection, _numbered(file_id, placed))
        connection.execute("insert into intake.touched default values")
    return file_id, "unreadable"


def record_submissions(
    connection: psycopg.Connection, delivery: Delivery, read: ReadWorkbook, catalog: Catalog
) -> tuple[int, FileOutcome]:
    """Record a workbook's submissions, observations and reading findings, all or nothing.

    Returns the file's number and its outcome. The same bytes taken in before change nothing but the list of files:
    outcome ``duplicate``. Only what they hold beyond that time (a unit or a form the catalog did not know then) is
    taken in now.
    """
    with connection.transaction():
        if recorded := _recorded(connection, delivery):
            return recorded
        # Two arrivals of the same bytes at the same moment: the second waits here and finds the first.
        connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [delivery.file_sha256])
        taken = connection.execute(
            "select file_id, file_name from intake.files where file_sha256 = %s and outcome = 'taken_in'",
            [delivery.file_sha256],
        ).fetchall()
        identified = [(_submission_id(delivery.file_sha256, item), item) for item in read.submissions]
        if taken:
            rows = connection.execute(
                "select submission_id from intake.submissions where file_id = any(%s)", [[row[0] for row in taken]]
            )
            known = {submission_id for (submission_id,) in rows}
            identified = [(submission_id, item) for submission_id, item in identified if submission_id not in known]
        if taken and not identified:
            reason = f"与已收到的“{taken[0][1]}”内容完全相同，不重复采集。"
            file_id = _insert_file(connection, delivery, "duplicate", reason)
            connection.execute("insert into intake.touched default values")
            return file_id, "duplicate"
        submissions = [item for _, item in identified]
        file_id = _insert_file(connection, delivery, "taken_in", None)
        _record_periods(connection, submissions)
        _copy_submissions(connection, file_id, delivery, identified)
        _copy_observations(connection, identified)
        _copy_findings(connection, _numbered(file_id, _placed_findings(read, identified, catalog)))
        connection.cursor().executemany(
            "insert into intake.touched (form_id, period_id) values (%s, %s)",
            sorted({(item.form_id, item.period.period_id) for item in submissions}),
        )
    return file_id, "taken_in"


_Identified = Sequence[tuple[str, ReadSubmission]]
_Place = tuple[str | None, str | None, str | None, str | None, str | None]  # submission … period of a finding


def _copy_submissions(
    connection: psycopg.Connection, file_id: int, delivery: Delivery, identified: _Identified
) -> None:
    columns = dict.fromkeys(("submission_id", "unit_id", "form_id", "period_id", "row_role", "sheet"), "text")
    columns |= {"file_id": "int8", "file_sha256": "text", "policy": "text", "received_at": "timestamptz"}
    from_file = (file_id, delivery.file_sha256, delivery.policy, delivery.received_at)
    rows = (
        (submission_id, item.unit_id, item.form_id, item.period.period_id, item.row_role, item.sheet, *from_file)
        for submission_id, item in identified
    )
    _copy(connection, ("intake", "submissions"), columns, rows, columns.values())


def _copy_observations(connection: psycopg.Connection, identified: _Identified) -> None:
    columns = {"stated_value": "numeric", "decimals": "int4"}
    columns |= dict.fromkeys(("cell_state", "stated_text", "cell", "indicator_id"), "text")
    columns |= dict.fromkeys(("unit_id", "submission_id", "sheet"), "text")
    rows = (
        (o.value, o.decimals, o.state, o.text or None, o.cell, o.indicator_id, item.unit_id, submission_id, item.sheet)
        for submission_id, item in identified
        for o in item.observations
    )
    _copy(connection, ("intake", "observations"), columns, rows, columns.values())


def _placed_findings(
    read: ReadWorkbook, identified: _Identified, catalog: Catalog
) -> Iterator[tuple[_Place, ReadingFinding]]:
    """Yield everything found while reading with what it is about: the file, a sheet of it, or a submission."""
    authority_of = {form.form_id: form.authority_id for form in catalog.forms}
    for finding in read.file_findings:
        form_id = finding.form_id or None
        yield (None, authority_of.get(finding.form_id), form_id, None, finding.period_id or None), finding
    for (sheet, form_id), findings in read.sheet_findings.items():
        periods = {item.period.period_id for item in read.submissions if (item.sheet, item.form_id) == (sheet, form_id)}
        for finding in findings:
            yield (None, authority_of[form_id], form_id, None, min(periods, default=None)), finding
    for submission_id, item in identified:
        place = (submission_id, authority_of[item.form_id], item.form_id, item.unit_id, item.period.period_id)
        for finding in item.findings:
            yield place, finding


def _submission_id(file_sha256: str, item: ReadSubmission) -> str:
    """Return an id that the same row of the same file always has."""
    parts = (file_sha256, item.sheet, item.form_id, item.period.period_id, item.row_role, item.unit_id)
    identity = "\0".join(parts)
    return hashlib.sha256(identity.encode()).hexdigest()[:20]


def _insert_file(connection: psycopg.Connection, delivery: Delivery, outcome: FileOutcome, reason: str | None) -> int:
    row = connection.execute(
        "insert into intake.files"
        " (file_sha256, file_name, landing_key, size_bytes, policy, received_at, outcome, reason)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s) returning file_id",
        [
            delivery.file_sha256,
            delivery.file_name,
            delivery.landing_key,
            delivery.size_bytes,
            delivery.policy,
            delivery.received_at,
            outcome,
            reason,
        ],
    ).fetchone()
    assert row is not None
    return int(row[0])


def _record_periods(connection: psycopg.Connection, submissions: Sequence[ReadSubmission]) -> None:
    periods = {(item.form_id, item.period) for item in submissions}
    connection.cursor().executemany(
        "insert into catalog.periods (form_id, period_id, starts_on, ends_on, accumulates_from, period_name)"
        " values (%s, %s, %s, %s, %s, %s)"
        " on conflict (form_id, period_id) do update set"
        " starts_on = excluded.starts_on, ends_on = excluded.ends_on,"
        " accumulates_from = excluded.accumulates_from, period_name = excluded.period_name",
        [
            (form_id, p.period_id, p.starts_on, p.ends_on, p.accumulates_from, p.name)
            for form_id, p in sorted(periods, key=lambda pair: (pair[0], pair[1].period_id))
        ],
    )


_FINDING_COLUMNS = (
    *("finding_id", "origin", "scope", "file_id", "submission_id", "authority_id", "form_id", "unit_id", "period_id"),
    *("rule_id", "rule_kind", "severity", "cells", "sheet", "stated", "expected", "message"),
)


def _numbered(file_id: int, placed: Iterable[tuple[_Place, ReadingFinding]]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a file's reading findings, each with an id of its own."""
    for number, (place, finding) in enumerate(placed):
        yield (
            hashlib.sha256(f"{file_id} {number}".encode()).hexdigest()[:20],
            "reading",
            finding.scope,
            file_id,
            *place,
            f"reading.{finding.kind}",
            finding.kind,
            finding.severity.value,
            finding.cells,
            finding.sheet,
            finding.stated,
            finding.expected,
            finding.message(),
        )


def _copy_findings(connection: psycopg.Connection, findings: Iterable[tuple[Any, ...]]) -> None:
    _copy(connection, ("quality", "findings"), _FINDING_COLUMNS, findings)


def _copy(
    connection: psycopg.Connection,
    table: tuple[str, str],
    columns: Iterable[str],
    rows: Iterable[tuple[Any, ...]],
    types: Iterable[str] | None = None,
) -> None:
    """COPY rows into a table: binary where the column types are given, text otherwise."""
    statement = sql.SQL("copy {} ({}) from stdin {}").format(
        sql.Identifier(*table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL("(format binary)" if types is not None else ""),
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        if types is not None:
            copy.set_types(list(types))
        for row in rows:
            copy.write_row(row)


def _catalog_rows(catalog: Catalog) -> Iterable[tuple[str, Sequence[str], list[tuple[Any, ...]]]]:
    """Yield (table, columns, rows) of everything in the schema ``catalog`` that the YAML declares."""
    yield (
        "authorities",
        ("authority_id", "authority_name"),
        [(authority.authority_id, authority.name) for authority in catalog.authorities],
    )
    units, closure = _unit_rows(catalog)
    yield (
        "units",
        (
            "unit_id",
            "authority_id",
            "unit_name",
            "unit_kind",
            "parent_unit_id",
            "is_group",
            "sort_no",
            "valid_from",
            "valid_to",
        ),
        units,
    )
    yield "unit_closure", ("unit_id", "group_id", "depth"), closure
    yield (
        "forms",
        ("form_id", "authority_id", "form_title", "figures", "calendar_kind", "source", "sort_no"),
        [
            (f.form_id, f.authority_id, f.title, f.figures, f.calendar.kind.value, f.source, number)
            for number, f in enumerate(catalog.forms)
        ],
    )
    yield (
        "form_units",
        ("form_id", "unit_id"),
        [(form.form_id, unit.unit_id) for form in catalog.forms for unit in catalog.expected_units(form)],
    )
    yield (
        "indicators",
        (
            "indicator_id",
            "form_id",
            "indicator_name",
            "label_path",
            "unit_of_measure",
            "measure_kind",
            "counting_rule",
            "counting_rule_source",
            "sort_no",
        ),
        [
            (
                f"{form.form_id}.{item.indicator_id}",
                form.form_id,
                item.caption,
                item.label_path,
                item.unit_of_measure,
                item.measure_kind,
                item.counting_rule,
                item.counting_rule_source,
                number,
            )
            for form in catalog.forms
            for number, item in enumerate(form.indicators)
        ],
    )
    yield (
        "indicator_unit_kinds",
        ("indicator_id", "unit_kind"),
        [
            (f"{form.form_id}.{item.indicator_id}", kind)
            for form in catalog.forms
            for item in form.indicators
            for kind in item.applies_to
        ],
    )
    yield (
        "metrics",
        ("metric_id", "form_id", "metric_name", "unit_of_measure", "scale", "decimals", "has_denominator", "sort_no"),
        [
            (m.metric_id, m.form, m.name, m.unit_of_measure, m.scale, m.decimals, bool(m.denominator), number)
            for number, m in enumerate(catalog.metrics)
        ],
    )
    yield (
        "metric_terms",
        ("metric_id", "role", "form_id", "indicator_id"),
        [
            (metric.metric_id, role, form_id, f"{form_id}.{indicator_id}")
            for metric in catalog.metrics
            for role, form_id, indicator_id in metric.terms()
        ],
    )
    yield (
        "scoreboards",
        ("scoreboard_id", "form_id", "scoreboard_name"),
        [(board.scoreboard_id, board.form, board.name) for board in catalog.scoreboards],
    )
    yield (
        "scoreboard_items",
        (
            "scoreboard_id",
            "item_id",
            "item_name",
            "sort_no",
            "indicator_id",
            "metric_id",
            "better",
            "points_top",
            "points_bottom",
        ),
        [
            (
                board.scoreboard_id,
                item.item_id,
                item.name,
                number,
                ".".join(resolve(item.indicator, board.form)) if item.indicator else None,
                item.metric,
                item.better,
                item.points.top,
                item.points.bottom,
            )
            for board in catalog.scoreboards
            for number, item in enumerate(board.items)
        ],
    )
    yield (
        "scoreboard_units",
        ("scoreboard_id", "unit_id"),
        [
            (board.scoreboard_id, unit.unit_id)
            for board in catalog.scoreboards
            for unit in catalog.expected_units(catalog.form_by_id[board.form])
            if unit.unit_id not in board.excluded_units and (not board.unit_kinds or unit.kind in board.unit_kinds)
        ],
    )


def _unit_rows(catalog: Catalog) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    units: list[tuple[Any, ...]] = []
    closure: list[tuple[Any, ...]] = []

    def walk(unit: Unit, authority_id: str, above: list[str]) -> None:
        parent = above[-1] if above else None
        units.append(
            (
                unit.unit_id,
                authority_id,
                unit.name,
                unit.kind,
                parent,
                bool(unit.members),
                len(units),
                unit.valid_from,
                unit.valid_to,
            )
        )
        path = [*above, unit.unit_id]
        closure.extend((unit.unit_id, group, depth) for depth, group in enumerate(reversed(path)))
        for member in unit.members:
            walk(member, authority_id, path)

    for authority in catalog.authorities:
        walk(authority.units, authority.authority_id, [])
    return units, closure
