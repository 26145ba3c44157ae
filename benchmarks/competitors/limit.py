"""The limit: written by hand for this one job, with nothing guarded and every position known beforehand.

One row a sheet goes in by binary COPY, its figures as an array; everything else is a few statements of SQL. Numbers are
exact, and each result has the key by which it is asked.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import psycopg
from job import PERIOD_ROW, UNIT_ROW, Job, cell, period_id, read_job, violated
from python_calamine import CalamineWorkbook

KEYS = {
    "observations": "unit_id, period_id, indicator_id",
    "rule_violations": "rule_id",
    "unit_values": "period_id, unit_id, indicator_id",
    "group_values": "period_id, group_id, indicator_id",
    "metric_values": "period_id, unit_id, metric_id",
}


def run(workbooks_dir: Path, definitions: Path, database_url: str) -> None:
    """Do the job."""
    with psycopg.connect(database_url) as connection:
        fill(connection, workbooks_dir, read_job(definitions), "numeric")
        for table, key in KEYS.items():
            connection.execute(f"alter table result.{table} add primary key ({key})".encode())


def fill(connection: psycopg.Connection, workbooks_dir: Path, job: Job, figures: str) -> None:
    """Make the results, without keys; ``figures`` is the type of the numbers."""
    connection.execute("create schema result")
    connection.execute("create schema raw")
    connection.execute(
        f"create table raw.sheets (unit_id text, form_id text, period_id text, before text, v {figures}[])".encode()
    )
    _load(connection, job, workbooks_dir, figures)
    connection.execute("analyze raw.sheets")
    _reference_tables(connection, job)
    _rules(connection, job)
    _marts(connection, job)


def _load(connection: psycopg.Connection, job: Job, workbooks_dir: Path, figures: str) -> None:
    forms = [(form.form_id, form.title) for form in job.forms]
    width = len(job.forms[0].indicators)
    exact = _exact if figures == "numeric" else float
    with connection.cursor() as cursor, cursor.copy("copy raw.sheets from stdin (format binary)") as copy:
        copy.set_types(["text", "text", "text", "text", f"{figures}[]"])
        for path in workbooks_dir.iterdir():
            workbook = CalamineWorkbook.from_path(str(path))
            for form_id, title in forms:
                rows = workbook.get_sheet_by_name(title).to_python()
                name, *cells = rows[UNIT_ROW - 1][: width + 1]
                period = period_id(rows[PERIOD_ROW - 1][0])
                before = f"{period[:5]}{int(period[5:]) - 1:02}"
                values = [exact(cell) if isinstance(cell, float) else None for cell in cells]
                copy.write_row((job.unit_ids[name], form_id, period, before, values))


def _exact(number: float) -> int | Decimal:
    """Return the number that was typed."""
    return int(number) if number.is_integer() else Decimal(repr(number))


def _reference_tables(connection: psycopg.Connection, job: Job) -> None:
    connection.execute("create table raw.closure (unit_id text, group_id text)")
    connection.execute(
        "create table raw.columns (form_id text, place int, indicator_id text, cell text, is_count bool)"
    )
    connection.execute("create table raw.forms (form_id text, title text)")
    with connection.cursor() as cursor:
        with cursor.copy("copy raw.closure from stdin") as copy:
            for row in job.closure:
                copy.write_row(row)
        with cursor.copy("copy raw.columns from stdin") as copy:
            for form in job.forms:
                for place, name in enumerate(form.indicators):
                    row = (form.form_id, place + 1, f"{form.form_id}.{name}", cell(place), name in form.counts)
                    copy.write_row(row)
        cursor.executemany("insert into raw.forms values (%s, %s)", [(form.form_id, form.title) for form in job.forms])
    connection.execute("analyze raw.closure, raw.columns, raw.forms")


def _rules(connection: psycopg.Connection, job: Job) -> None:
    place = {(form.form_id, name): n for form in job.forms for n, name in enumerate(form.indicators, 1)}
    connection.execute("create table result.rule_violations (rule_id text, violations bigint)")
    for form in job.forms:
        rules = [rule for rule in job.rules if rule["form"] == form.form_id]
        partners = sorted({form_id for form_id, _ in _references(rules, form.form_id)} - {form.form_id})
        joins = "".join(
            f" left join raw.sheets {partner} on {partner}.unit_id = own.unit_id"
            f" and {partner}.period_id = own.period_id and {partner}.form_id = '{partner}'"
            for partner in partners
        )
        counts = ", ".join(
            "count(*) filter (where {})".format(
                violated(
                    rule,
                    lambda name, form_id=form.form_id: f"own.v[{place[form_id, name]}]",
                    lambda form_id, name: f"{form_id}.v[{place[form_id, name]}]",
                )
            )
            for rule in rules
        )
        ids = ", ".join(f"'{form.form_id}.{rule['rule_id']}'" for rule in rules)
        connection.execute(
            f"insert into result.rule_violations select * from (select unnest(array[{ids}]), unnest(array[{counts}])"
            f" from raw.sheets own{joins} where own.form_id = '{form.form_id}') counted".encode()
        )


def _references(rules: list[dict[str, list[str]]], home: str) -> set[tuple[str, str]]:
    found = set()
    for rule in rules:
        for reference in (*rule.get("parts", []), *(rule.get("whole") or [])):
            form_id, _, name = reference.rpartition(".")
            found.add((form_id or home, name))
    return found


def _marts(connection: psycopg.Connection, job: Job) -> None:
    connection.execute(
        """
        create table result.observations as
        select s.unit_id, c.indicator_id, s.period_id, f.title as sheet, c.cell, u.value
        from raw.sheets s
        join raw.forms f using (form_id)
        cross join unnest(s.v) with ordinality u (value, place)
        join raw.columns c on c.form_id = s.form_id and c.place = u.place
        """
    )
    connection.execute(
        """
        create table result.unit_values as
        select s.unit_id, c.indicator_id, s.period_id, u.value as stated, u.value as cumulative,
            case when right(s.period_id, 2) = '01' then u.value else u.value - u.former end as single
        from raw.sheets s
        left join raw.sheets p on p.unit_id = s.unit_id and p.form_id = s.form_id and p.period_id = s.before
        cross join unnest(s.v, p.v) with ordinality u (value, former, place)
        join raw.columns c on c.form_id = s.form_id and c.place = u.place
        where c.is_count
        """
    )
    connection.execute(
        """
        create table result.group_values as
        with expected as (select group_id, count(*) as units from raw.closure group by group_id)
        select g.group_id, g.indicator_id, g.period_id, g.cumulative, g.reported_units, e.units as expected_units
        from (
            select c.group_id, v.indicator_id, v.period_id, sum(v.cumulative) as cumulative,
                count(v.cumulative) as reported_units
            from result.unit_values v
            join raw.closure c using (unit_id)
            group by c.group_id, v.indicator_id, v.period_id
        ) g
        join expected e using (group_id)
        """
    )
    place = {(form.form_id, name): n for form in job.forms for n, name in enumerate(form.indicators, 1)}
    arms = []
    for metric in job.metrics:
        over, under = (
            " + ".join(f"s.v[{place[metric['form'], name]}]" for name in metric[side])
            for side in ("numerator", "denominator")
        )
        value = f"{metric['scale']} * sum({over})::numeric / nullif(sum({under}), 0)::numeric"
        arms += [
            f"select {key} as unit_id, '{metric['metric_id']}' as metric_id, s.period_id, {value} as value"
            f" from raw.sheets s {join} where s.form_id = '{metric['form']}' group by 1, 3"
            for key, join in (("s.unit_id", ""), ("c.group_id", "join raw.closure c using (unit_id)"))
        ]
    connection.execute(f"create table result.metric_values as {' union all '.join(arms)}".encode())


if __name__ == "__main__":
    import job

    job.main("limit")
