"""What it costs to ask for units' figures, which are a view, beside a table of the same rows with an index on its key.

The history is that of growth.py. Every question is put to both in turn, several times; the answers must be the same.

    python benchmarks/questions.py [--observations 1000000] [--rounds 7] [--publish]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import psycopg  # noqa: E402

from definitions import INDICATORS, write_definitions  # noqa: E402
from enforcement_reporting import intake, marts  # noqa: E402
from enforcement_reporting.warehouse import connect  # noqa: E402
from growth import FORM, LAST_MONTH, LONG, month_id, receive, settings_of  # noqa: E402
from report import publish, table  # noqa: E402
from run import running_server  # noqa: E402

VIEW, TABLE = "marts.fct_indicator_values", "marts.the_same_as_a_table"
KEY = "form_id, period_id, unit_id, indicator_id"

MONTH, YEAR = month_id(LAST_MONTH - 2), 2023
UNIT, INDICATOR = "bench_u00003", f"{FORM}.i05"
QUESTIONS = {
    "what a unit reported for a month, with cells": (
        f"select indicator_id, stated_value, stated_text, cell from {{}} where form_id = '{FORM}'"
        f" and period_id = '{MONTH}' and unit_id = '{UNIT}' order by indicator_id"
    ),
    "a unit's figure, month by month": (
        f"select period_id, cumulative_value, single_value from {{}} where form_id = '{FORM}' and unit_id = '{UNIT}'"
        f" and indicator_id = '{INDICATOR}' order by period_id"
    ),
    "a figure of all units in a month": (
        f"select unit_id, cumulative_value, single_value from {{}} where form_id = '{FORM}' and period_id = '{MONTH}'"
        f" and indicator_id = '{INDICATOR}' order by unit_id"
    ),
    "a figure summed by month": (
        "select period_id, sum(cumulative_value), sum(single_value), count(single_value) from {}"
        f" where indicator_id = '{INDICATOR}' group by period_id order by period_id"
    ),
    "all figures of a year, summed by unit": (
        f"select unit_id, indicator_id, sum(single_value) from {{}} where year = {YEAR}"
        " group by unit_id, indicator_id order by unit_id, indicator_id"
    ),
    "blanks by indicator, of all there is": (
        "select indicator_id, count(*) filter (where cell_state = 'blank'), count(*) from {}"
        " group by indicator_id order by indicator_id"
    ),
    "all figures, summed by month and indicator": (
        "select period_id, indicator_id, sum(stated_value), sum(single_value) from {}"
        " group by period_id, indicator_id order by period_id, indicator_id"
    ),
}


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="What it costs to ask for units' figures.")
    parser.add_argument("--observations", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--publish", action="store_true", help="write the table into docs/benchmarks.md")
    options = parser.parse_args()
    units = max(10, options.observations // (LONG * INDICATORS))
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder, running_server() as server:
        Path(folder).chmod(0o755)
        definitions = Path(folder) / "definitions"
        write_definitions(definitions, units, forms=1, rules=False)
        settings = settings_of(Path(folder) / "state", definitions, server, "questions")
        intake.prepare(settings)
        receive(settings, [month_id(LAST_MONTH - back) for back in range(LONG)])
        marts.build(settings)
        with connect(settings) as connection:
            connection.autocommit = True
            connection.execute(f"create table {TABLE} as select * from {VIEW} order by {KEY}".encode())
            connection.execute(f"create unique index on {TABLE} ({KEY})".encode())
            connection.execute("vacuum analyze")
            rows = [asked(connection, title, question, options.rounds) for title, question in QUESTIONS.items()]
            sizes = [size(connection, f"relid = '{TABLE}'::regclass"), size(connection, "relname like 'int_reports%'")]
            sizes.append(size(connection, "relid = 'intake.figures'::regclass"))
    text = (
        f"{units} units report {INDICATORS} figures a month for {LONG} months. Medians of {options.rounds} turns. The"
        f" table and its index take {sizes[0]:,.0f} MB. The view reads {sizes[1]:,.0f} MB of reports, and the"
        f" {sizes[2]:,.0f} MB of the intake, which the table repeats.\n\n"
    ) + table(["ms of the clock", "rows", "the view", "a table", "ratio"], rows)
    print("\n" + text)
    if options.publish:
        publish(f"Questions: {options.observations:,} observations", text)
    return 0


def asked(connection: psycopg.Connection[Any], title: str, question: str, rounds: int) -> list[str]:
    """Put a question to the view and to the table; return its row, having made sure that both answer the same."""
    took: dict[str, list[float]] = {VIEW: [], TABLE: []}
    answers: dict[str, list[Any]] = {}
    for _ in range(rounds):
        for relation, times in took.items():
            started = time.perf_counter()
            answers[relation] = connection.execute(question.format(relation).encode()).fetchall()
            times.append(1000 * (time.perf_counter() - started))
    if answers[VIEW] != answers[TABLE]:
        sys.exit(f"{title}: the view and the table differ")
    view, as_table = (median(took[relation]) for relation in (VIEW, TABLE))
    print(f"{title}: {view:.1f} ms, {as_table:.1f} ms", flush=True)
    return [title, f"{len(answers[VIEW]):,}", f"{view:.1f}", f"{as_table:.1f}", f"{view / as_table:.2f}"]


def size(connection: psycopg.Connection[Any], which: str) -> float:
    """Return how many megabytes some tables take, with their indexes."""
    row = connection.execute(
        f"select sum(pg_total_relation_size(relid)) / 1e6 from pg_stat_user_tables where {which}".encode()
    ).fetchone()
    assert row is not None
    return float(row[0])


if __name__ == "__main__":
    sys.exit(main())
