"""The README's command, as a newcomer gives it: real PostgreSQL, real Airflow, its scheduler at work.

The tests build on one another, in this order, on one state folder.
"""

from __future__ import annotations

import email
import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import psycopg
import pytest

from conftest import settings_for, state_folder
from enforcement_reporting import intake
from enforcement_reporting.local.postgres import WAREHOUSE, find_server, local_warehouse
from enforcement_reporting.settings import PROJECT_ROOT, Settings
from enforcement_reporting.warehouse import connect


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    with state_folder() as folder:
        yield folder
        local(folder, "down")


def local(state: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the local stack to its end."""
    process = start(state, command)
    output, _ = process.communicate(timeout=600)
    return subprocess.CompletedProcess(process.args, process.returncode, output)


def start(state: Path, command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "enforcement_reporting.local", command],
        env={**os.environ, "ENFORCEMENT_STATE": str(state)},
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def until(question: Callable[[], object], seconds: float, what: str) -> object:
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.2)
    return answer


def counts(settings: Settings) -> tuple[int, ...]:
    with local_warehouse(settings) as warehouse, connect(warehouse) as connection:
        row = connection.execute(
            "select (select count(*) from marts.fct_files where outcome = 'taken_in'),"
            " (select count(*) from marts.fct_submissions where row_role is not null),"
            " (select count(*) from intake.observations), (select count(*) from marts.fct_indicator_values),"
            " (select count(*) from marts.fct_findings)"
        ).fetchone()
    assert row is not None
    return row


def mails(state: Path) -> list[tuple[str, str, list[str]]]:
    """Return the mails that have arrived: recipient, subject, attached."""
    found = []
    for path in sorted((state / "mail").glob("*.eml")):
        mail = email.message_from_bytes(path.read_bytes(), policy=default)
        assert isinstance(mail, EmailMessage)
        names = [str(attachment.get_filename()) for attachment in mail.iter_attachments()]
        found.append((mail["To"].addresses[0].addr_spec, mail["Subject"], names))
    return found


# What the replay calls for: a fine without a penalty goes back and is mended, one street is late, one department has
# had nothing to report four times; and what is wrong in the published table, of which nobody sent a correction.
# Nobody else is written to.
MAILS = [
    ("ziran_ziyuan@licheng.example", "请更正：0904期", 1),
    ("ziran_ziyuan@licheng.example", "已通过：0904期", 0),
    ("xiefucheng@licheng.example", "请核实：0904期", 1),
    ("gongchen@licheng.example", "催报：0912期", 0),
    ("all@licheng.example", "请更正：0926期", 1),
    ("wenlv@licheng.example", "请更正：0926期", 1),
    ("xiefucheng@licheng.example", "请核实：0926期", 1),
]

# Four workbooks of published tables, five of what published texts state, and the replay of a campaign in twelve: seven
# issues of 27 units and a total row, four corrections. Its last issue is among the published tables too: a second
# submission of each row, figures once. Beside the seven issues stand the four months that end with one. Beside what the
# suites find, one report is late. In the published tables and in each of the seven issues, major hazards of the fire
# brigade stay unfixed. Of the figures stated in texts, those of two authorities are nobody else's: the marts hold them.
LANDED = (9 + 12, 92 + 22 + 200, 1123 + 191 + 200 * 28, 190 + 39 + 65 + 26 + (7 + 4) * 756 + 110, 12 + 19 + 12 + 1)


def test_the_scheduled_dags_do_the_work_even_if_the_intake_is_killed_in_the_middle_of_a_load(state: Path) -> None:
    settings = settings_for(state)
    with local_warehouse(settings) as warehouse:
        intake.prepare(warehouse)
        with connect(warehouse) as blocker, connect(warehouse) as watcher:
            watcher.autocommit = True
            # The load writes a file's submissions, comes to its figures, and waits here.
            blocker.execute("lock table intake.figures in access exclusive mode")
            run = start(state, "run")
            waiting = (
                "select split_part(application_name, ' ', 2)::int from pg_stat_activity"
                " where wait_event_type = 'Lock' and application_name like 'enforcement-reporting %'"
            )
            row = until(lambda: watcher.execute(waiting).fetchone(), 400, "the load has come to the observations")
            assert isinstance(row, tuple)
            os.kill(row[0], signal.SIGKILL)
            blocker.rollback()
        output, _ = run.communicate(timeout=600)
    assert run.returncode == 0, output
    assert "failed try 1, will be tried again" in output, output
    assert "33.9%" in output and "Data Docs" in output
    assert counts(settings) == LANDED
    arrived = [(to, subject.split("《")[0].split("】")[1], len(attached)) for to, subject, attached in mails(state)]
    assert sorted(arrived) == sorted(MAILS)
    assert find_server(state) is None, "what the run had started is stopped"


def test_a_second_run_does_nothing_twice_and_says_so(state: Path) -> None:
    done = local(state, "run")
    assert done.returncode == 0, done.stdout
    assert "nothing was done twice" in done.stdout
    assert counts(settings_for(state)) == LANDED
    assert len(mails(state)) == len(MAILS), "nobody is written to again"


def test_a_workbook_dropped_while_it_is_up_comes_to_be_in_the_marts_by_itself(state: Path, tmp_path: Path) -> None:
    settings = settings_for(state)
    assert local(state, "up").returncode == 0
    workbook = next((state / "examples").glob("驻马店*统计表.xlsx"))
    changed = tmp_path / "更正.xlsx"
    shutil.copy(workbook, changed)
    with changed.open("ab") as file:
        file.write(b"\0")  # other bytes, the same figures: a revision
    inbox = Path(settings.landing) / "inbox"
    server = find_server(state)
    assert server is not None

    def revisions() -> tuple[int, ...] | None:
        with psycopg.connect(server.reader_url()) as reader:
            return reader.execute(
                "select count(*) from marts.fct_submissions where form_id = 'zhumadian_score' and revision = 2"
            ).fetchone()

    assert revisions() == (0,)
    # Who watches the places may have begun only after the file lay there, and leaves that to the time schedule. Dropped
    # again, the same bytes are a duplicate.
    deadline = time.monotonic() + 240
    for number in itertools.count(1):
        shutil.copy(changed, inbox / ".更正.xlsx")
        (inbox / ".更正.xlsx").rename(inbox / f"驻马店市2020年1-6月更正{number}.xlsx")
        dropped = time.monotonic()
        while revisions() != (10,) and time.monotonic() < dropped + 40:
            time.sleep(0.5)
        if revisions() == (10,):
            break
        assert time.monotonic() < deadline, f"the revision is not in the marts of {WAREHOUSE}"
    assert local(state, "down").returncode == 0
    assert find_server(state) is None
