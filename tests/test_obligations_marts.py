"""What the marts say about what units owe: on time, late, missing, extended; how they report; what they are written.

The reports below are recorded once, on one warehouse that is looked through twice: on 4 April, when the marts are built
whole, and on 9 May 2025, when they are brought up to date. Every expected number follows from the story told here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from conftest import new_database, settings_for
from enforcement_reporting import intake, marts, report
from enforcement_reporting.catalog import CatalogError, load_catalog
from enforcement_reporting.local.postgres import LocalServer
from enforcement_reporting.quality import check_obligations
from enforcement_reporting.settings import Settings
from enforcement_reporting.warehouse import connect, load_catalog_tables
from warehouse import Cell, state_figures

Row = dict[str, Any]

# Due in 2025: f on 7 February, 5 March, 3 April and 8 May from towns, on 11 February, 10 March, 9 April and 13 May from
# the city; g on 10 April and 10 May. 8 February is a Saturday that is worked, 4 to 6 April are a holiday.
DEFINITIONS = {
    "catalog/landing.yaml": "places: [{place_id: inbox, path: inbox, policy: collect}]",
    "catalog/au/authority.yaml": """
authority_id: au
name: 市应急局
units:
  unit_id: everyone
  name: 全市
  kind: 全市
  members:
    - unit_id: east
      name: 东片
      kind: 片区
      members:
        - {unit_id: a, name: 甲镇, kind: 镇街}
        - {unit_id: b, name: 乙镇, kind: 镇街}
        - {unit_id: n, name: 新设镇, kind: 镇街, valid_from: 2025-03-01}
    - {unit_id: city, name: 市本级, kind: 市}
reporting_quality:
  name: 报送质量评比
  items:
    - {item_id: on_time, name: 按时报送率, measure: on_time_rate, minimum_obligations: 2, points: {top: 3}}
    - {item_id: late, name: 迟报, measure: late, better: lower, weight: 2, points: {top: 5, step: 2}}
""",
    "catalog/au/notices.yaml": """
sender: {name: 市安委办, address: au@au.example, ask: 统计组, how_to_send: 回复本邮件}
daily_at: "09:00"
working_hours: ["08:30", "17:30"]
missing_reports_a_year: 2
""",
    "catalog/au/forms/f.yaml": """
form_id: f
authority_id: au
title: 执法情况月报
calendar: {kind: month}
figures: single
unit_labels: [单位]
deadlines:
  - {unit_kinds: [镇街], working_day: 3, at: "17:30"}
  - {working_day: 6, at: "17:30"}
owed_from: 2025-01-31
indicators: [{indicator_id: checks, label: [检查], unit_of_measure: 家次}]
""",
    "catalog/au/forms/g.yaml": """
form_id: g
authority_id: au
title: 值守情况月报
calendar: {kind: month}
figures: single
unit_labels: [单位]
reported_by: [镇街]
deadlines: [{days_after: 10, at: "12:00"}]
owed_from: 2025-03-31
indicators: [{indicator_id: shifts, label: [值班], unit_of_measure: 班次}]
""",
    "expectations/au/timeliness.yaml": """
authority: au
rules:
  - {rule_id: reported, kind: missing, severity: error}
  - {rule_id: on_time, kind: late, severity: notice}
  - {rule_id: ever, kind: never_reported, severity: question}
""",
}


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2025-{text}+08:00")


FIRST_LOOK, SECOND_LOOK = at("04-04T09:00"), at("05-09T12:00")


@dataclass(frozen=True)
class Sent:
    """A report with its verdict."""

    unit: str
    form: str
    period: str
    received: str
    outcome: str | None = "accepted"
    value: int = 3
    policy: str = "collect"

    @property
    def submission_id(self) -> str:
        """Return its id, which says what it is."""
        return f"{self.unit}-{self.form}-{self.period}-{self.received}"


STORY = [
    Sent("a", "f", "2025-01", "02-07T17:00"),
    Sent("b", "f", "2025-01", "02-08T09:00"),  # a worked Saturday
    Sent("city", "f", "2025-01", "02-11T17:00"),  # as the city owes it, four days after the towns
    Sent("a", "f", "2025-02", "03-05T10:00", "returned"),
    Sent("a", "f", "2025-02", "03-12T10:00"),
    Sent("city", "f", "2025-02", "03-10T17:30", value=0),  # nothing to report, to the minute
    Sent("a", "f", "2025-03", "04-09T09:00"),  # extended to the 10th
    Sent("n", "f", "2025-03", "04-07T09:00", "questioned"),
    Sent("city", "f", "2025-03", "04-05T09:00", policy="archive"),
    Sent("a", "g", "2025-03", "04-10T11:00"),
    Sent("n", "g", "2025-03", "04-10T12:00", None),  # nobody has checked it
]
EXTENSIONS = [
    ("f", "2025-03", None, at("04-04T17:30"), "清明节值守", at("04-01T09:00")),  # one day more for all …
    ("f", "2025-03", "a", at("04-10T17:30"), "系统升级", at("04-02T09:00")),  # … and more for two of them
    ("f", "2025-03", "b", at("05-20T17:30"), "机构改革", at("04-02T09:00")),
]
NOTICES = [  # kind, step, unit, period, whether a mail was written, withdrawn, states of its deliveries → state
    ("overdue", 1, "b", "2025-02", True, False, ["sent", "refused"], "sent"),
    ("overdue", 2, "b", "2025-02", True, False, ["queued", "unknown"], "queued"),
    ("overdue", 3, "b", "2025-02", True, False, ["unknown", "refused"], "unknown"),
    ("escalated", 1, "b", "2025-02", True, False, ["refused"], "refused"),
    ("overdue", 1, "city", "2025-03", False, False, [], "unaddressed"),
    ("overdue", 1, "n", "2025-03", True, True, ["withdrawn"], "withdrawn"),
    ("returned", 0, "a", "2025-02", True, False, ["handing_over"], "queued"),
]
SECRETS = ("clerk@towns.example", "王小明", "正文里的话")


def record(connection: psycopg.Connection, sent: Sent) -> None:
    """Put a report into the tables as the intake and the check leave them."""
    name, received = sent.submission_id, at(sent.received)
    row = connection.execute(
        "insert into intake.files (file_sha256, file_name, landing_key, size_bytes, policy, received_at, outcome)"
        " values (%s, %s, %s, 1, %s, %s, 'taken_in') returning file_id",
        [name, f"{name}.xlsx", name, sent.policy, received],
    ).fetchone()
    assert row
    connection.execute(
        "insert into intake.submissions values (%s, %s, %s, %s, 'unit', %s, %s, %s, %s, '报表')",
        [name, sent.unit, sent.form, sent.period, row[0], name, sent.policy, received],
    )
    indicator = "f.checks" if sent.form == "f" else "g.shifts"
    cell = Cell("B5", "value" if sent.value else "zero", sent.value, str(sent.value))
    state_figures(connection, sent.unit, name, "报表", {indicator: cell})
    if sent.outcome:
        accepted = received if sent.outcome != "returned" else None
        connection.execute(
            "insert into quality.verdicts values (%s, %s, %s, %s)", [sent.unit, name, sent.outcome, accepted]
        )
    severity = {"returned": "error", "questioned": "question"}.get(sent.outcome or "")
    if severity:
        connection.execute(
            "insert into quality.findings values (%s, 'form', 'submission', %s, %s, 'au', %s, %s, %s, 'f.rule', 'sum',"
            " %s, '报表!B5', '报表', '3', '4', '请核对')",
            [f"of-{name}"[:40], row[0], name, sent.form, sent.unit, sent.period, severity],
        )
    connection.execute(
        "insert into intake.touched (form_id, period_id, unit_id) values (%s, %s, %s)",
        [sent.form, sent.period, sent.unit],
    )


def write_mails(connection: psycopg.Connection) -> None:
    """Put notices, their mails and what became of them into the tables."""
    address, contact, text = SECRETS
    for number, (kind, step, unit, period, is_written, is_withdrawn, states, _) in enumerate(NOTICES):
        mail_id = None
        if is_written:
            row = connection.execute(
                "insert into mail.mails (authority_id, to_unit_id, is_urgent, planned_at, planned_on, message_id,"
                " sender_name, sender_address, subject, body_text, body_html)"
                " values ('au', %s, false, %s, %s, %s, '统计组', %s, %s, %s, %s)"
                " returning mail_id",
                [unit, at("03-06T09:00"), at("03-06T09:00").date(), f"<{number}@au.example>", address, *[text] * 3],
            ).fetchone()
            assert row
            mail_id = row[0]
        for other, state in enumerate(states):
            connection.execute(
                "insert into mail.deliveries (mail_id, address, contact_name, state, next_attempt_at, changed_at)"
                " values (%s, %s, %s, %s, %s, %s)",
                [mail_id, f"{other}{address}", contact, state, at("03-06T09:00"), at("03-06T09:05")],
            )
        connection.execute(
            "insert into mail.notices (reason_key, kind, step, authority_id, unit_id, to_unit_id, form_id, period_id,"
            " planned_at, mail_id, withdrawn_at) values (%s, %s, %s, 'au', %s, %s, 'f', %s, %s, %s, %s)",
            [
                *(f"{kind} {step} {unit} {period}", kind, step, unit, unit, period, at("03-06T09:00"), mail_id),
                at("03-06T09:10") if is_withdrawn else None,
            ],
        )
    connection.execute("insert into mail.contacts values ('b', %s, %s)", [address, contact])


class Marts:
    """What the marts of one warehouse say, to whom reads them for BI."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.connection = connect(settings)
        self.connection.autocommit = True
        self.connection.execute("set timezone = 'Asia/Shanghai'")
        self.connection.execute("set role bi_reader")

    def rows(self, relation: str, *arguments: Any, **where: Any) -> list[Row]:
        """Return the rows of a mart, or of a function with arguments, in which the columns have these values."""
        call = f"({', '.join(['%s'] * len(arguments))})" if arguments else ""
        text = f"select * from marts.{relation}{call} where true"
        text += "".join(f" and {column} = %s" for column in where)
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(text.encode(), [*arguments, *where.values()]).fetchall()

    def one(self, relation: str, *arguments: Any, **where: Any) -> Row:
        """Return the only such row."""
        (row,) = self.rows(relation, *arguments, **where)
        return row

    def obligation(self, unit: str, form: str, period: str) -> Row:
        """Return what a unit owes, as of the last look."""
        return self.one("fct_obligations", unit_id=unit, form_id=form, period_id=period)


def write(folder: Path, definitions: dict[str, str] = DEFINITIONS) -> Path:
    for name, content in definitions.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


@dataclass
class Looked:
    """The marts after the second look, and the findings on obligations after each of the two."""

    marts: Marts
    findings: dict[str, list[Row]]
    outcome: dict[str, Any]
    counted: dict[str, list[Row]]


def of_obligations(settings: Settings) -> list[Row]:
    return sorted(Marts(settings).rows("fct_findings", scope="obligation"), key=lambda row: str(row["finding_id"]))


def submissions(settings: Settings) -> list[Row]:
    return sorted(Marts(settings).rows("fct_submissions"), key=lambda row: str(row["submission_id"]))


@pytest.fixture(scope="module")
def looked(server: LocalServer, template: str, tmp_path_factory: pytest.TempPathFactory) -> Looked:
    state = tmp_path_factory.mktemp("looked")
    settings = settings_for(state, write(state / "definitions"), new_database(server, template))
    intake.prepare(settings)
    with connect(settings) as connection:
        for sent in STORY:
            record(connection, sent)
        for form, period, unit, until, reason, granted in EXTENSIONS:
            connection.execute(
                "insert into deadlines.extensions (form_id, period_id, unit_id, until, reason, granted_by, granted_at)"
                " values (%s, %s, %s, %s, %s, '科长', %s)",
                [form, period, unit, until, reason, granted],
            )
        write_mails(connection)
    check_obligations(settings, FIRST_LOOK)
    marts.build(settings)
    findings = {"first": of_obligations(settings)}
    counted = {"first": submissions(settings)}
    check_obligations(settings, SECOND_LOOK)
    outcome = marts.build(settings)
    findings["second"] = of_obligations(settings)
    counted["second"] = submissions(settings)
    return Looked(Marts(settings), findings, outcome, counted)


# --- findings -------------------------------------------------------------------------------------------------------


def said(rows: list[Row]) -> set[tuple[str, str, str, str, str]]:
    return {tuple(row[key] for key in ("unit_id", "form_id", "period_id", "rule_kind", "severity")) for row in rows}


def test_what_is_missing_or_late_is_among_the_findings_though_it_is_in_no_file(looked: Looked) -> None:
    assert said(looked.findings["first"]) == {
        ("b", "f", "2025-01", "late", "notice"),
        ("b", "f", "2025-02", "missing", "error"),
    }
    (late,) = [row for row in looked.findings["first"] if row["rule_kind"] == "late"]
    assert late["message"] == "《执法情况月报》2025年1月应于2月7日17:30前报送，实际于2月8日09:00报送，迟报 1 个工作日。"
    assert (late["unit_name"], late["form_title"], late["period_name"]) == ("乙镇", "执法情况月报", "2025年1月")
    assert (late["file_id"], late["submission_id"], late["cells"], late["is_standing"]) == (None, None, "", False)


def test_a_later_look_adds_its_findings_without_building_everything(looked: Looked) -> None:
    assert looked.outcome["built"] and not looked.outcome["full_refresh"]
    assert said(looked.findings["second"]) == {
        ("b", "f", "2025-01", "late", "notice"),
        ("b", "f", "2025-02", "missing", "error"),
        ("n", "f", "2025-03", "late", "notice"),
        ("city", "f", "2025-03", "missing", "error"),
        ("b", "g", "2025-03", "missing", "error"),
        ("b", "g", "2025-03", "never_reported", "question"),
        *((unit, "f", "2025-04", "missing", "error") for unit in ("a", "b", "n")),
    }


def test_findings_on_obligations_are_counted_at_no_submission(looked: Looked) -> None:
    assert looked.counted["first"] == looked.counted["second"]
    counted = {
        row["submission_id"]: (row["errors"], row["questions"], row["notices"]) for row in looked.counted["second"]
    }
    assert {key: value for key, value in counted.items() if any(value)} == {
        "a-f-2025-02-03-05T10:00": (1, 0, 0),
        "n-f-2025-03-04-07T09:00": (0, 1, 0),
    }


# --- obligations ----------------------------------------------------------------------------------------------------


def test_every_obligation_is_listed_once_as_of_the_last_look(looked: Looked) -> None:
    rows = looked.marts.rows("fct_obligations")
    assert {(row["unit_id"], row["form_id"], row["period_id"]): row["status"] for row in rows} == {
        ("a", "f", "2025-01"): "on_time",
        ("a", "f", "2025-02"): "on_time",
        ("a", "f", "2025-03"): "on_time",
        ("a", "f", "2025-04"): "missing",
        ("a", "g", "2025-03"): "on_time",
        ("b", "f", "2025-01"): "late",
        ("b", "f", "2025-02"): "missing",
        ("b", "f", "2025-03"): "extended",
        ("b", "f", "2025-04"): "missing",
        ("b", "g", "2025-03"): "missing",
        ("n", "f", "2025-03"): "late",
        ("n", "f", "2025-04"): "missing",
        ("n", "g", "2025-03"): "on_time",
        ("city", "f", "2025-01"): "on_time",
        ("city", "f", "2025-02"): "on_time",
        ("city", "f", "2025-03"): "missing",
    }
    assert len(rows) == 16 and {row["as_at"] for row in rows} == {SECOND_LOOK}


def test_an_extension_moves_the_deadline_and_says_why(looked: Looked) -> None:
    row = looked.marts.obligation("a", "f", "2025-03")
    assert (row["is_extended"], row["extension_reason"], row["due_at"]) == (True, "系统升级", at("04-10T17:30"))
    assert (row["declared_due_at"], row["month"]) == (at("04-03T17:30"), "2025-04")
    for unit in ("n", "city"):  # what was granted to all
        row = looked.marts.obligation(unit, "f", "2025-03")
        assert (row["extension_reason"], row["due_at"]) == ("清明节值守", at("04-04T17:30"))
    assert looked.marts.obligation("n", "f", "2025-03")["working_days_late"] == 1  # from the 3rd, over the holiday
    assert not looked.marts.obligation("a", "f", "2025-02")["is_extended"]


def test_a_report_on_time_and_returned_is_on_time_and_accepted_late(looked: Looked) -> None:
    row = looked.marts.obligation("a", "f", "2025-02")
    assert (row["status"], row["submissions"], row["is_first_pass"]) == ("on_time", 2, False)
    assert (row["first_received_at"], row["accepted_at"]) == (at("03-05T10:00"), at("03-12T10:00"))
    assert (row["errors"], row["questions"], row["working_days_late"]) == (1, 0, 0)


def test_a_first_report_that_was_not_checked_neither_passed_nor_failed(looked: Looked) -> None:
    assert looked.marts.obligation("n", "g", "2025-03")["is_first_pass"] is None
    assert looked.marts.obligation("city", "f", "2025-03")["is_first_pass"] is None
    assert looked.marts.obligation("n", "f", "2025-03")["is_first_pass"] is True  # questioned is accepted


def test_units_of_two_kinds_owe_the_same_form_by_days_of_their_own(looked: Looked) -> None:
    assert looked.marts.obligation("a", "f", "2025-01")["due_at"] == at("02-07T17:30")
    assert looked.marts.obligation("city", "f", "2025-01")["due_at"] == at("02-11T17:30")


def test_a_nil_report_is_a_report_and_what_was_published_is_none(looked: Looked) -> None:
    nil, published = (looked.marts.obligation("city", "f", period) for period in ("2025-02", "2025-03"))
    assert (nil["status"], nil["submissions"], nil["first_received_at"]) == ("on_time", 1, nil["due_at"])
    assert (published["status"], published["submissions"]) == ("missing", 0)


def test_a_unit_that_never_reported_a_form_is_told_from_one_that_missed_a_period(looked: Looked) -> None:
    assert looked.marts.obligation("b", "g", "2025-03")["never_reported"] is True
    assert looked.marts.obligation("b", "f", "2025-02")["never_reported"] is False


def test_what_is_missing_is_late_up_to_the_look(looked: Looked) -> None:
    assert looked.marts.obligation("a", "f", "2025-04")["working_days_late"] == 1
    # 11 April, two weeks, the 27th, a Sunday that is worked, three days, and four after the holiday
    assert looked.marts.obligation("b", "g", "2025-03")["working_days_late"] == 1 + 10 + 1 + 3 + 4


def test_a_question_is_open_until_it_is_explained_and_again_when_the_explanation_is_refused(looked: Looked) -> None:
    def unanswered() -> int:
        return int(looked.marts.obligation("n", "f", "2025-03")["unanswered_questions"])

    assert unanswered() == 1
    with connect(looked.marts.settings) as connection:
        connection.autocommit = True
        insert = (
            "insert into quality.explanations (unit_id, form_id, period_id, rule_id, subject, stated, expected,"
            " finding_id, file_id, given_at, explanation)"
            " values ('n', 'f', '2025-03', 'f.rule', '', %s, '4', 'x', %s, %s, '属实') returning explanation_id"
        )
        try:
            connection.execute(insert, ["5", 1, at("04-20T09:00")])  # of another value of the cell
            assert unanswered() == 1
            connection.execute(insert, ["3", 2, SECOND_LOOK + timedelta(hours=1)])  # after the look
            assert unanswered() == 1
            row = connection.execute(insert, ["3", 3, at("04-20T09:00")]).fetchone()
            assert row and unanswered() == 0
            connection.execute(
                "insert into quality.decisions values (%s, false, '理由不足', '科长', %s)", [row[0], at("04-21T09:00")]
            )
            assert unanswered() == 1
        finally:
            connection.execute("delete from quality.decisions")
            connection.execute("delete from quality.explanations")


def test_an_explanation_answers_one_of_two_questions_that_differ_in_their_words_only(looked: Looked) -> None:
    with connect(looked.marts.settings) as connection:
        for number, message in enumerate(("甲处看不清", "乙处看不清")):
            connection.execute(
                "insert into quality.findings select %s, 'reading', scope, file_id, submission_id, authority_id,"
                " form_id, unit_id, period_id, 'reading.unclear', 'unclear', 'question', '', sheet, '', '', %s"
                " from quality.findings where form_id = 'f' and period_id = '2025-03' and unit_id = 'n'"
                " and rule_id = 'f.rule'",
                [f"unclear-{number}", message],
            )
        connection.execute(
            "insert into quality.explanations (unit_id, form_id, period_id, rule_id, subject, stated, expected,"
            " finding_id, file_id, given_at, explanation)"
            " values ('n', 'f', '2025-03', 'reading.unclear', '乙处看不清', '', '', 'unclear-1', 1, %s, '已核实')",
            [at("04-20T09:00")],
        )
        row = connection.execute(
            "select unanswered_questions from marts.fct_obligations"
            " where unit_id = 'n' and form_id = 'f' and period_id = '2025-03'"
        ).fetchone()
        assert row == (2,)
        connection.rollback()


# --- as of an instant -----------------------------------------------------------------------------------------------


def test_an_earlier_instant_knows_only_what_had_come_and_been_granted(looked: Looked) -> None:
    rows = looked.marts.rows("obligations_as_of", "au", at("03-06T09:00"))
    known = {(row["unit_id"], row["form_id"], row["period_id"]): row for row in rows}
    assert {key: row["status"] for key, row in known.items() if key[2] >= "2025-02"} == {
        ("a", "f", "2025-02"): "on_time",
        ("b", "f", "2025-02"): "missing",
        ("city", "f", "2025-02"): "not_due",
        **{(unit, "f", "2025-03"): "not_due" for unit in ("a", "b", "n", "city")},  # a period that has begun
        **{(unit, "g", "2025-03"): "not_due" for unit in ("a", "b", "n")},
    }
    returned = known["a", "f", "2025-02"]
    assert (returned["submissions"], returned["accepted_at"], returned["errors"]) == (1, None, 1)
    assert not any(row["is_extended"] for row in rows)
    assert known["city", "f", "2025-02"]["never_reported"] is False


def test_an_extension_counts_from_when_it_was_granted(looked: Looked) -> None:
    def known(instant: str) -> tuple[str, str | None]:
        row = looked.marts.one("obligations_as_of", "au", at(instant), unit_id="b", form_id="f", period_id="2025-03")
        return row["status"], row["extension_reason"]

    assert known("03-31T09:00") == ("not_due", None)
    assert known("04-01T12:00") == ("not_due", "清明节值守")
    assert known("04-03T18:00") == ("extended", "机构改革")
    assert known("05-21T09:00") == ("missing", "机构改革")


@pytest.mark.parametrize("instant", [FIRST_LOOK, SECOND_LOOK, at("02-08T12:00")])
def test_the_view_is_the_function_as_of_the_look(looked: Looked, instant: datetime) -> None:
    with connect(looked.marts.settings) as connection:
        connection.autocommit = True
        connection.execute("update quality.looks set as_at = %s", [instant])
        try:
            view = looked.marts.rows("fct_obligations")
            function = [
                row for row in looked.marts.rows("obligations_as_of", "au", instant) if row["declared_due_at"] < instant
            ]
            plain = connection.execute(
                "select unit_id, form_id, period_id, due_at, status, working_days_late, submissions, accepted_at"
                " from deadlines.obligations_as_of(%s, '-infinity', %s)",
                [instant, instant],
            ).fetchall()
        finally:
            connection.execute("update quality.looks set as_at = %s", [SECOND_LOOK])

    def key(row: Row) -> tuple[str, ...]:
        return row["unit_id"], row["form_id"], row["period_id"]

    assert view and sorted(view, key=key) == sorted(function, key=key)
    columns = ("unit_id", "form_id", "period_id", "due_at", "status", "working_days_late", "submissions", "accepted_at")
    assert {tuple(row[column] for column in columns) for row in view} == set(plain)


# --- reporting quality ----------------------------------------------------------------------------------------------


def quality(looked: Looked, unit: str, month: str) -> Row:
    return looked.marts.one("fct_reporting_quality", unit_id=unit, month=month)


def test_each_unit_has_a_row_for_each_month_in_which_something_was_due(looked: Looked) -> None:
    columns = ("unit_id", "month", "owed", "extended", "on_time", "late", "missing")
    rows = looked.marts.rows("fct_reporting_quality", is_group=False)
    assert {tuple(row[column] for column in columns) for row in rows} == {
        ("a", "2025-02", 1, 0, 1, 0, 0),
        ("a", "2025-03", 1, 0, 1, 0, 0),
        ("a", "2025-04", 2, 0, 2, 0, 0),
        ("a", "2025-05", 1, 0, 0, 0, 1),
        ("b", "2025-02", 1, 0, 0, 1, 0),
        ("b", "2025-03", 1, 0, 0, 0, 1),
        ("b", "2025-04", 1, 1, 0, 0, 1),  # what was extended is not due yet
        ("b", "2025-05", 1, 0, 0, 0, 1),
        ("n", "2025-04", 2, 0, 1, 1, 0),
        ("n", "2025-05", 1, 0, 0, 0, 1),
        ("city", "2025-02", 1, 0, 1, 0, 0),
        ("city", "2025-03", 1, 0, 1, 0, 0),
        ("city", "2025-04", 1, 0, 0, 0, 1),
    }


def test_a_group_has_the_sums_of_its_units_and_the_ratio_of_the_sums(looked: Looked) -> None:
    columns = ("owed", "on_time", "late", "missing", "on_time_rate_text", "first_pass_rate_text", "submissions")
    east, everyone = (quality(looked, unit, "2025-04") for unit in ("east", "everyone"))
    assert [east[column] for column in columns] == [5, 3, 1, 1, "60.00", "100.00", 4]
    assert [everyone[column] for column in columns] == [6, 3, 1, 2, "50.00", "100.00", 4]
    february = quality(looked, "everyone", "2025-02")
    assert (february["on_time_rate_text"], february["on_time_rate"].quantize(Decimal("1e-9"))) == (
        "66.67",
        Decimal("66.666666667"),
    )
    assert (east["questions"], east["unanswered_questions"], quality(looked, "east", "2025-03")["errors"]) == (1, 1, 1)


def test_reports_corrected_again_and_again_and_late_ones_are_averaged(looked: Looked) -> None:
    march = quality(looked, "a", "2025-03")
    assert (march["submissions_per_obligation"], march["first_pass_rate"]) == (2, 0)
    assert (march["average_working_days_late"], march["average_working_days_late_reason"]) == (None, "没有迟报")
    april = quality(looked, "n", "2025-04")
    assert (april["working_days_late"], april["average_working_days_late_text"]) == (1, "1.00")
    assert (april["first_checked"], april["first_passed"]) == (1, 1)  # one of the two was not checked


def test_without_a_base_there_is_no_figure_but_a_reason(looked: Looked) -> None:
    row = quality(looked, "b", "2025-05")
    assert (row["on_time_rate"], row["on_time_rate_reason"]) == (0, None)
    for figure in ("first_pass_rate", "submissions_per_obligation"):
        assert (row[figure], row[f"{figure}_text"], row[f"{figure}_reason"]) == (None, "—", "没有报送")


def test_missing_reports_of_the_year_so_far_are_held_against_what_the_authority_allows(looked: Looked) -> None:
    months = {row["month"]: row for row in looked.marts.rows("fct_reporting_quality", unit_id="b")}
    assert [
        (month, months[month]["missing_in_year"], months[month]["is_over_threshold"]) for month in sorted(months)
    ] == [
        ("2025-02", 0, False),
        ("2025-03", 1, False),
        ("2025-04", 2, False),  # as many as are allowed
        ("2025-05", 3, True),
    ]
    group = quality(looked, "east", "2025-05")
    assert (group["missing_in_year"], group["missing_reports_a_year"], group["is_over_threshold"]) == (5, None, None)


def test_units_are_ranked_by_what_the_authority_declares(looked: Looked) -> None:
    def ranked(month: str) -> dict[tuple[str, str], tuple[Any, ...]]:
        rows = looked.marts.rows("reporting_quality_ranking", month=month)
        return {
            (row["item_id"], row["unit_id"]): tuple(row[key] for key in ("value", "rank", "points", "reason"))
            for row in rows
        }

    assert ranked("2025-04") == {
        ("on_time", "a"): (100, 1, 3, None),
        ("on_time", "n"): (50, 2, 2, None),
        ("on_time", "b"): (None, None, None, "应报不足"),
        ("on_time", "city"): (None, None, None, "应报不足"),
        ("late", "a"): (0, 1, 5, None),
        ("late", "b"): (0, 1, 5, None),
        ("late", "city"): (0, 1, 5, None),
        ("late", "n"): (1, 4, 0, None),  # three are better; five points less six are none
        ("total", "a"): (13, 1, 13, None),
        ("total", "n"): (2, 2, 2, None),
        ("total", "b"): (None, None, None, "有项目未排名"),
        ("total", "city"): (None, None, None, "有项目未排名"),
    }
    assert {reason for (item, _), (*_, reason) in ranked("2025-02").items() if item == "on_time"} == {"应报不足"}


def test_what_is_ranked_is_changed_in_yaml_alone(server: LocalServer, looked: Looked, tmp_path: Path) -> None:
    changed = dict(DEFINITIONS)
    changed["catalog/au/authority.yaml"] = (
        changed["catalog/au/authority.yaml"]
        .replace(
            "  name: 报送质量评比\n",
            "  name: 镇街报送评比\n  ties: dense\n  unit_kinds: [镇街]\n  excluded_units: [b]\n",
        )
        .replace("measure: late, better: lower", "measure: submissions_per_obligation, better: lower")
    )
    settings = looked.marts.settings
    with connect(settings) as connection:
        load_catalog_tables(connection, load_catalog(write(tmp_path / "changed", changed)))
    try:
        rows = looked.marts.rows("reporting_quality_ranking", month="2025-03")
        assert {(row["scoreboard_name"], row["unit_id"], row["item_id"], row["value"]) for row in rows} == {
            ("镇街报送评比", "a", "on_time", None),
            ("镇街报送评比", "a", "late", 2),
            ("镇街报送评比", "a", "total", None),
        }
    finally:
        with connect(settings) as connection:
            load_catalog_tables(connection, load_catalog(settings.definitions))
            connection.execute("delete from intake.touched")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("measure: late", "measure: shouting", "measure"),
        ("item_id: late", "item_id: total", "item_id total is taken"),
        ("item_id: late", "item_id: on_time", "declared twice"),
        ("  name: 报送质量评比", "  name: 报送质量评比\n  excluded_units: [east]", "excluded_units"),
        ("  name: 报送质量评比", "  name: 报送质量评比\n  unit_kinds: [乡]", "unit_kinds"),
    ],
)
def test_a_ranking_of_what_does_not_exist_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    changed = {name: content.replace(old, new) for name, content in DEFINITIONS.items()}
    with pytest.raises(CatalogError, match=said):
        load_catalog(write(tmp_path, changed))


def test_how_much_may_be_missing_reaches_the_warehouse_when_it_changes(tmp_path: Path) -> None:
    one = load_catalog(write(tmp_path / "one"))
    changed = {name: content.replace("a_year: 2", "a_year: 3") for name, content in DEFINITIONS.items()}
    other = load_catalog(write(tmp_path / "other", changed))
    hours = {name: content.replace('"17:30"]', '"18:00"]') for name, content in DEFINITIONS.items()}
    assert one.sha256 != other.sha256
    assert one.sha256 == load_catalog(write(tmp_path / "hours", hours)).sha256


# --- the paragraph --------------------------------------------------------------------------------------------------


def test_the_paragraph_says_what_went_wrong_with_the_figures_of_the_marts(looked: Looked) -> None:
    assert report.reporting_quality_paragraph(looked.marts.settings, "au", "2025-04") == (
        "2025年4月，应报6次，按时报送3次，按时报送率50.00%；迟报1次，平均迟报1个工作日；至今未报2次；"
        "另有1次经批准延期，尚未到期。已报送的4次应报共收到报送4次，一次通过3次，一次通过率100.00%；"
        "尚有1个核实性问题没有说明。报送失误仍有发生，存在数据不及时等问题。"
        "如，新设镇《执法情况月报》2025年3月迟报1个工作日；市本级《执法情况月报》2025年3月至今未报，"
        "乙镇《值守情况月报》2025年3月至今未报。"
    )
    march = report.reporting_quality_paragraph(looked.marts.settings, "au", "2025-03")
    assert "数据不及时、不准确、反复修改等问题" in march
    assert "甲镇2025年2月数据有误被退回；甲镇2025年2月先后报送2次。" in march  # one form: it is not named
    may = report.reporting_quality_paragraph(looked.marts.settings, "au", "2025-05")
    assert may.endswith("今年以来未报超过2次的有乙镇（3次）。")


def test_the_paragraph_of_a_month_without_obligations_or_of_none_says_so(looked: Looked) -> None:
    assert report.reporting_quality_paragraph(looked.marts.settings, "au", "2024-12") == "2024年12月，没有到期的应报。"
    with pytest.raises(ValueError, match="expected a month"):
        report.reporting_quality_paragraph(looked.marts.settings, "au", "2025-13")


def test_the_summary_shows_the_paragraph_of_the_last_month(looked: Looked, capsys: pytest.CaptureFixture[str]) -> None:
    report.print_summary(looked.marts.settings)
    printed = capsys.readouterr().out
    assert "Reporting quality: 市应急局 2025-05" in printed
    assert report.reporting_quality_paragraph(looked.marts.settings, "au", "2025-05") in printed


# --- notices --------------------------------------------------------------------------------------------------------


def test_a_notice_fared_as_the_best_or_else_the_most_urgent_of_its_deliveries(looked: Looked) -> None:
    rows = {(row["kind"], row["step"], row["unit_id"]): row for row in looked.marts.rows("fct_notices")}
    assert {key: row["state"] for key, row in rows.items()} == {
        (kind, step, unit): state for kind, step, unit, *_, state in NOTICES
    }
    sent = rows["overdue", 1, "b"]
    assert (sent["planned_at"], sent["sent_at"]) == (at("03-06T09:00"), at("03-06T09:05"))
    assert (sent["unit_name"], sent["form_title"], sent["period_name"]) == ("乙镇", "执法情况月报", "2025年2月")
    assert [row["sent_at"] for row in rows.values() if row["state"] != "sent"] == [None] * 6


def test_a_reader_of_the_marts_sees_no_address_no_name_and_no_text_of_a_mail(looked: Looked) -> None:
    for mart in marts.MARTS:
        if mart == "fct_correction_impacts":
            continue  # made of the same figures as the others, a correction at a time
        shown = json.dumps(looked.marts.rows(mart), default=str, ensure_ascii=False)
        assert not [secret for secret in SECRETS if secret in shown], mart
    with connect(looked.marts.settings) as connection:
        tables = connection.execute(
            "select schemaname, tablename from pg_tables"
            " where schemaname in ('mail', 'deadlines', 'quality', 'catalog')"
        ).fetchall()
    assert ("mail", "contacts") in tables
    for schema, table in tables:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            looked.marts.connection.execute(f"select * from {schema}.{table}".encode())
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        looked.marts.connection.execute("select * from deadlines.obligations_as_of(now(), now(), now())")


# --- how fast -------------------------------------------------------------------------------------------------------


@pytest.fixture
def planned(looked: Looked) -> Iterator[psycopg.Connection]:
    """A connection whose plans are those of much data: nothing is read whole that an index leads to."""
    with connect(looked.marts.settings) as connection:
        connection.execute("set enable_seqscan = off")
        yield connection


@pytest.mark.parametrize(
    ("mart", "where", "narrowed"),
    [
        ("fct_obligations", "unit_id = 'a'", "u.unit_id = 'a'::text"),
        ("fct_obligations", "form_id = 'f' and period_id = '2025-03'", "period_id = '2025-03'::text"),
        ("fct_obligations", "month = '2025-04'", "to_char"),
        ("fct_reporting_quality", "unit_id = 'a' and year = 2025", "u.unit_id = 'a'::text"),
        ("fct_reporting_quality", "year = 2025", "EXTRACT(year FROM d.due_on)"),
    ],
)
def test_a_question_is_narrowed_down_before_anything_is_worked_out(
    planned: psycopg.Connection, mart: str, where: str, narrowed: str
) -> None:
    plan = planned.execute(f"explain (verbose, format json) select * from marts.{mart} where {where}".encode())
    row = plan.fetchone()
    assert row
    scans = []

    def walk(node: dict[str, Any]) -> None:
        if "Relation Name" in node:
            scans.append((node["Relation Name"], f"{node.get('Index Cond', '')} {node.get('Filter', '')}"))
        for child in node.get("Plans", []):
            walk(child)

    walk(row[0][0]["Plan"])
    tables = ("deadlines", "units", "form_units", "submissions")
    assert any(table in tables and narrowed in conditions for table, conditions in scans), scans
