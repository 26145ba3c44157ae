"""The same job, from workbooks to rules and marts, done by this project and by others: a table with ratios.

Every competitor runs in a process of its own into a database of its own, all of them in turn, several rounds. What
they store is compared: unless the observations, the violations and all marts are the same, there is no table.

    python benchmarks/run.py [--workbooks 200] [--rounds 3] [--only limit,project] [--publish]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median

import psutil

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(HERE / "competitors")]

from job import FORKED  # noqa: E402

from definitions import AUTHORITY, write_definitions  # noqa: E402
from enforcement_reporting import generator  # noqa: E402
from enforcement_reporting.generator import Submission  # noqa: E402
from enforcement_reporting.local.postgres import LocalServer, ensure_server, stop_server  # noqa: E402
from report import publish, table  # noqa: E402

# Ten months over the turn of a year: the first has none before it, and January begins anew.
MONTHS, FIRST_DAY = 10, date(2024, 10, 1)
OTHERS = ROOT / ".venv-benchmarks"
ROLE = PASSWORD = "benchmark"  # noqa: S105 - of a server that is thrown away, on the loopback only

COMPETITORS = {
    "limit": "by hand: calamine, binary COPY, SQL",
    "limit_bare": "the same without exactness and keys",
    "project": "this project",
    "project_resident": "the same, as its tasks run: forked, all imported and parsed",
    "dlt_dbt": "dlt + calamine + dbt",
    "orm": "openpyxl + SQLAlchemy ORM",
    "naive_pandas": "pandas read_excel + to_sql",
}
IN_OTHER_ENVIRONMENT = {"dlt_dbt"}
STARTS = {"dbt": "a dbt start, this project parsed cold", "great_expectations": "a Great Expectations start"}
# What this project is to stay within: so many times the limit, and one start of each tool it works with.
TIMES_THE_LIMIT = 1.5

RESULTS = {
    "observations": "unit_id, indicator_id, period_id, sheet, cell, trim_scale(round(value::numeric, 6))",
    "rule_violations": "rule_id, violations::bigint",
    "unit_values": "unit_id, indicator_id, period_id, trim_scale(stated::numeric), trim_scale(cumulative::numeric),"
    " trim_scale(single::numeric)",
    "group_values": "group_id, indicator_id, period_id, trim_scale(cumulative::numeric), reported_units::bigint,"
    " expected_units::bigint",
    "metric_values": "unit_id, metric_id, period_id, trim_scale(round(value::numeric, 6))",
}


@dataclass(frozen=True)
class Cost:
    """What one run cost: seconds of the clock, of CPU in the competitor's processes and in the server's, and memory."""

    wall: float
    client: float
    server: float
    megabytes: float

    @property
    def cpu(self) -> float:
        """Return all CPU seconds."""
        return self.client + self.server


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="The same job, done by this project and by others.")
    parser.add_argument("--workbooks", type=int, default=200, help="a multiple of ten, one for each month and unit")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(COMPETITORS), help="competitors, separated by commas")
    parser.add_argument("--publish", action="store_true", help="write the table into docs/benchmarks.md")
    options = parser.parse_args()
    names = [name for name in COMPETITORS if name in options.only.split(",")]
    if IN_OTHER_ENVIRONMENT & set(names):
        prepare_environment()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder, running_server() as server:
        place = Path(folder)
        place.chmod(0o755)
        write_definitions(place / "definitions", options.workbooks // MONTHS)
        count, cells = write_workbooks(place / "definitions", place / "workbooks")
        print(f"{count} workbooks, {cells} figures", flush=True)
        costs: dict[str, list[Cost]] = {name: [] for name in names}
        sums: dict[str, dict[str, str]] = {}
        starts: dict[str, list[Cost]] = {name: [] for name in STARTS} if "project" in names else {}
        for number in range(options.rounds):
            for name, of_start in starts.items():
                of_start.append(start_once(name, place, server))
                print(f"round {number + 1} start of {name}: CPU {of_start[-1].cpu:.2f} s", flush=True)
            for name in names[number % len(names) :] + names[: number % len(names)]:
                cost, sums[name] = run_once(name, place, server)
                costs[name].append(cost)
                print(f"round {number + 1} {name}: CPU {cost.cpu:.2f} s, wall {cost.wall:.2f} s", flush=True)
    if not agree(sums):
        return 1
    text = table(
        ["", "CPU s", "of them server", "wall s", "peak MB", "CPU ratio to the limit"],
        [row(COMPETITORS[name], costs[name], costs.get("limit")) for name in names]
        + [row(STARTS[name], of_start, costs.get("limit")) for name, of_start in starts.items()],
    )
    if starts and "limit" in costs:
        text += "\n\n" + distance(costs, starts)
    facts = sums[names[0]]
    text = (
        f"{count} workbooks of five sheets, {cells} figures; medians of {options.rounds} rounds in turn. All end"
        " with the same rows: "
        + ", ".join(f"{facts[name].split()[0]} {name.replace('_', ' ')}" for name in RESULTS)
        + ".\n\n"
    ) + text
    print("\n" + text)
    if options.publish:
        publish(f"From workbooks to marts: {options.workbooks} workbooks", text)
    return 0


def row(title: str, costs: list[Cost], limit: list[Cost] | None) -> list[str]:
    """Return a competitor's row of the table."""
    cpu = median(cost.cpu for cost in costs)
    ratio = f"{cpu / median(cost.cpu for cost in limit):.1f}" if limit else ""
    return [
        title,
        f"{cpu:.2f}",
        f"{median(cost.server for cost in costs):.2f}",
        f"{median(cost.wall for cost in costs):.2f}",
        f"{median(cost.megabytes for cost in costs):.0f}",
        ratio,
    ]


def distance(costs: dict[str, list[Cost]], starts: dict[str, list[Cost]]) -> str:
    """Say how far this project is from the limit, started for this one job and, if that was run, as its tasks run."""
    cpu = {name: median(cost.cpu for cost in of_runs) for name, of_runs in costs.items()}
    ours = [name for name in ("project", "project_resident") if name in cpu]
    beside = sum(median(cost.cpu for cost in of_start) for of_start in starts.values())
    budget = TIMES_THE_LIMIT * cpu["limit"] + beside

    def times(what: float) -> str:
        return ", as its tasks run ".join(f"{cpu[name] / what:.2f}" for name in ours)

    text = f"This project takes {times(cpu['limit'])} times the limit"
    if "limit_bare" in cpu:
        text += f", and {times(cpu['limit_bare'])} times that with floats and without keys"
    return text + (
        f". {TIMES_THE_LIMIT} times the limit and one start of each tool are {budget:.2f} CPU s; it takes"
        f" {times(budget)} times that."
    )


def write_workbooks(definitions: Path, folder: Path) -> tuple[int, int]:
    """Write the workbooks; return how many there are and how many figures they hold.

    One in fifty is missing, and some units contradict a rule in all months: a job without gaps and violations would
    be done right by wrong programs too.
    """
    folder.mkdir()
    written = 0
    for workbook in generator.workbooks(
        definitions, authority=AUTHORITY, periods=MONTHS, starting=FIRST_DAY, seed=20, revise=contradict
    ):
        if zlib.crc32(workbook.file_name.encode()) % 50:
            (folder / workbook.file_name).write_bytes(workbook.content())
            written += 1
    return written, written * sum(len(sheet[0].figures) for sheet in workbook.sheets)


def contradict(submission: Submission) -> None:
    """Change a figure where the unit is one of those that contradict themselves on this form."""
    figures = submission.figures
    match zlib.crc32(f"{submission.unit_id} {submission.form.form_id}".encode()) % 40:
        case 0:
            figures["i01"] += 1
        case 1:
            figures["i08"] = figures["i09"] + 3
        case 2 if not isinstance(figures["i30"], str):
            figures["i30"] += 5


def run_once(name: str, place: Path, server: LocalServer) -> tuple[Cost, dict[str, str]]:
    """Run a competitor once into a new database; return what it cost and the checksums of its results.

    The database does not outlive that: it would be vacuumed and analyzed at the expense of whoever runs next.
    """
    database = f"bench_{name}"
    python = OTHERS / "bin" / "python" if name in IN_OTHER_ENVIRONMENT else Path(sys.executable)
    script = HERE / "competitors" / f"{name}.py"
    state = new_state(place, name)
    url = new_database(database, server)
    cost = measured([python, script, place / "workbooks", place / "definitions", url], state, database, server)
    found = checksums(server, database)
    with server.connect() as connection:
        connection.execute(f"drop database {database}".encode())
    return cost, found


def start_once(name: str, place: Path, server: LocalServer) -> Cost:
    """Start a tool once, without any work; return what it cost."""
    database, state = "bench_start", new_state(place, f"start_of_{name}")
    url = new_database(database, server)
    return measured([Path(sys.executable), HERE / "starts.py", name, url, state], state, database, server)


def new_state(place: Path, name: str) -> Path:
    """Return an empty folder. Those before it are left: a file system may take long to create what was just deleted."""
    states = place / "state"
    states.mkdir(exist_ok=True)
    state = states / f"{len(list(states.iterdir()))}_{name}"
    state.mkdir()
    return state


def new_database(database: str, server: LocalServer) -> str:
    """Return the URL of an empty database."""
    with server.connect() as connection:
        connection.execute(f"drop database if exists {database}".encode())
        connection.execute(f"create database {database}".encode())
        connection.execute("checkpoint")
    return f"postgresql://{ROLE}:{PASSWORD}@127.0.0.1:{server.port}/{database}"


def measured(command: list[str | Path], state: Path, database: str, server: LocalServer) -> Cost:
    """Run a program that works in this folder and on this database; return what it cost."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"BENCHMARK_STATE": str(state), "DO_NOT_TRACK": "1", "PYTHONWARNINGS": "ignore"}
    before, started = server_cpu(server), time.perf_counter()
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=state,
        stdout=(state / "output").open("w"),
        stderr=subprocess.STDOUT,
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    if status:
        sys.exit(f"{state.name} failed:\n" + (state / "output").read_text()[-3000:])
    with server.connect() as connection:  # connections that are closing are still at work
        while connection.execute("select 1 from pg_stat_activity where datname = %s", [database]).fetchone():
            time.sleep(0.02)
    server_seconds = server_cpu(server) - before
    client, kilobytes = usage.ru_utime + usage.ru_stime, usage.ru_maxrss
    if (forked := state / FORKED).exists():
        wall, client, kilobytes = json.loads(forked.read_text())
    return Cost(wall, client, server_seconds, kilobytes / 1024)


def checksums(server: LocalServer, database: str) -> dict[str, str]:
    """Return, for each result, its number of rows and a digest that does not depend on their order."""
    found = {}
    with server.connect(database) as connection:
        for name, columns in RESULTS.items():
            rows = f"select {columns} from result.{name}"
            row = connection.execute(
                f"select count(*), sum(hashtextextended(row(r.*)::text, 0)) from ({rows}) r".encode()
            ).fetchone()
            assert row is not None
            found[name] = f"{row[0]} {row[1]}"
    return found


def agree(sums: dict[str, dict[str, str]]) -> bool:
    """Return whether all competitors have the same results; print where they do not."""
    reference, *others = sums
    same = True
    for other in others:
        for name in RESULTS:
            if sums[other][name] != sums[reference][name]:
                same = False
                print(f"{name}: {other} has {sums[other][name]}, {reference} {sums[reference][name]}", file=sys.stderr)
    return same


def server_cpu(server: LocalServer) -> float:
    """Return the CPU seconds of the server and all its processes up to now, those that have ended included."""
    time.sleep(0.1)  # a process that is ending is counted once it has ended
    postmaster = psutil.Process(int((server.state / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0]))
    times = postmaster.cpu_times()
    seconds = times.user + times.system + times.children_user + times.children_system
    for child in postmaster.children():
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        seconds += times.user + times.system
    return seconds


@contextmanager
def running_server() -> Iterator[LocalServer]:
    """Run a server as the tests do, thrown away at the end, with a role for programs that connect by TCP only."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # a run that is ended leaves no server behind
    with tempfile.TemporaryDirectory(prefix="benchmark-server-") as folder:
        server = ensure_server(Path(folder), durable=False)
        try:
            with server.connect() as connection:
                connection.execute(f"create role {ROLE} superuser login password '{PASSWORD}'".encode())
            yield server
        finally:
            stop_server(Path(folder))


def prepare_environment() -> None:
    """Bring the environment of the competitors that need packages of their own to what is locked for it."""
    lock, mark = HERE / "requirements.lock", OTHERS / ".installed"
    if mark.exists() and mark.read_bytes() == lock.read_bytes():
        return
    if not OTHERS.exists():
        subprocess.run([sys.executable, "-m", "venv", OTHERS], check=True)
    (OTHERS / ".gitignore").write_text("*\n")
    uv = Path(sys.executable).with_name("uv")
    python = OTHERS / "bin" / "python"
    subprocess.run(
        [uv, "pip", "sync", "-q", "--python", python, "--require-hashes", "--compile-bytecode", lock], check=True
    )
    mark.write_bytes(lock.read_bytes())


if __name__ == "__main__":
    sys.exit(main())
