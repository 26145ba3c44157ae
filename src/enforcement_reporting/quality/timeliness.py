"""What is owed and has not come, or came late: a suite over the obligations of each authority.

Its findings are like any other, but that they belong to no file: what is missing has none.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import psycopg
from psycopg import sql
from pydantic import Field

from enforcement_reporting.catalog import Catalog, CatalogError, Id, Model, Text, load_catalog, read_definition
from enforcement_reporting.findings import Severity
from enforcement_reporting.quality.check import RuleError, message_sql, validation_by_great_expectations
from enforcement_reporting.quality.declared import TIMELINESS
from enforcement_reporting.quality.rules import Check
from enforcement_reporting.settings import Settings
from enforcement_reporting.warehouse import connect

# Obligations that became due longer ago are looked at again only where something has come in for them, or is missing.
LOOKED_BACK = timedelta(days=366)

_KINDS = {
    "missing": ("status <> 'missing'", "《{form}》{period}应于{due}前报送，至今未报。"),
    "late": (
        "status <> 'late'",
        "《{form}》{period}应于{due}前报送，实际于{received}报送，迟报 {days} 个工作日。",
    ),
    "never_reported": (
        "status <> 'missing' or has_ever_reported",
        "从未报送过《{form}》，{period}应于{due}前报送。",
    ),
}
_VALUES = {
    "form": "form_title",
    "period": "period_name",
    "due": "due_text",
    "received": "received_text",
    "days": "working_days_late::text",
}


class TimelinessRule(Model):
    """A rule about obligations: ``message`` replaces the kind's own."""

    rule_id: Id
    kind: Literal["missing", "late", "never_reported"]
    severity: Severity
    message: Text | None = None


class TimelinessDefinition(Model):
    """A file timeliness.yaml under ``expectations/``: the rules for what one authority is owed."""

    authority: Id
    rules: Annotated[tuple[TimelinessRule, ...], Field(min_length=1)]


@dataclass(frozen=True)
class TimelinessSuite:
    """The checks on all obligations of an authority."""

    authority_id: str
    checks: tuple[Check, ...]

    @property
    def name(self) -> str:
        """Return the suite's name."""
        return f"{self.authority_id}__timeliness"

    @property
    def subject(self) -> str:
        """Return whose obligations stay unchecked where a rule cannot be evaluated."""
        return self.authority_id

    @property
    def wide_table(self) -> str:
        """Return the table that holds the obligations while they are checked."""
        return f"owed__{self.authority_id}"[:63]

    def columns_of(self, check: Check) -> list[str]:  # noqa: ARG002 (all checks look at the same)
        """Return the columns a check looks at."""
        return ["status", "working_days_late"]


def load_timeliness(definitions: Path, catalog: Catalog) -> tuple[TimelinessSuite, ...]:
    """Return the suite of each authority that has one. Raises CatalogError naming the file and what was expected."""
    suites: dict[str, TimelinessSuite] = {}
    for path in sorted((definitions / "expectations").rglob(TIMELINESS)):
        declared = read_definition(path, TimelinessDefinition)
        if declared.authority not in catalog.authority_by_id:
            raise CatalogError(f"{path}: authority: expected one of the catalog, found {declared.authority!r}")
        if declared.authority in suites:
            raise CatalogError(f"{path}: authority {declared.authority} has its rules in another file already")
        suites[declared.authority] = TimelinessSuite(
            declared.authority, tuple(_check(rule, declared.authority, path) for rule in declared.rules)
        )
    return tuple(suites.values())


@dataclass(frozen=True)
class CheckedObligations:
    """How many findings of each kind there are, and in how many periods of units they are not what they were."""

    findings: dict[str, int]
    changed: int


def check_obligations(settings: Settings, as_at: datetime) -> CheckedObligations:
    """Find what is missing and what came late as of an instant.

    Findings are replaced, never added to. Those of a later look stand: an earlier instant changes nothing. Raises
    RuleError where a rule cannot be evaluated.
    """
    suites = load_timeliness(settings.definitions, load_catalog(settings.definitions))
    found: dict[str, int] = {}
    changed = 0
    with connect(settings) as connection, ExitStack() as opened:
        connection.autocommit = True
        connection.execute("select pg_advisory_lock(hashtext('enforcement_reporting.timeliness'))")
        due = [suite for suite in suites if _lay_out(connection, suite, as_at)]
        if not due:
            return CheckedObligations({}, 0)
        validation = opened.enter_context(validation_by_great_expectations(settings))
        failures, broken = validation.run(due)
        if broken:
            raise RuleError("obligations could not be checked:\n" + "\n".join(broken.values()))
        for suite in due:
            with connection.transaction():
                written, differing = _replace_findings(connection, suite, failures)
                changed += differing
                for kind, number in written.items():
                    found[kind] = found.get(kind, 0) + number
                connection.execute(f"drop table quality.{_quoted(suite.wide_table)}".encode())
                connection.execute(
                    "insert into quality.looks (authority_id, as_at, last_file_id)"
                    " values (%s, %s, (select coalesce(max(file_id), 0) from intake.files))"
                    " on conflict (authority_id) do update set as_at = excluded.as_at,"
                    " last_file_id = excluded.last_file_id",
                    [suite.authority_id, as_at],
                )
        validation.build_data_docs()
    return CheckedObligations(found, changed)


def _check(rule: TimelinessRule, authority_id: str, path: Path) -> Check:
    condition, message = _KINDS[rule.kind]
    return Check(
        declared=f"{authority_id}.{rule.rule_id}",
        rule_id=f"{authority_id}.{rule.rule_id}",
        rule_kind=rule.kind,
        severity=rule.severity,
        columns=(),
        condition=condition,
        stated="coalesce(received_text, '未报')",
        expected="due_text",
        message=_known_values(rule.message or message, path, rule.rule_id),
        values=_VALUES,
    )


def _known_values(message: str, path: Path, rule_id: str) -> str:
    try:
        message.format(**_VALUES)
    except (KeyError, ValueError, IndexError):
        raise CatalogError(f"{path}: rule {rule_id}: message: expected only {', '.join(_VALUES)} in braces") from None
    return message


def _lay_out(connection: psycopg.Connection, suite: TimelinessSuite, as_at: datetime) -> bool:
    """Lay out the obligations to look at, one row each; return False where a later look was had already."""
    row = connection.execute(
        "select as_at, last_file_id from quality.looks where authority_id = %s", [suite.authority_id]
    ).fetchone()
    if row and row[0] > as_at:
        return False
    due_from = "'-infinity'::timestamptz"
    if row:
        due_from = """
            least(
                %(as_at)s::timestamptz - %(looked_back)s::interval,
                (
                    select min(d.due_at) from catalog.deadlines d
                    join intake.submissions s on s.form_id = d.form_id and s.period_id = d.period_id
                    where s.file_id > %(last_file_id)s
                ),
                (
                    select min(d.due_at) from catalog.deadlines d
                    join quality.findings f on f.form_id = d.form_id and f.period_id = d.period_id
                    where f.origin = 'timeliness' and f.rule_kind <> 'late'
                )
            )
        """
    table = f"quality.{_quoted(suite.wide_table)}"
    with connection.transaction():
        connection.execute(f"drop table if exists {table}".encode())
        # A table is made by a utility statement, which takes no parameters: the values are written into it.
        statement = sql.SQL(
            f"""
            create unlogged table {table} as
            select o.unit_id || ' ' || o.form_id || ' ' || o.period_id as submission_id, o.*,
                u.unit_name, f.form_title, p.period_name,
                to_char(o.due_at at time zone a.time_zone, 'FMMM月FMDD日HH24:MI') as due_text,
                to_char(o.first_received_at at time zone a.time_zone, 'FMMM月FMDD日HH24:MI') as received_text
            from deadlines.obligations_as_of(%(as_at)s, {due_from}, %(as_at)s) o
            join catalog.authorities a on a.authority_id = o.authority_id
            join catalog.units u on u.unit_id = o.unit_id
            join catalog.forms f on f.form_id = o.form_id
            join catalog.periods p on p.form_id = o.form_id and p.period_id = o.period_id
            where o.authority_id = %(authority_id)s
            """
        ).as_string(connection)
        psycopg.ClientCursor(connection).execute(
            statement.encode(),
            {
                "as_at": as_at,
                "looked_back": LOOKED_BACK,
                "last_file_id": row[1] if row else 0,
                "authority_id": suite.authority_id,
            },
        )
        connection.execute(f"analyze {table}".encode())
    return True


def _replace_findings(
    connection: psycopg.Connection, suite: TimelinessSuite, failures: dict[str, int]
) -> tuple[dict[str, int], int]:
    """Replace the findings on the obligations laid out; mark the periods where something changed for the marts.

    Returns how many there are of each kind, and how many periods of units were marked.
    """
    table = f"quality.{_quoted(suite.wide_table)}"
    connection.execute("create temporary table found (like quality.findings including defaults) on commit drop")
    written: dict[str, int] = {}
    for check in suite.checks:
        if not failures[check.rule_id]:
            continue
        count = connection.execute(_finding_statement(suite, check, table).encode()).rowcount
        if count != failures[check.rule_id]:
            raise RuntimeError(f"rule {check.rule_id}: {failures[check.rule_id]} rows fail, {count} findings written")
        written[check.rule_kind] = written.get(check.rule_kind, 0) + count
    changed = connection.execute(
        f"""
        with gone as (
            delete from quality.findings f
            using {table} o
            where f.origin = 'timeliness' and f.unit_id = o.unit_id and f.form_id = o.form_id
                and f.period_id = o.period_id
                and not exists (
                    select from found n
                    where n.finding_id = f.finding_id and n.message = f.message and n.severity = f.severity
                )
            returning f.form_id, f.period_id, f.unit_id
        ),
        new as (
            insert into quality.findings
            select n.* from found n
            where not exists (
                select from quality.findings f
                where f.finding_id = n.finding_id and f.origin = 'timeliness' and n.message = f.message
                    and n.severity = f.severity
            )
            returning form_id, period_id, unit_id
        )
        insert into intake.touched (form_id, period_id, unit_id)
        select * from gone union select * from new
        """.encode()
    ).rowcount
    return written, changed


def _finding_statement(suite: TimelinessSuite, check: Check, table: str) -> str:
    rule_id, kind = _literal(check.rule_id), _literal(check.rule_kind)
    return f"""
        insert into found (
            finding_id, origin, scope, authority_id, form_id, unit_id, period_id, rule_id, rule_kind, severity, cells,
            sheet, stated, expected, message
        )
        select
            left(encode(sha256(convert_to(submission_id || ' ' || {rule_id}, 'UTF8')), 'hex'), 20), 'timeliness',
            'obligation', {_literal(suite.authority_id)}, form_id, unit_id, period_id, {rule_id}, {kind},
            {_literal(check.severity.value)}, '', '', {check.stated}, {check.expected}, {message_sql(check)}
        from {table}
        where not ({check.condition})
    """


def _literal(value: str) -> str:
    return sql.Literal(value).as_string(None)


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string(None)
