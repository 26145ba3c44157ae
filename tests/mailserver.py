"""A real SMTP server for tests, which misbehaves when told to."""

from __future__ import annotations

import email
import smtplib
import socket
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import default
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

# What a handler answers to make the server hang up without a word.
HANG_UP = "hang up"


class MailServer:
    """A server on the loopback: ``received`` are the mails it took; ``answers`` is what it says instead of yes.

    ``answers`` maps a step (``MAIL``, ``RCPT``, ``DATA``), or a step and a recipient, to the answers to be given, in
    their order; HANG_UP closes the connection.
    """

    def __init__(self) -> None:
        self.received: list[tuple[str, EmailMessage]] = []
        self.answers: dict[str, list[str]] = {}
        self.before_answering: Callable[[], None] = lambda: None
        self.connections = 0
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, timeout=20)

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._controller.stop()

    def open(self) -> smtplib.SMTP:
        """Open a connection, as the product does."""
        self.connections += 1
        return smtplib.SMTP("127.0.0.1", self.port, timeout=3)

    @property
    def recipients(self) -> list[str]:
        return [recipient for recipient, _ in self.received]

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        envelope.mail_from = address
        return self._answer(server, "MAIL", address) or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        if answer := self._answer(server, "RCPT", address):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        (recipient,) = envelope.rcpt_tos
        answer = self._answer(server, "DATA", recipient)
        if answer is None or answer == HANG_UP:  # taken, even where the sender is not told
            assert isinstance(envelope.content, bytes)
            message = email.message_from_bytes(envelope.content, policy=default)
            assert isinstance(message, EmailMessage)
            self.received.append((recipient, message))
        self.before_answering()
        return answer or "250 OK, taken"

    def _answer(self, server: SMTP, step: str, recipient: str) -> str | None:
        for key in (f"{step} {recipient}", step):
            if self.answers.get(key):
                answer = self.answers[key].pop(0)
                if answer == HANG_UP:
                    server.transport.close()  # type: ignore[union-attr]
                return answer
        return None
