"""Mail servers by URL: ``smtp://user:password@host:587?starttls`` or ``smtps://…``, for use without Airflow."""

from __future__ import annotations

import os
import smtplib
import ssl
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

TIMEOUT_SECONDS = 30
VARIABLE = "ENFORCEMENT_SMTP_URL"


def server_from_environment() -> Callable[[], smtplib.SMTP] | None:
    """Return what opens the server that ENFORCEMENT_SMTP_URL names, or None where it names none."""
    url = os.environ.get(VARIABLE)
    return smtp_server(url) if url else None


def smtp_server(url: str) -> Callable[[], smtplib.SMTP]:
    """Return what opens the mail server of a URL. Raises ValueError, without the password in it, for any other URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ValueError(f"{VARIABLE}: expected smtp://user:password@host:port?starttls or smtps://…")
    host, is_tls = parts.hostname, parts.scheme == "smtps"
    port = parts.port or (465 if is_tls else 587 if parts.query == "starttls" else 25)

    def open_server() -> smtplib.SMTP:
        if is_tls:
            tls = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_SECONDS, context=tls)
        else:
            server = smtplib.SMTP(host, port, timeout=TIMEOUT_SECONDS)
        if parts.query == "starttls":
            server.starttls(context=ssl.create_default_context())
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        return server

    return open_server
