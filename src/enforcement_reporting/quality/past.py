"""The SQL that lays what a unit reported for earlier periods beside its submission: medians, runs, sums.

Of each earlier period counts the latest submission that has no error of its own, whenever it came, so that what is
found does not depend on the order of arrival. Only the periods that due submissions look back on are read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import psycopg
from psycopg import sql

from enforcement_reporting.quality.rules import Past, Suite, column_name
from enforcement_reporting.warehouse.figures import Figures

# A submission ``s`` that others may be held against.
SOUND = """
    s.row_role = 'unit'
    and (s.policy = 'archive' or not exists (
        select from quality.findings f
        where f.submission_id = s.submission_id and f.severity = 'error' and f.origin in ('reading', 'form')
    ))
    and (s.policy = 'archive' or not exists (
        select from quality.findings f
        where f.file_id = s.file_id and f.form_id = s.form_id and f.sheet = s.sheet
            and f.severity = 'error' and f.scope = 'sheet'
    ))
"""


def add_later_periods(connection: psycopg.Connection, suites: Iterable[Suite]) -> None:
    """Add to ``due`` the submissions that look back on those that ``arrived``."""
    for suite in suites:
        if not suite.past:
            continue
        connection.execute(
            f"""
            with numbered as materialized ({_numbered(suite)})
            insert into due
            select s.submission_id, s.unit_id, s.form_id, s.period_id
            from (
                select distinct a.unit_id, later.period_id
                from arrived a
                join numbered n on n.period_id = a.period_id
                join numbered later on later.place between n.place + 1 and n.place + {_depth(suite)}
                where a.form_id = {_literal(suite.form.form_id)}
            ) looking_back
            join intake.submissions s
                on s.form_id = {_literal(suite.form.form_id)} and s.period_id = looking_back.period_id
                and s.unit_id = looking_back.unit_id
            where not exists (select from due d where d.submission_id = s.submission_id)
            """.encode()
        )


def lay_out(connection: psycopg.Connection, suite: Suite) -> list[str]:
    """Fill the temporary table ``past``, a row for each unit and period that is due on a form.

    Return the names of its columns besides this key.
    """
    home, back = _literal(suite.form.form_id), max(past.periods for past in suite.past)
    columns = sorted({(past.column, past.is_cumulative) for past in suite.past})
    places = {column: number for number, (column, _) in enumerate(columns)}
    looked_at = Figures(list(dict.fromkeys(column.key for column, _ in columns)))
    stated = ", ".join(
        f"{looked_at.value(column.key)} as stated_{number}" for number, (column, _) in enumerate(columns)
    )
    figures = ", ".join(_figure(number, is_cumulative) for number, (_, is_cumulative) in enumerate(columns))
    connection.execute("drop table if exists past, past_wanted, past_reported")
    connection.execute(
        f"""
        create temporary table past_wanted as
        with numbered as materialized ({_numbered(suite)})
        select distinct d.unit_id, d.period_id, n.place
        from due d
        join numbered n on n.period_id = d.period_id
        where d.form_id = {home}
        """.encode()
    )
    connection.execute("analyze past_wanted")
    connection.execute(
        f"""
        create temporary table past_reported as
        with numbered as materialized ({_numbered(suite)}), places as materialized ({looked_at.places})
        select unit_id, place, {figures}
        from (
            select latest.unit_id, latest.period_id, latest.place, latest.opens_window, latest.previous_period_id,
                {stated}
            from (
                select distinct on (s.unit_id, s.period_id)
                    s.unit_id, s.submission_id, n.period_id, n.place, n.opens_window, n.previous_period_id
                from (
                    select distinct w.unit_id, n.place
                    from past_wanted w
                    join numbered n on n.place between w.place - {_depth(suite)} and w.place - 1
                ) earlier
                join numbered n on n.place = earlier.place
                join intake.submissions s
                    on s.form_id = {home} and s.period_id = n.period_id and s.unit_id = earlier.unit_id
                where {SOUND}
                order by s.unit_id, s.period_id, s.received_at desc, s.file_sha256 desc, s.submission_id desc
            ) latest
            join intake.figures f on f.submission_id = latest.submission_id
            join places on places.layout_id = f.layout_id
        ) reported
        window in_order as (partition by unit_id order by place)
        """.encode()
    )
    connection.execute("analyze past_reported")
    names = [_quoted(past.name(suite.form.form_id)) for past in suite.past]
    said = [
        f"{_said(past, places[past.column])} as {name}"
        for past, name in zip(suite.past, names, strict=True)
        if past.what != "deviation"
    ]
    outer = [
        f"{_deviation(past, suite)} as {name}"
        for past, name in zip(suite.past, names, strict=True)
        if past.what == "deviation"
    ]
    lists = {
        (past.column, past.periods): f"array_agg({_figure_of(past, places[past.column])}) as {_list_of(past, suite)}"
        for past in suite.past
        if past.what == "deviation"
    }
    connection.execute(
        f"""
        create temporary table past as
        select {", ".join(["said.*", *outer])}
        from (
            select w.unit_id, w.period_id, {", ".join([*said, *lists.values()])}
            from past_wanted w
            join past_reported r on r.unit_id = w.unit_id and r.place between w.place - {back} and w.place - 1
            group by 1, 2
        ) said
        """.encode()
    )
    connection.execute("create index on past (unit_id, period_id)")  # more are joined to it than the planner expects
    connection.execute("analyze past (unit_id, period_id)")
    return names


def _figure(number: int, is_cumulative: bool) -> str:
    """Return a period's own figure in SQL: of a cumulative column what it grew by, where the period before is known."""
    stated = f"stated_{number}"
    if not is_cumulative:
        return f"{stated} as figure_{number}"
    return f"""
        case
            when opens_window then {stated}
            when lag(period_id) over in_order = previous_period_id then {stated} - lag({stated}) over in_order
        end as figure_{number}
    """


def _figure_of(past: Past, number: int) -> str:
    """Return a column's figure in SQL where it is one of those looked back on, NULL in all other rows."""
    reached = "=" if past.what == "at" else "<="
    return f"case when w.place - r.place {reached} {past.periods} then r.figure_{number} end"


def _said(past: Past, number: int) -> str:
    """Return in SQL what the rows of earlier periods say of a column."""
    figure = _figure_of(past, number)
    match past.what:
        case "known":
            return f"count({figure})"
        case "zeros":
            return f"count(*) filter (where {figure} = 0)"
        case "total":
            return f"sum({figure})"
        case "median":
            return _median(figure)
        case _:
            return f"max({figure})"


def _deviation(past: Past, suite: Suite) -> str:
    """Return in SQL the median of what figures are off their median."""
    home = suite.form.form_id
    median = _quoted(replace(past, what="median").name(home))
    return f"(select {_median(f'abs(figure - said.{median})')} from unnest(said.{_list_of(past, suite)}) as figure)"


def _list_of(past: Past, suite: Suite) -> str:
    return _quoted(column_name(past.column, suite.form.form_id, f"__list_{past.periods}"))


def _median(figure: str) -> str:
    """Return the median in SQL, exact: of an even number of figures the mean of the two in the middle."""
    lower, upper = (f"percentile_disc(0.5) within group (order by {figure} {order})" for order in ("asc", "desc"))
    return f"({lower} + {upper}) / 2"


def _depth(suite: Suite) -> int:
    """Return how many periods back the figures stand: one more where what they grew by is asked for."""
    return max(past.periods + past.is_cumulative for past in suite.past)


def _numbered(suite: Suite) -> str:
    """Return the reported periods of a form in SQL, numbered in their order over all windows."""
    return f"""
        select period_id, previous_period_id, opens_window,
            row_number() over (order by ends_on, starts_on, period_id)::int as place
        from catalog.periods
        where form_id = {_literal(suite.form.form_id)} and reported_as = period_id
    """


def _literal(value: str) -> str:
    return sql.Literal(value).as_string(None)


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string(None)
