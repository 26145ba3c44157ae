"""Mail: the outbox and its conversations with a server, and the contacts it goes to."""

from enforcement_reporting.mail.contacts import ContactsError, load_contacts
from enforcement_reporting.mail.outbox import (
    Attachment,
    OutgoingMail,
    Sent,
    queue_mails,
    recall,
    resume,
    send_waiting,
    settle,
    stop,
)
from enforcement_reporting.mail.servers import server_from_environment, smtp_server

__all__ = [
    "Attachment",
    "ContactsError",
    "OutgoingMail",
    "Sent",
    "load_contacts",
    "queue_mails",
    "recall",
    "resume",
    "send_waiting",
    "server_from_environment",
    "settle",
    "smtp_server",
    "stop",
]
