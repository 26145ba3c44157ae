"""What a new month costs on a short and on a long history, against building everything: a table of CPU seconds.

The history is put into the intake tables directly, as if units had reported one form of thirty figures month by month;
the marts are then built as the product builds them. Measured are the next month, a correction of two months back,
building everything, and the questions how that month looked before the correction and what it moved. What the first two
leave must be what building everything gives, row by row.

    python benchmarks/growth.py [--observations 1000000] [--publish]
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from definitions import AUTHORITY, INDICATORS, write_definitions  # noqa: E402
from enforcement_reporting import intake, marts  # noqa: E402
from enforcement_reporting.local.postgres import LocalServer  # noqa: E402
from enforcement_reporting.settings import PROJECT_ROOT, Settings  # noqa: E402
from enforcement_reporting.warehouse import connect  # noqa: E402
from report import publish, table  # noqa: E402
from run import running_server, server_cpu  # noqa: E402

FORM = f"{AUTHORITY}_f1"
LONG, SHORT = 100, 10
LAST_MONTH = 2024 * 12 + 8 - 1  # the new month is August 2024: with ten months the history begins inside 2023

FACTS = ("fct_indicator_values", "fct_indicator_totals", "fct_metric_values", "fct_submissions")

# A unit's figures of one month; all kinds of units and columns grow at speeds of their own, month by month.
SUBMISSIONS = """
insert into intake.submissions (
    submission_id, unit_id, form_id, period_id, row_role, file_id, file_sha256, policy, received_at, sheet
)
select p.period_id || '-' || u.unit_id || %(mark)s, u.unit_id, p.form_id, p.period_id, 'unit', f.file_id, f.file_sha256,
    'collect', f.received_at, '表'
from catalog.periods p
join intake.files f on f.file_name = p.period_id || %(mark)s
join catalog.form_units o on o.form_id = p.form_id
join catalog.units u on u.unit_id = o.unit_id
where p.period_id = any(%(periods)s) and (%(unit)s::text is null or u.unit_id = %(unit)s)
order by p.period_id, u.unit_id
"""
FILES = """
insert into intake.files (file_sha256, file_name, size_bytes, policy, received_at, outcome)
select encode(sha256(convert_to(period_id || %(mark)s, 'UTF8')), 'hex'), period_id || %(mark)s, 0, 'collect',
    ends_on + %(after)s * interval '1 day', 'taken_in'
from catalog.periods
where period_id = any(%(periods)s)
order by period_id
"""
LAYOUTS = """
insert into intake.layouts (layout_id, indicator_ids)
select form_id, array_agg(indicator_id order by indicator_id) from catalog.indicators group by form_id
on conflict do nothing
"""
FIGURES = """
insert into intake.figures (
    unit_id, submission_id, layout_id, sheet, cell_states, stated_values, stated_texts, decimals, cells
)
select s.unit_id, s.submission_id, s.form_id, '表', array_agg(null::text),
    array_agg(v.value order by i.indicator_id), array_agg(null::text),
    array_agg(0 order by i.indicator_id), array_agg(chr(65 + i.sort_no %% 26) || '7' order by i.indicator_id)
from intake.submissions s
join catalog.periods p on p.form_id = s.form_id and p.period_id = s.period_id
join catalog.indicators i on i.form_id = s.form_id
cross join lateral (
    select (
        p.sequence * (1 + abs(hashtext(s.unit_id || i.indicator_id)) %% 40) + %(more)s
    )::numeric as value
) v
where s.file_id in (select file_id from intake.files where file_name = any(%(files)s))
group by s.unit_id, s.submission_id, s.form_id
order by s.submission_id
"""
VERDICTS = """
insert into quality.verdicts (unit_id, submission_id, outcome)
select unit_id, submission_id, 'accepted'
from intake.submissions
where file_id in (select file_id from intake.files where file_name = any(%(files)s))
"""
TOUCHED = """
insert into intake.touched (form_id, period_id, unit_id)
select form_id, period_id, unit_id
from intake.submissions
where file_id in (select file_id from intake.files where file_name = any(%(files)s))
"""


@dataclass(frozen=True)
class Cost:
    """Seconds of CPU, in this process and in the server's, and of the clock."""

    client: float
    server: float
    wall: float

    def row(self, title: str, history: str) -> list[str]:
        """Return a row of the table."""
        return [title, history, f"{self.client + self.server:.2f}", f"{self.server:.2f}", f"{self.wall:.2f}"]


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="What a new month costs on a short and on a long history.")
    parser.add_argument("--observations", type=int, default=1_000_000, help="in the long history")
    parser.add_argument("--publish", action="store_true", help="write the table into docs/benchmarks.md")
    options = parser.parse_args()
    units = max(10, options.observations // (LONG * INDICATORS))
    rows = []
    same = True
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder, running_server() as server:
        Path(folder).chmod(0o755)
        write_definitions(Path(folder) / "definitions", units, forms=1, rules=False)
        for months in (SHORT, LONG):
            settings = settings_of(
                Path(folder) / str(months), Path(folder) / "definitions", server, f"history_{months}"
            )
            costs, equal = measure(settings, months, server)
            same &= equal
            history = f"{months} months, {months * units * INDICATORS:,} observations"
            rows += [cost.row(title, history) for title, cost in costs.items()]
    text = f"{units} units report {INDICATORS} figures a month. " + (
        "After the new month and the correction the marts hold row by row what building everything gives.\n\n"
        if same
        else "THE MARTS DIFFER from what building everything gives.\n\n"
    )
    text += table(["", "history", "CPU s", "of them server", "wall s"], rows)
    print("\n" + text)
    if options.publish and same:
        publish(f"Growth: {options.observations:,} observations", text)
    return 0 if same else 1


def settings_of(state: Path, definitions: Path, server: LocalServer, database: str) -> Settings:
    """Return the settings of a new database."""
    state.mkdir()
    server.create_database(database)
    return Settings(
        definitions=definitions,
        state=state,
        landing=str(state / "landing"),
        store=str(state / "store"),
        dbt_project=PROJECT_ROOT / "dbt_project",
        warehouse_url=server.url(database),
    )


def measure(settings: Settings, months: int, server: LocalServer) -> tuple[dict[str, Cost], bool]:
    """Return what each step costs on a history of so many months, and whether the marts are those of a full build."""
    intake.prepare(settings)
    history = [month_id(LAST_MONTH - back) for back in range(months, 0, -1)]
    receive(settings, history)
    marts.build(settings)
    with connect(settings) as connection:
        connection.autocommit = True
        connection.execute("vacuum analyze")  # what the server does by itself in the hours after: no part of a month
    costs: dict[str, Cost] = {}

    def timed(title: str, what: Callable[[], Any]) -> Any:
        client, on_server, started = cpu(), server_cpu(server), time.perf_counter()
        outcome = what()
        costs[title] = Cost(cpu() - client, server_cpu(server) - on_server, time.perf_counter() - started)
        print(f"{months} months: {title}: {costs[title]}", flush=True)
        return outcome

    receive(settings, [month_id(LAST_MONTH)])
    timed("a new month", lambda: marts.build(settings))
    # The same month on either history, as what a correction moves is its window: two later months follow from it.
    corrected = month_id(LAST_MONTH - 2)
    before = as_of_instant(settings)
    receive(settings, [corrected], unit="bench_u00003", more=7, mark="-corrected", after=4_000)
    timed("a late correction", lambda: marts.build(settings))
    timed("how a month looked before it", lambda: as_of(settings, corrected, before))
    timed("all that it moved", lambda: moved(settings))
    by_steps = digests(settings)
    timed("everything", lambda: marts.build(settings, full_refresh=True))
    return costs, digests(settings) == by_steps


def receive(
    settings: Settings, periods: list[str], *, unit: str | None = None, more: int = 0, mark: str = "", after: int = 5
) -> None:
    """Put accepted submissions of all units, or of one, into the warehouse; ``more`` is added to each figure."""
    values = {"periods": periods, "mark": mark, "after": after, "unit": unit, "more": more}
    values["files"] = [period + mark for period in periods]
    with connect(settings) as connection:
        for statement in (FILES, SUBMISSIONS, LAYOUTS, FIGURES, VERDICTS, TOUCHED):
            connection.execute(statement.encode(), values)
        connection.commit()
        connection.autocommit = True
        if len(periods) > 1:
            connection.execute("vacuum analyze intake.submissions, intake.figures, quality.verdicts")


def as_of_instant(settings: Settings) -> datetime:
    """Return an instant after everything that has been received."""
    with connect(settings) as connection:
        row = connection.execute("select max(received_at) from intake.files").fetchone()
    assert row is not None
    latest: datetime = row[0]
    return latest + timedelta(days=1)


def as_of(settings: Settings, period: str, instant: datetime) -> int:
    """Ask how a month looked at an instant; return the number of rows."""
    with connect(settings) as connection:
        row = connection.execute(
            "select count(*), sum(cumulative_value) from marts.indicator_values_as_of(%s, %s, %s)",
            [AUTHORITY, period, instant],
        ).fetchone()
    assert row is not None
    return int(row[0])


def moved(settings: Settings) -> int:
    """Ask what the correction moved; return the number of figures."""
    with connect(settings) as connection:
        row = connection.execute("select count(*), sum(value_after) from marts.fct_correction_impacts").fetchone()
    assert row is not None and row[0] > 0
    return int(row[0])


def digests(settings: Settings) -> dict[str, tuple[int, int]]:
    """Return, for each mart, its number of rows and a digest that does not depend on their order."""
    found = {}
    with connect(settings) as connection:
        for mart in FACTS:
            row = connection.execute(
                f"select count(*), sum(hashtextextended(row_to_json(m)::text, 0)) from marts.{mart} m".encode()
            ).fetchone()
            assert row is not None
            found[mart] = row
    return found


def month_id(number: int) -> str:
    """Return the id of a month, counted from the year 0."""
    return f"{number // 12}-{number % 12 + 1:02}"


def cpu() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    sys.exit(main())
