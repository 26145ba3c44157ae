"""Running the suites on the submissions that have not been checked yet, and judging them by what is found.

What is found depends only on the submissions and the rules that are there, not on the order they came in: whenever a
form arrives that another form's suite looks at, that other form's submission is checked again, and when a form's
rules change, all its submissions are. Forms are held against one another last: a partner's latest submission counts
that has no error of its own, so that one unit's slip does not return what another form says rightly.

Where a partner came later, a submission is also held against the partners of its own day. What it contradicted then
returned it; it is accepted from the instant at which a partner arrived that put an end to it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import psycopg
from psycopg import sql

from enforcement_reporting.catalog import load_catalog
from enforcement_reporting.deferred import import_when_used
from enforcement_reporting.findings import LEFT_OUT, Severity
from enforcement_reporting.garbage import left_at_exit, not_collected, seldom_collected
from enforcement_reporting.quality import past
from enforcement_reporting.quality.past import SOUND
from enforcement_reporting.quality.proposing import propose
from enforcement_reporting.quality.rules import Check, Column, Reach, Source, Suite, column_name, load_suites
from enforcement_reporting.settings import Settings
from enforcement_reporting.warehouse import STATISTICS_TARGET, connect
from enforcement_reporting.warehouse.figures import CELLS_UNREAD, Figures

if TYPE_CHECKING:
    from enforcement_reporting.quality.expect import Validation

log = logging.getLogger(__name__)

_LEFT_OUT = f"array[{', '.join(map(repr, LEFT_OUT))}]"


@dataclass(frozen=True)
class Checked:
    """What a check did, and whether anything waits for the marts to be built (a duplicate file is such a thing too).

    ``findings`` counts those of the suites; ``data_docs`` is the path of the Data Docs, None where nothing was due.
    """

    submissions: int
    findings: int
    outcomes: dict[str, int]
    data_docs: str | None
    marts_due: bool


class RuleError(RuntimeError):
    """A rule that could not be evaluated: its form stays unchecked, the message names it."""


@seldom_collected()
def check_submissions(settings: Settings) -> Checked:
    """Check every submission that is new, or whose partner forms or rules are, and judge it.

    A submission under policy ``collect`` is returned where it has an error and questioned where it has a question;
    under ``archive`` everything is accepted as printed. Findings of the suites are replaced, never added to, so
    running this again changes nothing. Raises RuleError, when all else is done, where a rule cannot be evaluated.
    """
    catalog = load_catalog(settings.definitions)
    suites = load_suites(settings.definitions, catalog)
    with connect(settings) as connection, ExitStack() as opened:
        connection.autocommit = True
        # One check at a time: the wide rows have one table a form.
        connection.execute("select pg_advisory_lock(hashtext('enforcement_reporting.check'))")
        connection.execute(f"set default_statistics_target = {STATISTICS_TARGET}")
        due = _due(connection, suites)
        if not due:
            return Checked(0, 0, {}, None, _marts_due(connection))
        is_large = _analyze_after_a_large_load(connection)
        connection.execute(
            "create temporary table failed_at_receipt (submission_id text, rule_id text, cured_at timestamptz)"
        )
        found = 0
        broken: dict[str, str] = {}
        validation = None
        if any(suite.form.form_id in due for suite in suites):
            validation = opened.enter_context(validation_by_great_expectations(settings))
        for reach in get_args(Reach):
            batch = [suite for suite in suites if suite.reach == reach and suite.form.form_id in due]
            with _read_as_a_whole(connection, is_large):
                for suite in batch:
                    _build_wide_rows(connection, suite)
            failures, broken_now = validation.run(batch) if validation else ({}, {})
            broken |= broken_now
            with connection.transaction():
                sound = [suite for suite in batch if suite.form.form_id not in broken]
                for suite in sound:
                    if not suite.form.bulletin:  # it is no report that stands or falls with those of its day
                        _hold_against_partners_of_its_day(connection, suite)
                found += _replace_findings(connection, reach, sound, failures)
        with connection.transaction():
            connection.execute("delete from due where form_id = any(%s)", [list(broken)])
            if found:
                propose(connection, catalog, [suite for suite in suites if suite.form.form_id not in broken])
            outcomes = _judge(connection)
            _remember_rules(connection, [suite for suite in suites if suite.form.form_id not in broken])
        data_docs = validation.build_data_docs() if validation else None
        for suite in suites:
            connection.execute(f"drop table if exists quality.{_quoted(suite.wide_table)}".encode())
    for outcome, count in sorted(outcomes.items()):
        log.info("checked: %d submissions %s", count, outcome)
    if broken:
        raise RuleError("not all forms could be checked; the others were:\n" + "\n".join(broken.values()))
    return Checked(sum(due.values()), found, outcomes, data_docs, marts_due=True)


def import_great_expectations() -> None:
    """Import it as a check needs it: without its hundreds of log lines, and without what nothing here uses of it.

    It takes seconds. A process from which others are forked may do it for them.
    """
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    for unused in ("scipy.stats", "altair"):
        import_when_used(unused)
    left_at_exit()
    with not_collected():
        import enforcement_reporting.quality.expect  # noqa: F401


@contextmanager
def validation_by_great_expectations(settings: Settings) -> Iterator[Validation]:
    """Yield Great Expectations at work; its connections are closed after the block."""
    import_great_expectations()
    from enforcement_reporting.quality.expect import Validation

    with closing(Validation(settings)) as validation:
        yield validation


def _marts_due(connection: psycopg.Connection) -> bool:
    return connection.execute("select 1 from intake.touched limit 1").fetchone() is not None


def _due(connection: psycopg.Connection, suites: Sequence[Suite]) -> dict[str, int]:
    """List the submissions to check in a temporary table ``due``; return how many there are of each form."""
    connection.execute(
        """
        create temporary table due as
        select distinct submission_id, unit_id, form_id, period_id from intake.unchecked
        """
    )
    connection.execute(
        """
        insert into due
        select s.submission_id, s.unit_id, s.form_id, s.period_id
        from intake.submissions s
        where s.form_id = any(%s) and not exists (select from due d where d.submission_id = s.submission_id)
        """,
        [_forms_with_other_rules(connection, suites)],
    )
    connection.execute("create temporary table arrived as select * from due")
    for suite in suites:
        forms = sorted({partner.form_id for partner in suite.partners if partner.when == "now"})
        if forms:
            # A bulletin's figures about a group are held against those of its units.
            of_units = "select c.group_id from catalog.unit_closure c where c.unit_id = d.unit_id"
            whose = f"s.unit_id in ({of_units})" if suite.form.bulletin else "s.unit_id = d.unit_id"
            connection.execute(
                f"""
                insert into due
                select s.submission_id, s.unit_id, s.form_id, s.period_id
                from intake.submissions s
                where s.form_id = %s
                    and exists (
                        select from due d
                        where {whose} and d.period_id = s.period_id and d.form_id = any(%s)
                    )
                    and not exists (select from due d where d.submission_id = s.submission_id)
                """.encode(),
                [suite.form.form_id, forms],
            )
    for earlier in ("previous", "year_ago"):
        forms = [
            suite.form.form_id
            for suite in suites
            if any(partner.when.startswith(earlier) for partner in suite.partners)
        ]
        connection.execute(
            f"""
            insert into due
            select s.submission_id, s.unit_id, s.form_id, s.period_id
            from (select distinct unit_id, form_id, period_id from due where form_id = any(%s)) d
            join catalog.periods p on p.form_id = d.form_id and p.{earlier}_period_id = d.period_id
            join intake.submissions s
                on s.form_id = p.form_id and s.period_id = p.period_id and s.unit_id = d.unit_id
            where not exists (select from due x where x.submission_id = s.submission_id)
            """.encode(),
            [forms],
        )
    past.add_later_periods(connection, suites)
    connection.execute("analyze due")
    return dict(connection.execute("select form_id, count(*)::int from due group by form_id").fetchall())


def _analyze_after_a_large_load(connection: psycopg.Connection) -> bool:
    """Let the planner know of what was loaded, where that is much of what there is; return whether it is."""
    row = connection.execute(
        "select (select count(*) from due) > 0.1 * reltuples from pg_class where oid = 'intake.submissions'::regclass"
    ).fetchone()
    is_large = bool(row and row[0])
    if is_large:
        for table in ("intake.submissions", "intake.figures", "quality.findings", "catalog.units"):
            connection.execute(f"analyze {table}".encode())
        connection.execute("analyze catalog.periods, catalog.unit_closure")
    return is_large


@contextmanager
def _read_as_a_whole(connection: psycopg.Connection, is_large: bool) -> Iterator[None]:
    """Look nothing up row by row where much is read.

    The planner would: it takes the two columns of a key for two different things, and expects next to nothing of joins.
    """
    if is_large:
        connection.execute("set enable_nestloop = off")
    yield
    connection.execute("reset enable_nestloop")


def _forms_with_other_rules(connection: psycopg.Connection, suites: Sequence[Suite]) -> list[str]:
    """Return the forms whose rules are not those their submissions were checked with."""
    now = {(suite.form.form_id, suite.reach, suite.sha256) for suite in suites}
    then = set(connection.execute("select form_id, reach, sha256 from quality.suites").fetchall())
    return sorted({form_id for form_id, *_ in now ^ then})


def _remember_rules(connection: psycopg.Connection, suites: Iterable[Suite]) -> None:
    connection.execute("delete from quality.suites")
    connection.cursor().executemany(
        "insert into quality.suites (form_id, reach, sha256) values (%s, %s, %s)",
        [(suite.form.form_id, suite.reach, suite.sha256) for suite in suites],
    )


def _build_wide_rows(connection: psycopg.Connection, suite: Suite, *, at_instants: bool = False) -> None:
    """Lay out the due submissions of a form, one row each: a column per indicator, its own and its partners'.

    With ``at_instants``, lay out those in the table ``instants`` instead, one row an instant in the temporary table
    ``wide_then``: the partners are those that had been received by then.
    """
    listed = "instants" if at_instants else "due"
    home = suite.form.form_id
    own = [column for column in suite.columns if column.source == Source(home)]
    fixed = ["s.submission_id", "s.unit_id", "s.period_id", "s.row_role", "s.received_at", "u.unit_name", "u.unit_kind"]
    if at_instants:
        fixed.append("d.as_at")
    select = [*fixed, "p.period_name", "p.ends_on", "p.opens_window", "p.previous_period_id", "p.year_ago_period_id"]
    figures = Figures([column.key for column in own])
    select.append(f"{CELLS_UNREAD} as cells_unread")
    select += [f"{figures.value(column.key)} as {_quoted(column_name(column, home))}" for column in own]
    for column in sorted(suite.stated_rates):
        for said, end in ((figures.said("decimals", column.key), "__decimals"), (figures.text(column.key), "__text")):
            select.append(f"{said} as {_quoted(column_name(column, home, end))}")
    joins, outer = "", ["own.*"]
    for earlier in ("previous", "year_ago"):
        outer.append(f"{earlier}.period_name as {earlier}_period_name")
        joins += f"""
        left join catalog.periods {earlier}
            on {earlier}.form_id = {_literal(home)} and {earlier}.period_id = own.{earlier}_period_id
        """
    for number, partner in enumerate(suite.partners):
        alias = f"partner_{number}"
        columns = [column for column in suite.columns if column.source == partner]
        outer += [
            f"{alias}.{name} as {_quoted(column_name(partner.column(name), home))}"
            for name in ("submission_id", "received_at", "cells_unread")
        ]
        outer += [f"{alias}.{_quoted(column_name(column, home))}" for column in columns]
        of_period = f"{alias}.unit_id = own.unit_id and {alias}.period_id = own.{_period_of(partner)}"
        if suite.form.bulletin and partner.when == "now":
            _put_down(connection, alias, _rolled_up(suite, partner))
            joins += f" left join {alias} on {of_period}"
        else:
            _put_down(connection, alias, _reported(suite, partner, listed, at_instants=at_instants))
            joins += f" left join {alias} on {of_period} and own.row_role = 'unit'"
            joins += f" and {alias}.as_at = own.as_at" if at_instants else ""
    if suite.past and not at_instants:  # it is only ever asked about, and errors alone are followed through time
        outer += [f"past.{name}" for name in past.lay_out(connection, suite)]
        joins += """
        left join past on past.unit_id = own.unit_id and past.period_id = own.period_id and own.row_role = 'unit'
        """
    if suite.form.total_row and suite.reach == "form":
        of_rows = [(column, "__sum", "sum") for column in own]
        of_rows += [(column, f"__{of}", of) for column in suite.spread for of in ("min", "max", "count")]
        sums = [f"{_if_read(figures, c, of)} as {_quoted(column_name(c, home, end))}" for c, end, of in of_rows]
        outer += ["total.rows_summed", "total.rows_left_out"]
        outer += [f"total.{_quoted(column_name(column, home, end))}" for column, end, _ in of_rows]
        joins += f"""
        left join (
            select printed.submission_id, count(distinct s.submission_id) as rows_summed,
                (
                    select count(*) from quality.findings f
                    where f.file_id = printed.file_id and f.sheet = printed.sheet and f.rule_kind = any({_LEFT_OUT})
                ) as rows_left_out,
                {", ".join(sums)}
            from due d
            join intake.submissions printed
                on printed.unit_id = d.unit_id and printed.submission_id = d.submission_id
                and printed.row_role = 'total' and printed.form_id = {_literal(home)}
            join catalog.unit_closure below on below.group_id = printed.unit_id and below.is_counted
            join intake.submissions s
                on s.file_id = printed.file_id and s.form_id = printed.form_id and s.sheet = printed.sheet
                and s.period_id = printed.period_id and s.row_role = 'unit' and s.unit_id = below.unit_id
            join intake.figures f on f.submission_id = s.submission_id
            left join places on places.layout_id = f.layout_id
            group by printed.submission_id, printed.file_id, printed.sheet
        ) total on total.submission_id = own.submission_id
        """
    kind, table = ("temporary", "wide_then") if at_instants else ("unlogged", f"quality.{_quoted(suite.wide_table)}")
    with connection.transaction():
        connection.execute(f"drop table if exists {table}".encode())
        connection.execute(
            f"""
            create {kind} table {table} as
            with places as materialized ({figures.places})
            select {", ".join(outer)}
            from (
                select {", ".join(select)}
                from {listed} d
                join intake.submissions s on s.unit_id = d.unit_id and s.submission_id = d.submission_id
                left join catalog.units u on u.unit_id = s.unit_id
                left join catalog.periods p on p.form_id = s.form_id and p.period_id = s.period_id
                left join intake.figures f on f.submission_id = s.submission_id
                left join places on places.layout_id = f.layout_id
                where d.form_id = {_literal(home)}
            ) own
            {joins}
            """.encode()
        )
        key = "submission_id, as_at" if at_instants else "submission_id"
        connection.execute(f"alter table {table} add primary key ({key})".encode())
        connection.execute(f"analyze {table} (submission_id, unit_id)".encode())  # what it is joined by


def _put_down(connection: psycopg.Connection, name: str, query: str) -> None:
    """Make a temporary table of a query's rows: what is joined to them is planned on how many there are.

    It expects few to ask for them, where thousands do: without an index it would go through all of them for each.
    """
    connection.execute(f"drop table if exists {name}".encode())
    connection.execute(f"create temporary table {name} as {query}".encode())
    connection.execute(f"create index on {name} (unit_id, period_id)".encode())
    connection.execute(f"analyze {name} (unit_id, period_id)".encode())


def _reported(suite: Suite, partner: Source, listed: str, *, at_instants: bool) -> str:
    """Return the query of what the units of the submissions ``listed`` report on the form of a partner."""
    home, period = suite.form.form_id, _period_of(partner)
    columns = [column for column in suite.columns if column.source == partner]
    figures = Figures([column.key for column in columns])
    values = ", ".join(f"{figures.value(column.key)} as {_quoted(column_name(column, home))}" for column in columns)
    wanted = f"""
        select distinct d.unit_id, p.{period}{", d.as_at" if at_instants else ""}
        from {listed} d
        join catalog.periods p on p.form_id = d.form_id and p.period_id = d.period_id
        where d.form_id = {_literal(home)}
    """
    return f"""
        with places as materialized ({figures.places})
        select latest.*, {CELLS_UNREAD} as cells_unread, {values}
        from ({_latest_sound(partner, wanted, period, at_instants=at_instants)}) latest
        join intake.figures f on f.submission_id = latest.submission_id
        join places on places.layout_id = f.layout_id
    """


def _latest_sound(partner: Source, wanted: str, period: str, *, at_instants: bool = False) -> str:
    """Return the query of the submission that counts for each unit and period in ``wanted``: the latest without error.

    Under ``at_instants`` the latest of those received by the instant ``as_at`` of what is wanted.
    """
    latest = "" if partner.when.endswith("_first") else "desc"
    as_at = ", wanted.as_at" if at_instants else ""
    return f"""
        select distinct on (s.unit_id, s.period_id{as_at})
            s.unit_id, s.period_id, s.submission_id, s.received_at{as_at}
        from ({wanted}) wanted
        join intake.submissions s
            on s.form_id = {_literal(partner.form_id)} and s.period_id = wanted.{period} and s.unit_id = wanted.unit_id
        where {SOUND} {"and s.received_at <= wanted.as_at" if at_instants else ""}
        order by s.unit_id, s.period_id{as_at}, s.received_at {latest}, s.file_sha256 {latest}, s.submission_id {latest}
    """


def _rolled_up(suite: Suite, partner: Source) -> str:
    """Return the query of what the units report that a bulletin speaks of, one by one or as a group.

    Counts and amounts are added; of rates, which have no sum, it is the mean. A figure counts as read where every unit
    that owes it has reported it; else its rules say nothing.
    """
    home = suite.form.form_id
    columns = [column for column in suite.columns if column.source == partner]
    owed = f"""
        select distinct c.group_id, d.period_id, u.unit_id, u.unit_kind
        from due d
        join catalog.periods p on p.form_id = d.form_id and p.period_id = d.period_id
        join catalog.unit_closure c on c.group_id = d.unit_id and c.is_counted
        join catalog.form_units f on f.unit_id = c.unit_id and f.form_id = {_literal(partner.form_id)}
        join catalog.units u
            on u.unit_id = c.unit_id and coalesce(u.valid_from <= p.ends_on, true)
            and coalesce(u.valid_to >= p.starts_on, true)
        where d.form_id = {_literal(home)}
    """
    latest = _latest_sound(partner, f"select distinct unit_id, period_id from ({owed}) each_owed", "period_id")
    figures = Figures([column.key for column in columns])
    values, unread = [], []
    for column in columns:
        key = _literal(column.key)
        owes = f"""
            (not exists (select from catalog.indicator_unit_kinds k where k.indicator_id = {key})
            or exists (
                select from catalog.indicator_unit_kinds k
                where k.indicator_id = {key} and k.unit_kind = owed.unit_kind
            ))
        """
        name = _quoted(column_name(column, home))
        is_count = f"(select measure_kind in ('flow', 'stock') from catalog.indicators where indicator_id = {key})"
        added, mean = (f"{what}({figures.value(column.key)}) filter (where {owes})" for what in ("sum", "avg"))
        values.append(f"case when {is_count} then {added} else {mean} end as {name}")
        unread.append(f"""
            case
                when count(*) filter (where {figures.is_read(column.key)} and {owes})
                    <> count(distinct owed.unit_id) filter (where {owes})
                then {key}
            end
        """)
    return f"""
        with places as materialized ({figures.places})
        select owed.group_id as unit_id, owed.period_id, null::text as submission_id,
            max(latest.received_at) as received_at, {", ".join(values)},
            array_remove(array[{", ".join(unread)}], null) as cells_unread
        from ({owed}) owed
        left join ({latest}) latest
            on latest.unit_id = owed.unit_id and latest.period_id = owed.period_id
        left join intake.figures f on f.submission_id = latest.submission_id
        left join places on places.layout_id = f.layout_id
        group by owed.group_id, owed.period_id
    """


def _hold_against_partners_of_its_day(connection: psycopg.Connection, suite: Suite) -> None:
    """Record in ``failed_at_receipt`` which errors returned the due submissions on receipt, and what cured them when.

    ``cured_at`` is the receipt of the partner since which the rule has held without a break, NULL where it fails now.
    Where no partner came later, what fails now is what failed then, and nothing is recorded. A rule that held for a
    while and fails again is not cured: as known now, the submission did not stand in between.
    """
    checks = [check for check in suite.checks if check.severity is Severity.ERROR]
    partners = sorted({column.source for check in checks for column in check.columns} - {Source(suite.form.form_id)})
    if not partners:
        return
    wide = f"quality.{_quoted(suite.wide_table)}"
    row = "w.submission_id, w.unit_id, s.form_id, w.period_id"
    itself = f"{wide} w join intake.submissions s on s.unit_id = w.unit_id and s.submission_id = w.submission_id"
    of_partners = " or ".join(
        f"(p.form_id = {_literal(partner.form_id)} and p.period_id = w.{_period_of(partner)})" for partner in partners
    )
    connection.execute("drop table if exists failed_then")
    connection.execute("create temporary table failed_then (submission_id text, as_at timestamptz, rule_id text)")
    for instants in (
        f"select {row}, w.received_at as as_at from {itself} where {_latest_receipt(suite, partners)} > w.received_at",
        # Few failed on receipt; only these are followed through what arrived since.
        f"""
        select distinct {row}, p.received_at as as_at
        from {itself}
        join intake.submissions p on p.unit_id = w.unit_id and p.row_role = 'unit' and ({of_partners})
        where p.received_at > w.received_at
            and exists (select from failed_then f where f.submission_id = w.submission_id)
        """,
    ):
        connection.execute("drop table if exists instants")
        if not connection.execute(f"create temporary table instants as {instants}".encode()).rowcount:
            return
        connection.execute("analyze instants")
        _build_wide_rows(connection, suite, at_instants=True)
        for check in checks:
            connection.execute(
                f"""
                insert into failed_then (submission_id, as_at, rule_id)
                select submission_id, as_at, {_literal(check.rule_id)} from wide_then where not ({check.condition})
                """.encode()
            )
    connection.execute(
        f"""
        insert into failed_at_receipt (submission_id, rule_id, cured_at)
        select f.submission_id, f.rule_id,
            (select min(t.as_at) from wide_then t where t.submission_id = f.submission_id and t.as_at > max(f.as_at))
        from failed_then f
        join {wide} w on w.submission_id = f.submission_id
        group by f.submission_id, f.rule_id
        having bool_or(f.as_at = w.received_at)
        """.encode()
    )


def _period_of(partner: Source) -> str:
    """Return the column of the wide row that says of which period a partner is."""
    return "period_id" if partner.when == "now" else f"{partner.when.removesuffix('_first')}_period_id"


def _latest_receipt(suite: Suite, partners: Iterable[Source]) -> str:
    """Return the instant, in SQL over the wide row, at which the last of its partners was received."""
    home = suite.form.form_id
    received = (f"w.{_quoted(column_name(partner.column('received_at'), home))}" for partner in partners)
    return f"greatest({', '.join(received)})"


def _replace_findings(
    connection: psycopg.Connection, reach: Reach, suites: Iterable[Suite], failures: dict[str, int]
) -> int:
    """Replace the due submissions' findings of one reach by those of the failing rows; return how many there are."""
    connection.execute(
        "delete from quality.findings f using due d where f.submission_id = d.submission_id and f.origin = %s",
        [reach],
    )
    written = 0
    for suite in suites:
        for check in suite.checks:
            if expected := failures[check.rule_id]:
                found = connection.execute(_finding_statement(suite, check).encode()).rowcount
                if found != expected:
                    raise RuntimeError(f"rule {check.rule_id}: {expected} rows fail, but {found} findings were written")
                written += found
    return written


def _finding_statement(suite: Suite, check: Check) -> str:
    """Return the SQL that writes a finding for each row that fails, with its cells and its message.

    Where what it is held against came later, and it did not fail the rule by what was known on its receipt, what was to
    be an error is a question: what was right then is not taken back, and the figures stand until it is answered.
    """
    home = suite.form.form_id
    keys = [column.key for column in check.columns]
    severity = _literal(check.severity.value)
    held = [("w.submission_id", _keys_of(check, Source(home)))]
    partners = sorted({column.source for column in check.columns} - {Source(home)})
    if partners and check.severity is Severity.ERROR and not suite.form.bulletin:
        severity = f"""
            case
                when {_latest_receipt(suite, partners)} > w.received_at
                    and not exists (
                        select from failed_at_receipt r
                        where r.submission_id = w.submission_id and r.rule_id = {_literal(check.rule_id)}
                    )
                then 'question'
                else {severity}
            end
        """
    for partner in partners:
        if partner.when == "now":  # the cells of another period stand in another workbook, which the clerk sent before
            id_column = _quoted(column_name(partner.column("submission_id"), home))
            held.append((f"w.{id_column}", _keys_of(check, partner)))
    sides = ", ".join(f"({submission_id}, array[{_literals(keys)}])" for submission_id, keys in held)
    return f"""
        insert into quality.findings (
            finding_id, origin, scope, file_id, submission_id, authority_id, form_id, unit_id, period_id, rule_id,
            rule_kind, severity, cells, sheet, stated, expected, message
        )
        select
            left(encode(sha256(convert_to(f.submission_id || ' ' || {_literal(check.rule_id)}, 'UTF8')), 'hex'), 20),
            {_literal(suite.reach)}, 'submission', s.file_id, f.submission_id,
            {_literal(suite.form.authority_id)}, s.form_id, s.unit_id, s.period_id,
            {_literal(check.rule_id)}, {_literal(check.rule_kind)},
            f.severity, f.cells, s.sheet, f.stated, f.expected, f.message
        from (
            select
                w.submission_id, w.unit_id, {severity} as severity,
                {check.stated} as stated, {check.expected} as expected, {message_sql(check)} as message,
                coalesce(
                    (
                        select string_agg(
                            o.sheet || '!' || o.cell, '、'
                            order by array_position(array[{_literals(keys)}], o.indicator_id)
                        )
                        from (values {sides}) as held (submission_id, indicator_ids)
                        join intake.observations o on o.unit_id = w.unit_id and o.submission_id = held.submission_id
                        where o.indicator_id = any(held.indicator_ids)
                    ),
                    ''
                ) as cells
            from quality.{_quoted(suite.wide_table)} w
            where not ({check.condition})
        ) f
        join intake.submissions s on s.unit_id = f.unit_id and s.submission_id = f.submission_id
    """


def message_sql(check: Check) -> str:
    """Return the message as an SQL expression: its fixed words, and its values in their places."""
    parts = [
        f"({check.values[part]})" if number % 2 else _literal(part)
        for number, part in enumerate(re.split(r"\{(\w+)\}", check.message))
    ]
    return " || ".join(f"coalesce({part}, '')" for part in parts)


def _judge(connection: psycopg.Connection) -> dict[str, int]:
    """Give every due submission its verdict, and mark what the marts have to be built again for.

    What is accepted is so from its receipt, or from that of the partner that cured what it was returned for.
    """
    connection.execute(
        "delete from intake.unchecked u using due d where u.unit_id = d.unit_id and u.submission_id = d.submission_id"
    )
    connection.execute(
        "delete from quality.verdicts v using due d where v.unit_id = d.unit_id and v.submission_id = d.submission_id"
    )
    connection.execute(
        """
        create temporary table worst on commit drop as
        select submission_id, bool_or(severity = 'error') as has_error,
            bool_or(severity in ('error', 'question')) as has_question
        from (
            select d.submission_id, f.severity
            from due d
            join quality.findings f on f.submission_id = d.submission_id
            union all
            select d.submission_id, f.severity
            from due d
            join intake.submissions s on s.unit_id = d.unit_id and s.submission_id = d.submission_id
            join quality.findings f on f.file_id = s.file_id and f.form_id = s.form_id and f.sheet = s.sheet
            where f.scope = 'sheet'
        ) found
        group by submission_id
        """
    )
    connection.execute("analyze worst")
    rows = connection.execute(
        """
        with judged as (
            insert into quality.verdicts (unit_id, submission_id, outcome, accepted_from)
            select s.unit_id, s.submission_id,
                case
                    when s.policy = 'archive' then 'accepted'
                    when worst.has_error then 'returned'
                    when worst.has_question then 'questioned'
                    else 'accepted'
                end,
                case
                    when s.policy = 'archive' then s.received_at
                    when worst.has_error then null
                    else greatest(s.received_at, cure.cured_at)
                end
            from due d
            join intake.submissions s on s.unit_id = d.unit_id and s.submission_id = d.submission_id
            left join worst on worst.submission_id = s.submission_id
            left join (
                select submission_id, max(cured_at) as cured_at from failed_at_receipt group by submission_id
            ) cure on cure.submission_id = s.submission_id
            returning outcome
        )
        select outcome, count(*)::int from judged group by outcome
        """
    ).fetchall()
    connection.execute(
        "insert into intake.touched (form_id, period_id, unit_id) select distinct form_id, period_id, unit_id from due"
    )
    return dict(rows)


def _if_read(figures: Figures, column: Column, aggregate: str) -> str:
    """Return an aggregate of a column over the rows of a sheet; unknown where one of them could not be read."""
    figure = f"{aggregate}({figures.value(column.key)})"
    return (
        f"case when count(*) filter (where {figures.said('cell_states', column.key)} = 'unreadable') = 0"
        f" then {f'coalesce({figure}, 0)' if aggregate == 'sum' else figure} end"
    )


def _keys_of(check: Check, source: Source) -> list[str]:
    return [column.key for column in check.columns if column.source == source] or [""]


def _literals(values: Iterable[str]) -> str:
    return ", ".join(map(_literal, values))


def _literal(value: str) -> str:
    return sql.Literal(value).as_string(None)


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string(None)
