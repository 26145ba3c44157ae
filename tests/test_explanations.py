"""A question, the explanation that comes back with the workbook, and the decision on it: what holds, and how long."""

from __future__ import annotations

import dataclasses
import importlib
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from airflow.sdk.exceptions import AirflowSkipException
from click.testing import CliRunner, Result

from enforcement_reporting import intake, marts, review
from enforcement_reporting.catalog import load_catalog
from enforcement_reporting.cli import main
from enforcement_reporting.quality import check_submissions
from enforcement_reporting.settings import PROJECT_ROOT, Settings
from enforcement_reporting.warehouse import connect
from enforcement_reporting.workbook import Reader
from enforcement_reporting.workbook.review_list import COLUMNS, EXPLANATION, FINDING_ID, LIST_SHEET, MAX_EXPLANATION
from test_returned_workbook import book_of, opened, saved
from test_rules import HEADER, write_definitions

DAY = datetime(2025, 10, 1, tzinfo=UTC)
DECIDED = datetime(2025, 10, 20, tzinfo=UTC)
WHY = "两处口径不同：检查表不含复查发现的隐患。"


@pytest.fixture
def settings(warehouse: Settings, tmp_path: Path) -> Settings:
    prepared = dataclasses.replace(warehouse, definitions=write_definitions(tmp_path / "definitions"))
    intake.prepare(prepared)
    return prepared


def report(found: int = 5, partner: int = 4, visits: int = 9, unit: str = "部门22") -> bytes:
    """Return a workbook of two forms; where ``found`` and ``partner`` differ there is a question."""
    hazards = [["2025年9月隐患统计表"], HEADER, [unit, found, found, 0, "100%", 0, 0, 0]]
    return book_of(甲=hazards, 乙=[["2025年9月检查统计表"], ["单位", "发现隐患", "检查"], [unit, partner, visits]])


class Clerk:
    """Who sends workbooks, one a day, and gets them back."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings, self.folder, self.sent = settings, folder, 0

    def send(self, content: bytes) -> list[str]:
        """Send a workbook; return what was found on its file as a whole."""
        self.sent += 1
        path = self.folder / f"第{self.sent}次.xlsx"
        path.write_bytes(content)
        received_at = DAY + timedelta(days=self.sent)
        (received,) = intake.ingest_files(self.settings, [str(path)], "collect", received_at)
        check_submissions(self.settings)
        return [
            kind
            for (kind,) in self.query("select rule_kind from quality.findings where file_id = %s", received.file_id)
            if kind.startswith(("explanation", "sheet_not", "table_not", "period_not", "ambiguous"))
        ]

    def returned(self, unit: str = "unit_22") -> openpyxl.Workbook:
        """Return the workbook as it comes back for the latest submission."""
        ((submission_id,), *_) = self.query(
            "select submission_id from intake.submissions where unit_id = %s and form_id = 'hazards'"
            " order by received_at desc",
            unit,
        )
        with connect(self.settings) as connection:
            return opened(review.returned_workbook(self.settings, connection, submission_id)[1])

    def query(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        with connect(self.settings) as connection:
            return connection.execute(statement.encode(), parameters).fetchall()

    def states(self) -> list[tuple[str, str | None]]:
        """Return the questions that stand, each with its state and the reason of the decision."""
        return [
            (state, reason)
            for state, reason in self.query(
                "select explanation_state, decision_reason from quality.answers where is_standing order by rule_id"
            )
        ]

    def pending(self) -> list[review.PendingExplanation]:
        with connect(self.settings) as connection:
            return review.pending_explanations(connection)

    def decide(self, accept: bool, reason: str = "") -> None:
        (waiting,) = self.pending()
        with connect(self.settings) as connection:
            review.decide(connection, waiting.explanation_id, accept, reason, "李四", DECIDED)


@pytest.fixture
def clerk(settings: Settings, tmp_path: Path) -> Clerk:
    return Clerk(settings, tmp_path)


def explained(book: openpyxl.Workbook, text: str = WHY, change: Callable[[Any], None] | None = None) -> bytes:
    """Return a workbook with an explanation of its first question."""
    sheet = book[LIST_SHEET]
    row = next(row for row in range(5, sheet.max_row + 1) if sheet.cell(row, 2).value == "核实性")
    sheet.cell(row, COLUMNS.index(EXPLANATION) + 1).value = text
    if change:
        change(book)
    return saved(book)


def test_a_question_is_open_until_it_is_explained_and_settled_once_that_is_accepted(clerk: Clerk) -> None:
    clerk.send(report())
    assert clerk.states() == [("open", None)]
    assert clerk.send(explained(clerk.returned())) == []
    assert clerk.states() == [("explained", None)]
    (waiting,) = clerk.pending()
    assert (waiting.unit_name, waiting.form_title, waiting.period_name) == ("部门22", "隐患统计表", "2025年9月")
    assert (waiting.explanation, "（5）" in waiting.message) == (WHY, True), waiting.message
    clerk.decide(accept=True)
    assert clerk.states() == [("settled", "")]
    assert clerk.pending() == []


def test_the_figures_are_the_same_in_the_revision_that_only_explains(clerk: Clerk) -> None:
    clerk.send(report())
    clerk.send(explained(clerk.returned()))
    rows = clerk.query(
        "select f.file_name, count(*), sum(o.stated_value), min(v.outcome) from intake.files f"
        " join intake.submissions s using (file_id) join intake.observations o using (submission_id)"
        " join quality.verdicts v using (submission_id) where s.form_id = 'hazards' group by 1 order by 1"
    )
    assert [row[0] for row in rows] == ["第1次.xlsx", "第2次.xlsx"]
    assert rows[0][1:] == rows[1][1:]


def test_a_decision_carries_over_while_the_figures_are_the_same_and_is_void_when_they_change(clerk: Clerk) -> None:
    clerk.send(report())
    clerk.send(explained(clerk.returned()))
    clerk.decide(accept=True)
    clerk.send(report(visits=10))
    assert clerk.states() == [("settled", "")]
    clerk.send(report(partner=3))
    assert clerk.states() == [("open", None)]
    clerk.send(report(visits=11))
    assert clerk.states() == [("settled", "")], "what was explained is what is stated again"


def test_a_refused_explanation_comes_back_with_the_reason_and_another_one_waits_anew(clerk: Clerk) -> None:
    clerk.send(report())
    clerk.send(explained(clerk.returned()))
    clerk.decide(accept=False, reason="请附复查记录。")
    assert clerk.states() == [("refused", "请附复查记录。")]
    book = clerk.returned()
    rows = [[cell.value for cell in row] for row in book[LIST_SHEET].iter_rows(min_row=5)]
    said = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    assert [(row["说明"], row["审核意见"]) for row in said] == [(WHY, "不采纳：请附复查记录。（李四，2025-10-20）")]
    clerk.send(saved(book))
    assert clerk.states() == [("refused", "请附复查记录。")], "the same words ask for no other decision"
    clerk.send(explained(clerk.returned(), "复查记录见附件 3。"))
    assert clerk.states() == [("explained", None)]
    assert [waiting.explanation for waiting in clerk.pending()] == ["复查记录见附件 3。"]


def test_the_same_words_again_are_no_new_explanation(clerk: Clerk) -> None:
    clerk.send(report())
    clerk.send(explained(clerk.returned()))
    clerk.send(saved(clerk.returned()))
    assert clerk.query("select count(*) from quality.explanations") == [(1,)]
    assert clerk.sent == 3


def move_rows(book: openpyxl.Workbook) -> None:
    """Put the rows of the list in another order, with rows deleted and others in between."""
    sheet = book[LIST_SHEET]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=5)]
    sheet.delete_rows(5, sheet.max_row)
    sheet.append(["（自行添加的一行）"])
    for row in reversed(rows):
        sheet.append(row)


def rename_copy(book: openpyxl.Workbook) -> None:
    book[LIST_SHEET].title = f"{LIST_SHEET} (2)"


@pytest.mark.parametrize("change", [move_rows, rename_copy])
def test_an_explanation_is_known_wherever_it_has_been_moved(
    clerk: Clerk, change: Callable[[openpyxl.Workbook], None]
) -> None:
    clerk.send(report())
    assert clerk.send(explained(clerk.returned(), change=change)) == []
    assert clerk.states() == [("explained", None)]


def test_an_explanation_of_nothing_known_is_a_notice_and_the_others_are_taken(clerk: Clerk) -> None:
    def add(book: openpyxl.Workbook) -> None:
        sheet = book[LIST_SHEET]
        sheet.cell(30, COLUMNS.index(EXPLANATION) + 1).value = "无此问题"
        sheet.cell(30, COLUMNS.index(FINDING_ID) + 1).value = "0" * 20

    clerk.send(report())
    assert clerk.send(explained(clerk.returned(), change=add)) == ["explanation_not_taken"]
    assert clerk.states() == [("explained", None)]
    ((message, cells),) = clerk.query(
        "select message, cells from quality.findings where rule_kind = 'explanation_not_taken'"
    )
    assert "无此问题" in message and cells == f"{LIST_SHEET}!J30"


def test_nobody_explains_for_another_unit(clerk: Clerk) -> None:
    clerk.send(report())
    theirs = clerk.returned()[LIST_SHEET]
    clerk.send(report(unit="部门23"))
    mine = clerk.returned("unit_23")
    ids = [row[COLUMNS.index(FINDING_ID)].value for row in theirs.iter_rows(min_row=5)]
    mine[LIST_SHEET].cell(5, COLUMNS.index(FINDING_ID) + 1).value = ids[0]
    assert clerk.send(explained(mine)) == ["explanation_not_taken"]
    assert clerk.query("select count(*) from quality.explanations") == [(0,)]


def test_the_list_alone_is_no_submission_and_says_why(clerk: Clerk) -> None:
    clerk.send(report())
    book = clerk.returned()
    del book["甲"], book["乙"]
    assert clerk.send(explained(book)) == ["explanations_alone"]
    assert clerk.query("select count(*) from quality.explanations") == [(0,)]
    ((outcome, reason),) = clerk.query("select outcome, reason from intake.files where file_name = '第2次.xlsx'")
    assert outcome == "unreadable" and "核对清单" in reason


def test_a_question_on_the_header_of_a_unit_s_own_sheet_is_answered_likewise(clerk: Clerk) -> None:
    rows = [["2025年9月隐患统计表"], [*HEADER, "备用金"], ["镇街01", 1, 1, 0, "100%", 0, 0, 0, 3]]
    clerk.send(book_of(甲=rows))
    assert clerk.states() == [("open", None)]
    clerk.send(explained(clerk.returned("unit_01")))
    assert clerk.states() == [("explained", None)]


def test_what_is_said_of_the_periods_on_the_list_is_no_period_of_the_forms(clerk: Clerk) -> None:
    clerk.send(report())
    clerk.send(explained(clerk.returned(), "与2024年8月、2025年7月隐患统计表相同"))
    assert clerk.query("select distinct period_id from intake.submissions") == [("2025-09",)]


def list_with(rows: Sequence[tuple[str, str]]) -> bytes:
    listed = [["核对清单"], ["共"], ["1."], list(COLUMNS)]
    listed += [[*[None] * 9, text, None, finding_id] for finding_id, text in rows]
    return book_of(**{LIST_SHEET: listed})


def test_an_explanation_is_bounded_and_free_of_what_cannot_be_stored(settings: Settings) -> None:
    reader = Reader(load_catalog(settings.definitions))
    rows = [("a" * 20, "长" * 3000), ("b" * 20, "甲\u202e乙"), ("不是编号", "丙"), ("c" * 20, "   "), ("a" * 20, "丁")]
    read = reader.read(list_with(rows), "a.xlsx").explanations
    assert [(item.finding_id, item.text) for item in read] == [("a" * 20, "长" * MAX_EXPLANATION), ("b" * 20, "甲乙")]
    assert read[0].cell == f"{LIST_SHEET}!J5"


def test_a_sheet_of_that_name_that_is_not_the_list_is_read_like_any_other(settings: Settings) -> None:
    reader = Reader(load_catalog(settings.definitions))
    read = reader.read(book_of(**{LIST_SHEET: [["本单位自查"], ["说明", "见附件"]]}), "a.xlsx")
    assert (read.explanations, [item.kind for item in read.file_findings]) == ([], ["sheet_not_recognised"])


# Deciding -----------------------------------------------------------------------------------------------------------


def waiting(clerk: Clerk) -> int:
    clerk.send(report())
    clerk.send(explained(clerk.returned()))
    return clerk.pending()[0].explanation_id


def test_there_is_one_decision_and_the_second_one_is_told_of_the_first(clerk: Clerk) -> None:
    number = waiting(clerk)
    with connect(clerk.settings) as connection:
        review.decide(connection, number, True, "", "李四", DECIDED)
        with pytest.raises(review.ReviewError, match="已由李四审核：采纳"):
            review.decide(connection, number, False, "晚了", "王五", DECIDED)
    assert clerk.states() == [("settled", "")]


@pytest.mark.parametrize(("accept", "reason", "by"), [(False, "  ", "李四"), (True, "", " ")])
def test_a_refusal_needs_a_reason_and_every_decision_a_name(clerk: Clerk, accept: bool, reason: str, by: str) -> None:
    number = waiting(clerk)
    with connect(clerk.settings) as connection, pytest.raises(review.ReviewError):
        review.decide(connection, number, accept, reason, by, DECIDED)
    assert clerk.states() == [("explained", None)]


def test_what_is_not_there_cannot_be_decided(clerk: Clerk) -> None:
    with connect(clerk.settings) as connection, pytest.raises(review.ReviewError, match="4711"):
        review.decide(connection, 4711, True, "", "李四", DECIDED)


def test_it_is_known_whether_something_came_in_since_an_instant(clerk: Clerk) -> None:
    clerk.send(report())
    with connect(clerk.settings) as connection:
        (before,) = connection.execute("select clock_timestamp()").fetchone() or ()
        assert not review.explained_since(connection, before)
    clerk.send(explained(clerk.returned()))
    with connect(clerk.settings) as connection:
        assert review.explained_since(connection, before)
        (after,) = connection.execute("select clock_timestamp()").fetchone() or ()
        assert not review.explained_since(connection, after)


def test_a_decision_reaches_the_marts_at_the_next_build(clerk: Clerk) -> None:
    waiting(clerk)
    marts.build(clerk.settings)

    def published() -> list[tuple[Any, ...]]:
        return clerk.query(
            "select is_standing, explanation, explanation_state, decision_reason from marts.fct_findings"
            " where severity = 'question' order by received_at"
        )

    assert published() == [(False, WHY, "explained", None), (True, WHY, "explained", None)]
    clerk.decide(accept=False, reason="请附复查记录。")
    built = marts.build(clerk.settings)
    assert (built["built"], built["full_refresh"]) == (True, False)
    assert published()[-1] == (True, WHY, "refused", "请附复查记录。")


# On the command line and in Airflow ---------------------------------------------------------------------------------


def call(settings: Settings, *arguments: object) -> Result:
    environment = {
        "ENFORCEMENT_STATE": str(settings.state),
        "ENFORCEMENT_DEFINITIONS": str(settings.definitions),
        "ENFORCEMENT_WAREHOUSE_URL": settings.warehouse_url,
    }
    return CliRunner().invoke(main, ["explanations", *map(str, arguments)], env=environment)


def test_the_command_line_lists_what_waits_and_decides_it_once(clerk: Clerk) -> None:
    assert call(clerk.settings, "list").output == "没有待审核的说明。\n"
    number = waiting(clerk)
    listed = call(clerk.settings, "list").output
    assert WHY in listed and "部门22 《隐患统计表》 2025年9月" in listed and "1 条说明待审核。" in listed
    refused = call(clerk.settings, "refuse", number, "--reason", "请附记录", "--by", "李四")
    assert (refused.exit_code, refused.output) == (0, f"编号为 {number} 的说明：不采纳。\n")
    again = call(clerk.settings, "accept", number, "--by", "王五")
    assert again.exit_code == 3 and "已由李四审核：不采纳：请附记录" in again.output
    assert call(clerk.settings, "refuse", number, "--by", "李四").exit_code == 2, "a refusal without a reason"
    assert clerk.states() == [("refused", "请附记录")]


@pytest.fixture
def record(clerk: Clerk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """The task that records an answer given in Airflow, on the clerk's warehouse."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    monkeypatch.setenv("ENFORCEMENT_WAREHOUSE_URL", clerk.settings.warehouse_url or "")
    monkeypatch.syspath_prepend(str(PROJECT_ROOT / "dags"))
    dag = importlib.import_module("review_explanations").review_explanations()
    return dag.get_task("decide.record").python_callable  # type: ignore[no-any-return]


def answer(option: str, reason: str = "", name: str | None = "李四") -> dict[str, Any]:
    user = {"id": "1", "name": name} if name else None
    return {
        "chosen_options": [option],
        "params_input": {"理由": reason},
        "responded_at": DECIDED,
        "responded_by_user": user,
    }


def test_an_answer_in_airflow_is_recorded_with_who_gave_it_and_when(clerk: Clerk, record: Callable[..., None]) -> None:
    number = waiting(clerk)
    record(number, answer("不采纳", "请附记录"))
    assert clerk.query("select is_accepted, reason, decided_by, decided_at from quality.decisions") == [
        (False, "请附记录", "李四", DECIDED)
    ]


@pytest.mark.parametrize("given", [answer("稍后处理", name=None), answer("不采纳", "  ")])
def test_what_is_put_off_or_refused_without_a_reason_is_asked_again(
    clerk: Clerk, record: Callable[..., None], given: dict[str, Any]
) -> None:
    number = waiting(clerk)
    with pytest.raises(AirflowSkipException):
        record(number, given)
    assert [item.explanation_id for item in clerk.pending()] == [number]


def test_a_decision_made_meanwhile_holds_and_the_answer_is_left_out_with_a_line_in_the_log(
    clerk: Clerk, record: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    number = waiting(clerk)
    call(clerk.settings, "accept", number, "--by", "王五")
    with pytest.raises(AirflowSkipException):
        record(number, answer("不采纳", "太迟"))
    assert clerk.states() == [("settled", "")]
    assert "the answer is left out" in caplog.text


def test_nothing_that_a_unit_wrote_acts_as_markup_or_as_a_template() -> None:
    wrote = "{{ conn }} {% x %} <script> [a](http://b) *c* # d\n1. e"
    item = review.PendingExplanation(1, "甲", "乙", "丙", wrote, wrote, wrote, wrote, DECIDED)
    assert not re.search(r"[{}]|(?<!\\)[<\[\](*#`_!|]", item.markdown())
