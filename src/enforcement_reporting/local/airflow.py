"""A real Airflow on this machine and a mail server for it: processes started together, found again, surely stopped.

Each process leads a session of its own. Whatever it starts stays in that session, also when it dies without cleaning
up, so the recorded session numbers are enough to find everything a killed run has left behind.

Nothing here imports Airflow: it is run as a program and talked to over its REST interface.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import psutil

from enforcement_reporting.local.postgres import LocalServer, listening_socket, next_free_port, remembered_secret
from enforcement_reporting.settings import PROJECT_ROOT, Settings

DEFAULT_PORT, DEFAULT_MAIL_PORT = 8080, 8025
METADATA = "airflow"

_COMPONENTS = {
    "mailbox": ("enforcement_reporting.local.mailbox", "{mail_socket}", "{mail_folder}"),
    "api-server": ("airflow", "api-server"),
    "dag-processor": ("airflow", "dag-processor"),
    "triggerer": ("airflow", "triggerer", "--skip-serve-logs"),  # logs are read from this machine's disk
    "scheduler": ("airflow", "scheduler", "--skip-serve-logs"),
}
_STOP_SECONDS = 3  # by then nothing of value is left to do; some components would take ten
_REST_SECONDS = 20


class AirflowError(RuntimeError):
    """Airflow could not be started or did not do as asked; the message says what to look at."""


@dataclass(frozen=True)
class TaskState:
    """One task instance of a run; ``map_index`` is -1 unless the task is mapped."""

    task_id: str
    map_index: int
    state: str | None
    seconds: float
    try_number: int


@dataclass(frozen=True)
class DagRun:
    """One run of a DAG."""

    dag_id: str
    run_id: str
    state: str
    queued_at: datetime | None

    @property
    def over(self) -> bool:
        """Return whether nothing more will happen in this run."""
        return self.state in ("success", "failed")


class RestClient:
    """The few questions this package asks of Airflow's REST interface."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=_REST_SECONDS, trust_env=False)

    def takes_task_reports(self) -> bool:
        """Return whether tasks can report to the server.

        The first who asks makes the server set this up, which takes longer than a task would wait.
        """
        try:
            return self._client.get("/execution/health", timeout=60).is_success
        except httpx.TransportError:
            return False

    def is_healthy(self) -> bool:
        """Return whether the four processes and the metadata database are all up."""
        try:
            answer = self._client.get("/api/v2/monitor/health")
            return answer.is_success and all(part.get("status") == "healthy" for part in answer.json().values())
        except (httpx.TransportError, ValueError):
            return False

    def next_run_after(self, dag_id: str) -> datetime | None:
        """Return when the scheduler creates the next run of the DAG, or None while it does not know the DAG yet."""
        answer = self._request("GET", f"/dags/{dag_id}", missing_ok=True)
        stamp = answer and answer["next_dagrun_run_after"]
        return datetime.fromisoformat(stamp) if stamp else None

    def import_errors(self) -> list[str]:
        """Return what keeps DAG files from being imported, one text a file."""
        errors = self._request("GET", "/importErrors")["import_errors"]
        return [f"{error['filename']}: {error['stack_trace'].strip()}" for error in errors]

    def runs_since(self, dag_id: str, since: datetime) -> list[DagRun]:
        """Return the DAG's runs that were queued at or after this instant, oldest first."""
        answer = self._request("GET", f"/dags/{dag_id}/dagRuns", {"order_by": "-id", "limit": 20}, missing_ok=True)
        runs = [_dag_run(run) for run in (answer or {"dag_runs": []})["dag_runs"]]
        return [run for run in reversed(runs) if run.queued_at and run.queued_at >= since]

    def run(self, dag_id: str, run_id: str) -> DagRun:
        """Return the run as it is now."""
        return _dag_run(self._request("GET", f"/dags/{dag_id}/dagRuns/{run_id}"))

    def trigger(self, dag_id: str, **params: str) -> DagRun:
        """Start a run of the DAG with these parameters."""
        return _dag_run(self._request("POST", f"/dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": params}))

    def tasks(self, run: DagRun) -> list[TaskState]:
        """Return the run's task instances, tasks in the order in which they ended."""
        answer = self._request("GET", f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances", {"limit": 1000})
        found = sorted(answer["task_instances"], key=lambda task: task["end_date"] or "~")
        return [
            TaskState(task["task_id"], task["map_index"], task["state"], task["duration"] or 0.0, task["try_number"])
            for task in found
        ]

    def runs_caused_by(self, run: DagRun) -> list[DagRun]:
        """Return the runs of other DAGs that the assets updated by this run have started so far."""
        events = self._request(
            "GET", "/assets/events", {"source_dag_id": run.dag_id, "source_run_id": run.run_id, "limit": 100}
        )["asset_events"]
        caused = {(made["dag_id"], made["run_id"]) for event in events for made in event["created_dagruns"]}
        return [self.run(dag_id, run_id) for dag_id, run_id in sorted(caused)]

    def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        json: object = None,
        missing_ok: bool = False,
    ) -> Any:
        for attempt in range(3):
            try:
                if "Authorization" not in self._client.headers or attempt:
                    token = self._client.get("/auth/token").raise_for_status().json()["access_token"]
                    self._client.headers["Authorization"] = f"Bearer {token}"
                answer = self._client.request(method, f"/api/v2{path}", params=params, json=json)
                if answer.status_code == 404 and missing_ok:
                    return None
                if answer.status_code != 401:
                    return answer.raise_for_status().json()
            except httpx.TransportError as error:
                if attempt == 2 or method != "GET":
                    raise AirflowError(f"Airflow stopped answering at {self._client.base_url}: {error}") from None
                time.sleep(1)
            except httpx.HTTPStatusError as error:
                raise AirflowError(f"Airflow refused {method} {path}: {error.response.text[:500]}") from None
        raise AirflowError(f"Airflow gives no access to {path}")


@dataclass(frozen=True)
class LocalAirflow:
    """The Airflow processes of one state folder, running or left behind by a run that was killed."""

    home: Path
    port: int
    stays: bool  # started by `up`, not for the time of one run
    sessions: dict[str, tuple[int, float]]  # of each component: process number and time of its start

    @property
    def url(self) -> str:
        """Return the address of Airflow's page."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def logs(self) -> Path:
        """Return the folder of all logs."""
        return self.home / "logs"

    def dead_component(self) -> str | None:
        """Return the name of a component that has ended."""
        return next((name for name, session in self.sessions.items() if _leader(*session) is None), None)

    def require_alive(self) -> None:
        """Raise with the end of its log if a component has ended."""
        if name := self.dead_component():
            log = self.logs / f"{name}.log"
            raise AirflowError(f"Airflow's {name} ended unexpectedly; the end of {log}:\n{tail(log)}")

    def stop(self) -> None:
        """Stop every process of these sessions, politely first, and forget them."""
        processes = self._processes()
        for session in self.sessions.values():
            if leader := _leader(*session):
                _signal(leader, signal.SIGTERM)
        _, stubborn = psutil.wait_procs(processes, timeout=_STOP_SECONDS)
        for process in {*stubborn, *self._processes()}:
            _signal(process, signal.SIGKILL)
        psutil.wait_procs(stubborn, timeout=_STOP_SECONDS)
        _record(self.home).unlink(missing_ok=True)

    def task_log(self, run: DagRun, task: TaskState) -> Path:
        """Return the file that holds the log of the task's last try."""
        mapped = f"map_index={task.map_index}/" if task.map_index >= 0 else ""
        folder = self.logs / f"dag_id={run.dag_id}" / f"run_id={run.run_id}" / f"task_id={task.task_id}"
        return folder / f"{mapped}attempt={task.try_number}.log"

    def _processes(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if self._owns(process)]

    def _owns(self, process: psutil.Process) -> bool:
        for number, started in self.sessions.values():
            try:
                if os.getsid(process.pid) != number:
                    continue
                # The session's number alone may belong to somebody else after a restart of the machine.
                if _leader(number, started) or process.cwd() == str(self.home):
                    return True
            except (OSError, psutil.Error):
                continue
        return False


def mail_folder(state: Path) -> Path:
    """Return where the mails are that the local mail server has taken."""
    return state.resolve() / "mail"


def find_airflow(state: Path) -> LocalAirflow | None:
    """Return the Airflow recorded in this state folder, whether or not it is still well."""
    home = state.resolve() / "airflow"
    try:
        noted = json.loads(_record(home).read_text())
        sessions = {name: (number, started) for name, (number, started) in noted["sessions"].items()}
        return LocalAirflow(home, noted["port"], noted["stays"], sessions)
    except (OSError, ValueError, KeyError):
        return None


def start_airflow(
    settings: Settings, server: LocalServer, users: int, *, stays: bool, seconds: float
) -> tuple[LocalAirflow, RestClient]:
    """Start Airflow's processes on this server; return once all are well. If they are not in time, none is left.

    ``settings.warehouse_url`` must be set. ``users`` is the descriptor that makes the processes users of the server.
    """
    home = server.state / "airflow"
    logs = home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    server.create_database(METADATA, synchronous_commit="off")
    port = next_free_port(DEFAULT_PORT)
    listening = listening_socket(DEFAULT_MAIL_PORT)
    mail = {"mail_socket": str(listening.fileno()), "mail_folder": str(mail_folder(settings.state))}
    environment = _environment(settings, server, port, listening.getsockname()[1])
    _migrate(home, server, environment)

    airflow = LocalAirflow(home, port, stays, {})
    client = RestClient(airflow.url)
    deadline = time.monotonic() + seconds
    try:
        for name, arguments in _COMPONENTS.items():
            if name == "scheduler":  # the tasks that it starts at once would find nobody to report to
                _wait(client.takes_task_reports, airflow, deadline)
            with (logs / f"{name}.log").open("wb") as log:
                process = subprocess.Popen(
                    [sys.executable, "-m", *(argument.format_map(mail) for argument in arguments)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=home,
                    env=environment,
                    start_new_session=True,
                    pass_fds=[users, *([listening.fileno()] if name == "mailbox" else [])],
                )
            airflow.sessions[name] = (process.pid, psutil.Process(process.pid).create_time())
            noted = {"port": port, "stays": stays, "sessions": airflow.sessions}
            _record(home).write_text(json.dumps(noted))
        _wait(client.is_healthy, airflow, deadline)
    except BaseException:
        airflow.stop()
        raise
    finally:
        listening.close()
    return airflow, client


def _wait(until: Callable[[], bool], airflow: LocalAirflow, deadline: float) -> None:
    while not until():
        airflow.require_alive()
        if time.monotonic() > deadline:
            raise AirflowError(f"Airflow did not come up in time; its logs are in {airflow.logs}")
        time.sleep(0.2)


def tail(log: Path, lines: int = 25) -> str:
    """Return the end of a log, task logs (JSON by line) turned into plain text."""
    try:
        raw = log.read_text(errors="replace").splitlines()
    except OSError:
        return "(there is no log)"
    return "\n".join([plain for line in raw for plain in _plain_lines(line)][-lines:])


def _plain_lines(line: str) -> Iterator[str]:
    try:
        entry = json.loads(line)
        yield f"{entry['timestamp'][11:19]} {entry.get('level', '')}: {entry['event']}"
    except (ValueError, TypeError, KeyError):
        yield line
        return
    for error in entry.get("error_detail") or []:
        for frame in error.get("frames", [])[-5:]:
            yield f"    {frame['filename']}:{frame['lineno']} in {frame['name']}"
        yield f"    {error.get('exc_type')}: {error.get('exc_value')}"


def _environment(settings: Settings, server: LocalServer, port: int, mail_port: int) -> dict[str, str]:
    """Return the environment of Airflow's processes: ours, without what would steer another Airflow."""
    home = server.state / "airflow"
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AIRFLOW_") and name != "PYTHONDONTWRITEBYTECODE"
    }
    url = f"http://127.0.0.1:{port}"
    dags = PROJECT_ROOT / "dags"
    metadata = server.url(METADATA)
    configuration: dict[str, dict[str, object]] = {
        "core": {
            "dags_folder": dags,
            "load_examples": False,
            "executor": "warm_executor.WarmLocalExecutor",
            "parallelism": 4,
            "dags_are_paused_at_creation": False,
            "fernet_key": remembered_secret(home / "fernet_key") + "=",
            "internal_api_secret_key": remembered_secret(home / "internal_api_secret", size=64),
            "execution_api_server_url": f"{url}/execution/",
            "simple_auth_manager_all_admins": True,
        },
        "database": {"sql_alchemy_conn": metadata, "sql_alchemy_conn_async": metadata},
        "api": {
            "host": "127.0.0.1",
            "port": port,
            "base_url": url,
            "workers": 1,
            "secret_key": remembered_secret(home / "api_secret", size=64),
        },
        "api_auth": {"jwt_secret": remembered_secret(home / "jwt_secret", size=64)},
        "logging": {"base_log_folder": home / "logs", "colored_console_log": False},
        "scheduler": {
            "scheduler_idle_sleep_time": 0.1,
            # The next run finds tasks that were cut off by a kill soon, not after the default of five minutes.
            "orphaned_tasks_check_interval": 15,
            "task_instance_heartbeat_timeout": 60,
        },
        "dag_processor": {"parsing_processes": 1, "refresh_interval": 10, "min_file_process_interval": 60},
    }
    return (
        inherited
        | {
            f"AIRFLOW__{section.upper()}__{key.upper()}": str(value)
            for section, options in configuration.items()
            for key, value in options.items()
        }
        | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW_CONN_SMTP_DEFAULT": json.dumps(
                {
                    "conn_type": "smtp",
                    "host": "127.0.0.1",
                    "port": mail_port,
                    "extra": {"disable_ssl": True, "disable_tls": True},
                }
            ),
            "PYTHONPATH": os.pathsep.join([str(dags), *filter(None, [inherited.get("PYTHONPATH")])]),
            "PYTHONUNBUFFERED": "1",
            "XDG_RUNTIME_DIR": inherited.get("XDG_RUNTIME_DIR") or str(home),
            "DO_NOT_TRACK": "1",
            "SCARF_NO_ANALYTICS": "true",
        }
        | {
            "ENFORCEMENT_WAREHOUSE_URL": settings.warehouse_url or "",
            "ENFORCEMENT_STATE": str(settings.state),
            "ENFORCEMENT_DEFINITIONS": str(settings.definitions),
            "ENFORCEMENT_LANDING": settings.landing,
            "ENFORCEMENT_STORE": settings.store,
            "ENFORCEMENT_DBT_PROJECT": str(settings.dbt_project),
        }
    )


def _migrate(home: Path, server: LocalServer, environment: dict[str, str]) -> None:
    """Bring the metadata database up to this Airflow; skipped where this Airflow has already done so.

    Asking Airflow costs seconds. The database itself remembers, so a new database is never taken for a prepared one.
    """
    wanted = version("apache-airflow")
    with server.connect(METADATA) as metadata:
        comment = metadata.execute(
            "select shobj_description(oid, 'pg_database') from pg_database where datname = current_database()"
        ).fetchone()
        if comment and comment[0] == wanted:
            return
        log = home / "logs" / "db-migrate.log"
        with log.open("wb") as output:
            outcome = subprocess.run(
                [sys.executable, "-m", "airflow", "db", "migrate"],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=home,
                env=environment,
            )
        if outcome.returncode:
            raise AirflowError(f"Airflow could not prepare its database; the end of {log}:\n{tail(log)}")
        metadata.execute(f"comment on database {METADATA} is '{wanted}'")


def _record(home: Path) -> Path:
    return home / "processes.json"


def _leader(number: int, started: float) -> psutil.Process | None:
    with suppress(psutil.Error):
        process = psutil.Process(number)
        if abs(process.create_time() - started) < 1 and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.Error):
        process.send_signal(number)


def _dag_run(answer: Mapping[str, Any]) -> DagRun:
    queued = answer["queued_at"]
    return DagRun(
        answer["dag_id"], answer["dag_run_id"], answer["state"], datetime.fromisoformat(queued) if queued else None
    )
