"""Who is written to, about what, and how often, on a real warehouse: each reason once, and nothing that is not so.

January 2025 is due on the third working day after it. The holidays of the Spring Festival last until 4 February, and
Saturday the 8th is worked in exchange: the deadline is Friday the 7th at 17:00, the next working day is that Saturday.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result

from conftest import new_database, settings_for
from enforcement_reporting import deadlines, intake
from enforcement_reporting.cli import main
from enforcement_reporting.deadlines import Draft, Item, Look
from enforcement_reporting.local.postgres import LocalServer
from enforcement_reporting.quality import check_obligations, check_submissions
from enforcement_reporting.settings import PROJECT_ROOT, Settings
from enforcement_reporting.warehouse import connect
from workbooks import workbook

CHINA = ZoneInfo("Asia/Shanghai")

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
      members: [{unit_id: a, name: 甲镇, kind: 镇街}, {unit_id: b, name: 乙镇, kind: 镇街}]
    - {unit_id: c, name: 丙镇, kind: 镇街}
""",
    "catalog/au/forms/f.yaml": """
form_id: f
authority_id: au
title: 执法情况月报
calendar: {kind: month}
figures: single
deadlines: [{working_day: 3, at: "17:00"}]
owed_from: 2025-01-01
unit_labels: [单位]
indicators:
  - {indicator_id: found, label: [排查], unit_of_measure: 条}
  - {indicator_id: fixed, label: [整改], unit_of_measure: 条}
  - {indicator_id: visits, label: [检查], unit_of_measure: 家次}
""",
    "catalog/au/forms/g.yaml": """
form_id: g
authority_id: au
title: 宣传情况月报
calendar: {kind: month}
figures: single
deadlines: [{working_day: 3, at: "17:00"}]
owed_from: 2025-01-01
unit_labels: [单位]
indicators: [{indicator_id: talks, label: [宣讲], unit_of_measure: 场}]
""",
    "catalog/au/notices.yaml": """
sender: {name: 市应急局统计组, address: tongji@au.example, ask: 统计组, how_to_send: 回复本邮件}
daily_at: "09:00"
working_hours: ["08:30", "17:30"]
remind_days_before: 1
repeat_every_days: 2
repeat_at_most: 2
escalate_after_days: 3
looking_back_days: 30
urgent: [returned]
""",
    "expectations/au/f.yaml": """
form: f
rules:
  - {rule_id: fixed_within_found, kind: part_whole, parts: [fixed], whole: [found]}
  - {rule_id: found_needs_visits, kind: amount_count, severity: question, amount: [found], count: [visits]}
""",
    "expectations/au/timeliness.yaml": """
authority: au
rules:
  - {rule_id: reported, kind: missing, severity: error}
  - {rule_id: on_time, kind: late, severity: notice}
""",
}
CONTACTS = [("a", "a@x.example"), ("b", "b@x.example"), ("c", "c@x.example"), ("east", "east@x.example")]
CONTACTS += [("everyone", "all@x.example")]
FORM, TALKS = "执法情况月报", "宣传情况月报"


def at(day: str, hour: str = "09:00") -> datetime:
    """Return an instant in China of the year 2025."""
    return datetime.fromisoformat(f"2025-{day}T{hour}").replace(tzinfo=CHINA)


@dataclass
class Office:
    """An authority at work: units send in, the office looks."""

    settings: Settings
    folder: Path
    sent: int = field(default=0)

    def receive(self, title: str, unit: str, figures: Sequence[int], when: datetime, month: str = "2025年1月") -> None:
        """Take a unit's report in."""
        heads = {FORM: ["排查（条）", "整改（条）", "检查（家次）"], TALKS: ["宣讲（场）"]}[title]
        self.sent += 1
        path = self.folder / f"{self.sent}.xlsx"
        rows = [[f"{title}（{month}）"], ["单位", *heads], [unit, *figures], [f"第{self.sent}份"]]
        path.write_bytes(workbook(rows))
        (received,) = intake.ingest_files(self.settings, [str(path)], "collect", when)
        assert received.outcome == "taken_in"

    def receive_all(self, when: datetime, *, but: Sequence[str] = (), month: str = "2025年1月") -> None:
        """Take in what everybody owes, with nothing wrong in it, but for (form, unit) named ``form unit``."""
        for title, figures in ((FORM, [3, 2, 5]), (TALKS, [1])):
            for unit in ("甲镇", "乙镇", "丙镇"):
                if f"{title} {unit}" not in but:
                    self.receive(title, unit, figures, when, month)

    def look(self, when: datetime, *, server_is_up: bool = True) -> list[Draft]:
        """Check what has come in and look who owes what; return the mails written, which the server takes at once."""
        (look,) = self.chase(when)
        if server_is_up:
            with connect(self.settings) as connection:
                connection.execute("update mail.deliveries set state = 'sent' where state = 'queued'")
        return look.drafts

    def chase(self, when: datetime, *, dry_run: bool = False) -> list[Look]:
        check_submissions(self.settings)
        return deadlines.chase(self.settings, when, dry_run=dry_run)

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with connect(self.settings) as connection:
            return connection.execute(query.encode(), values).fetchall()


@pytest.fixture(scope="module")
def prepared(server: LocalServer, template: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A warehouse with the definitions and contacts loaded, to copy from."""
    folder = tmp_path_factory.mktemp("definitions")
    for name, content in DEFINITIONS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    settings = settings_for(folder / "state", folder, new_database(server, template))
    intake.prepare(settings)
    with connect(settings) as connection:
        connection.cursor().executemany(
            "insert into mail.contacts (unit_id, address, contact_name) values (%s, %s, '统计员')", CONTACTS
        )
    assert settings.warehouse_url is not None
    return folder, settings.warehouse_url


@pytest.fixture
def office(prepared: tuple[Path, str], server: LocalServer, tmp_path: Path) -> Office:
    folder, url = prepared
    name = re.findall(r"warehouse_\d+", url)[0]
    return Office(settings_for(tmp_path, folder, new_database(server, name)), tmp_path)


def about(drafts: Sequence[Draft]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return to whom mails go, and for each what it is about: kind and form."""
    return [(draft.to_unit, [(item.kind, item.form) for item in draft.items]) for draft in drafts]


def test_the_day_before_only_those_are_reminded_who_have_not_reported(office: Office) -> None:
    office.receive_all(at("02-05", "15:00"), but=[f"{FORM} 乙镇", f"{TALKS} 乙镇", f"{TALKS} 丙镇"])
    assert office.look(at("02-05")) == []
    drafts = office.look(at("02-06"))
    assert about(drafts) == [("乙镇", [("due_soon", FORM), ("due_soon", TALKS)]), ("丙镇", [("due_soon", TALKS)])]
    assert drafts[1].items[0].due == "2月7日 17:00"
    assert office.look(at("02-06", "10:00")) == [], "once"
    assert office.look(at("02-07")) == [], "a reminder is not repeated"


def test_a_missed_deadline_is_written_about_on_the_next_working_day_be_it_a_saturday(office: Office) -> None:
    office.receive_all(at("02-05"), but=[f"{FORM} 乙镇"])
    assert about(office.look(at("02-07", "17:00"))) == [("乙镇", [("due_soon", FORM)])], "until 17:00 it is on time"
    assert about(office.look(at("02-08"))) == [("乙镇", [("overdue", FORM)])]
    assert office.look(at("02-09")) == [], "a Sunday"
    assert office.look(at("02-10")) == [], "every two days"
    (_, draft) = office.look(at("02-11"))
    assert [(item.kind, item.written_before, item.days_late) for item in draft.items] == [("overdue", 1, 3)]


def test_on_the_day_itself_nobody_is_told_of_a_missed_deadline(office: Office) -> None:
    office.receive_all(at("02-05"), but=[f"{FORM} 乙镇"])
    office.look(at("02-06"))
    assert office.look(at("02-07", "17:10")) == []


def test_the_first_mail_about_a_missed_deadline_is_the_first_whenever_it_is_written(office: Office) -> None:
    office.receive_all(at("02-05"), but=[f"{FORM} 乙镇"])
    (_, draft) = office.look(at("02-11"))
    assert [(item.kind, item.written_before, item.days_late) for item in draft.items] == [("overdue", 0, 3)]


def test_it_is_repeated_as_declared_then_the_superior_is_told_once_and_then_there_is_silence(office: Office) -> None:
    office.receive_all(at("02-05"), but=[f"{FORM} 甲镇", f"{FORM} 乙镇", f"{TALKS} 乙镇", f"{FORM} 丙镇"])
    days = [f"02-{day:02}" for day in range(8, 29)]
    written = {day: about(office.look(at(day))) for day in days}
    to_superiors = {
        (day, to, len(items)) for day, mails in written.items() for to, items in mails if to not in "甲镇乙镇丙镇"
    }
    # The nearest group above: 丙镇 lies directly below the whole; those of 东片 come in one mail.
    assert to_superiors == {("02-11", "东片", 3), ("02-11", "全市", 1)}
    to_b = {day: items for day, mails in written.items() for to, items in mails if to == "乙镇"}
    assert list(to_b) == ["02-08", "02-11", "02-13"], "the first, and repeated twice"
    assert to_b["02-13"] == [("overdue", FORM), ("overdue", TALKS)], "one mail about both"


def test_what_contradicts_itself_goes_back_at_once_with_its_workbook_and_others_hear_nothing(office: Office) -> None:
    office.receive_all(at("02-05"), but=[f"{FORM} 乙镇"])
    office.receive(FORM, "乙镇", [2, 5, 1], at("02-05", "11:20"))
    (draft,) = office.look(at("02-05", "11:21"))
    (item,) = draft.items
    assert (draft.to_unit, draft.is_urgent, item.kind) == ("乙镇", True, "returned")
    ((severity, cells, message, _),) = item.findings
    assert severity == "error" and "C3" in cells and "整改" in message
    assert office.rows("select file_name from mail.attachments") == [(item.workbook,)]
    assert office.look(at("02-05", "11:22")) == []


def test_a_mail_says_below_a_finding_what_would_mend_it() -> None:
    mend = "可能是两个数字颠倒：若将 B3（<排查>）由 584 改为 548，则相符。"
    found = (("error", "表!B3", "不符。", f"{mend}\n{mend}"), ("question", "表!C3", "请核实。", ""))
    item = Item("returned", 0, "甲镇", FORM, "2025年1月", "", 0, "", "2月5日", False, findings=found)
    sender = {"name": "统计组", "how_to_send": "回复", "ask": "统计组"}
    view = {"authority": "市应急局", "to": "甲镇", "sender": sender, "items": [item]}
    templates = deadlines._templates(PROJECT_ROOT, "none")
    text = templates["body.txt.j2"].render(view)
    assert f"    ✕ 表!B3：不符。\n      → {mend}\n      → {mend}\n    ？ 表!C3：请核实。\n" in text
    html = templates["body.html.j2"].render(view)
    assert html.count("→ ") == 2 and "&lt;排查&gt;" in html


def test_after_the_correction_the_unit_is_told_that_all_is_well_if_it_was_told_that_it_was_not(office: Office) -> None:
    office.receive(FORM, "乙镇", [2, 5, 1], at("02-05", "11:20"))
    office.look(at("02-05", "11:21"))
    office.receive(FORM, "乙镇", [5, 2, 1], at("02-05", "15:00"))
    office.receive(FORM, "甲镇", [1, 2, 1], at("02-05", "18:00"))
    office.receive(FORM, "甲镇", [2, 1, 1], at("02-05", "18:10"))
    drafts = office.look(at("02-06"))
    assert ("乙镇", [("accepted", FORM), ("due_soon", TALKS)]) in [(to, sorted(items)) for to, items in about(drafts)]
    assert "accepted" not in [item.kind for draft in drafts if draft.to_unit == "甲镇" for item in draft.items]


def test_a_question_waits_for_the_mail_of_the_day(office: Office) -> None:
    office.receive_all(at("02-05", "08:00"), but=[f"{FORM} 乙镇"])
    office.receive(FORM, "乙镇", [2, 1, 0], at("02-05", "08:10"))
    assert office.look(at("02-05", "08:40")) == [], "before the hour of the day's mail"
    (draft,) = office.look(at("02-05", "09:00"))
    assert [item.kind for item in draft.items] == ["questioned"] and not draft.is_urgent


def test_what_comes_up_after_the_mail_of_the_day_waits_for_the_next_one(office: Office) -> None:
    office.receive_all(at("02-05", "08:00"), but=[f"{FORM} 乙镇", f"{TALKS} 乙镇"])
    assert about(office.look(at("02-06"))) == [("乙镇", [("due_soon", FORM), ("due_soon", TALKS)])]
    office.receive(FORM, "乙镇", [2, 1, 0], at("02-06", "09:30"))
    assert office.look(at("02-06", "10:00")) == []
    office.receive(TALKS, "甲镇", [1], at("02-06", "10:10"))
    assert about(office.look(at("02-07"))) == [("乙镇", [("questioned", FORM)])]


def test_on_a_day_that_is_not_worked_not_even_what_is_urgent_is_written(office: Office) -> None:
    office.receive_all(at("02-05"), but=[f"{FORM} 乙镇"])
    office.receive(FORM, "乙镇", [2, 5, 1], at("02-08", "18:00"))
    (look,) = office.chase(at("02-09", "10:00"))
    assert look.drafts == [] and "no working day" in look.kept_back
    assert about(office.look(at("02-10", "08:30"))) == [("乙镇", [("returned", FORM)])]


def test_at_night_and_on_holidays_nothing_is_written_and_what_is_mended_meanwhile_never_is(office: Office) -> None:
    office.receive_all(at("02-05", "18:00"), but=[f"{FORM} 甲镇", f"{FORM} 乙镇"])
    office.receive(FORM, "甲镇", [2, 5, 1], at("02-05", "18:20"))
    office.receive(FORM, "乙镇", [2, 5, 1], at("02-05", "18:20"))
    (look,) = office.chase(at("02-05", "18:30"))
    assert look.notices == 2 and look.drafts == [] and "working hours" in look.kept_back
    office.receive(FORM, "乙镇", [5, 2, 1], at("02-05", "19:00"))
    assert about(office.look(at("02-06", "08:30"))) == [("甲镇", [("returned", FORM)])]


def test_a_mail_that_waited_for_the_server_says_the_next_day_what_is_true_then(office: Office) -> None:
    office.receive_all(at("02-05"), but=[f"{FORM} 乙镇", f"{FORM} 丙镇"])
    assert len(office.look(at("02-08"), server_is_up=False)) == 2
    office.receive(FORM, "丙镇", [3, 2, 5], at("02-08", "10:00"))
    drafts = office.look(at("02-10"), server_is_up=False)
    assert about(drafts) == [("乙镇", [("overdue", FORM)])]
    waiting = office.rows(
        "select to_unit_id, subject from mail.mails join mail.deliveries using (mail_id) where state = 'queued'"
    )
    assert [unit for unit, _ in waiting] == ["b"] and "已逾期2个工作日" in str(waiting[0][1])


def test_a_mail_that_waited_overnight_counts_the_days_anew(office: Office) -> None:
    office.receive_all(at("02-05"), but=[f"{FORM} 乙镇"])
    for day in ("02-08", "02-10"):
        office.look(at(day))
    for day, days in (("02-12", 4), ("02-13", 5)):  # the last reminder there is: its reason stays the same
        drafts = [draft for draft in office.look(at(day), server_is_up=False) if draft.to_unit == "乙镇"]
        assert [item.days_late for draft in drafts for item in draft.items] == [days]
    waiting = "select count(*) from mail.mails join mail.deliveries using (mail_id) where state = 'queued'"
    assert office.rows(f"{waiting} and to_unit_id = 'b'") == [(1,)]


def test_looks_at_the_same_time_write_everything_once(office: Office) -> None:
    office.receive_all(at("02-05"), but=[f"{FORM} 乙镇", f"{FORM} 丙镇"])
    check_submissions(office.settings)
    drafts: list[Draft] = []
    together = threading.Barrier(4)

    def look() -> None:
        together.wait(60)
        drafts.extend(deadlines.chase(office.settings, at("02-08"))[0].drafts)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(draft.to_unit for draft in drafts) == ["丙镇", "乙镇"]
    assert office.rows("select count(*) from mail.mails") == [(2,)]


def test_what_was_due_long_ago_is_written_about_to_nobody(office: Office) -> None:
    office.receive_all(at("02-05"), but=[f"{FORM} 乙镇"])
    office.receive(FORM, "乙镇", [1, 3, 2], at("02-05"))
    assert [item.kind for draft in office.look(at("05-20")) for item in draft.items if "1月" in item.period] == []


def test_an_extension_is_kept_to_and_says_why(office: Office) -> None:
    office.receive_all(at("02-05"), but=[f"{FORM} 乙镇"])
    deadlines.extend(
        office.settings, FORM, "2025年1月", at("02-12", "12:00"), unit="乙镇", reason="暴雨停电", granted_by="李科长",
        granted_at=at("02-07"),
    )  # fmt: skip
    assert office.look(at("02-10")) == []
    (draft,) = office.look(at("02-11"))
    assert [(item.kind, item.due, item.extension) for item in draft.items] == [
        ("due_soon", "2月12日 12:00", "暴雨停电")
    ]
    assert about(office.look(at("02-13"))) == [("乙镇", [("overdue", FORM)])]


def test_the_command_says_who_owes_what_by_names_as_well(office: Office) -> None:
    office.receive_all(at("02-05"), but=[f"{FORM} 乙镇"])
    state = office.settings
    environment = {
        "ENFORCEMENT_STATE": str(state.state),
        "ENFORCEMENT_DEFINITIONS": str(state.definitions),
        "ENFORCEMENT_WAREHOUSE_URL": str(state.warehouse_url),
    }

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(
            main, ["obligations", "--at", "2025-02-08T09:00+08:00", "--days", "20", *arguments], env=environment
        )

    for named in ((), ("--unit", "b"), ("--unit", "乙镇", "--form", FORM)):
        done = call(*named)
        assert (done.exit_code, done.stdout.count("missing")) == (0, 1), done.output
        assert "乙镇" in done.stdout
    assert "Nothing is owed" in call("--unit", "甲镇").stdout
    assert "'丁镇' is no unit" in call("--unit", "丁镇").stderr


@pytest.mark.parametrize(
    ("unit", "period", "until", "why"),
    [("b", "2025-01", at("02-07", "17:00"), "later"), ("everyone", "2025-01", at("03-01"), "does not owe"),
     (None, "2024-12", at("03-01"), "nobody")],
)  # fmt: skip
def test_an_extension_that_extends_nothing_is_refused(
    office: Office, unit: str | None, period: str, until: datetime, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        deadlines.extend(
            office.settings, "f", period, until, unit=unit, reason="x", granted_by="y", granted_at=at("02-05")
        )


def test_an_authority_that_is_stopped_writes_nothing_until_it_goes_on(office: Office) -> None:
    office.receive_all(at("02-05"), but=[f"{FORM} 乙镇"])
    with connect(office.settings) as connection:
        connection.execute("insert into mail.stops values ('au', '演练', '李科长', %s)", [at("02-05")])
    (look,) = office.chase(at("02-08"))
    assert look.drafts == [] and "演练" in look.kept_back
    with connect(office.settings) as connection:
        connection.execute("delete from mail.stops")
    assert about(office.look(at("02-08", "10:00"))) == [("乙镇", [("overdue", FORM)])]


def test_a_dry_run_says_what_would_be_written_and_leaves_no_trace(office: Office) -> None:
    office.receive_all(at("02-05"), but=[f"{FORM} 乙镇"])
    (look,) = office.chase(at("02-08"), dry_run=True)
    assert about(look.drafts) == [("乙镇", [("overdue", FORM)])]
    tables = ("mail.mails", "mail.notices", "mail.deliveries", "deadlines.chases")
    assert [office.rows(f"select count(*) from {table}") for table in tables] == [[(0,)]] * 4
    assert about(office.look(at("02-08"))) == about(look.drafts)


def test_a_unit_without_a_contact_is_named_and_written_to_once_it_has_one(office: Office) -> None:
    office.receive_all(at("02-05"), but=[f"{FORM} 乙镇"])
    with connect(office.settings) as connection:
        connection.execute("delete from mail.contacts where unit_id = 'b'")
    (look,) = office.chase(at("02-08"))
    assert (look.drafts, look.unaddressed) == ([], ["b"])
    with connect(office.settings) as connection:
        connection.execute("insert into mail.contacts values ('b', 'b@x.example', '王')")
    assert about(office.look(at("02-08", "11:00"))) == [("乙镇", [("overdue", FORM)])]


def test_a_report_of_nothing_is_a_report(office: Office) -> None:
    office.receive_all(at("02-05"), but=[f"{TALKS} 乙镇"])
    office.receive(TALKS, "乙镇", [0], at("02-07", "16:59"))
    assert office.look(at("02-08")) == []


def test_what_people_have_written_is_text_in_a_mail_and_nothing_else(office: Office) -> None:
    office.receive_all(at("02-05"), but=[f"{FORM} 乙镇"])
    with connect(office.settings) as connection:
        connection.execute(
            "update catalog.units set unit_name = %s where unit_id = 'b'",
            ["乙镇<script>alert(1)</script>{{ 7 * 7 }}\r\nBcc: x@evil.example"],
        )
    office.look(at("02-08"))
    ((subject, text, html),) = office.rows("select subject, body_text, body_html from mail.mails")
    assert "\n" not in str(subject) and "\r" not in str(subject)
    assert "<script>" not in str(html) and "&lt;script&gt;" in str(html)
    assert "{{ 7 * 7 }}" in str(text) and "49" not in str(text)


def test_missing_reports_are_findings_until_they_come_and_late_ones_stay_so(office: Office) -> None:
    office.receive_all(at("02-05"), but=[f"{FORM} 乙镇"])
    check_submissions(office.settings)
    query = "select rule_kind, severity, unit_id, message from quality.findings where origin = 'timeliness'"
    assert check_obligations(office.settings, at("02-07", "16:00")).findings == {}
    assert check_obligations(office.settings, at("02-08")).changed == 1
    assert office.rows(query) == [("missing", "error", "b", f"《{FORM}》2025年1月应于2月7日17:00前报送，至今未报。")]
    assert check_obligations(office.settings, at("02-08", "12:00")).changed == 0
    office.receive(FORM, "乙镇", [3, 2, 5], at("02-11", "10:00"))
    check_obligations(office.settings, at("02-11", "10:01"))
    late = f"《{FORM}》2025年1月应于2月7日17:00前报送，实际于2月11日10:00报送，迟报 3 个工作日。"
    assert office.rows(query) == [("late", "notice", "b", late)]
    check_obligations(office.settings, at("02-08"))
    assert office.rows(query) == [("late", "notice", "b", late)], "a look at an earlier instant changes nothing"
    assert office.rows("select count(*) from quality.verdicts where outcome = 'returned'") == [(0,)]


def test_instants_are_taken_as_they_are_whatever_the_time_zone(office: Office) -> None:
    office.receive_all(at("02-05"), but=[f"{FORM} 乙镇"])
    assert about(office.look(at("02-08").astimezone(UTC))) == [("乙镇", [("overdue", FORM)])]
