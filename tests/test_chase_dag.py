"""The DAG that writes to the units, on a real warehouse, with a mail server reached through an Airflow connection."""

from __future__ import annotations

import importlib
import json
import smtplib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from conftest import new_database, settings_for
from enforcement_reporting import intake
from enforcement_reporting.local.postgres import LocalServer
from enforcement_reporting.quality import check_submissions
from enforcement_reporting.settings import PROJECT_ROOT, Settings
from enforcement_reporting.warehouse import connect
from mailserver import MailServer
from test_notices import CONTACTS, DEFINITIONS, FORM, TALKS, Office, at

REPLAY = {"replay_from": at("02-05", "00:00").isoformat(), "replay_until": at("02-08", "20:00").isoformat()}
NOW: dict[str, None] = {"replay_from": None, "replay_until": None}
SCHEDULED, BACKFILL = SimpleNamespace(run_type="scheduled"), SimpleNamespace(run_type="backfill")


@pytest.fixture
def office(server: LocalServer, template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    for name, content in DEFINITIONS.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    settings = settings_for(tmp_path / "state", tmp_path, new_database(server, template))
    intake.prepare(settings)
    with connect(settings) as connection:
        connection.cursor().executemany("insert into mail.contacts values (%s, %s, '统计员')", CONTACTS)
    for name, value in (
        ("AIRFLOW_HOME", tmp_path / "airflow"),
        ("ENFORCEMENT_WAREHOUSE_URL", settings.warehouse_url),
        ("ENFORCEMENT_DEFINITIONS", settings.definitions),
        ("ENFORCEMENT_STATE", settings.state),
    ):
        monkeypatch.setenv(name, str(value))
    monkeypatch.syspath_prepend(str(PROJECT_ROOT / "dags"))
    return Office(settings, tmp_path)


def task(name: str) -> Callable[..., Any]:
    dag = importlib.import_module("chase_late_units").chase_late_units()
    return dag.get_task(name).python_callable  # type: ignore[no-any-return]


def connection_to(port: int) -> str:
    extra = {"disable_ssl": True, "disable_tls": True, "retry_limit": 0, "timeout": 3}
    return json.dumps({"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra})


def states(settings: Settings) -> set[str]:
    with connect(settings) as connection:
        return {state for (state,) in connection.execute("select distinct state from mail.deliveries").fetchall()}


def test_a_past_campaign_is_played_as_it_would_have_been_chased_and_playing_it_again_writes_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.receive_all(at("02-05", "15:00"), but=[f"{FORM} 乙镇", f"{TALKS} 丙镇"])
    office.receive(TALKS, "丙镇", [1], at("02-07", "10:00"))
    check_submissions(office.settings)
    with MailServer() as post:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", connection_to(post.port))
        assert task("write_and_send")(dag_run=SCHEDULED, params=REPLAY) == {"sent": 3}
        subjects = [(to, str(mail["Subject"])[9:13]) for to, mail in post.received]
        assert subjects == [("b@x.example", "报送提醒"), ("c@x.example", "报送提醒"), ("b@x.example", "催报：2")]
        assert task("write_and_send")(dag_run=SCHEDULED, params=REPLAY) == {}


def test_a_server_that_is_away_fails_the_task_and_the_mails_wait(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.receive_all(at("02-05", "15:00"), but=[f"{FORM} 乙镇"])
    check_submissions(office.settings)
    with MailServer() as post:
        nobody = post.port
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", connection_to(nobody))
    with pytest.raises(AirflowException, match="the mails wait"):
        task("write_and_send")(dag_run=SCHEDULED, params=REPLAY)
    assert states(office.settings) == {"queued", "withdrawn"}, "what was written one day is written anew on the next"


def test_without_a_connection_mails_are_written_and_wait(office: Office) -> None:
    office.receive_all(at("02-05", "15:00"), but=[f"{FORM} 乙镇"])
    check_submissions(office.settings)
    assert task("write_and_send")(dag_run=SCHEDULED, params=REPLAY) == {}
    assert "queued" in states(office.settings)


def test_a_backfill_looks_at_nothing_and_writes_to_nobody(office: Office) -> None:
    office.receive_all(at("02-05", "15:00"), but=[f"{FORM} 乙镇"])
    for name in ("check_obligations", "write_and_send"):
        with pytest.raises(AirflowSkipException):
            task(name)(dag_run=BACKFILL, params=NOW)
    assert office.rows("select count(*) from mail.notices") == [(0,)]


def test_what_is_long_over_is_found_missing_and_written_about_to_nobody(office: Office) -> None:
    office.receive_all(at("02-05", "15:00"), but=[f"{FORM} 乙镇"])
    check_submissions(office.settings)
    assert task("check_obligations")(dag_run=SCHEDULED, params=NOW)["missing"] >= 1
    with pytest.raises(AirflowSkipException):
        task("check_obligations")(dag_run=SCHEDULED, params=NOW)
    task("write_and_send")(dag_run=SCHEDULED, params=NOW)
    assert office.rows("select count(*) from mail.notices where period_id = '2025-01'") == [(0,)]


def test_the_server_of_the_connection_is_opened_by_the_provider(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail_channels = importlib.import_module("mail_channels")
    assert mail_channels.open_server() is None
    with MailServer() as post:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", connection_to(post.port))
        server = mail_channels.open_server()()
        assert isinstance(server, smtplib.SMTP) and server.noop()[0] == 250
