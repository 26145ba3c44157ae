"""Replies by mail: the workbooks attached to messages are put into a landing place, each message recorded once.

A message is recorded after its workbooks lie in the place, and flagged as seen after that. The path of a workbook
follows from its message alone: a collector that is killed anywhere and run again writes the same files once more, and
intake knows them for the same. A message is known by its id and the instant at which the server received it: an id that
somebody has used twice hides nothing.
"""

from __future__ import annotations

import hashlib
import imaplib
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.header import decode_header
from email.message import Message
from email.utils import collapse_rfc2231_value, parseaddr
from typing import Any
from zoneinfo import ZoneInfo

import fsspec
import psycopg

from enforcement_reporting.settings import Settings
from enforcement_reporting.warehouse import connect
from enforcement_reporting.workbook.opening import READABLE_SUFFIXES
from enforcement_reporting.workbook.package import MAX_FILE_BYTES

log = logging.getLogger(__name__)

MAX_ATTACHMENTS = 50
MAX_MESSAGE_BYTES = 2 * MAX_FILE_BYTES  # base64 and a text beside the workbook
_CHINA = ZoneInfo("Asia/Shanghai")
_NAME_BYTES = 150
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"|?*]+')


@dataclass
class Collected:
    """How many messages were recorded, how many workbooks they held, how many messages were left as they are."""

    messages: int = 0
    attachments: int = 0
    left: int = 0


def collect_attachments(
    settings: Settings, open_mailbox: Callable[[], imaplib.IMAP4], place_url: str, folder: str = "INBOX"
) -> Collected:
    """Put the workbooks of unseen messages into a landing place whose folders name the instant; return how many.

    Whoever has sent a message, its workbooks are taken: what a workbook holds says whose report it is, and people
    send from other addresses than the one they are written to. The sender is stored, and never logged. A message
    without workbooks is recorded and left unseen for people; one that cannot be read does not stop the others.
    """
    collected = Collected()
    with connect(settings) as connection, open_mailbox() as mailbox:
        connection.autocommit = True
        # One collector at a time: two would write the same unfinished files.
        connection.execute("select pg_advisory_lock(hashtext('enforcement_reporting.inbox'))")
        _ask(mailbox.select(folder))
        for uid in _ask(mailbox.uid("SEARCH", "UNSEEN"))[0].split():
            try:
                _collect(connection, mailbox, uid.decode(), place_url, collected)
            except imaplib.IMAP4.abort:  # the connection is gone, and with it all other messages
                raise
            except (
                ValueError,
                LookupError,
                TypeError,
                AttributeError,
                psycopg.DataError,
                imaplib.IMAP4.error,
            ) as error:
                # Neither the error's words nor its trace: they may repeat an address out of a header.
                log.error("message %s: left as it is: %s", uid.decode(), type(error).__name__)
                collected.left += 1
    log.info("%d messages with %d workbooks, %d left", collected.messages, collected.attachments, collected.left)
    return collected


def _collect(
    connection: psycopg.Connection, mailbox: imaplib.IMAP4, uid: str, place_url: str, collected: Collected
) -> None:
    asked = "(RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"
    about, header = _fetched(mailbox, uid, asked)
    size = re.search(rb"RFC822\.SIZE (\d+)", about)
    received = re.search(rb'INTERNALDATE "([^"]+)"', about)
    if not size or not received or int(size[1]) > MAX_MESSAGE_BYTES:
        raise ValueError("too large, or of no known size or time")
    received_at = datetime.strptime(received[1].decode().strip(), "%d-%b-%Y %H:%M:%S %z")
    message_id = _message_id(header)
    raw = b""
    if not message_id:
        raw = _fetched(mailbox, uid, "(BODY.PEEK[])")[1]
        message_id = f"<{hashlib.sha256(raw).hexdigest()}>"
    known = connection.execute(
        "select attachments from mail.received where message_id = %s and received_at = %s", [message_id, received_at]
    ).fetchone()
    if known is None:
        message = message_from_bytes(raw or _fetched(mailbox, uid, "(BODY.PEEK[])")[1])
        workbooks = list(_workbooks(message))
        if len(workbooks) > MAX_ATTACHMENTS:
            raise ValueError("too many attachments")
        instant = received_at.astimezone(_CHINA).strftime("%Y-%m-%dT%H%M%S%z")
        _write(place_url, f"{instant}/{hashlib.sha256(message_id.encode()).hexdigest()[:16]}", workbooks)
        _record(connection, message_id, message, received_at, len(workbooks))
        collected.messages += 1
        collected.attachments += len(workbooks)
        known = (len(workbooks),)
    if known[0]:
        _ask(mailbox.uid("STORE", uid, "+FLAGS.SILENT", r"(\Seen)"))


def _record(
    connection: psycopg.Connection, message_id: str, message: Message, received_at: datetime, attachments: int
) -> None:
    connection.execute(
        "insert into mail.received (message_id, sender, received_at, subject, attachments)"
        " values (%s, %s, %s, %s, %s) on conflict do nothing",
        [
            *(message_id, parseaddr(_decoded(message.get("From", "")))[1], received_at),
            *(_decoded(message.get("Subject", "")), attachments),
        ],
    )


def _write(place_url: str, folder: str, workbooks: list[tuple[str, bytes]]) -> None:
    """Write files under names that intake passes over, and give them their own once they are complete."""
    filesystem, root = fsspec.core.url_to_fs(place_url)
    target = f"{root}/{folder}"
    if workbooks:
        filesystem.makedirs(target, exist_ok=True)
    used: set[str] = set()
    for number, (name, content) in enumerate(workbooks, start=1):
        safe = _safe(name)
        while safe.lower() in used:
            safe = f"{number}-{safe}"
        used.add(safe.lower())
        unfinished = f"{target}/.{number}.unfinished"
        filesystem.pipe_file(unfinished, content)
        filesystem.mv(unfinished, f"{target}/{safe}")


def _workbooks(message: Message) -> Iterator[tuple[str, bytes]]:
    for part in message.walk():  # which goes into forwarded messages as well
        if part.is_multipart():
            continue
        name = _file_name(part)
        if name.lower().endswith(READABLE_SUFFIXES):
            content: Any = part.get_payload(decode=True)
            if len(content) > MAX_FILE_BYTES:
                raise ValueError("an attachment is too large")
            yield name, content


def _file_name(part: Message) -> str:
    for header, key in (("content-disposition", "filename"), ("content-type", "name")):
        if name := _bare_name(part, header, key):
            return name
        value = part.get_param(key, None, header)
        if value:
            return _decoded(collapse_rfc2231_value(value)).strip()
    return ""


def _bare_name(part: Message, header: str, key: str) -> str:
    """Return a name that a mail program has put in as bare bytes, which the library would not hand out."""
    raw = next((str(value) for name, value in part.raw_items() if name.lower() == header), "")
    if raw.isascii():
        return ""
    found = re.search(rf'{key}="?([^";\r\n]+)', raw)
    return _decoded(found[1]) if found else ""


def _decoded(value: Any) -> str:
    """Return a header as text; what names no charset is UTF-8, or else GB 18030."""
    words = []
    for word, charset in decode_header(str(value) if isinstance(value, str) else value):
        if isinstance(word, str):
            word = word.encode("utf-8", "surrogateescape")
        for known in (charset, "utf-8", "gb18030"):
            with suppress(UnicodeDecodeError, LookupError):
                if known:
                    words.append(word.decode("gb18030" if known in ("gb2312", "gbk") else known))
                    break
        else:
            words.append(word.decode("utf-8", "replace"))
    return re.sub(r"[\x00-\x1f\x7f]+", " ", "".join(words))


def _safe(name: str) -> str:
    """Return a file name that is one step of a path, is not hidden, and is not too long."""
    name = _UNSAFE.sub("_", re.split(r"[/\\]", name)[-1]).lstrip(".~$ ")
    stem, _, suffix = name.rpartition(".")
    return f"{stem.encode()[:_NAME_BYTES].decode('utf-8', 'ignore') or 'workbook'}.{suffix}"


def _message_id(header: bytes) -> str:
    value = str(message_from_bytes(header).get("Message-ID", ""))
    return " ".join(value.encode("ascii", "replace").decode().split()).replace("\x00", "")[:900]


def _fetched(mailbox: imaplib.IMAP4, uid: str, asked: str) -> tuple[bytes, bytes]:
    """Return what a server says about a message, and the content that was asked for."""
    answer = _ask(mailbox.uid("FETCH", uid, asked))
    contents = [item for item in answer if isinstance(item, tuple)]
    rest = b" ".join(item for item in answer if isinstance(item, bytes))
    if not contents:
        raise ValueError("gone")
    return contents[0][0] + b" " + rest, contents[0][1]


def _ask(answer: tuple[str, list[Any]]) -> list[Any]:
    if answer[0] != "OK":
        raise imaplib.IMAP4.error(f"the mailbox answered {answer[0]}")
    return answer[1]
