"""A clerk's round trip through a real mail server: filled in wrongly, sent back, corrected, explained, accepted.

What the clerk gets he opens from the mail; what he sends is the attachment, edited as a spreadsheet program does it.
"""

from __future__ import annotations

import io
import re
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path

import openpyxl
import pytest

from conftest import new_database, settings_for
from enforcement_reporting import deadlines, intake, review
from enforcement_reporting.local.postgres import LocalServer
from enforcement_reporting.quality import check_submissions
from enforcement_reporting.settings import Settings
from enforcement_reporting.warehouse import connect
from mailserver import MailServer
from test_notices import CONTACTS, DEFINITIONS, FORM, at


@pytest.fixture
def settings(server: LocalServer, template: str, tmp_path: Path) -> Settings:
    for name, content in DEFINITIONS.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    made = settings_for(tmp_path / "state", tmp_path, new_database(server, template))
    intake.prepare(made)
    with connect(made) as connection:
        connection.cursor().executemany("insert into mail.contacts values (%s, %s, '统计员')", CONTACTS)
    return made


def receive(settings: Settings, folder: Path, name: str, content: bytes, when: datetime) -> None:
    (folder / name).write_bytes(content)
    (received,) = intake.ingest_files(settings, [str(folder / name)], "collect", when)
    assert received.outcome == "taken_in"
    check_submissions(settings)


def outcomes(settings: Settings) -> list[str]:
    with connect(settings) as connection:
        rows = connection.execute(
            "select v.outcome from intake.submissions s join quality.verdicts v using (unit_id, submission_id)"
            " where s.unit_id = 'b' order by s.received_at"
        ).fetchall()
    return [outcome for (outcome,) in rows]


def attached(mail: EmailMessage) -> tuple[str, openpyxl.Workbook]:
    (attachment,) = mail.iter_attachments()
    return str(attachment.get_filename()), openpyxl.load_workbook(io.BytesIO(attachment.get_content()))


def report(*figures: int) -> bytes:
    """Return the report of 乙镇 as a spreadsheet program writes it."""
    book = openpyxl.Workbook()
    for row in ([f"{FORM}（2025年1月）"], ["单位", "排查（条）", "整改（条）", "检查（家次）"], ["乙镇", *figures]):
        book.active.append(row)
    return saved(book)


def saved(book: openpyxl.Workbook) -> bytes:
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def test_wrong_returned_corrected_explained_reviewed_accepted(settings: Settings, tmp_path: Path) -> None:
    with MailServer() as post:
        receive(settings, tmp_path, "乙镇1月.xlsx", report(2, 5, 0), at("02-05", "10:00"))
        deadlines.write_and_send(settings, [at("02-05", "10:05")], post.open)
        assert outcomes(settings) == ["returned"]

        # The mail says what is wrong, and the workbook shows where.
        ((recipient, mail),) = post.received
        assert recipient == "b@x.example" and "请更正" in mail["Subject"]
        name, book = attached(mail)
        assert name == "退回-乙镇1月.xlsx"
        figures = book.worksheets[0] if book.worksheets[0].title != "核对清单" else book.worksheets[1]
        wrong = figures["C3"]
        assert wrong.fill.fill_type == "solid" and "整改" in wrong.comment.text and "2" in wrong.comment.text
        assert figures["A3"].fill.fill_type is None

        # One cell is corrected, one question explained; the workbook goes back under another name.
        wrong.value = 1
        listed = book["核对清单"]
        header = next(row for row in listed.iter_rows() if any(cell.value == "说明" for cell in row))
        column = next(cell.column for cell in header if cell.value == "说明")
        questions = [
            row for row in listed.iter_rows(min_row=header[0].row + 1) if any(cell.value == "核实性" for cell in row)
        ]
        (question,) = questions
        listed.cell(question[0].row, column).value = "隐患由企业自查上报，未另行检查"
        receive(settings, tmp_path, "重报.xlsx", saved(book), at("02-05", "14:00"))
        assert outcomes(settings) == ["returned", "questioned"]
        deadlines.write_and_send(settings, [at("02-05", "14:05"), at("02-06", "09:00")], post.open)
        assert [message["Subject"] for _, message in post.received[1:] if FORM in message["Subject"]] == [], (
            "what is explained is not asked about again, nor accepted before it is reviewed"
        )

        # A reviewer accepts the explanation; the unit is told, once.
        with connect(settings) as connection:
            (pending,) = review.pending_explanations(connection)
            assert (pending.unit_name, pending.explanation) == ("乙镇", "隐患由企业自查上报，未另行检查")
            review.decide(connection, pending.explanation_id, True, "", "李科长", at("02-06", "10:00"))
        before = len(post.received)
        deadlines.write_and_send(settings, [at("02-07", "09:00"), at("02-07", "09:30")], post.open)
        texts = [str(message.get_body(("plain",)).get_content()) for _, message in post.received[before:]]
        assert [len(re.findall(f"【已通过】《{FORM}》", text)) for text in texts if "【已通过】" in text] == [1]


def test_a_refused_explanation_goes_back_with_the_reason_and_the_workbook(settings: Settings, tmp_path: Path) -> None:
    with MailServer() as post:
        receive(settings, tmp_path, "乙镇1月.xlsx", report(2, 1, 0), at("02-05", "08:40"))
        deadlines.write_and_send(settings, [at("02-05", "09:00")], post.open)
        ((_, mail),) = post.received
        name, book = attached(mail)
        assert name.startswith("核实-")
        listed = book["核对清单"]
        header = next(row for row in listed.iter_rows() if any(cell.value == "说明" for cell in row))
        column = next(cell.column for cell in header if cell.value == "说明")
        listed.cell(header[0].row + 1, column).value = "没有检查"
        receive(settings, tmp_path, "说明.xlsx", saved(book), at("02-05", "10:00"))
        with connect(settings) as connection:
            (pending,) = review.pending_explanations(connection)
            review.decide(connection, pending.explanation_id, False, "请补报检查家次", "李科长", at("02-05", "11:00"))
        deadlines.write_and_send(settings, [at("02-06", "09:00"), at("02-06", "10:00")], post.open)
        told = [message for _, message in post.received[1:] if "说明未采纳" in message["Subject"]]
        (mail,) = told
        text = str(mail.get_body(("plain",)).get_content())
        assert "没有检查" in text and "请补报检查家次" in text and attached(mail)[0].startswith("核实-")
