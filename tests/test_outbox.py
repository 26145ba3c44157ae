"""Exactly the right number of mails, whatever happens on the way to a real mail server: nothing lost, nothing doubled.

Where nobody can know whether a mail arrived, it is declared to be so and never sent again by itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from enforcement_reporting.catalog import load_catalog
from enforcement_reporting.mail import (
    Attachment,
    ContactsError,
    OutgoingMail,
    load_contacts,
    queue_mails,
    recall,
    send_waiting,
    smtp_server,
)
from enforcement_reporting.mail.outbox import BACKOFF
from enforcement_reporting.settings import PROJECT_ROOT, Settings
from enforcement_reporting.warehouse import connect
from mailserver import HANG_UP, MailServer

NOW = datetime(2025, 2, 10, 1, 0, tzinfo=UTC)
MAIL = OutgoingMail(
    authority_id="au",
    to_unit_id="a",
    is_urgent=False,
    planned_at=NOW,
    planned_on=NOW.date(),
    sender_name="市应急局统计组",
    sender_address="tongji@au.example",
    subject="催报：执法情况月报",
    body_text="请报送。\n.\n..一行以点开头\n",
    body_html="<p>请报送。</p>",
)


@pytest.fixture
def post() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


def queue(
    settings: Settings, *mails: OutgoingMail, contacts: Sequence[tuple[str, str]] = (("a", "a@x.example"),)
) -> None:
    with connect(settings) as connection:
        connection.cursor().executemany(
            "insert into mail.contacts values (%s, %s, '王小明') on conflict do nothing", contacts
        )
        queue_mails(connection, mails)


def states(settings: Settings) -> dict[str, str]:
    with connect(settings) as connection:
        return dict(connection.execute("select address, state from mail.deliveries order by mail_id").fetchall())


def later(minutes: int) -> datetime:
    return NOW + timedelta(minutes=minutes)


def test_a_mail_goes_to_each_contact_once_as_it_was_written(warehouse: Settings, post: MailServer) -> None:
    mail = replace(MAIL, attachments=(Attachment("退回-9月报表.xlsx", b"PK\x03\x04..."),))
    queue(warehouse, mail, contacts=[("a", "a@x.example"), ("a", "b@x.example")])
    assert send_waiting(warehouse, post.open, NOW).counts == {"sent": 2}
    assert send_waiting(warehouse, post.open, later(1)).counts == {}
    assert sorted(post.recipients) == ["a@x.example", "b@x.example"] and post.connections == 1
    recipient, message = post.received[0]
    assert message["To"].addresses[0].addr_spec == recipient and message["To"].addresses[0].display_name == "王小明"
    assert message["From"].addresses[0].display_name == MAIL.sender_name and message["Subject"] == MAIL.subject
    assert message["Auto-Submitted"] == "auto-generated" and message["Message-ID"].endswith("@au.example>")
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert text and html and html.get_content().strip() == MAIL.body_html
    assert text.get_content().replace("\r\n", "\n") == MAIL.body_text
    (attachment,) = message.iter_attachments()
    assert attachment.get_filename() == "退回-9月报表.xlsx" and attachment.get_content() == b"PK\x03\x04..."
    assert attachment.get_content_type().endswith("spreadsheetml.sheet")


def test_what_the_server_puts_off_is_tried_again_later_and_then_taken(warehouse: Settings, post: MailServer) -> None:
    queue(warehouse, MAIL)
    post.answers = {"RCPT": ["450 try later"], "DATA": ["451 no space"]}
    assert send_waiting(warehouse, post.open, NOW).counts == {"queued": 1}
    assert send_waiting(warehouse, post.open, later(4)).counts == {}, "not before its time"
    assert send_waiting(warehouse, post.open, later(5)).counts == {"queued": 1}
    assert send_waiting(warehouse, post.open, later(20)).counts == {"sent": 1}
    assert post.recipients == ["a@x.example"]


def test_what_is_put_off_for_days_is_given_up_and_shown(warehouse: Settings, post: MailServer) -> None:
    queue(warehouse, MAIL)
    post.answers = {"RCPT": ["450 mailbox full"] * 20}
    at = NOW
    for wait in (*BACKOFF, timedelta(0)):
        outcome = send_waiting(warehouse, post.open, at)
        at += wait
    assert outcome.counts == {"refused": 1} and at - NOW > timedelta(days=3)
    assert send_waiting(warehouse, post.open, at + timedelta(days=30)).counts == {}


def test_a_recipient_who_is_refused_does_not_keep_it_from_the_other(warehouse: Settings, post: MailServer) -> None:
    queue(warehouse, MAIL, contacts=[("a", "gone@x.example"), ("a", "here@x.example")])
    post.answers = {"RCPT gone@x.example": ["550 no such user"]}
    assert send_waiting(warehouse, post.open, NOW).counts == {"refused": 1, "sent": 1}
    assert states(warehouse) == {"gone@x.example": "refused", "here@x.example": "sent"}
    with connect(warehouse) as connection:
        answer = connection.execute("select answer from mail.deliveries where state = 'refused'").fetchone()
    assert answer == ("RCPT TO: 550 no such user",)


def test_a_server_that_refuses_the_content_is_not_asked_again(warehouse: Settings, post: MailServer) -> None:
    queue(warehouse, MAIL)
    post.answers = {"DATA": ["554 looks like spam"]}
    assert send_waiting(warehouse, post.open, NOW).counts == {"refused": 1}
    assert send_waiting(warehouse, post.open, later(10_000)).counts == {} and post.received == []


def test_a_mail_of_which_none_can_be_made_keeps_no_other_from_going_out(warehouse: Settings, post: MailServer) -> None:
    contacts = [("a", "a@x.example"), ("c", "c@x.example")]
    queue(warehouse, replace(MAIL, sender_address="no address"), replace(MAIL, to_unit_id="c"), contacts=contacts)
    assert send_waiting(warehouse, post.open, NOW).counts == {"refused": 1, "sent": 1}
    assert post.recipients == ["c@x.example"]


def test_a_connection_cut_between_the_mail_and_the_answer_leaves_it_unknown(
    warehouse: Settings, post: MailServer
) -> None:
    queue(warehouse, MAIL, contacts=[("a", "a@x.example"), ("a", "b@x.example")])
    post.answers = {"DATA a@x.example": [HANG_UP]}
    assert send_waiting(warehouse, post.open, NOW).counts == {"unknown": 1, "sent": 1}
    assert send_waiting(warehouse, post.open, later(10_000)).counts == {}
    assert sorted(post.recipients) == ["a@x.example", "b@x.example"], "it had arrived, and is not doubled"


def test_a_connection_cut_before_the_mail_costs_nothing_but_time(warehouse: Settings, post: MailServer) -> None:
    queue(warehouse, MAIL)
    post.answers = {"RCPT": [HANG_UP]}
    assert send_waiting(warehouse, post.open, NOW).counts == {"queued": 1}
    assert send_waiting(warehouse, post.open, later(5)).counts == {"sent": 1}
    assert post.recipients == ["a@x.example"]


def test_a_server_that_is_down_costs_one_attempt_for_all_mails(warehouse: Settings, post: MailServer) -> None:
    contacts = [(f"u{number}", f"u{number}@x.example") for number in range(50)]
    queue(warehouse, *(replace(MAIL, to_unit_id=unit) for unit, _ in contacts), contacts=contacts)
    tried = 0

    def nobody_there():
        nonlocal tried
        tried += 1
        raise ConnectionRefusedError("nobody there")

    outcome = send_waiting(warehouse, nobody_there, NOW)
    assert tried == 1 and "nobody there" in outcome.server_down and outcome.counts == {"queued": 1}
    assert send_waiting(warehouse, post.open, later(5)).counts == {"sent": 50}
    assert len(set(post.recipients)) == len(post.recipients) == 50


def test_a_server_that_never_answers_is_not_waited_for_without_end(warehouse: Settings, post: MailServer) -> None:
    queue(warehouse, MAIL)
    released = threading.Event()
    post.before_answering = lambda: released.wait(8)  # longer than the connection's own 3 s
    began = time.monotonic()
    assert send_waiting(warehouse, post.open, NOW).counts == {"unknown": 1}
    assert time.monotonic() - began < 7
    released.set()


def test_an_authority_that_is_stopped_sends_nothing_and_loses_nothing(warehouse: Settings, post: MailServer) -> None:
    queue(warehouse, MAIL)
    with connect(warehouse) as connection:
        connection.execute("insert into mail.stops values ('au', '演练', '李科长', %s)", [NOW])
    assert send_waiting(warehouse, post.open, NOW).counts == {}
    with connect(warehouse) as connection:
        connection.execute("delete from mail.stops")
    assert send_waiting(warehouse, post.open, NOW).counts == {"sent": 1}


def test_a_mail_is_taken_back_only_while_nobody_has_it(warehouse: Settings, post: MailServer) -> None:
    contacts = [("a", "a@x.example"), ("a", "b@x.example"), ("c", "c@x.example")]
    queue(warehouse, MAIL, replace(MAIL, to_unit_id="c"), contacts=contacts)
    with connect(warehouse) as connection:
        first, second = (row[0] for row in connection.execute("select mail_id from mail.mails order by 1").fetchall())
    post.answers = {"RCPT b@x.example": ["450 later"], "RCPT c@x.example": ["450 later"]}
    send_waiting(warehouse, post.open, NOW)
    with connect(warehouse) as connection:
        assert recall(connection, [first, second], NOW) == [second]
    assert send_waiting(warehouse, post.open, later(5)).counts == {"sent": 1}
    assert post.recipients == ["a@x.example", "b@x.example"]


SENDER = """
import os, sys
from datetime import datetime
from enforcement_reporting.mail import send_waiting, smtp_server
from enforcement_reporting.settings import Settings
settings = Settings.from_environment()
print(dict(send_waiting(settings, smtp_server(sys.argv[1]), datetime.fromisoformat(sys.argv[2])).counts))
"""


def start_sender(settings: Settings, post: MailServer) -> subprocess.Popen[str]:
    """Start a sender in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", SENDER, f"smtp://127.0.0.1:{post.port}", NOW.isoformat()],
        env={**os.environ, "ENFORCEMENT_WAREHOUSE_URL": str(settings.warehouse_url)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_sender_killed_between_sending_and_recording_doubles_nothing(warehouse: Settings, post: MailServer) -> None:
    queue(warehouse, MAIL, replace(MAIL, to_unit_id="c"), contacts=[("a", "a@x.example"), ("c", "c@x.example")])
    arrived = threading.Event()
    killed = threading.Event()

    def hold() -> None:
        arrived.set()
        killed.wait(20)

    post.before_answering = hold
    sender = start_sender(warehouse, post)
    assert arrived.wait(30)
    os.kill(sender.pid, signal.SIGKILL)
    sender.wait()
    post.before_answering = lambda: None
    killed.set()
    wait_until_alone(warehouse)
    assert send_waiting(warehouse, post.open, later(1)).counts == {"sent": 1}
    assert states(warehouse) == {"a@x.example": "unknown", "c@x.example": "sent"}
    assert sorted(post.recipients) == ["a@x.example", "c@x.example"]


def test_a_sender_killed_before_the_mail_went_out_loses_nothing(warehouse: Settings, post: MailServer) -> None:
    queue(warehouse, MAIL)
    with connect(warehouse) as connection:  # where a sender is between its claim and the server's 354
        connection.execute("update mail.deliveries set state = 'sending', attempts = 1")
    assert send_waiting(warehouse, post.open, NOW).counts == {"sent": 1}


def test_two_senders_at_once_send_everything_once(warehouse: Settings, post: MailServer) -> None:
    contacts = [(f"u{number}", f"u{number}@x.example") for number in range(200)]
    queue(warehouse, *(replace(MAIL, to_unit_id=unit) for unit, _ in contacts), contacts=contacts)
    senders = [start_sender(warehouse, post) for _ in range(2)]
    for sender in senders:
        assert sender.wait(60) == 0
    assert len(post.recipients) == len(set(post.recipients)) == 200
    assert set(states(warehouse).values()) == {"sent"}


def test_a_second_sender_leaves_the_first_alone(warehouse: Settings, post: MailServer) -> None:
    queue(warehouse, MAIL)
    with connect(warehouse) as first:
        first.execute("select pg_advisory_lock(hashtext('enforcement_reporting.outbox'))")
        outcome = send_waiting(warehouse, post.open, NOW)
    assert outcome.is_busy and post.received == [] and set(states(warehouse).values()) == {"queued"}


def test_mails_are_streamed_one_at_a_time(warehouse: Settings, post: MailServer) -> None:
    contacts = [(f"u{number}", f"u{number}@x.example") for number in range(300)]
    workbook = Attachment("x.xlsx", os.urandom(200_000))
    with connect(warehouse) as connection:
        connection.cursor().executemany("insert into mail.contacts values (%s, %s, '王')", contacts)
        for start in range(0, 300, 100):
            mails = [
                replace(MAIL, to_unit_id=unit, attachments=(workbook,)) for unit, _ in contacts[start : start + 100]
            ]
            queue_mails(connection, mails)
    seen: list[tuple[int, int]] = []

    class Taker:
        """A server that answers as one does, without the network: what is measured is the sender."""

        def __getattr__(self, name: str):
            return lambda *_: (354 if name == "docmd" else 250, b"OK")

    tracemalloc.start()
    outcome = send_waiting(warehouse, Taker, NOW, lambda done, total: seen.append((done, total)))  # type: ignore[arg-type]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert outcome.counts == {"sent": 300} and seen == [(number, 300) for number in range(1, 301)]
    assert peak < 10_000_000, "300 workbooks are 60 MB"


@pytest.mark.parametrize(
    "hostile",
    [
        "甲镇\r\nBcc: x@evil.example",
        "a\nb",
        "a\x00b",
        "a\u2028Bcc: x",
        '"><script>',
        "=?utf-8?q?=0d=0aBcc:_x?=",
        "\x85x",
    ],
)
def test_nothing_that_people_have_written_makes_a_header(warehouse: Settings, post: MailServer, hostile: str) -> None:
    hostile_mail = replace(
        MAIL, subject=hostile, sender_name=hostile, attachments=(Attachment(f"{hostile}.xlsx", b"x"),)
    )
    if "\x00" in hostile:  # no text of the database holds it
        with pytest.raises(psycopg.DataError), connect(warehouse) as connection:
            connection.execute("insert into mail.contacts values ('a', 'a@x.example', %s)", [hostile])
    else:
        with connect(warehouse) as connection:
            connection.execute("insert into mail.contacts values ('a', 'a@x.example', %s)", [hostile])
    queue(warehouse, hostile_mail)
    assert send_waiting(warehouse, post.open, NOW).counts == {"sent": 1}
    ((_, message),) = post.received
    known = {"from", "to", "subject", "date", "message-id", "auto-submitted", "mime-version", "content-type"}
    assert {name.lower() for name in message} <= known | {"x-peer", "x-mailfrom", "x-rcptto"}
    assert len(message["To"].addresses) == 1
    (attachment,) = message.iter_attachments()
    assert str(attachment.get_filename()).endswith(".xlsx")


# --- contacts -------------------------------------------------------------------------------------------------------


def contacts_file(folder: Path, *lines: str) -> Path:
    path = folder / "contacts.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_contacts_take_the_place_of_those_before_and_units_are_found_by_name(
    warehouse: Settings, tmp_path: Path
) -> None:
    catalog = load_catalog(PROJECT_ROOT)
    with connect(warehouse) as connection:
        connection.execute("insert into mail.contacts values ('licheng_beigao', 'old@x.example', '旧')")
        connection.execute("insert into mail.contacts values ('kezhou_other', 'keep@x.example', '别')")
        path = contacts_file(
            tmp_path, "单位,联系人,邮箱", "拱辰街道办事处,王,wang@x.example", "licheng_all,李,li@x.example"
        )
        assert load_contacts(connection, catalog, path) == 2
        found = connection.execute("select unit_id, address from mail.contacts order by 1").fetchall()
    assert found == [
        ("kezhou_other", "keep@x.example"),
        ("licheng_all", "li@x.example"),
        ("licheng_gongchen", "wang@x.example"),
    ]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["unit_id,address", "licheng_all,a@x.example"], "line 1: expected the columns contact_name"),
        (["unit_id,contact_name,address", "nowhere,王,secret@x.example"], "line 2: 'nowhere' is no unit"),
        (["unit_id,contact_name,address", "licheng_all,王,secret@x.example\r\nBcc: y"], "line 3"),
        (["unit_id,contact_name,address", "licheng_all,王,not an address"], "line 2: the address is none"),
        (["unit_id,contact_name,address", "licheng_all,王,secret王@x.example"], "line 2: the address is none"),
    ],
)
def test_a_list_of_contacts_that_is_wrong_changes_nothing_and_the_error_names_no_address(
    warehouse: Settings, tmp_path: Path, lines: list[str], said: str
) -> None:
    with connect(warehouse) as connection:
        connection.execute("insert into mail.contacts values ('licheng_all', 'old@x.example', '旧')")
        with pytest.raises(ContactsError) as refusal:
            load_contacts(connection, load_catalog(PROJECT_ROOT), contacts_file(tmp_path, *lines))
        assert said in str(refusal.value)
        assert "secret" not in str(refusal.value) and "not an address" not in str(refusal.value)
        assert connection.execute("select address from mail.contacts").fetchall() == [("old@x.example",)]


def test_addresses_are_read_by_the_mailer_and_not_by_the_reader_of_the_marts(warehouse: Settings) -> None:
    queue(warehouse, MAIL)
    with connect(warehouse) as connection:
        connection.execute("set role mailer")
        assert connection.execute("select count(*) from mail.contacts").fetchone() == (1,)
        connection.execute("set role bi_reader")
        for table in ("contacts", "mails", "deliveries", "attachments", "received"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(f"select * from mail.{table}".encode())


def test_a_url_of_another_kind_is_refused_without_repeating_its_password() -> None:
    with pytest.raises(ValueError, match="expected smtp://") as refusal:
        smtp_server("http://user:secret@host")
    assert "secret" not in str(refusal.value)


def wait_until_alone(settings: Settings) -> None:
    """Wait until the server has noticed that the killed sender is gone."""
    for _ in range(100):
        with connect(settings) as connection:
            row = connection.execute("select pg_try_advisory_lock(hashtext('enforcement_reporting.outbox'))").fetchone()
            if row and row[0]:
                return
        time.sleep(0.1)
    raise AssertionError("the lock of a dead sender is still held")
