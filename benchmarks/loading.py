"""What recording read workbooks costs beside a plain binary COPY of the same observations: a table of CPU times.

Both write the same rows in the same batches, in turn, into tables that were emptied before. CPU is this process's,
the median of the rounds; the server is a throw-away one. Unless the rows that arrive are the same, it fails.

    python benchmarks/loading.py [--workbooks 300] [--rounds 7] [--publish]
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import psycopg

from enforcement_reporting.catalog import Catalog, load_catalog
from enforcement_reporting.intake import BATCH_FILES
from enforcement_reporting.local.postgres import ensure_server, stop_server
from enforcement_reporting.settings import PROJECT_ROOT, Settings
from enforcement_reporting.warehouse import Delivery, Incoming, connect, migrate, record_files
from enforcement_reporting.workbook import Observations, ReadSubmission, ReadWorkbook
from enforcement_reporting.workbook.measures import reading_of
from report import publish, table

SUBMISSIONS, OBSERVATIONS = 5, 30
COLUMNS = {
    **dict.fromkeys(("indicator_id", "cell_state"), "text"),
    "stated_value": "numeric",
    "stated_text": "text",
    "decimals": "int4",
    "cell": "text",
    **dict.fromkeys(("unit_id", "submission_id", "sheet"), "text"),
}
# A table with a row a cell, as most would have it.
PLAIN = """
create table public.plain (
    indicator_id text not null, cell_state text not null, stated_value numeric, stated_text text, decimals int,
    cell text not null, unit_id text not null, submission_id text not null, sheet text not null,
    primary key (unit_id, submission_id, indicator_id)
)
"""
# Everything in a row; the sum does not depend on the order.
CHECKSUM = f"select count(*), sum(hashtextextended(({', '.join(COLUMNS)})::text, 0)) from "
TABLES = "intake.files, intake.submissions, intake.figures, intake.layouts, intake.touched, quality.findings"


def read_workbooks(catalog: Catalog, number: int) -> Iterator[Incoming]:
    """Yield what a reader would have made of so many workbooks, no two alike."""
    form = catalog.forms[0]
    period = form.calendar.calendar().periods()[0]
    for book in range(number):
        submissions = [
            ReadSubmission(
                form.form_id,
                f"unit_{(book * SUBMISSIONS + place) % 100:03}",
                period,
                "unit",
                f"Sheet{place}",
                Observations(
                    [f"{form.form_id}.indicator_{item:02}" for item in range(OBSERVATIONS)],
                    [
                        reading_of("value" if item % 7 else "zero", value, str(value), 0 if item % 3 else 2)
                        for item in range(OBSERVATIONS)
                        for number in [Decimal((book + 1) * (item % 7))]
                        for value in [number if item % 3 else number / 100]
                    ],
                    [f"{chr(65 + item % 26)}{place + 4}" for item in range(OBSERVATIONS)],
                ),
            )
            for place in range(SUBMISSIONS)
        ]
        sha256 = hashlib.sha256(str(book).encode()).hexdigest()
        key = f"/landing/inbox/{book}.xlsx@1 2 3 4"
        received_at = datetime(2025, 10, 1, tzinfo=UTC)
        yield Incoming(Delivery(f"{book}.xlsx", sha256, 12_000, key, "collect", received_at), ReadWorkbook(submissions))


def plain_copy(connection: psycopg.Connection, batches: list[list[tuple[object, ...]]]) -> None:
    """COPY rows as psycopg's manual says."""
    for rows in batches:
        statement = f"copy public.plain ({', '.join(COLUMNS)}) from stdin (format binary)"
        with connection.transaction(), connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            copy.set_types(list(COLUMNS.values()))
            for row in rows:
                copy.write_row(row)


def measure(connection: psycopg.Connection, work: Callable[[], object]) -> tuple[float, float, object]:
    """Return CPU seconds and seconds of a piece of work on empty tables, and a checksum of what it wrote."""
    connection.execute(f"truncate {TABLES}, public.plain".encode())
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    (checksum,) = (
        row for table in ("intake.observations", "public.plain") if (row := _rows_of(connection, table)) and row[0]
    )
    return cpu, wall, checksum


def _rows_of(connection: psycopg.Connection, table: str) -> tuple[object, ...] | None:
    return connection.execute((CHECKSUM + table).encode()).fetchone()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workbooks", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--publish", action="store_true", help="write the table into docs/benchmarks.md")
    options = parser.parse_args()
    catalog = load_catalog(PROJECT_ROOT)
    files = list(read_workbooks(catalog, options.workbooks))
    batches = [files[start : start + BATCH_FILES] for start in range(0, len(files), BATCH_FILES)]

    with tempfile.TemporaryDirectory(prefix="enforcement-") as folder:
        server = ensure_server(Path(folder), durable=False)
        try:
            server.create_database("warehouse")
            settings = Settings.from_environment(PROJECT_ROOT)
            settings = Settings(**{**vars(settings), "warehouse_url": server.url("warehouse")})
            migrate(settings)
            with connect(settings) as connection:
                connection.autocommit = True
                connection.execute(PLAIN)

                def record() -> None:
                    for batch in batches:
                        record_files(connection, batch, catalog)

                record()
                sources = dict(connection.execute("select file_sha256, file_id from intake.files").fetchall())
                rows = [
                    connection.execute(
                        f"select {', '.join('o.' + column for column in COLUMNS)} from intake.observations o"
                        " join intake.submissions s using (unit_id, submission_id) where s.file_id = any(%s)".encode(),
                        [[sources[file.delivery.file_sha256] for file in batch]],
                    ).fetchall()
                    for batch in batches
                ]
                works = {"plain binary COPY": lambda: plain_copy(connection, rows), "recorded": record}
                figures = [
                    {name: measure(connection, work) for name, work in works.items()} for _ in range(options.rounds)
                ]
        finally:
            stop_server(Path(folder))

    if len({figures_of[name][2] for figures_of in figures for name in works}) > 1:
        sys.exit("the rows that arrived are not the same")
    observations = sum(map(len, rows))
    lines = []
    for name in works:
        cpu, wall = (statistics.median(figures_of[name][n] for figures_of in figures) for n in (0, 1))
        ratio = statistics.median(figures_of[name][0] / figures_of["plain binary COPY"][0] for figures_of in figures)
        per_row = f"{cpu * 1e6 / observations:.2f}"
        lines.append([name, f"{cpu * 1e3:.0f}", f"{wall * 1e3:.0f}", per_row, f"{ratio:.2f}"])
    text = (
        f"{len(files)} workbooks, {len(files) * SUBMISSIONS} submissions, {observations} observations; medians of"
        f" {options.rounds} rounds in turn, CPU of the client. Both end with the same rows.\n\n"
        + table(["", "CPU ms", "ms", "CPU µs a row", "CPU ratio to the COPY"], lines)
        + "\n"
    )
    print(text)
    if options.publish:
        publish("Recording what was read", text)


if __name__ == "__main__":
    main()
