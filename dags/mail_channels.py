"""How mail leaves and arrives: Airflow's connections, as the package takes them.

A module of its own because only `dags/` knows Airflow, and more than one DAG has to do with mail.
"""

from __future__ import annotations

import imaplib
import smtplib
from collections.abc import Callable

from airflow.providers.smtp.hooks.smtp import SmtpHook
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException

SMTP, IMAP = "smtp_default", "imap_default"
_SECONDS = 30


def open_server() -> Callable[[], smtplib.SMTP] | None:
    """Return what opens the server of the connection ``smtp_default``, or None where there is no such connection.

    The provider's hook does it: TLS, certificates, passwords and OAuth are as the connection says.
    """
    try:
        Connection.get(SMTP)
    except AirflowNotFoundException:
        return None

    def connect() -> smtplib.SMTP:
        try:
            return SmtpHook(SMTP).get_conn()._smtp_client  # type: ignore[return-value]
        except AirflowException as error:  # what it makes of a server that hangs up
            raise ConnectionError(str(error)) from error

    return connect


def open_mailbox() -> Callable[[], imaplib.IMAP4] | None:
    """Return what opens the mailbox of the connection ``imap_default``, or None where there is no such connection.

    TLS is used unless the connection's extra says ``{"use_ssl": false}``.
    """
    try:
        connection = Connection.get(IMAP)
    except AirflowNotFoundException:
        return None

    def connect() -> imaplib.IMAP4:
        if connection.extra_dejson.get("use_ssl", True):
            mailbox: imaplib.IMAP4 = imaplib.IMAP4_SSL(connection.host, connection.port or 993, timeout=_SECONDS)
        else:
            mailbox = imaplib.IMAP4(connection.host, connection.port or 143, timeout=_SECONDS)
        mailbox.login(connection.login, connection.password)
        return mailbox

    return connect
