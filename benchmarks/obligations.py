"""What it costs to say who owes what and who is late, where much has been owed for long: a table of seconds.

Three thousand units owe twelve monthly forms. Three years of reports are put into the tables directly, in SQL: most in
time, some late, some missing, some returned and sent again. Asked is what `deadlines.obligations_as_of` says of a day:
of what became due on it, of the year up to it, which is what is looked through every day, and of everything; each
answer is worked out from plain arithmetic too, and must be the same.

    python benchmarks/obligations.py [--units 3000] [--forms 12] [--months 36] [--publish]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from enforcement_reporting import deadlines  # noqa: E402
from enforcement_reporting.local.postgres import LocalServer  # noqa: E402
from enforcement_reporting.settings import PROJECT_ROOT, Settings  # noqa: E402
from enforcement_reporting.warehouse import connect, migrate  # noqa: E402
from enforcement_reporting.workdays import days_counted, nth_working_day_after  # noqa: E402
from report import publish, table  # noqa: E402
from run import running_server, server_cpu  # noqa: E402

LAST_MONTH = date(2025, 9, 1)  # due after National Day week
ZONE = ZoneInfo("Asia/Shanghai")
LIMIT_SECONDS = 10

CATALOG = """
insert into catalog.authorities values ('bench', '合成市', 'Asia/Shanghai');
insert into catalog.units
select 'u' || n, 'bench', '合成' || n || '号镇', '镇街', null, false, n, null, null from generate_series(1, {units}) n;
insert into catalog.unit_closure select unit_id, unit_id, 0, true from catalog.units;
insert into catalog.forms
select 'f' || n, 'bench', '月报' || n, 'single', 'month', null, n from generate_series(1, {forms}) n;
insert into catalog.form_units select form_id, unit_id from catalog.forms cross join catalog.units;
insert into catalog.periods
select f.form_id, to_char(m, 'YYYY-MM'), to_char(m, 'YYYY年FMMM月'), 'month', m::date,
    (m + interval '1 month - 1 day')::date, m::date, row_number() over (partition by f.form_id order by m),
    to_char(m, 'YYYY-MM'), to_char(m - interval '1 month', 'YYYY-MM'), null, true
from catalog.forms f
cross join generate_series(
    date '{last}' - interval '1 month' * ({months} - 1), date '{last}', interval '1 month'
) m;
"""
# By the number of unit, form and month: one in fifty is missing, one in twenty late by as many days as it is sent after
# the deadline, one in thirty was returned and sent again in time.
SUBMISSIONS = """
insert into intake.submissions
select s.period_id || s.form_id || s.unit_id || '-' || r.revision, s.unit_id, s.form_id, s.period_id, 'unit', 0,
    s.period_id || s.form_id || s.unit_id || '-' || r.revision, 'collect',
    d.due_at + interval '1 day' * s.days_late - interval '1 hour' * (4 - r.revision), '表'
from (
    select o.unit_id, o.form_id, p.period_id, p.n,
        case when p.n % 20 = 0 then 1 + p.n % 9 else 0 end as days_late
    from catalog.form_units o
    join (
        select p.form_id, p.period_id, u.unit_id, p.sequence * 7 + f.sort_no * 11 + u.sort_no * 13 as n
        from catalog.periods p
        join catalog.forms f on f.form_id = p.form_id
        cross join catalog.units u
    ) p on p.form_id = o.form_id and p.unit_id = o.unit_id
) s
join catalog.deadlines d on d.form_id = s.form_id and d.period_id = s.period_id
cross join generate_series(1, case when s.n % 30 = 0 then 2 else 1 end) r (revision)
where s.n % 50 <> 1
"""
VERDICTS = """
insert into quality.verdicts
select s.unit_id, s.submission_id,
    case when s.submission_id like '%-1' and exists (
        select from intake.submissions l
        where l.form_id = s.form_id and l.period_id = s.period_id and l.unit_id = s.unit_id
            and l.submission_id like '%-2'
    ) then 'returned' else 'accepted' end,
    s.received_at
from intake.submissions s
"""
DEFINITIONS = {
    "landing.yaml": "places: [{place_id: inbox, path: inbox, policy: collect}]\n",
    "bench/authority.yaml": "authority_id: bench\nname: 合成市\n"
    "units: {unit_id: all, name: 合成市, kind: 汇总, members: [{unit_id: u1, name: 合成1号镇, kind: 镇街}]}\n",
    "bench/notices.yaml": """
sender: {name: 合成市统计组, address: bench@x.example, ask: 统计组, how_to_send: 回复本邮件}
daily_at: "09:00"
working_hours: ["08:30", "17:30"]
urgent: []
""",
}
# Another month, of which nobody has sent anything.
SILENT_MONTH = """
insert into catalog.periods
select form_id, 'silent', '无人报送的一月', 'month', ends_on + 1, ends_on + 30, ends_on + 1, sequence + 1, 'silent',
    period_id, null, true
from catalog.periods where starts_on = '{last}';
insert into catalog.deadlines
select form_id, 'silent', unit_kind, due_at + interval '61 days', due_on + 61 from catalog.deadlines
where period_id = to_char(date '{last}', 'YYYY-MM');
"""
EXPECTED = """
with numbered as (
    select d.due_at, d.due_on, p.sequence * 7 + f.sort_no * 11 + u.sort_no * 13 as n
    from catalog.deadlines d
    join catalog.periods p on p.form_id = d.form_id and p.period_id = d.period_id
    join catalog.forms f on f.form_id = d.form_id
    cross join catalog.units u
    where d.due_at >= %(due_from)s and d.due_at < %(as_at)s
)
select count(*),
    count(*) filter (where n %% 50 <> 1 and n %% 20 = 0 and first_received_at <= %(as_at)s),
    count(*) filter (where n %% 50 = 1 or n %% 20 = 0 and first_received_at > %(as_at)s)
from numbered
cross join lateral (select due_at + interval '1 day' * (1 + n %% 9) - interval '3 hours' as first_received_at) as late
"""
ASKED = """
select count(*), count(*) filter (where status = 'late'), count(*) filter (where status = 'missing'),
    sum(working_days_late)
from deadlines.obligations_as_of(%(as_at)s, %(due_from)s, %(as_at)s)
"""


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="What it costs to say who owes what and who is late.")
    parser.add_argument("--units", type=int, default=3000)
    parser.add_argument("--forms", type=int, default=12)
    parser.add_argument("--months", type=int, default=36)
    parser.add_argument("--publish", action="store_true", help="write the table into docs/benchmarks.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder, running_server() as server:
        settings = settings_of(Path(folder), server)
        migrate(settings)
        with connect(settings) as connection:
            connection.autocommit = True
            history(connection, options.units, options.forms, options.months)
            rows, right, dearest = measure(connection, server)
            written, most = write(settings, connection, server)
    text = (
        f"{options.units:,} units owe {options.forms} monthly forms; {options.months} months of reports. "
        + ("Every number is the one that arithmetic gives.\n\n" if right else "THE NUMBERS ARE NOT THOSE EXPECTED.\n\n")
        + table(["obligations as of a day", "owed", "late", "missing", "server CPU s", "wall s"], rows)
        + "\n"
        + table(["a day's notices", "notices", "mails", "CPU s", "of them server", "wall s"], written)
    )
    print("\n" + text)
    right &= max(dearest, most) < LIMIT_SECONDS
    if options.publish and right:
        publish(f"Obligations: {options.units * options.forms * options.months:,} in {options.months} months", text)
    return 0 if right else 1


def settings_of(state: Path, server: LocalServer) -> Settings:
    """Return the settings of a new database, with definitions that say when units are written to."""
    server.create_database("obligations")
    home = state / "definitions" / "catalog"
    for name, content in DEFINITIONS.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(content, encoding="utf-8")
    return Settings(
        definitions=state / "definitions",
        state=state,
        landing=str(state / "landing"),
        store=str(state / "store"),
        dbt_project=PROJECT_ROOT / "dbt_project",
        warehouse_url=server.url("obligations"),
    )


def history(connection: psycopg.Connection, units: int, forms: int, months: int) -> None:
    """Put the catalog and the reports into the tables."""
    connection.execute(CATALOG.format(units=units, forms=forms, months=months, last=LAST_MONTH).encode())
    with connection.cursor() as cursor:
        with cursor.copy("copy catalog.days (day, is_working, working_days) from stdin") as copy:
            for row in days_counted():
                copy.write_row(row)
        periods = cursor.execute("select form_id, period_id, ends_on from catalog.periods").fetchall()
        with cursor.copy("copy catalog.deadlines (form_id, period_id, unit_kind, due_at, due_on) from stdin") as copy:
            for form_id, period_id, ends_on in periods:
                due_on = nth_working_day_after(ends_on, 5)
                copy.write_row(
                    (form_id, period_id, "镇街", datetime.combine(due_on, datetime.min.time(), ZONE), due_on)
                )
        cursor.execute("update catalog.deadlines set due_at = due_at + interval '17 hours 30 minutes'")
    for statement in (SUBMISSIONS, VERDICTS):
        connection.execute(statement.encode())
    connection.execute("vacuum analyze")


def measure(connection: psycopg.Connection, server: LocalServer) -> tuple[list[list[str]], bool, float]:
    """Return the rows of the table, whether every number is right, and the seconds of CPU of the dearest answer."""
    row = connection.execute("select max(due_at) from catalog.deadlines").fetchone()
    assert row is not None
    as_at: datetime = row[0] + timedelta(minutes=1)
    rows, right, dearest = [], True, 0.0
    for title, due_from in (
        ("due on that day", as_at - timedelta(days=1)),
        ("due in the year up to it", as_at - timedelta(days=366)),
        ("due at any time", as_at - timedelta(days=36_500)),
    ):
        asked = {"as_at": as_at, "due_from": due_from}
        before, started = server_cpu(server), time.perf_counter()
        found = connection.execute(ASKED.encode(), asked).fetchone()
        seconds = time.perf_counter() - started
        spent = server_cpu(server) - before
        expected = connection.execute(EXPECTED.encode(), asked).fetchone()
        assert found is not None and expected is not None
        right &= found[:3] == expected
        print(title, found, expected, f"{seconds:.2f} s", flush=True)
        rows.append([title, *(f"{number:,}" for number in found[:3]), f"{spent:.2f}", f"{seconds:.2f}"])
        dearest = max(dearest, spent)
    return rows, right, dearest


def write(settings: Settings, connection: psycopg.Connection, server: LocalServer) -> tuple[list[list[str]], float]:
    """Return what it costs to write to everybody who owes something on a day, and the most seconds of CPU."""
    connection.execute(
        "insert into mail.contacts select unit_id, unit_id || '@x.example', unit_name from catalog.units"
    )
    connection.execute(SILENT_MONTH.format(last=LAST_MONTH).encode())
    connection.execute("analyze")
    rows, most = [], 0.0
    for title, period in (
        ("of those missing in a usual month", f"{LAST_MONTH:%Y-%m}"),
        ("where all are missing", "silent"),
    ):
        found = connection.execute(
            "select max(due_on) from catalog.deadlines where period_id = %s", [period]
        ).fetchone()
        assert found is not None
        day = nth_working_day_after(found[0], 1)
        at = datetime.combine(day, datetime.min.time(), ZONE) + timedelta(hours=9)
        on_server, client, started = server_cpu(server), time.process_time(), time.perf_counter()
        (look,) = deadlines.chase(settings, at)
        wall, spent = time.perf_counter() - started, time.process_time() - client
        on_server = server_cpu(server) - on_server
        numbers = (f"{look.notices:,}", f"{len(look.drafts):,}")
        rows.append([title, *numbers, f"{spent + on_server:.2f}", f"{on_server:.2f}", f"{wall:.2f}"])
        print(rows[-1], flush=True)
        most = max(most, spent + on_server)
    return rows, most


if __name__ == "__main__":
    sys.exit(main())
