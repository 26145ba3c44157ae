"""The outbox: mails are queued in the database, sent from there, and what became of each is recorded by recipient.

Each recipient gets a conversation of his own. It is recorded before the end of the mail goes out (``handing_over``),
without which no server may take it, and when the server has answered. So a process that is killed, a connection that
is cut and a second sender double nothing: what may have been delivered is ``unknown`` and not sent again by itself, all
else is tried again until the server takes it or refuses it for good. At most one sender is at work on a warehouse; it
settles what a dead one has left.

Nothing here reads a clock: ``at`` is the instant at which it is sent.
"""

from __future__ import annotations

import hashlib
import logging
import mimetypes
import re
import smtplib
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any, Self

import psycopg
from psycopg.rows import namedtuple_row

from enforcement_reporting.settings import Settings
from enforcement_reporting.warehouse import connect

log = logging.getLogger(__name__)

# How long to wait after the first, second, … attempt that the server put off; after the last the mail is given up.
BACKOFF = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 60, 240, 720, 1440, 1440, 1440))
# A server that hangs up so many times in a row, before it takes anything, is as good as down.
_HANG_UPS = 3
_ONE_SENDER = "enforcement_reporting.outbox"
_POLICY = SMTP.clone(cte_type="7bit")  # servers that know no 8 bits are still met
_NOT_IN_HEADERS = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")
_ANSWER_KEPT = 300


@dataclass(frozen=True)
class Attachment:
    """A file that goes with a mail."""

    file_name: str
    content: bytes


@dataclass(frozen=True)
class OutgoingMail:
    """A mail to a unit: it goes to each of the unit's contacts by itself."""

    authority_id: str
    to_unit_id: str
    is_urgent: bool
    planned_at: datetime
    planned_on: date
    sender_name: str
    sender_address: str
    subject: str
    body_text: str
    body_html: str
    attachments: tuple[Attachment, ...] = ()


@dataclass
class Sent:
    """What became of the mails that were due, by state; why nothing (more) could be sent, if so."""

    counts: Counter[str] = field(default_factory=Counter)
    server_down: str = ""
    is_busy: bool = False  # another sender was at work


def queue_mails(connection: psycopg.Connection, mails: Sequence[OutgoingMail]) -> list[int]:
    """Put mails into the outbox, in the transaction that is open; return their numbers.

    The units must have contacts: a mail to a unit without goes to nobody.
    """
    rows = connection.execute(
        "select nextval(pg_get_serial_sequence('mail.mails', 'mail_id')) from generate_series(1, %s)", [len(mails)]
    ).fetchall()
    numbers = [number for (number,) in rows]
    numbered = list(zip(numbers, mails, strict=True))
    cursor = connection.cursor()
    cursor.executemany(
        "insert into mail.mails (mail_id, authority_id, to_unit_id, is_urgent, planned_at, planned_on, message_id,"
        " sender_name, sender_address, subject, body_text, body_html) overriding system value"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            (
                *(number, mail.authority_id, mail.to_unit_id, mail.is_urgent, mail.planned_at, mail.planned_on),
                *(_message_id(number, mail), _one_line(mail.sender_name), mail.sender_address),
                *(_one_line(mail.subject), mail.body_text, mail.body_html),
            )
            for number, mail in numbered
        ],
    )
    cursor.executemany(
        "insert into mail.attachments (mail_id, file_name, content) values (%s, %s, %s)",
        [(number, _one_line(item.file_name), item.content) for number, mail in numbered for item in mail.attachments],
    )
    cursor.executemany(
        "insert into mail.deliveries (mail_id, address, contact_name, next_attempt_at, changed_at)"
        " select %s, address, contact_name, %s, %s from mail.contacts where unit_id = %s",
        [(number, mail.planned_at, mail.planned_at, mail.to_unit_id) for number, mail in numbered],
    )
    return numbers


def recall(connection: psycopg.Connection, mail_ids: Sequence[int], at: datetime) -> list[int]:
    """Take back those of the mails of which nothing has been handed over to anybody; return their numbers.

    What they were about has not been written about then.
    """
    rows = connection.execute(
        """
        with open as (
            select mail_id, state from mail.deliveries where mail_id = any(%(mail_ids)s) order by 1, address for update
        ),
        untouched as (select mail_id from open group by mail_id having bool_and(state = 'queued'))
        update mail.deliveries d set state = 'withdrawn', changed_at = %(at)s
        from untouched u
        where d.mail_id = u.mail_id
        returning d.mail_id
        """,
        {"mail_ids": list(mail_ids), "at": at},
    ).fetchall()
    recalled = sorted({mail_id for (mail_id,) in rows})
    connection.execute("update mail.notices set mail_id = null where mail_id = any(%s)", [recalled])
    return recalled


def send_waiting(
    settings: Settings,
    open_server: Callable[[], smtplib.SMTP],
    at: datetime,
    progress: Callable[[int, int], None] | None = None,
) -> Sent:
    """Send what is due, one mail after the other; return what became of it.

    ``open_server`` returns a connection to a mail server, ready to take mail. ``progress`` is told how many of how many
    are done. Mails of an authority that is stopped stay where they are.
    """
    sent = Sent()
    with _only_sender(settings) as connection:
        if connection is None:
            log.warning("another sender is at work: nothing is sent beside it")
            sent.is_busy = True
            return sent
        _settle_leftovers(connection, at)
        due = connection.execute(
            """
            select d.mail_id, d.address
            from mail.deliveries d
            join mail.mails m on m.mail_id = d.mail_id
            where d.state = 'queued' and d.next_attempt_at <= %s
                and not exists (select from mail.stops s where s.authority_id = m.authority_id)
            order by m.is_urgent desc, d.mail_id, d.address
            """,
            [at],
        ).fetchall()
        with _Line(open_server) as line:
            for number, (mail_id, address) in enumerate(due, start=1):
                state = _send(connection, line, mail_id, address, at)
                if state:
                    sent.counts[state] += 1
                if line.is_down:
                    sent.server_down = line.is_down
                    break
                if progress:
                    progress(number, len(due))
    log.info("outbox: %s", ", ".join(f"{count} {state}" for state, count in sent.counts.items()) or "nothing was due")
    return sent


def settle(settings: Settings, mail_id: int, at: datetime, *, arrived: bool) -> int:
    """Settle what a person has looked at: send it again to those who refused it or may not have it, or let it be sent.

    Returns how many deliveries that were.
    """
    with connect(settings) as connection:
        return connection.execute(
            "update mail.deliveries set state = %s, attempts = 0, next_attempt_at = %s, changed_at = %s,"
            " answer = 'decided by a person' where mail_id = %s and state in ('refused', 'unknown')",
            ["sent" if arrived else "queued", at, at, mail_id],
        ).rowcount


def stop(settings: Settings, authority_id: str, reason: str, stopped_by: str, at: datetime) -> None:
    """Let nothing more go out in the name of an authority; what waits is taken back and written anew later."""
    with connect(settings) as connection:
        queued = connection.execute(
            "select m.mail_id from mail.mails m where m.authority_id = %s and exists"
            " (select from mail.deliveries d where d.mail_id = m.mail_id and d.state = 'queued')",
            [authority_id],
        ).fetchall()
        recall(connection, [mail_id for (mail_id,) in queued], at)
        connection.execute(
            "insert into mail.stops (authority_id, reason, stopped_by, stopped_at) values (%s, %s, %s, %s)"
            " on conflict (authority_id) do nothing",
            [authority_id, reason, stopped_by, at],
        )


def resume(settings: Settings, authority_id: str) -> bool:
    """Let mails of an authority go out again; return whether they were stopped."""
    with connect(settings) as connection:
        return bool(connection.execute("delete from mail.stops where authority_id = %s", [authority_id]).rowcount)


class _Line:
    """A connection to the mail server that is made when it is needed, and made again where it was cut."""

    def __init__(self, open_server: Callable[[], smtplib.SMTP]) -> None:
        self._open_server = open_server
        self._server: smtplib.SMTP | None = None
        self._hang_ups = 0
        self.is_down = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._server:
            with suppress(smtplib.SMTPException, OSError):
                self._server.quit()

    def server(self) -> smtplib.SMTP:
        """Return the server, ready for the next mail. Raises _PutOff where it cannot be reached."""
        if self._server:
            try:
                if self._server.rset()[0] == 250:
                    return self._server
            except (smtplib.SMTPException, OSError):
                log.info("the mail server has hung up between two mails")
            self.cut()
        try:
            self._server = self._open_server()
            self._server.ehlo_or_helo_if_needed()
            if isinstance(self._server.sock, socket.socket):
                # The end of a mail is a packet of its own, and would wait for the one before to be acknowledged.
                self._server.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except (smtplib.SMTPException, OSError) as error:
            self.is_down = _words(error)
            raise _PutOff(self.is_down) from None
        return self._server

    def cut(self) -> None:
        """Forget the connection."""
        if self._server:
            with suppress(OSError):
                self._server.close()
        self._server = None

    def hung_up(self, error: Exception) -> None:
        """Note that the server hung up before it had taken the mail."""
        self.cut()
        self._hang_ups += 1
        if self._hang_ups >= _HANG_UPS:
            self.is_down = _words(error)

    def took_one(self) -> None:
        """Note that the server is well."""
        self._hang_ups = 0


class _PutOff(Exception):  # noqa: N818 (it is no error, but an answer)
    """The server has not taken the mail, and may take it later."""


class _Refused(Exception):  # noqa: N818
    """The server will not take the mail."""


class _Unanswered(Exception):  # noqa: N818
    """The connection ended between the mail and the answer to it."""


def _send(connection: psycopg.Connection, line: _Line, mail_id: int, address: str, at: datetime) -> str:
    """Send a mail to one recipient; return the state it is in then, nothing where it was taken back meanwhile."""

    def record(state: str, answer: str = "", next_attempt_at: datetime | None = None) -> str:
        connection.execute(
            "update mail.deliveries set state = %s, answer = %s, changed_at = %s,"
            " next_attempt_at = coalesce(%s, next_attempt_at) where mail_id = %s and address = %s",
            [state, answer[:_ANSWER_KEPT], at, next_attempt_at, mail_id, address],
        )
        return state

    claimed = connection.execute(
        "update mail.deliveries set state = 'sending', attempts = attempts + 1, changed_at = %s"
        " where mail_id = %s and address = %s and state = 'queued' returning attempts, contact_name",
        [at, mail_id, address],
    ).fetchone()
    if claimed is None:
        return ""
    attempts, contact_name = claimed
    try:
        message = _message(connection, mail_id, address, contact_name)
    except ValueError as error:  # no mail can be made of it, and the others are not to wait for it
        log.exception("mail %s: cannot be put together", mail_id)
        return record("refused", f"cannot be put together: {_words(error)}")
    try:
        answer = _converse(line, message, address, lambda: record("handing_over"))
    except _PutOff as put_off:
        if attempts > len(BACKOFF):
            return record("refused", f"given up after {attempts} attempts: {put_off}")
        return record("queued", str(put_off), at + BACKOFF[attempts - 1])
    except _Refused as refused:
        log.warning("mail %s: refused: %s", mail_id, refused)
        return record("refused", str(refused))
    except _Unanswered as unanswered:
        log.error("mail %s: nobody knows whether it arrived: %s", mail_id, unanswered)
        return record("unknown", str(unanswered))
    return record("sent", answer)


def _converse(line: _Line, message: EmailMessage, address: str, about_to_hand_over: Callable[[], object]) -> str:
    """Hand a mail over to the server; return its answer. Raises _PutOff, _Refused or _Unanswered."""
    content = re.sub(rb"(?m)^\.", b"..", message.as_bytes(policy=_POLICY))
    if not content.endswith(b"\r\n"):
        content += b"\r\n"
    server = line.server()
    try:
        code, answer = server.mail(message["From"].addresses[0].addr_spec)
        if code // 100 != 2:  # it is us whom it does not want, in whatever we send
            line.is_down = f"MAIL FROM: {code} {_text(answer)}"
            raise _PutOff(line.is_down)
        _judge("RCPT TO", *server.rcpt(address))
        code, answer = server.docmd("DATA")
        if code != 354:
            _judge("DATA", code, answer)
            raise _PutOff(f"DATA: {code} {_text(answer)}")
        server.send(content)
    except (smtplib.SMTPServerDisconnected, OSError) as error:
        line.hung_up(error)
        raise _PutOff(_words(error)) from None
    about_to_hand_over()
    try:
        server.send(b".\r\n")
        code, answer = server.getreply()
    except (smtplib.SMTPException, OSError) as error:
        line.cut()
        raise _Unanswered(_words(error)) from None
    if code // 100 not in (2, 4, 5):  # no answer, or none that says anything
        line.cut()
        raise _Unanswered(f"content: {code} {_text(answer)}")
    _judge("content", code, answer)
    line.took_one()
    return f"{code} {_text(answer)}"


def _judge(step: str, code: int, answer: bytes) -> None:
    """Raise _Refused or _PutOff where the server has not agreed."""
    words = f"{step}: {code} {_text(answer)}"
    if code // 100 == 5:
        raise _Refused(words)
    if code // 100 == 4:
        raise _PutOff(words)
    if code // 100 not in (2, 3):
        raise _PutOff(f"{words} (an answer that says nothing)")


def _message(connection: psycopg.Connection, mail_id: int, address: str, contact_name: str) -> EmailMessage:
    """Return a mail as it goes to one recipient."""
    cursor = connection.cursor(row_factory=namedtuple_row)
    mail: Any = cursor.execute("select * from mail.mails where mail_id = %s", [mail_id]).fetchone()
    message = EmailMessage(policy=_POLICY)
    message["From"] = Address(_one_line(mail.sender_name), addr_spec=mail.sender_address)
    message["To"] = Address(_one_line(contact_name), addr_spec=address)
    message["Subject"] = _one_line(mail.subject)
    message["Date"] = format_datetime(mail.planned_at)
    message["Message-ID"] = mail.message_id
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.body_text)
    message.add_alternative(mail.body_html, subtype="html")
    for file_name, content in connection.execute(
        "select file_name, content from mail.attachments where mail_id = %s order by file_name", [mail_id]
    ):
        kind = mimetypes.guess_type(file_name)[0] or "application/octet-stream"
        maintype, _, subtype = kind.partition("/")
        message.add_attachment(content, maintype=maintype, subtype=subtype, filename=file_name)
    return message


def _message_id(number: int, mail: OutgoingMail) -> str:
    identity = f"{number}\0{mail.to_unit_id}\0{mail.planned_at.isoformat()}\0{mail.subject}\0{mail.body_text}"
    domain = mail.sender_address.rpartition("@")[2]
    return f"<{number}.{hashlib.sha256(identity.encode()).hexdigest()[:16]}@{domain}>"


@contextmanager
def _only_sender(settings: Settings) -> Iterator[psycopg.Connection | None]:
    """Yield a connection on which every statement stands for itself, or None while somebody else sends."""
    with connect(settings) as connection:
        connection.autocommit = True
        row = connection.execute("select pg_try_advisory_lock(hashtext(%s))", [_ONE_SENDER]).fetchone()
        if not row or not row[0]:
            yield None
            return
        try:
            yield connection
        finally:  # a connection that is closing holds its locks for a moment longer
            with suppress(psycopg.OperationalError):
                connection.execute("select pg_advisory_unlock(hashtext(%s))", [_ONE_SENDER])


def _settle_leftovers(connection: psycopg.Connection, at: datetime) -> None:
    """Settle what a sender that is no more was at: we hold the lock, so whatever is under way is nobody's."""
    connection.execute(
        "update mail.deliveries set state = 'queued', changed_at = %s,"
        " answer = 'the sender ended before handing it over' where state = 'sending'",
        [at],
    )
    lost = connection.execute(
        "update mail.deliveries set state = 'unknown', changed_at = %s,"
        " answer = 'the sender ended before the answer of the server was recorded' where state = 'handing_over'"
        " returning mail_id",
        [at],
    ).fetchall()
    for (mail_id,) in lost:
        log.error("mail %s: nobody knows whether it arrived: its sender ended before the answer", mail_id)


def _one_line(text: str) -> str:
    """Return a text that a header can hold: in one line, without control characters.

    What looks like an encoded word is taken apart: the library would decode it, line breaks and all.
    """
    return _NOT_IN_HEADERS.sub(" ", text).replace("=?", "= ?").strip()


def _text(answer: bytes) -> str:
    return _one_line(answer.decode("utf-8", "replace"))


def _words(error: Exception) -> str:
    """Return what went wrong, without the addresses that the library puts into some of its errors."""
    if isinstance(error, smtplib.SMTPResponseException):
        answer = error.smtp_error
        return f"{error.smtp_code} {_text(answer if isinstance(answer, bytes) else str(answer).encode())}"
    return _one_line(f"{type(error).__name__}: {error}")
