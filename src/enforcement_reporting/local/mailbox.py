"""A real mail server for one machine: it takes every mail, keeps it as .eml, and shows all of them on one page.

    python -m enforcement_reporting.local.mailbox SOCKET FOLDER

SOCKET is the number of an open socket that listens already.

Nothing leaves the machine. The page needs no network and runs nothing that stands in a mail.
"""

from __future__ import annotations

import asyncio
import email
import hashlib
import socket
import sys
import time
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from aiosmtpd.smtp import SMTP
from jinja2 import Environment

PAGE, _FILES = "index.html", "files"
_CHINA = ZoneInfo("Asia/Shanghai")

_TEMPLATE = """<!DOCTYPE html>
<html lang="zh-CN">
<meta charset="utf-8">
<title>邮件（{{ mails | length }}）</title>
<style>
* { box-sizing: border-box }
body { margin: 0; color: #202124; background: #f4f5f7;
       font: 15px/1.6 "Microsoft YaHei", "PingFang SC", "Noto Sans CJK SC", sans-serif }
header { padding: 14px 24px; background: #1a3a5c; color: #fff }
header b { font-size: 18px } header span { opacity: .75; margin-left: 12px }
main { max-width: 980px; margin: 20px auto; padding: 0 16px }
details { background: #fff; border: 1px solid #dfe1e5; border-radius: 6px; margin: 0 0 8px }
summary { display: grid; grid-template-columns: 8.5em 11em 1fr auto; gap: 12px; padding: 10px 14px; cursor: pointer;
          list-style: none }
summary::-webkit-details-marker { display: none }
summary:hover { background: #f7f9fc }
time, .clip { color: #5f6368 } .to { font-weight: 600 }
.mail { border-top: 1px solid #dfe1e5; padding: 12px 14px }
iframe { width: 100%; height: 460px; border: 1px solid #dfe1e5; border-radius: 4px; background: #fff }
.files a { display: inline-block; margin: 10px 10px 0 0; padding: 3px 10px; border: 1px solid #b8c7d9;
           border-radius: 4px; color: #1a5fb4; text-decoration: none }
.raw { color: #5f6368; font-size: 13px }
</style>
<header><b>邮件</b><span>本机邮件服务器收到的全部邮件，未发往外部</span></header>
<main>
{% for mail in mails %}
<details{% if loop.first %} open{% endif %}>
<summary><time>{{ mail.date }}</time><span class="to">{{ mail.to_name }}</span><span>{{ mail.subject }}</span>
<span class="clip">{% if mail.files %}附件 {{ mail.files | length }}{% endif %}</span></summary>
<div class="mail">
<iframe sandbox="" loading="lazy" srcdoc="{{ mail.html }}"></iframe>
<div class="files">{% for name, link in mail.files %}<a href="{{ link }}">{{ name }}</a>{% endfor %}</div>
<div class="raw">{{ mail.sender }} → {{ mail.to }} · <a href="{{ mail.eml }}">{{ mail.eml }}</a></div>
</div>
</details>
{% else %}
<p>还没有邮件。</p>
{% endfor %}
</main>
</html>
"""


@dataclass(frozen=True)
class _Shown:
    """A mail as the page shows it."""

    at: float
    date: str
    sender: str
    to: str
    to_name: str
    subject: str
    html: str
    files: tuple[tuple[str, str], ...]
    eml: str


class Mailbox:
    """What takes the mails of the server and keeps them in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._page = Environment(autoescape=True).from_string(_TEMPLATE)
        self._shown = {path.name: self._show(path) for path in sorted(folder.glob("*.eml"))}
        self._write_page()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 (aiosmtpd's name)
        """Keep a mail; it is on disk before the server says that it has it."""
        content: bytes = envelope.content
        digest = hashlib.sha256(content + "".join(envelope.rcpt_tos).encode()).hexdigest()[:12]
        path = self.folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{digest}.eml"
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(content)
        unfinished.rename(path)
        self._shown[path.name] = self._show(path)
        self._write_page()
        return "250 OK"

    def _show(self, path: Path) -> _Shown:
        message = email.message_from_bytes(path.read_bytes(), policy=default)
        assert isinstance(message, EmailMessage)
        body = message.get_body(("html", "plain"))
        text = body.get_content() if body else ""
        if body and body.get_content_type() == "text/plain":
            text = str(Environment(autoescape=True).from_string("<pre>{{ text }}</pre>").render(text=text))
        files = []
        for number, attachment in enumerate(message.iter_attachments()):
            name = PurePosixPath(str(attachment.get_filename() or f"{number}").replace("\\", "/")).name.lstrip(".")
            kept = self.folder / _FILES / path.stem / (name or str(number))
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(attachment.get_payload(decode=True) or b"")  # type: ignore[arg-type]
            files.append((kept.name, quote(f"{_FILES}/{path.stem}/{kept.name}")))
        at = parsedate_to_datetime(message["Date"]) if message["Date"] else None
        return _Shown(
            at=at.timestamp() if at else 0.0,
            date=f"{at.astimezone(_CHINA):%Y-%m-%d %H:%M}" if at else "",
            sender=str(message["From"] or ""),
            to=str(message["To"] or ""),
            to_name="、".join(to.display_name or to.addr_spec for to in message["To"].addresses)
            if message["To"]
            else "",
            subject=str(message["Subject"] or ""),
            html=text,
            files=tuple(files),
            eml=path.name,
        )

    def _write_page(self) -> None:
        mails = sorted(self._shown.values(), key=lambda mail: (mail.at, mail.eml), reverse=True)
        unfinished = self.folder / f".{PAGE}"
        unfinished.write_text(self._page.render(mails=mails), encoding="utf-8")
        unfinished.rename(self.folder / PAGE)


def main() -> None:
    """Run the server until the process is ended."""
    mailbox = Mailbox(Path(sys.argv[2]))

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        listening = socket.socket(fileno=int(sys.argv[1]))
        server = await loop.create_server(lambda: SMTP(mailbox, loop=loop), sock=listening)
        await server.serve_forever()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
