"""Mail: the outbox and its conversations with a server, the contacts it goes to, and the replies."""

from enforcement_reporting.mail.contacts import ContactsError, load_contacts
from enforcement_reporting.mail.inbox import Collected, collect_attachments
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
    "Collected",
    "ContactsError",
    "OutgoingMail",
    "Sent",
    "collect_attachments",
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
