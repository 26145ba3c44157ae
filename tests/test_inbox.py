"""Workbooks that come by mail lie in the landing place once, under the instant at which the server received them.

The server is a real one, in a process of its own.
"""

from __future__ import annotations

import base64
import imaplib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from types import SimpleNamespace

import pytest

from enforcement_reporting import intake
from enforcement_reporting.mail import collect_attachments, inbox
from enforcement_reporting.settings import PROJECT_ROOT, Settings
from enforcement_reporting.warehouse import connect
from enforcement_reporting.workbook.opening import READABLE_SUFFIXES
from workbooks import workbook

USER, PASSWORD = "reports", "secret"
RECEIVED = datetime(2023, 9, 14, 7, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    log = (tmp_path_factory.mktemp("imap") / "log").open("w")
    server = subprocess.Popen(
        [
            *(Path(sys.executable).with_name("pymap"), "--host", "127.0.0.1", "--port", str(number), "--no-tls"),
            *("--no-service", "admin", "--no-service", "managesieve"),
            *("dict", "--demo-data", "--demo-user", USER, "--demo-password", PASSWORD),
        ],
        stdout=log,
        stderr=log,
    )
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", number)) == 0:
                break
        time.sleep(0.1)
    yield number
    server.terminate()
    server.wait()


@pytest.fixture
def mailbox(port: int) -> Mailbox:
    box = Mailbox(port)
    box.empty()
    return box


class Mailbox:
    """A mailbox on the server."""

    def __init__(self, port: int) -> None:
        self.port = port

    def open(self) -> imaplib.IMAP4:
        """Open the mailbox, as the product does."""
        box = imaplib.IMAP4("127.0.0.1", self.port, timeout=10)
        box.login(USER, PASSWORD)
        return box

    def empty(self) -> None:
        with self.open() as box:
            box.select("INBOX")
            box.store("1:*", "+FLAGS", r"(\Deleted)")
            box.expunge()

    def put(self, message: EmailMessage | bytes, received: datetime = RECEIVED) -> None:
        raw = message if isinstance(message, bytes) else message.as_bytes(policy=SMTP)
        with self.open() as box:
            answer = box.append("INBOX", "", imaplib.Time2Internaldate(received), raw)
            assert answer[0] == "OK", answer

    def unseen(self) -> int:
        with self.open() as box:
            box.select("INBOX")
            return len(box.search(None, "UNSEEN")[1][0].split())


def mail(*attachments: tuple[str, bytes], message_id: str = "<1@x.example>") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "王 <wang@x.example>"
    message["To"] = "tongji@au.example"
    message["Subject"] = "回复：请更正"
    message["Date"] = "Fri, 01 Jan 1999 00:00:00 +0000"  # the sender's clock counts for nothing
    if message_id:
        message["Message-ID"] = message_id
    message.set_content("见附件")
    for name, content in attachments:
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message


def collect(settings: Settings, mailbox: Mailbox) -> tuple[int, int, int]:
    place = f"{settings.landing}/post"
    collected = collect_attachments(settings, mailbox.open, place)
    return collected.messages, collected.attachments, collected.left


def landed(settings: Settings) -> dict[str, bytes]:
    root = Path(settings.landing) / "post"
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def recorded(settings: Settings) -> list[tuple[object, ...]]:
    with connect(settings) as connection:
        return connection.execute(
            "select sender, received_at, subject, attachments from mail.received order by message_id, received_at"
        ).fetchall()


def test_a_workbook_is_put_under_the_instant_at_which_the_server_received_it_and_taken_in_as_received_then(
    warehouse: Settings, mailbox: Mailbox
) -> None:
    content = workbook([["荔城区专项行动进展情况调度表"], ["什么也没有"]])
    mailbox.put(mail(("拱辰街道0912期.xlsx", content)))
    assert collect(warehouse, mailbox) == (1, 1, 0)
    ((path, found),) = landed(warehouse).items()
    assert path.startswith("2023-09-14T152000+0800/") and path.endswith("/拱辰街道0912期.xlsx") and found == content
    assert recorded(warehouse) == [("wang@x.example", RECEIVED, "回复：请更正", 1)]
    assert mailbox.unseen() == 0
    intake.prepare(warehouse)
    (chunk,) = intake.list_chunks(warehouse)
    intake.take_in(warehouse, chunk, datetime.now(UTC))
    with connect(warehouse) as connection:
        assert connection.execute("select file_name, received_at from intake.files").fetchall() == [
            ("拱辰街道0912期.xlsx", RECEIVED)
        ]


def test_every_kind_of_file_that_is_read_is_taken_and_pictures_are_not(warehouse: Settings, mailbox: Mailbox) -> None:
    names = [f"报表{suffix.upper()}" for suffix in READABLE_SUFFIXES]
    mailbox.put(mail(*((name, b"a") for name in [*names, "签名.png", "通知.pdf"])))
    assert collect(warehouse, mailbox) == (1, len(names), 0)
    assert {path.rpartition("/")[2] for path in landed(warehouse)} == set(names)


def test_a_second_look_takes_nothing_twice(warehouse: Settings, mailbox: Mailbox) -> None:
    mailbox.put(mail(("a.xlsx", b"a")))
    assert collect(warehouse, mailbox) == (1, 1, 0)
    assert collect(warehouse, mailbox) == (0, 0, 0)


def test_killed_before_it_was_recorded_it_is_written_to_the_same_place_again(
    warehouse: Settings, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox.put(mail(("a.xlsx", b"a")))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(inbox, "_record", killed)
        with pytest.raises(KeyboardInterrupt):
            collect(warehouse, mailbox)
    before = landed(warehouse)
    assert len(before) == 1 and recorded(warehouse) == []
    assert collect(warehouse, mailbox) == (1, 1, 0)
    assert landed(warehouse) == before


def test_killed_before_it_was_flagged_it_is_flagged_and_not_taken_again(warehouse: Settings, mailbox: Mailbox) -> None:
    mailbox.put(mail(("a.xlsx", b"a")))
    collect(warehouse, mailbox)
    with mailbox.open() as box:
        box.select("INBOX")
        box.store("1", "-FLAGS", r"(\Seen)")
    assert mailbox.unseen() == 1
    assert collect(warehouse, mailbox) == (0, 0, 0) and mailbox.unseen() == 0


def test_a_forwarded_message_is_looked_into(warehouse: Settings, mailbox: Mailbox) -> None:
    forward = mail(message_id="<outer@x.example>")
    forward.add_attachment(mail(("内.xlsx", b"inner"), message_id="<inner@x.example>"))
    mailbox.put(forward)
    assert collect(warehouse, mailbox) == (1, 1, 0)
    assert list(landed(warehouse).values()) == [b"inner"]


@pytest.mark.parametrize(
    "disposition",
    [
        b'attachment; filename="=?gb2312?B?' + base64.b64encode("报表.xlsx".encode("gb2312")) + b'?="',
        b"attachment; filename*=utf-8''%E6%8A%A5%E8%A1%A8.xlsx",
        b'attachment; filename="' + "报表.xlsx".encode("gb18030") + b'"',
        b'attachment; filename="' + "报表.xlsx".encode() + b'"',
    ],
    ids=["RFC 2047 in GB 2312", "RFC 2231", "bare GB 18030", "bare UTF-8"],
)
def test_a_chinese_name_is_read_however_the_mail_program_writes_it(
    warehouse: Settings, mailbox: Mailbox, disposition: bytes
) -> None:
    mailbox.put(
        b"From: a@x.example\r\nMessage-ID: <n@x>\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n"
        b"Content-Transfer-Encoding: base64\r\nContent-Disposition: " + disposition + b"\r\n\r\neA==\r\n"
    )
    assert collect(warehouse, mailbox) == (1, 1, 0)
    ((path, content),) = landed(warehouse).items()
    assert path.endswith("/报表.xlsx") and content == b"x"


def test_two_attachments_of_one_name_and_one_named_like_the_second_all_arrive(
    warehouse: Settings, mailbox: Mailbox
) -> None:
    mailbox.put(mail(("3-x.xlsx", b"1"), ("x.xlsx", b"2"), ("X.xlsx", b"3"), ("x.xlsx", b"4")))
    assert collect(warehouse, mailbox) == (1, 4, 0)
    assert sorted(landed(warehouse).values()) == [b"1", b"2", b"3", b"4"]


def test_a_message_without_a_workbook_is_left_for_people(warehouse: Settings, mailbox: Mailbox) -> None:
    mailbox.put(mail(("照片.png", b"x")))
    assert collect(warehouse, mailbox) == (1, 0, 0)
    assert collect(warehouse, mailbox) == (0, 0, 0)
    assert landed(warehouse) == {} and mailbox.unseen() == 1 and recorded(warehouse)[0][-1] == 0


def test_an_id_that_was_used_before_hides_no_workbook(warehouse: Settings, mailbox: Mailbox) -> None:
    mailbox.put(mail(("a.xlsx", b"a")))
    mailbox.put(mail(("b.xlsx", b"b")), datetime(2023, 9, 15, tzinfo=UTC))
    assert collect(warehouse, mailbox) == (2, 2, 0)
    assert sorted(landed(warehouse).values()) == [b"a", b"b"]


def test_messages_without_an_id_are_told_apart(warehouse: Settings, mailbox: Mailbox) -> None:
    mailbox.put(mail(("a.xlsx", b"a"), message_id=""))
    mailbox.put(mail(("b.xlsx", b"b"), message_id=""))
    assert collect(warehouse, mailbox) == (2, 2, 0)
    assert collect(warehouse, mailbox) == (0, 0, 0)


def test_what_cannot_be_taken_does_not_stop_the_others(
    warehouse: Settings, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(inbox, "MAX_FILE_BYTES", 1_000)
    mailbox.put(mail(("big.xlsx", b"x" * 2_000), message_id="<big@x.example>"))
    mailbox.put(mail(("good.xlsx", b"x"), message_id="<good@x.example>"))
    assert collect(warehouse, mailbox) == (1, 1, 1)
    assert [path.rpartition("/")[2] for path in landed(warehouse)] == ["good.xlsx"] and mailbox.unseen() == 1
    assert "x.example" not in caplog.text, "no address in the log"


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../x.xlsx", "x.xlsx"),
        (".hidden.xlsx", "hidden.xlsx"),
        ("~$x.xlsx", "x.xlsx"),
        ("a\\b.xlsx", "b.xlsx"),
        ("报" * 500 + ".xlsx", "报" * 50 + ".xlsx"),
    ],
)
def test_a_hostile_name_is_one_visible_step_of_a_path(
    warehouse: Settings, mailbox: Mailbox, name: str, safe: str
) -> None:
    mailbox.put(mail((name, b"x")))
    collect(warehouse, mailbox)
    ((path, _),) = landed(warehouse).items()
    assert path.split("/")[2:] == [safe]


def test_the_dag_collects_where_a_mailbox_is_declared_and_does_nothing_where_none_is(
    warehouse: Settings, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in (
        ("AIRFLOW_HOME", tmp_path / "airflow"),
        ("ENFORCEMENT_WAREHOUSE_URL", warehouse.warehouse_url),
        ("ENFORCEMENT_LANDING", warehouse.landing),
    ):
        monkeypatch.setenv(name, str(value))
    monkeypatch.syspath_prepend(str(PROJECT_ROOT / "dags"))
    from intake_submissions import intake_submissions

    collect_mail = intake_submissions().get_task("collect_mail").python_callable
    mailbox.put(mail(("a.xlsx", b"a")))
    assert collect_mail() == {} and landed(warehouse) == {}
    there = SimpleNamespace(host="127.0.0.1", port=mailbox.port)
    monkeypatch.setenv(
        "AIRFLOW_CONN_IMAP_DEFAULT",
        f'{{"conn_type": "imap", "host": "{there.host}", "port": {there.port}, "login": "{USER}",'
        f' "password": "{PASSWORD}", "extra": {{"use_ssl": false}}}}',
    )
    assert collect_mail() == {"messages": 1, "attachments": 1, "left": 0}
    assert list(landed(warehouse).values()) == [b"a"]
