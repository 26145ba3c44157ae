"""Taking files in: one outcome for each, nothing doubled, nothing lost, whatever happens in between."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem

from conftest import new_database
from enforcement_reporting import intake
from enforcement_reporting.settings import Settings
from enforcement_reporting.warehouse import connect
from test_rules import HEADER, write_definitions, write_workbook

RECEIVED = datetime(2025, 10, 1, tzinfo=UTC)


@pytest.fixture
def settings(warehouse: Settings, tmp_path: Path) -> Settings:
    """A warehouse with the small catalog of the rules' tests, prepared."""
    prepared = dataclasses.replace(warehouse, definitions=write_definitions(tmp_path / "definitions"))
    intake.prepare(prepared)
    return prepared


def land(settings: Settings, name: str, *rows: tuple[Any, ...]) -> Path:
    """Put a workbook into the landing place."""
    folder = Path(settings.landing) / "inbox"
    folder.mkdir(parents=True, exist_ok=True)
    return write_workbook(folder / name, "隐患统计表", HEADER, list(rows))


def row(unit: str, found: int = 1) -> tuple[Any, ...]:
    return (unit, found, found, 0, "100%", 0, 0, 0)


def take_in_all(settings: Settings) -> list[dict[str, int]]:
    return [intake.take_in(settings, chunk, RECEIVED) for chunk in intake.list_chunks(settings, size=2)]


def query(settings: Settings, statement: str) -> list[tuple[Any, ...]]:
    with connect(settings) as connection:
        return connection.execute(statement.encode()).fetchall()


CONTENT = (
    "select unit_id, submission_id, indicator_id, cell_state, stated_value from intake.observations order by 1, 2, 3"
)


def test_every_landed_file_ends_in_one_outcome_and_leaves_the_landing_place(settings: Settings) -> None:
    land(settings, "a.xlsx", row("镇街01"))
    land(settings, "b.xlsx", row("镇街02"))
    Path(settings.landing, "inbox", "c.xlsx").write_bytes(b"not a workbook")
    assert take_in_all(settings) == [{"taken_in": 2}, {"unreadable": 1}]
    assert query(settings, "select file_name, outcome from intake.files order by 1") == [
        ("a.xlsx", "taken_in"),
        ("b.xlsx", "taken_in"),
        ("c.xlsx", "unreadable"),
    ]
    assert intake.list_landed(settings) == []


def test_the_bytes_are_kept_by_their_sha256(settings: Settings) -> None:
    content = land(settings, "a.xlsx", row("镇街01")).read_bytes()
    take_in_all(settings)
    ((sha256,),) = query(settings, "select file_sha256 from intake.files")
    assert Path(settings.store, sha256[:2], sha256).read_bytes() == content


def test_the_same_bytes_again_are_a_duplicate_and_change_nothing(settings: Settings) -> None:
    land(settings, "a.xlsx", row("镇街01"))
    take_in_all(settings)
    before = query(settings, CONTENT)
    land(settings, "renamed.xlsx", row("镇街01"))
    assert take_in_all(settings) == [{"duplicate": 1}]
    assert query(settings, CONTENT) == before


def test_new_bytes_for_the_same_unit_form_and_period_are_a_submission_of_their_own(settings: Settings) -> None:
    land(settings, "a.xlsx", row("镇街01", 1))
    take_in_all(settings)
    land(settings, "a.xlsx", row("镇街01", 2))
    assert take_in_all(settings) == [{"taken_in": 1}]
    assert query(settings, "select count(*), count(distinct unit_id) from intake.submissions") == [(2, 1)]


def test_a_file_still_being_written_is_left_for_the_next_run(settings: Settings) -> None:
    path = land(settings, "a.xlsx", row("镇街01"))
    (chunk,) = intake.list_chunks(settings)
    path.write_bytes(path.read_bytes() + b" ")
    assert intake.take_in(settings, chunk, RECEIVED) == {}
    assert path.exists() and query(settings, "select count(*) from intake.files") == [(0,)]


def test_a_file_with_an_awkward_name_is_taken_in_and_one_that_cannot_be_fetched_stops_no_other(
    settings: Settings,
) -> None:
    folder = land(settings, "x::y.xlsx", row("镇街01")).parent
    gbk = os.fsdecode("报表.xlsx".encode("gb18030"))
    land(settings, "c.xlsx", row("镇街02")).rename(folder / gbk)
    (folder / "link.xlsx").symlink_to("/etc/passwd")
    (chunk,) = intake.list_chunks(settings)
    with connect(settings) as connection:  # Airflow hands chunks on as jsonb, which refuses half a character
        connection.execute("select %s::jsonb", [json.dumps(chunk)])
    gone = {**chunk[0], "path": chunk[0]["path"] + "/below", "version": "?"}
    with pytest.raises(intake.IntakeError, match="1 files could not be taken in: below"):
        intake.take_in(settings, [gone, *chunk], RECEIVED)
    assert query(settings, "select file_name from intake.files order by 1") == [("x::y.xlsx",), ("报表.xlsx",)]


def test_what_the_catalog_learnt_to_know_is_taken_in_when_the_file_is_sent_again(settings: Settings) -> None:
    land(settings, "a.xlsx", row("镇街01"), row("新设镇"))
    take_in_all(settings)
    authority = settings.definitions / "catalog/testland/authority.yaml"
    known = authority.read_text(encoding="utf-8")
    new_unit = "[{unit_id: unit_new, name: 新设镇, kind: 镇街}, "
    authority.write_text(known.replace("members: [", f"members: {new_unit}"), encoding="utf-8")
    intake.prepare(settings)
    for outcome in ("taken_in", "duplicate"):
        land(settings, "a.xlsx", row("镇街01"), row("新设镇"))
        assert take_in_all(settings) == [{outcome: 1}]
    assert query(settings, "select unit_id, count(*) from intake.submissions group by 1 order by 1") == [
        ("unit_01", 1),
        ("unit_new", 1),
    ]


def test_lock_files_and_hidden_files_are_not_submissions(settings: Settings) -> None:
    land(settings, "a.xlsx", row("镇街01")).rename(Path(settings.landing, "inbox", "~$a.xlsx"))
    land(settings, ".b.xlsx", row("镇街01"))
    assert intake.list_landed(settings) == []


def test_killed_after_recording_a_file_and_before_removing_it_records_it_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = land(settings, "a.xlsx", row("镇街01"))
    (chunk,) = intake.list_chunks(settings)
    with monkeypatch.context() as killed:
        killed.setattr(LocalFileSystem, "rm_file", lambda *_: sys.exit("killed"))
        with pytest.raises(SystemExit):
            intake.take_in(settings, chunk, RECEIVED)
    assert path.exists()
    assert intake.take_in(settings, chunk, RECEIVED) == {"taken_in": 1}
    assert query(settings, "select count(*) from intake.files") == [(1,)]
    assert not path.exists()


def test_files_are_received_in_the_order_they_arrived_whatever_their_names(settings: Settings) -> None:
    land(settings, "b.xlsx", row("镇街01", 1))
    time.sleep(0.02)
    land(settings, "a 更正.xlsx", row("镇街01", 2))
    for chunk in intake.list_chunks(settings):
        intake.take_in(settings, chunk, datetime.now(UTC))
    names = query(settings, "select file_name from intake.files order by received_at")
    assert names == [("b.xlsx",), ("a 更正.xlsx",)]


def test_the_same_bytes_landed_again_after_the_catalog_was_mended_are_read_again(settings: Settings) -> None:
    path = land(settings, "a.xlsx", row("新设镇"))
    kept, content = path.stat(), path.read_bytes()
    assert take_in_all(settings) == [{"unreadable": 1}]
    authority = settings.definitions / "catalog/testland/authority.yaml"
    known = authority.read_text(encoding="utf-8")
    authority.write_text(known.replace("members: [", "members: [{unit_id: unit_new, name: 新设镇, kind: 镇街}, "))
    intake.prepare(settings)
    path.write_bytes(content)
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))  # as `cp -p` does
    assert take_in_all(settings) == [{"taken_in": 1}]


def test_a_file_that_breaks_the_reader_does_not_stop_the_others(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from enforcement_reporting.workbook import Reader

    read = Reader.read

    def broken(reader: Reader, content: bytes, name: str) -> Any:
        if name == "a.xlsx":
            raise ZeroDivisionError
        return read(reader, content, name)

    monkeypatch.setattr(Reader, "read", broken)
    land(settings, "a.xlsx", row("镇街01"))
    land(settings, "b.xlsx", row("镇街02"))
    assert take_in_all(settings) == [{"unreadable": 1, "taken_in": 1}]


def test_reading_findings_stand_beside_the_rest_of_the_file(settings: Settings) -> None:
    land(settings, "a.xlsx", row("镇街01"), ("镇街02", "十", 1, 0, "100%", 0, 0, 0), row("无名镇"))
    take_in_all(settings)
    found = query(settings, "select rule_kind, unit_id, cells, stated from quality.findings order by 1")
    assert found == [
        ("unknown_unit", None, "Sheet1!A5", "无名镇"),
        ("unreadable_cell", "unit_02", "Sheet1!B4", "十"),
    ]
    assert query(settings, "select count(*) from intake.submissions") == [(2,)]


def test_killed_in_the_middle_of_a_load_and_run_again_leaves_the_same_rows(
    settings: Settings, server: Any, template: str, tmp_path: Path
) -> None:
    other = dataclasses.replace(
        settings,
        warehouse_url=new_database(server, template),
        state=tmp_path / "other",
        landing=str(tmp_path / "other/landing"),
        store=str(tmp_path / "other/store"),
    )
    intake.prepare(other)
    for target in (settings, other):
        land(target, "a.xlsx", row("镇街01"))
        land(target, "b.xlsx", row("镇街02"), row("镇街03"))
    take_in_all(other)

    with connect(settings) as blocker, connect(settings) as watcher:
        watcher.autocommit = True
        # The load gets as far as the observations, with its submissions written, and waits there.
        blocker.execute("lock table intake.observations in access exclusive mode")
        task = subprocess.Popen(
            [sys.executable, "-c", _TAKE_IN],
            env={
                **os.environ,
                "ENFORCEMENT_STATE": str(settings.state),
                "ENFORCEMENT_DEFINITIONS": str(settings.definitions),
                "ENFORCEMENT_WAREHOUSE_URL": str(settings.warehouse_url),
            },
        )
        waiting = (
            "select 1 from pg_stat_activity where wait_event_type = 'Lock'"
            f" and application_name = 'enforcement-reporting {task.pid}'"
        )
        deadline = time.monotonic() + 30
        while not watcher.execute(waiting.encode()).fetchone():
            assert time.monotonic() < deadline and task.poll() is None, "the load never reached the observations"
            time.sleep(0.05)
        task.send_signal(signal.SIGKILL)
        task.wait()
        blocker.rollback()

    take_in_all(settings)
    assert query(settings, CONTENT) == query(other, CONTENT) != []
    everything = "select file_name, outcome, received_at from intake.files order by 1"
    assert query(settings, everything) == query(other, everything)


_TAKE_IN = """
from datetime import UTC, datetime
from enforcement_reporting import intake
from enforcement_reporting.settings import Settings
settings = Settings.from_environment()
for chunk in intake.list_chunks(settings):
    intake.take_in(settings, chunk, datetime(2025, 10, 1, tzinfo=UTC))
"""
