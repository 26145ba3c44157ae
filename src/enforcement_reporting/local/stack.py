"""What ``make run``, ``up``, ``down``, ``reset`` and ``status`` do: the pipeline on one machine, from one command."""

from __future__ import annotations

import dataclasses
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import TypeVar

import fsspec
from rich.console import Console

from enforcement_reporting.catalog import LandingPlace, load_catalog
from enforcement_reporting.intake import landing_places, place_url
from enforcement_reporting.local.airflow import (
    AirflowError,
    DagRun,
    LocalAirflow,
    RestClient,
    find_airflow,
    mail_folder,
    start_airflow,
    tail,
)
from enforcement_reporting.local.postgres import WAREHOUSE, LocalServer, find_server, stop_server, use_server
from enforcement_reporting.settings import PROJECT_ROOT, Settings
from enforcement_reporting.warehouse import connect

T = TypeVar("T")

INTAKE, CHASE = "intake_submissions", "chase_late_units"
_CAUSED = {"build_marts", CHASE}
# How long after its last workbook the units of the replay are still written to.
_AFTER_REPLAY = timedelta(days=7)

_POLICIES = {"collect": "checked, wrong ones returned", "archive": "taken as printed, findings beside"}
_START_SECONDS = 180
_POLL_SECONDS = 0.5

console = Console(highlight=False, soft_wrap=True)


class StackError(RuntimeError):
    """The command cannot be carried out; the message says why and what to do."""


def run(settings: Settings, seconds: float = 900) -> None:
    """Land the example workbooks, let Airflow take them in and build the marts, print what came of it.

    Stops what it has started. Uses what ``up`` has started, and leaves that running.
    """
    deadline = time.monotonic() + seconds
    since = datetime.now(UTC)
    with _one_at_a_time(settings.state), _stop_on_signal():
        landed = land_examples(settings)
        console.print(f"landed {landed} example workbooks" if landed else "the example workbooks are landed already")
        with _running(settings) as (running, server, airflow, client):
            intake = _intake_run(client, airflow, since, deadline)
            _follow(client, airflow, intake, deadline)
            caused = _caused(client, intake, deadline)
            for caused_run in caused:
                _follow(client, airflow, caused_run, deadline)
            if not caused:
                console.print("nothing has changed since the last run: the marts stay as they are")
            server.enable_reader()
            _chase_the_replay(running, airflow, client, deadline)

            from enforcement_reporting.report import print_summary

            print_summary(running, since=since)
            console.print(f"Mails as they arrived: {mail_folder(settings.state) / 'index.html'}")


def up(settings: Settings) -> None:
    """Start everything, leave it running, and say where it is."""
    with _one_at_a_time(settings.state):
        _landing_places(settings)
        if _usable(settings.state) is None:
            with _server(settings) as (running, server, users):
                _, client = _start(running, server, users, stays=True)
                # The reader's role comes with the first intake; its password can only be set after that.
                _until(lambda: _role_ready(server, client), time.monotonic() + 60)
        else:
            console.print("already running")
    status(settings)


def down(settings: Settings) -> None:
    """Stop everything that runs on this state folder, whoever started it."""
    stopped = []
    if airflow := find_airflow(settings.state):
        airflow.stop()
        stopped.append("Airflow")
    if stop_server(settings.state):
        stopped.append("PostgreSQL")
    console.print(f"stopped {' and '.join(stopped)}" if stopped else "nothing was running")


def reset(settings: Settings) -> None:
    """Stop everything and delete the state folder: warehouse, landed files, stored bytes, logs, passwords."""
    if not settings.state.exists():
        console.print(f"there is no {settings.state}: nothing to forget")
        return
    if not (settings.state / _LOCK).exists():
        raise StackError(f"{settings.state} was not made by these commands: it is not deleted")
    down(settings)
    with _one_at_a_time(settings.state):
        shutil.rmtree(settings.state)
    console.print(f"deleted {settings.state}")


def status(settings: Settings) -> None:
    """Say what runs and where to find it."""
    server = find_server(settings.state)
    airflow = find_airflow(settings.state)
    if airflow and airflow.dead_component():
        console.print(f"Airflow          its {airflow.dead_component()} has ended: make down, then make up")
    elif airflow:
        console.print(f"Airflow          {airflow.url}")
    else:
        console.print("Airflow          not running")
    if server:
        ready = server.enable_reader()
        console.print(
            f"Warehouse        {server.reader_url()}" + ("" if ready else "  (once the first intake is done)")
        )
    else:
        console.print("Warehouse        not running")
    if (page := mail_folder(settings.state) / "index.html").exists():
        console.print(f"Mails            {page}")
    for place in _landing_places(settings):
        how = "in folders named by the instant of receipt; " if place.received == "in_path" else ""
        console.print(f"Drop workbooks   {place_url(settings, place)} ({how}{_POLICIES[place.policy]})")
    if airflow or server:
        console.print("Stop             make down")


def land_examples(settings: Settings) -> int:
    """Build the example workbooks and land those that do not wait already; return how many.

    The published tables are archive material. The replay goes to a place of its own and keeps its folders, which say
    when each workbook was received. Each arrives complete: it is written under a name that begins with a dot, which
    nobody takes in, and then renamed.
    """
    built = settings.state / "examples"
    built.mkdir(parents=True, exist_ok=True)
    build = [sys.executable, str(PROJECT_ROOT / "examples" / "build_workbooks.py"), str(built)]
    outcome = subprocess.run(build, check=False, capture_output=True, text=True)
    if outcome.returncode:
        raise StackError(f"the example workbooks could not be built:\n{outcome.stderr.strip()}")
    places = {place.place_id: place for place in _landing_places(settings)}
    landed = 0
    for place_id, folder, pattern in (("archive", built, "*.xlsx"), ("replay", built / "replay", "*/*.xlsx")):
        if place_id not in places:
            raise StackError(f"{settings.definitions}/catalog/landing.yaml has no place {place_id}")
        filesystem, root = fsspec.core.url_to_fs(place_url(settings, places[place_id]))
        for workbook in sorted(folder.glob(pattern)):
            target = f"{root}/{workbook.relative_to(folder).as_posix()}"
            if filesystem.exists(target) and filesystem.cat_file(target) == workbook.read_bytes():
                continue
            target_folder = target.removesuffix(f"/{workbook.name}")
            on_its_way = f"{target_folder}/.{workbook.name}"
            filesystem.makedirs(target_folder, exist_ok=True)
            filesystem.put_file(str(workbook), on_its_way)
            filesystem.mv(on_its_way, target)
            landed += 1
    return landed


def _landing_places(settings: Settings) -> tuple[LandingPlace, ...]:
    """Return the places where submissions arrive, each of them there."""
    places = landing_places(settings)
    for place in places:
        filesystem, root = fsspec.core.url_to_fs(place_url(settings, place))
        filesystem.makedirs(root, exist_ok=True)
    return places


@contextmanager
def _running(settings: Settings) -> Iterator[tuple[Settings, LocalServer, LocalAirflow, RestClient]]:
    """Yield a healthy Airflow with its warehouse: the one of ``up``, or one for the time of the block."""
    with _server(settings) as (running, server, users):
        if airflow := _usable(settings.state):
            console.print(f"using the Airflow that runs at {airflow.url}")
            yield running, server, airflow, RestClient(airflow.url)
            return
        airflow, client = _start(running, server, users, stays=False)
        console.print(f"Airflow is up at {airflow.url}")
        try:
            yield running, server, airflow, client
        finally:
            airflow.stop()
            console.print("Airflow is stopped")


@contextmanager
def _server(settings: Settings) -> Iterator[tuple[Settings, LocalServer, int]]:
    """Keep the local server running and yield settings whose warehouse is there, unless they name another one."""
    with use_server(settings.state) as (server, users):
        console.print(f"PostgreSQL is up at 127.0.0.1:{server.port}")
        if settings.warehouse_url is None:
            server.create_database(WAREHOUSE)
            settings = dataclasses.replace(settings, warehouse_url=server.url(WAREHOUSE))
        yield settings, server, users


def _usable(state: Path) -> LocalAirflow | None:
    """Return the Airflow of ``up`` if it is well; stop what a killed run or a broken ``up`` has left behind."""
    airflow = find_airflow(state)
    if airflow is None or (airflow.stays and not airflow.dead_component()):
        return airflow
    console.print("stopping what an interrupted run has left behind")
    airflow.stop()
    return None


def _start(settings: Settings, server: LocalServer, users: int, *, stays: bool) -> tuple[LocalAirflow, RestClient]:
    console.print("starting Airflow (api-server, dag-processor, triggerer, scheduler) and a mail server for it")
    with console.status("Airflow is starting"):
        return start_airflow(settings, server, users, stays=stays, seconds=_START_SECONDS)


def _intake_run(client: RestClient, airflow: LocalAirflow, since: datetime, deadline: float) -> DagRun:
    """Return the run that takes in what has landed ``since``: the scheduler's own, or ours where it has none due."""

    def found() -> DagRun | None:
        airflow.require_alive()
        # First when the next run is due, then which there are: a run that is made in between is seen, and not doubled.
        due = client.next_run_after(INTAKE)
        if runs := client.runs_since(INTAKE, since):
            return runs[0]
        if errors := client.import_errors():
            raise AirflowError("a DAG file cannot be imported:\n" + "\n".join(errors))
        if due is not None and due > datetime.now(UTC):
            return client.trigger(INTAKE)
        return None

    with console.status("waiting for the scheduler to start the intake"):
        intake = _until(found, deadline)
    if intake is None:
        raise AirflowError(f"the scheduler did not start {INTAKE} in time; its log is {airflow.logs}/scheduler.log")
    return intake


def _follow(client: RestClient, airflow: LocalAirflow, run: DagRun, deadline: float) -> None:
    """Print each task of the run as it ends; raise with the end of its log where one fails for good."""
    console.print(f"{run.dag_id} ({run.run_id})")
    told: set[str | tuple[str, int, int]] = set()

    def over() -> DagRun | None:
        airflow.require_alive()
        now = client.run(run.dag_id, run.run_id)
        tasks = client.tasks(run)
        for task in tasks:
            retry = (task.task_id, task.map_index, task.try_number)
            if task.state == "up_for_retry" and retry not in told:
                told.add(retry)
                console.print(f"  {task.task_id:<24} failed try {task.try_number}, will be tried again")
        for task_id in dict.fromkeys(task.task_id for task in tasks):
            instances = [task for task in tasks if task.task_id == task_id]
            states = Counter(task.state for task in instances)
            ended = sum(states[state] for state in ("success", "failed", "skipped", "upstream_failed", "removed"))
            if task_id in told or ended < len(instances):
                continue
            told.add(task_id)
            mapped = f"{states['success']}/{len(instances)} " if instances[0].map_index >= 0 else ""
            worst = next(
                state for state in ("failed", "upstream_failed", "success", "skipped", "removed") if states[state]
            )
            console.print(f"  {task_id:<24} {mapped}{worst:<8} {sum(task.seconds for task in instances):6.1f} s")
        return now if now.over else None

    with console.status(f"{run.dag_id} is at work"):
        end = _until(over, deadline)
    if end is None:
        raise AirflowError(f"{run.dag_id} was not done in time; its logs are in {airflow.logs}")
    if end.state == "failed":
        logs = [airflow.task_log(run, task) for task in client.tasks(run) if task.state == "failed"]
        if not logs:
            raise AirflowError(f"{run.dag_id} failed without a failed task; see {airflow.logs}/scheduler.log")
        raise AirflowError(f"{run.dag_id} failed; the end of {logs[0]}:\n{tail(logs[0])}")


def _chase_the_replay(settings: Settings, airflow: LocalAirflow, client: RestClient, deadline: float) -> None:
    """Have the units of the replay written to as they would have been at its time."""
    from enforcement_reporting.mail import load_contacts

    with connect(settings) as connection:
        load_contacts(connection, load_catalog(settings.definitions), PROJECT_ROOT / "examples" / "contacts.csv")
    received = sorted(folder.name for folder in (settings.state / "examples" / "replay").iterdir())
    first, last = datetime.fromisoformat(received[0]), datetime.fromisoformat(received[-1]) + _AFTER_REPLAY
    console.print(f"chasing the units of the replay, from {first:%Y-%m-%d} to {last:%Y-%m-%d}")
    run = client.trigger(CHASE, replay_from=first.isoformat(), replay_until=last.isoformat())
    _follow(client, airflow, run, deadline)


def _caused(client: RestClient, intake: DagRun, deadline: float) -> list[DagRun]:
    """Return the runs caused by what the intake has checked; none where it found nothing to do."""
    if not any(task.task_id == "check_submissions" and task.state == "success" for task in client.tasks(intake)):
        return []
    with console.status("waiting for the scheduler to start what follows"):
        caused = _until(lambda: _all_caused(client.runs_caused_by(intake)), deadline)
    if not caused:
        raise AirflowError(f"the scheduler did not start {' and '.join(sorted(_CAUSED))} in time")
    return caused


def _all_caused(runs: list[DagRun]) -> list[DagRun]:
    """Return the runs that follow every intake, once they are there.

    What waits for a person's decision is none of them, and may wait for days.
    """
    caused = [run for run in runs if run.dag_id in _CAUSED]
    return caused if {run.dag_id for run in caused} == _CAUSED else []


def _role_ready(server: LocalServer, client: RestClient) -> bool:
    if server.enable_reader():
        return True
    return any(run.over for run in client.runs_since(INTAKE, datetime.min.replace(tzinfo=UTC)))


def _until(question: Callable[[], T], deadline: float) -> T | None:
    """Ask again and again; return the first answer that is true, or None at the deadline."""
    while not (answer := question()):
        if time.monotonic() > deadline:
            return None
        time.sleep(_POLL_SECONDS)
    return answer


_LOCK = "command.lock"


@contextmanager
def _one_at_a_time(state: Path) -> Iterator[None]:
    """Refuse to work on a state folder while another of these commands does."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / _LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise StackError(f"process {lock.read() or '?'} is at work on {state}: wait for it or end it") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextmanager
def _stop_on_signal() -> Iterator[None]:
    """Turn the signals that would end us at once into an interrupt, so that everything is stopped on the way out."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    former = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
