"""What is written into the schemas catalog and intake. Rows go in by COPY, many files in one transaction."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any, Literal, NamedTuple

import psycopg
from psycopg import sql

from enforcement_reporting.catalog import Catalog, Unit, resolve
from enforcement_reporting.findings import ReadingFinding
from enforcement_reporting.warehouse.figures import Stated, copy_figures
from enforcement_reporting.workbook import ReadSubmission, ReadWorkbook
from enforcement_reporting.workdays import days_counted

log = logging.getLogger(__name__)

_SHOWN = 30  # characters of an explanation in what is said of it

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
        known = {authority_id for (authority_id,) in connection.execute("select authority_id from catalog.authorities")}
        if gone := sorted(known - catalog.authority_by_id.keys()):
            log.warning("authorities that are declared no longer, and are left out of the marts: %s", ", ".join(gone))
        for table, columns, rows in _catalog_rows(catalog):
            name = sql.Identifier("catalog", table)
            connection.execute(sql.SQL("delete from {}").format(name))
            _copy(connection, ("catalog", table), columns, rows)
            connection.execute(sql.SQL("analyze {}").format(name))  # everything else is joined to these
        connection.execute("update catalog.state set catalog_sha256 = %s", [catalog.sha256])
        connection.execute("insert into intake.touched default values")  # names and numbers in the marts may change
    return True


@dataclass(frozen=True)
class Incoming:
    """A file to be recorded, with what was read in it; ``refused`` tells the clerk why nothing is taken from it."""

    delivery: Delivery
    read: ReadWorkbook
    refused: str | None = None

    @property
    def rows(self) -> int:
        """Return about how many rows it comes to."""
        read = self.read
        placed = (read.file_findings, *read.sheet_findings.values(), *(item.findings for item in read.submissions))
        return sum(map(len, placed)) + sum(len(item.observations) for item in read.submissions)


# What the database refuses because of what is in a file, however often it is tried.
NOT_STORABLE = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
    UnicodeEncodeError,
)


def record_files(
    connection: psycopg.Connection, files: Sequence[Incoming], catalog: Catalog
) -> list[tuple[int, FileOutcome]]:
    """Record files with their submissions, observations and reading findings, all of them or none.

    Returns each file's number and outcome. Bytes that were taken in before change nothing but the list of files:
    outcome ``duplicate``. Only what they hold beyond that time (a unit or a form the catalog did not know then) is
    taken in now. An arrival that was recorded before, by a run that was killed or by one at work beside us, is not
    recorded again: its former number and outcome are returned. All this holds within ``files`` too.

    Files with one of the NOT_STORABLE errors in them leave nothing behind and raise it.
    """
    authority_of = {form.form_id: form.authority_id for form in catalog.forms}
    outcomes: list[tuple[int, FileOutcome]] = []
    with connection.transaction():
        before = _recorded_before(connection, files)
        asked = _asked(connection, files)
        # A number that is not used is lost, and nothing depends on their order.
        numbers = connection.execute(
            "select nextval(pg_get_serial_sequence('intake.files', 'file_id')) from generate_series(1, %s)",
            [len(files)],
        )
        batch = _Batch()
        for file, (file_id,) in zip(files, numbers, strict=True):
            delivery = file.delivery
            arrival = (delivery.landing_key, delivery.file_sha256)
            if arrival in before.arrivals:
                outcomes.append(before.arrivals[arrival])
                continue
            outcome, reason = _settle(file, before, asked, batch, file_id, authority_of)
            batch.add_file(file_id, delivery, outcome, reason)
            outcomes.append((file_id, outcome))
            if delivery.landing_key is not None:
                before.arrivals[arrival] = (file_id, outcome)
        batch.copy(connection)
    return outcomes


def _settle(
    file: Incoming,
    before: _Before,
    asked: Mapping[str, _Asked],
    batch: _Batch,
    file_id: int,
    authority_of: Mapping[str, str],
) -> tuple[FileOutcome, str | None]:
    """Put what is new in a file into the batch; return its outcome, and the reason for it where nothing is taken."""
    delivery, read = file.delivery, file.read
    if file.refused is not None:
        batch.add_findings(file_id, _placed_findings(ReadWorkbook(file_findings=read.file_findings), (), authority_of))
        return "unreadable", file.refused
    sha256 = delivery.file_sha256
    identified = [(_submission_id(sha256, item), item) for item in read.submissions]
    if sha256 in before.taken:
        identified = [pair for pair in identified if pair[0] not in before.submissions]
        if not identified:
            return "duplicate", f"与已收到的“{before.taken[sha256]}”内容完全相同，不重复采集。"
    before.taken.setdefault(sha256, delivery.file_name)
    before.submissions.update(submission_id for submission_id, _ in identified)
    batch.add_submissions(file_id, delivery, identified)
    not_taken = list(batch.add_explanations(file_id, delivery, read, asked)) if read.explanations else []
    batch.add_findings(file_id, chain(_placed_findings(read, identified, authority_of), not_taken))
    return "taken_in", None


class _Asked(NamedTuple):
    """A finding that a unit may explain, what tells it from others in all revisions, and what was last said to it."""

    unit_id: str
    key: tuple[str, str, str, str, str, str, str]
    said: str | None


def _asked(connection: psycopg.Connection, files: Sequence[Incoming]) -> dict[str, _Asked]:
    """Return by their ids the findings that explanations in the files are for, as far as they are known."""
    wanted = {item.finding_id for file in files for item in file.read.explanations}
    if not wanted:
        return {}
    rows = connection.execute(
        """
        select f.finding_id, f.unit_id, f.form_id, f.period_id, f.rule_id, f.subject, f.stated, f.expected,
            e.explanation
        from quality.findings_of_submissions f
        left join quality.latest_explanations e
            on e.unit_id = f.unit_id and e.form_id = f.form_id and e.period_id = f.period_id and e.rule_id = f.rule_id
            and e.subject = f.subject and e.stated = f.stated and e.expected = f.expected
        where f.finding_id = any(%s)
        """,
        [list(wanted)],
    )
    return {finding_id: _Asked(key[0], tuple(key), said) for finding_id, *key, said in rows}


_Identified = Sequence[tuple[str, ReadSubmission]]
_Place = tuple[str | None, str | None, str | None, str | None, str | None]  # submission … period of a finding


@dataclass
class _Before:
    """What was recorded before of the arrivals and of the bytes in a batch.

    ``taken`` names, by sha256, the file from which bytes were taken in, and ``submissions`` what came out of them.
    """

    arrivals: dict[tuple[str | None, str], tuple[int, FileOutcome]] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    submissions: set[str] = field(default_factory=set)


def _recorded_before(connection: psycopg.Connection, files: Sequence[Incoming]) -> _Before:
    """Return what was recorded before, having waited for whoever is recording some of the same bytes.

    An arrival recorded twice is recorded with the same bytes, so that waiting for these is enough. Everybody asks for
    the locks in the same order: nobody waits for somebody who waits for him.
    """
    before = _Before()
    hashes = {file.delivery.file_sha256 for file in files} - {""}
    locks = sorted(int.from_bytes(bytes.fromhex(sha256)[:8], signed=True) for sha256 in hashes)
    connection.execute("select count(pg_advisory_xact_lock(number)) from unnest(%s::bigint[]) number", [locks])
    rows = connection.execute(
        "select file_id, file_sha256, file_name, landing_key, outcome from intake.files"
        " where file_sha256 = any(%s) and (outcome = 'taken_in' or landing_key = any(%s))"
        " order by received_at, file_name",
        [list(hashes), [file.delivery.landing_key for file in files if file.delivery.landing_key is not None]],
    ).fetchall()
    for file_id, sha256, file_name, landing_key, outcome in rows:
        if landing_key is not None:
            before.arrivals[landing_key, sha256] = (file_id, outcome)
        if outcome == "taken_in":
            before.taken.setdefault(sha256, file_name)
    if before.taken:
        sources = [file_id for file_id, *_, outcome in rows if outcome == "taken_in"]
        known = connection.execute(
            "select submission_id from intake.submissions where file_id = any(%s)", [sources]
        ).fetchall()
        before.submissions.update(submission_id for (submission_id,) in known)
    return before


_TEXT, _BIGINT, _INSTANT = "text", "int8", "timestamptz"
_FILES = {"file_id": _BIGINT, "file_sha256": _TEXT, "file_name": _TEXT, "landing_key": _TEXT, "size_bytes": _BIGINT}
_FILES |= {"policy": _TEXT, "received_at": _INSTANT, "outcome": _TEXT, "reason": _TEXT}
_SUBMISSIONS = dict.fromkeys(("submission_id", "unit_id", "form_id", "period_id", "row_role", "sheet"), _TEXT)
_SUBMISSIONS |= {"file_id": _BIGINT, "file_sha256": _TEXT, "policy": _TEXT, "received_at": _INSTANT}
_FINDINGS = dict.fromkeys(("finding_id", "origin", "scope"), _TEXT) | {"file_id": _BIGINT}
_FINDINGS |= dict.fromkeys(("submission_id", "authority_id", "form_id", "unit_id", "period_id"), _TEXT)
_FINDINGS |= dict.fromkeys(
    ("rule_id", "rule_kind", "severity", "cells", "sheet", "stated", "expected", "message"), _TEXT
)
_EXPLANATIONS = dict.fromkeys(("unit_id", "form_id", "period_id", "rule_id", "subject", "stated", "expected"), _TEXT)
_EXPLANATIONS |= {"finding_id": _TEXT, "explanation": _TEXT, "file_id": _BIGINT, "given_at": _INSTANT}
_UNCHECKED = dict.fromkeys(("submission_id", "unit_id", "form_id", "period_id"), _TEXT)
_TOUCHED = {"file_id": _BIGINT}


class _Batch:
    """The rows that a number of files come to, a table at a time."""

    def __init__(self) -> None:
        self._files: list[tuple[Any, ...]] = []
        self._submissions: list[tuple[Any, ...]] = []
        self._identified: list[tuple[str, ReadSubmission]] = []
        self._findings: list[tuple[Any, ...]] = []
        self._explanations: list[tuple[Any, ...]] = []
        self._said: dict[tuple[str, ...], str] = {}

    def add_file(self, file_id: int, delivery: Delivery, outcome: FileOutcome, reason: str | None) -> None:
        d = delivery
        received = (d.file_sha256, d.file_name, d.landing_key, d.size_bytes, d.policy, d.received_at)
        self._files.append((file_id, *received, outcome, reason))

    def add_submissions(self, file_id: int, delivery: Delivery, identified: _Identified) -> None:
        from_file = (file_id, delivery.file_sha256, delivery.policy, delivery.received_at)
        self._identified.extend(identified)
        self._submissions.extend(
            (submission_id, item.unit_id, item.form_id, item.period.period_id, item.row_role, item.sheet, *from_file)
            for submission_id, item in identified
        )

    def add_findings(self, file_id: int, placed: Iterable[tuple[_Place, ReadingFinding]]) -> None:
        """Add a file's reading findings, each with an id of its own."""
        self._findings.extend(
            (
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
            for number, (place, finding) in enumerate(placed)
        )

    def add_explanations(
        self, file_id: int, delivery: Delivery, read: ReadWorkbook, asked: Mapping[str, _Asked]
    ) -> Iterator[tuple[_Place, ReadingFinding]]:
        """Add what a file's units explain, unless they said it before; yield the findings on what is not theirs."""
        reporting = {item.unit_id for item in read.submissions}
        for item in read.explanations:
            question = asked.get(item.finding_id)
            if question is None or question.unit_id not in reporting:
                sheet, _, _ = item.cell.rpartition("!")
                shown = item.text if len(item.text) <= _SHOWN else f"{item.text[:_SHOWN]}…"
                finding = ReadingFinding("explanation_not_taken", sheet, cells=item.cell, stated=shown)
                yield (None, None, None, None, None), finding
            elif item.text != self._said.get(question.key, question.said):
                self._said[question.key] = item.text
                place = (*question.key, item.finding_id, item.text, file_id, delivery.received_at)
                self._explanations.append(place)

    def copy(self, connection: psycopg.Connection) -> None:
        """Write everything."""
        tables = (
            (("intake", "files"), _FILES, self._files),
            (("intake", "submissions"), _SUBMISSIONS, self._submissions),
            (("quality", "findings"), _FINDINGS, self._findings),
            (("quality", "explanations"), _EXPLANATIONS, self._explanations),
            (("intake", "unchecked"), _UNCHECKED, [row[:4] for row in self._submissions]),
            (("intake", "touched"), _TOUCHED, [row[:1] for row in self._files]),
        )
        if self._files:
            for table, columns, rows in tables:
                if rows is self._explanations and not rows:
                    continue
                _copy(connection, table, columns, rows, columns.values())
            stated = (
                Stated(item.unit_id, submission_id, item.sheet, item.observations)
                for submission_id, item in self._identified
            )
            copy_figures(connection, stated)


def _placed_findings(
    read: ReadWorkbook, identified: _Identified, authority_of: Mapping[str, str]
) -> Iterator[tuple[_Place, ReadingFinding]]:
    """Yield everything found while reading with what it is about: the file, a sheet of it, or a submission."""
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
        write_row = copy.write_row
        for row in rows:
            write_row(row)


def _catalog_rows(catalog: Catalog) -> Iterable[tuple[str, Sequence[str], list[tuple[Any, ...]]]]:
    """Yield (table, columns, rows) of everything in the schema ``catalog`` that the YAML declares."""
    yield (
        "authorities",
        ("authority_id", "authority_name", "time_zone"),
        [(authority.authority_id, authority.name, authority.time_zone) for authority in catalog.authorities],
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
    yield "unit_closure", ("unit_id", "group_id", "depth", "is_counted"), closure
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
        "periods",
        (
            *("form_id", "period_id", "period_name", "period_kind", "starts_on", "ends_on", "accumulates_from"),
            *("sequence", "reported_as", "previous_period_id", "year_ago_period_id", "opens_window", "form_as_of"),
        ),
        [
            (
                form.form_id,
                period.period_id,
                period.name,
                period.kind.value,
                period.starts_on,
                period.ends_on,
                period.accumulates_from,
                period.sequence,
                period.reported_as,
                period.previous_period_id,
                period.year_ago_period_id,
                period.opens_window,
                ends_on[period.reported_as],
            )
            for form in catalog.forms
            for periods in [form.calendar.calendar().periods()]
            for ends_on in [{period.period_id: period.ends_on for period in periods}]
            for period in periods
        ],
    )
    yield "days", ("day", "is_working", "working_days"), list(days_counted())
    yield "deadlines", ("form_id", "period_id", "unit_kind", "due_at", "due_on"), list(_deadline_rows(catalog))
    yield from _reporting_rows(catalog)
    yield (
        "indicators",
        (
            "indicator_id",
            "form_id",
            "indicator_name",
            "label_path",
            "unit_of_measure",
            "measure_kind",
            "figures",
            "counterpart_id",
            "counting_rule",
            "counting_rule_source",
            "sort_no",
            "effective_from",
            "effective_to",
            "comparable_from",
        ),
        [
            (
                f"{form.form_id}.{item.indicator_id}",
                form.form_id,
                item.caption,
                item.label_path,
                item.unit_of_measure,
                item.measure_kind,
                form.figures_of(item),
                f"{form.form_id}.{other}" if (other := form.counterparts.get(item.indicator_id)) else None,
                item.counting_rule,
                item.counting_rule_source,
                number,
                *form.lifetimes[item.indicator_id],
                next(version.lifetime.first for version in form.versions if form.stood_for(item.indicator_id, version)),
            )
            for form in catalog.forms
            for number, item in enumerate(form.indicators)
        ],
    )
    yield (
        "indicator_predecessors",
        ("indicator_id", "predecessor_id", "effective_from", "effective_to", "predecessors"),
        [
            (f"{form.form_id}.{item.indicator_id}", f"{form.form_id}.{other}", *version.lifetime, len(others))
            for form in catalog.forms
            for item in form.indicators
            if item.replaces
            for version in form.versions
            for others in [form.stood_for(item.indicator_id, version)]
            for other in others
            if other != item.indicator_id
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
        (
            *("metric_id", "form_id", "metric_name", "unit_of_measure", "scale", "decimals"),
            *("has_denominator", "against_schedule", "sort_no"),
        ),
        [
            (
                *(m.metric_id, m.form, m.name, m.unit_of_measure, m.scale, m.decimals),
                *(bool(m.denominator), m.against_schedule, number),
            )
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
        ("scoreboard_id", "form_id", "scoreboard_name", "ties"),
        [(board.scoreboard_id, board.form, board.name, board.ties) for board in catalog.scoreboards],
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
            "basis",
            "better",
            "minimum_denominator",
            "weight",
            "points_top",
            "points_step",
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
                item.basis,
                item.better,
                item.minimum_denominator,
                item.weight,
                item.points.top,
                item.points.step,
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


def _deadline_rows(catalog: Catalog) -> Iterator[tuple[Any, ...]]:
    """Yield until when each kind of unit owes each period of a form; summaries are not reported, and not owed."""
    for form in catalog.forms:
        zone = catalog.authority_by_id[form.authority_id].zone
        periods = [item for item in form.calendar.calendar().periods() if item.reported_as == item.period_id]
        for kind in dict.fromkeys(unit.kind for unit in catalog.expected_units(form)):
            for period in periods if form.deadlines else ():
                if due_at := form.due_at(kind, period, zone):
                    yield form.form_id, period.period_id, kind, due_at, due_at.date()


def _reporting_rows(catalog: Catalog) -> Iterable[tuple[str, Sequence[str], list[tuple[Any, ...]]]]:
    """Yield what is declared about how units report: how much may be missing, and by what they are ranked."""
    thresholds = list(catalog.missing_reports_a_year.items())
    boards = [(item.authority_id, item.reporting_quality) for item in catalog.authorities if item.reporting_quality]
    yield "reporting_thresholds", ("authority_id", "missing_reports_a_year"), thresholds
    yield (
        "reporting_scoreboards",
        ("authority_id", "scoreboard_name", "ties"),
        [(authority_id, board.name, board.ties) for authority_id, board in boards],
    )
    yield (
        "reporting_items",
        (
            *("authority_id", "item_id", "item_name", "sort_no", "measure", "better", "minimum_obligations", "weight"),
            *("points_top", "points_step", "points_bottom"),
        ),
        [
            (
                *(authority_id, item.item_id, item.name, number, item.measure, item.better, item.minimum_obligations),
                *(item.weight, item.points.top, item.points.step, item.points.bottom),
            )
            for authority_id, board in boards
            for number, item in enumerate(board.items)
        ],
    )
    yield (
        "reporting_ranked_units",
        ("authority_id", "unit_id"),
        [(item.authority_id, unit.unit_id) for item in catalog.authorities for unit in item.units_ranked_by_reporting],
    )


def _unit_rows(catalog: Catalog) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Return the rows of units, groups among them, and of what belongs to what."""
    units: list[tuple[Any, ...]] = []

    def walk(unit: Unit, authority_id: str, parent: str | None) -> None:
        in_force = (unit.valid_from, unit.valid_to)
        is_group = bool(unit.members)
        units.append((unit.unit_id, authority_id, unit.name, unit.kind, parent, is_group, len(units), *in_force))
        for member in unit.members:
            walk(member, authority_id, unit.unit_id)

    for authority in catalog.authorities:
        walk(authority.units, authority.authority_id, None)
        for grouping in authority.groupings:
            for group in grouping.groups:
                row = (group.group_id, authority.authority_id, group.name, grouping.name)
                units.append((*row, authority.units.unit_id, True, len(units), None, None))
    return units, [row for authority in catalog.authorities for row in authority.members_by_group()]
