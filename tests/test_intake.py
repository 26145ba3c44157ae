"""Taking files in: one outcome for each, nothing doubled, nothing lost, whatever happens in between."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
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


def test_a_file_that_changes_while_it_is_read_is_left_for_the_next_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = land(settings, "a.xlsx", row("镇街01"))
    (chunk,) = intake.list_chunks(settings)
    opened = intake._open

    def written_meanwhile(filesystem: Any, name: str, mode: str) -> Any:
        source = opened(filesystem, name, mode)
        path.write_bytes(b"not yet a workbook")
        return source

    monkeypatch.setattr(intake, "_open", written_meanwhile)
    assert intake.take_in(settings, chunk, RECEIVED) == {}
    assert path.exists() and query(settings, "select count(*) from intake.files") == [(0,)]


def test_landing_place_and_store_may_be_elsewhere_than_in_a_folder(settings: Settings) -> None:
    (settings.definitions / "catalog/landing.yaml").write_text(
        "places: [{place_id: remote, path: 'memory://landing', policy: collect}]", encoding="utf-8"
    )
    remote = dataclasses.replace(settings, store="memory://store")
    memory = fsspec.filesystem("memory")
    try:
        for name, unit in (("b.xlsx", 1), ("a.xlsx", 2)):
            memory.pipe_file(f"/landing/{name}", land(settings, name, row(f"镇街0{unit}")).read_bytes())
        (chunk,) = intake.list_chunks(remote)
        assert [entry["path"] for entry in chunk] == ["/landing/b.xlsx", "/landing/a.xlsx"]
        memory.pipe_file("/landing/a.xlsx", memory.cat_file("/landing/a.xlsx"))
        assert intake.take_in(remote, chunk, datetime.now(UTC)) == {"taken_in": 1}
        assert [file.path for file in intake.list_landed(remote)] == ["/landing/a.xlsx"]
        ((sha256,),) = query(settings, "select file_sha256 from intake.files")
        assert memory.find("/store") == [f"/store/{sha256[:2]}/{sha256}"]
    finally:
        memory.store.clear()


def test_a_store_that_takes_no_more_loses_nothing_and_keeps_no_half_file(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = land(settings, "a.xlsx", row("镇街01"))
    (chunk,) = intake.list_chunks(settings)

    def full(*_: str) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "replace", full)
        with pytest.raises(intake.IntakeError, match="No space left"):
            intake.take_in(settings, chunk, RECEIVED)
    assert path.exists() and not [file for file in Path(settings.store).rglob("*") if file.is_file()]
    assert intake.take_in(settings, chunk, RECEIVED) == {"taken_in": 1}


def test_a_place_may_say_in_its_folders_when_a_file_was_received(settings: Settings) -> None:
    (settings.definitions / "catalog/landing.yaml").write_text(
        "places: [{place_id: history, path: history, policy: collect, received: in_path}]", encoding="utf-8"
    )
    path, place = land(settings, "a.xlsx", row("镇街01")), Path(settings.landing, "history")
    for name in (
        "2023-09-12T1730+0800/b.xlsx",
        "2023-09-12/c.xlsx",
        "2023-09-12T0830+0000/deeper/a.xlsx",
        "2023-09-12T1730/no_offset.xlsx",
        "someday/s.xlsx",
        "none.xlsx",
    ):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place / name)
    (chunk,) = intake.list_chunks(settings)
    with pytest.raises(intake.IntakeError, match=r"^3 files .*none\.xlsx: the first folder .* no instant") as error:
        intake.take_in(settings, chunk, datetime.now(UTC))
    assert "someday" in str(error.value) and "no_offset" in str(error.value)
    assert query(settings, "select file_name, received_at at time zone 'UTC' from intake.files order by 2") == [
        ("c.xlsx", datetime(2023, 9, 12, 4)),
        ("a.xlsx", datetime(2023, 9, 12, 8, 30)),
        ("b.xlsx", datetime(2023, 9, 12, 9, 30)),
    ]
    assert query(settings, "select file_name from intake.files where outcome = 'taken_in'") == [("c.xlsx",)]
    assert {Path(file.path).name for file in intake.list_landed(settings)} == {"none.xlsx", "no_offset.xlsx", "s.xlsx"}


def test_files_are_listed_in_the_order_they_arrived_and_no_more_than_one_run_can_take(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "cabd":
        land(settings, f"{name}.xlsx", row("镇街01"))
        time.sleep(0.02)
    assert [Path(file.path).stem for file in intake.list_landed(settings)] == ["c", "a", "b", "d"]
    monkeypatch.setattr(intake, "MAX_CHUNKS", 1)
    (chunk,) = intake.list_chunks(settings, size=3)
    assert [Path(entry["path"]).stem for entry in chunk] == ["c", "a", "b"]


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


def test_the_same_bytes_twice_in_one_batch_are_taken_in_once(settings: Settings) -> None:
    path = land(settings, "a.xlsx", row("镇街01"))
    shutil.copy(path, path.with_name("b.xlsx"))
    land(settings, "c.xlsx", row("镇街02"))
    (chunk,) = intake.list_chunks(settings)
    assert intake.take_in(settings, chunk, RECEIVED) == {"taken_in": 2, "duplicate": 1}
    assert query(settings, "select file_name, outcome, reason from intake.files order by 1") == [
        ("a.xlsx", "taken_in", None),
        ("b.xlsx", "duplicate", "与已收到的“a.xlsx”内容完全相同，不重复采集。"),
        ("c.xlsx", "taken_in", None),
    ]
    assert query(settings, "select count(*), count(distinct unit_id) from intake.submissions") == [(2, 2)]


@contextmanager
def held_up_before_the_figures(settings: Settings, tasks: int) -> Iterator[Callable[[], None]]:
    """Let so many tasks read their files and wait: one for this block with its submissions written, others for it."""
    with connect(settings) as blocker, connect(settings) as watcher:
        watcher.autocommit = True
        blocker.execute("lock table intake.figures in access exclusive mode")

        def all_are_waiting() -> None:
            waiting = (
                "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
            )
            deadline = time.monotonic() + 30
            while watcher.execute(waiting).fetchone() != (tasks,):
                assert time.monotonic() < deadline, "they do not meet"
                time.sleep(0.02)

        yield all_are_waiting
        blocker.rollback()


@pytest.mark.parametrize("files", [1, 2])
def test_the_same_bytes_in_two_batches_at_work_beside_one_another_are_taken_in_once(
    settings: Settings, files: int
) -> None:
    for name in ("first", "second"):
        for unit in range(1, files + 1):
            land(settings, f"{name}{unit}.xlsx", row(f"镇街0{unit}"))
            time.sleep(0.02)
    first, second = intake.list_chunks(settings, size=files)
    with ThreadPoolExecutor() as pool:
        with held_up_before_the_figures(settings, 2) as wait:  # the second asks for the same in another order
            running = [pool.submit(intake.take_in, settings, chunk, RECEIVED) for chunk in (first, second[::-1])]
            wait()
        outcomes = [task.result() for task in running]
    assert sorted(map(str, outcomes)) == [str({"duplicate": files}), str({"taken_in": files})]
    assert query(settings, "select unit_id, count(*) from intake.submissions group by 1 order by 1") == [
        (f"unit_0{unit}", 1) for unit in range(1, files + 1)
    ]


@pytest.mark.parametrize("workbooks", [0, 3])
def test_the_same_chunk_taken_in_by_two_tasks_at_once_is_recorded_once(settings: Settings, workbooks: int) -> None:
    for unit in range(1, workbooks + 1):
        land(settings, f"{unit}.xlsx", row(f"镇街0{unit}"))
    inbox = Path(settings.landing, "inbox")
    inbox.mkdir(parents=True, exist_ok=True)
    (inbox / "no.xlsx").write_bytes(b"not a workbook")
    (chunk,) = intake.list_chunks(settings)
    with ThreadPoolExecutor() as pool:
        with held_up_before_the_figures(settings, 2) as wait:
            running = [pool.submit(intake.take_in, settings, chunk, RECEIVED) for _ in range(2)]
            wait()
        expected = ({"taken_in": workbooks} if workbooks else {}) | {"unreadable": 1}
        assert [task.result() for task in running] == [expected] * 2
    assert query(settings, "select file_name, outcome from intake.files order by 1") == [
        *((f"{unit}.xlsx", "taken_in") for unit in range(1, workbooks + 1)),
        ("no.xlsx", "unreadable"),
    ]
    assert query(settings, "select count(*) from intake.submissions") == [(workbooks,)]
    assert intake.list_landed(settings) == []


def test_files_are_recorded_in_batches_of_a_bounded_size(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    transactions = "select count(distinct xmin::text) from intake.files"
    for number in range(5):
        land(settings, f"{number}.xlsx", row("镇街01", number))
    take_in = [intake.take_in(settings, chunk, RECEIVED) for chunk in intake.list_chunks(settings)]
    assert take_in == [{"taken_in": 5}] and query(settings, transactions) == [(1,)]
    for bound, value, batches in (("BATCH_FILES", 2, 3), ("BATCH_ROWS", 1, 5), ("BATCH_BYTES", 1, 5)):
        with monkeypatch.context() as bounded, connect(settings) as connection:
            bounded.setattr(intake, bound, value)
            connection.execute("truncate intake.files")
            connection.commit()
            for number in range(5):
                land(settings, f"{number}.xlsx", row("镇街02", batches * 10 + number), row("镇街03", value))
            for chunk in intake.list_chunks(settings):
                intake.take_in(settings, chunk, RECEIVED)
            assert query(settings, transactions) == [(batches,)], bound


@pytest.mark.parametrize("part", ["sheet", "figures"])
def test_a_file_that_the_database_refuses_is_refused_alone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    from enforcement_reporting.workbook import Observations, Reader

    read = Reader.read

    def with_what_no_text_may_hold(reader: Reader, content: bytes, name: str) -> Any:
        result = read(reader, content, name)
        last = result.submissions[-1]
        if name == "3.xlsx" and part == "sheet":
            last.sheet = "\0"  # the server does not take it
        elif name == "3.xlsx":
            said = last.observations
            twice = (list(column) * 2 for column in (said.indicator_ids, said.readings, said.cells))
            last.observations = Observations(*twice)  # a layout has each indicator once
        return result

    monkeypatch.setattr(Reader, "read", with_what_no_text_may_hold)
    for unit in range(1, 6):
        land(settings, f"{unit}.xlsx", row(f"镇街0{unit}"), row(f"镇街1{unit}"))
    (chunk,) = intake.list_chunks(settings)
    assert intake.take_in(settings, chunk, RECEIVED) == {"taken_in": 4, "unreadable": 1}
    ((name, reason),) = query(settings, "select file_name, reason from intake.files where outcome = 'unreadable'")
    assert name == "3.xlsx" and reason.startswith("文件中有无法保存的内容")
    units = [unit_id for (unit_id,) in query(settings, "select unit_id from intake.submissions order by 1")]
    assert units == [f"unit_{tens}{ones}" for tens in (0, 1) for ones in (1, 2, 4, 5)]
    assert intake.list_landed(settings) == []


def test_each_file_is_touched_and_each_submission_waits_for_a_check(settings: Settings) -> None:
    waiting = "select submission_id from intake.unchecked order by 1"
    with connect(settings) as connection:
        connection.execute("truncate intake.touched")
    land(settings, "a.xlsx", row("镇街01"), row("镇街02"))
    take_in_all(settings)
    submissions = query(settings, "select submission_id from intake.submissions order by 1")
    assert query(settings, waiting) == submissions and len(submissions) == 2
    land(settings, "b.xlsx", row("镇街01"), row("镇街02"))
    Path(settings.landing, "inbox", "c.xlsx").write_bytes(b"not a workbook")
    assert take_in_all(settings) == [{"duplicate": 1, "unreadable": 1}]
    assert query(settings, waiting) == submissions
    listed = query(settings, "select file_id from intake.touched order by 1")
    assert listed == query(settings, "select file_id from intake.files order by 1") and len(listed) == 3


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


def test_killed_after_recording_a_batch_and_before_removing_all_of_it_records_each_file_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [land(settings, f"{name}.xlsx", row(f"镇街0{unit}")) for unit, name in enumerate("abc", 1)]
    (chunk,) = intake.list_chunks(settings)
    remove, removed = LocalFileSystem.rm_file, []

    def killed_at_the_second(filesystem: LocalFileSystem, path: str) -> None:
        if removed:
            sys.exit("killed")
        remove(filesystem, path)
        removed.append(path)

    with monkeypatch.context() as killed:
        killed.setattr(LocalFileSystem, "rm_file", killed_at_the_second)
        with pytest.raises(SystemExit):
            intake.take_in(settings, chunk, RECEIVED)
    assert [path.exists() for path in paths] == [False, True, True]
    before = query(settings, CONTENT)
    assert intake.take_in(settings, chunk, RECEIVED) == {"taken_in": 2}
    assert query(settings, "select count(*) from intake.files") == [(3,)]
    assert query(settings, CONTENT) == before
    assert not any(path.exists() for path in paths)


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

    read = Reader._read

    def broken(reader: Reader, content: bytes, name: str) -> Any:
        if name == "a.xlsx":
            raise ZeroDivisionError
        return read(reader, content, name)

    monkeypatch.setattr(Reader, "_read", broken)
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
        # The load gets as far as the figures, with its submissions written, and waits there.
        blocker.execute("lock table intake.figures in access exclusive mode")
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
            assert time.monotonic() < deadline and task.poll() is None, "the load never reached the figures"
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
