"""DAG files are thin: they parse in no time, load nothing heavy, and say how their tasks are retried."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from enforcement_reporting.settings import PROJECT_ROOT

DAGS = PROJECT_ROOT / "dags"
HEAVY = ("pandas", "great_expectations", "dbt", "openpyxl", "python_calamine", "alembic.command")

PARSE = """
import json, sys, time
import airflow.sdk
from airflow.dag_processing.dagbag import DagBag
from airflow.triggers.base import BaseEventTrigger

before = set(sys.modules)
began = time.process_time()
bag = DagBag(sys.argv[1], bundle_name="dags-folder")
seconds = time.process_time() - began
dags = {
    dag.dag_id: {
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "tasks": {
            task.task_id: {"retries": task.retries, "timeout": task.execution_timeout is not None}
            for task in dag.tasks
        },
    }
    for dag in bag.dags.values()
}
loaded = sorted(set(sys.modules) - before)
print(json.dumps({"seconds": seconds, "errors": bag.import_errors, "dags": dags, "loaded": loaded}))
"""


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Import all DAG files in a fresh process, as the dag-processor does."""
    home = tmp_path_factory.mktemp("airflow")
    outcome = subprocess.run(
        [sys.executable, "-c", PARSE, str(DAGS)],
        env={
            **os.environ,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
            "PYTHONPATH": str(DAGS),
            "ENFORCEMENT_STATE": str(home / "state"),
        },
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(outcome.stdout.splitlines()[-1])


def test_every_dag_file_makes_its_dag(parsed: dict[str, Any]) -> None:
    not_dags = (DAGS / ".airflowignore").read_text().split()
    assert parsed["errors"] == {}
    assert set(parsed["dags"]) == {file.stem for file in DAGS.glob("*.py") if file.name not in not_dags}


def test_dag_files_parse_in_less_than_a_second(parsed: dict[str, Any]) -> None:
    assert parsed["seconds"] < 1


def test_dag_files_load_nothing_heavy(parsed: dict[str, Any]) -> None:
    heavy = [
        name for name in parsed["loaded"] if name.startswith(tuple(f"{module}." for module in HEAVY)) or name in HEAVY
    ]
    assert not heavy
    assert [name for name in parsed["loaded"] if name.startswith("enforcement_reporting.")] == [
        "enforcement_reporting.settings"
    ]


def test_every_task_is_limited_in_time_and_retried_unless_it_only_reports_a_failure(parsed: dict[str, Any]) -> None:
    for dag in parsed["dags"].values():
        assert dag["catchup"] is False
        assert dag["max_active_runs"] == 1
        for task_id, task in dag["tasks"].items():
            assert task["timeout"], task_id
            assert task["retries"] >= 1 or task_id.startswith("fail_if_"), task_id


def test_tasks_are_forks_of_a_process_that_has_imported_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DAGS))
    from airflow.executors.local_executor import LocalExecutor

    from warm_executor import WarmLocalExecutor

    imported: list[bool] = []
    heavy = {"alembic.command", "dbt.cli.main", "enforcement_reporting.quality.expect"}
    monkeypatch.setattr(LocalExecutor, "start", lambda self: imported.append(heavy <= sys.modules.keys()))
    WarmLocalExecutor().start()
    assert imported == [True]


def test_watcher_reports_a_file_once_it_has_stopped_growing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DAGS))
    from landing_watcher import NewFilesTrigger

    monkeypatch.setenv("ENFORCEMENT_LANDING", str(tmp_path))
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "old.xlsx").write_bytes(b"was there before")
    events = NewFilesTrigger(seconds=0.05).run()

    async def drop_and_wait() -> list[str]:
        async def drop() -> None:
            await asyncio.sleep(0.2)
            (inbox / ".on_its_way.xlsx").write_bytes(b"half")
            for length in range(1, 6):
                (inbox / "growing.xlsx").write_bytes(b"x" * length)
                await asyncio.sleep(0.03)

        dropping = asyncio.create_task(drop())
        event = await asyncio.wait_for(anext(events), timeout=5)
        assert dropping.done(), "reported while still being written"
        return event.payload

    assert [Path(name).name for name in asyncio.run(drop_and_wait())] == ["growing.xlsx"]
