"""Every kind of rule: a case that trips it, and a near case that must not. One check of one workbook decides all."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import xlsxwriter

from conftest import new_database, settings_for
from enforcement_reporting import intake
from enforcement_reporting.local.postgres import LocalServer
from enforcement_reporting.quality import check_submissions, load_suites
from enforcement_reporting.quality.check import RuleError
from enforcement_reporting.quality.rules import Suite
from enforcement_reporting.settings import Settings
from enforcement_reporting.warehouse import connect

AUTHORITY = """
authority_id: testland
name: 测试局
units:
  unit_id: all_units
  name: 全区
  kind: 汇总
  members: [{units}]
"""

FORM = """
form_id: hazards
authority_id: testland
title: 隐患统计表
calendar: {kind: month}
figures: single
unit_labels: [单位]
total_row: {labels: [合计], states: all_units}
indicators:
  - {indicator_id: found, label: [排查], unit_of_measure: 条}
  - {indicator_id: fixed, label: [整改], unit_of_measure: 条}
  - {indicator_id: open, label: [未整改], unit_of_measure: 条}
  - {indicator_id: fixed_rate, label: [整改率], unit_of_measure: "%", measure_kind: rate}
  - {indicator_id: fines, label: [罚款], unit_of_measure: 万元}
  - {indicator_id: penalties, label: [处罚], unit_of_measure: 次}
  - {indicator_id: towns, label: [帮扶镇街], unit_of_measure: 个次, applies_to: [部门]}
"""

PARTNER = """
form_id: visits
authority_id: testland
title: 检查统计表
calendar: {kind: month}
figures: single
unit_labels: [单位]
indicators:
  - {indicator_id: hazards, label: [发现隐患], unit_of_measure: 条}
  - {indicator_id: visits, label: [检查], unit_of_measure: 家次}
"""

RULES = """
form: hazards
rules:
  - {rule_id: fixed_within_found, kind: part_whole, parts: [fixed], whole: [found]}
  - {rule_id: found_adds_up, kind: sum, parts: [fixed, open], whole: found}
  - {rule_id: rate, kind: rate, stated: fixed_rate, numerator: [fixed], denominator: [found]}
  - {rule_id: fines_need_penalties, kind: amount_count, amount: [fines], count: [penalties], and_back: true}
  - {rule_id: total, kind: total_row, indicators: [penalties]}
  - {rule_id: towns_not_by_towns, kind: not_applicable, indicators: [towns]}
  - {rule_id: same_found, kind: equal_across_forms, left: found, right: visits.hazards, severity: question}
  - {rule_id: penalties_within_visits, kind: part_whole_across_forms, parts: [penalties], whole: [visits.visits],
     severity: question}
"""

# unit: (found, fixed, open, fixed_rate, fines, penalties, towns), (hazards, visits) or None, the rules it must trip
CASES: dict[str, tuple[tuple[Any, ...], tuple[Any, ...] | None, set[str]]] = {
    "镇街01": ((10, 4, 6, "40%", 0, 0, 0), (10, 0), set()),
    "镇街02": ((10, 11, -1, "110%", 0, 0, 0), (10, 0), {"fixed_within_found"}),
    "镇街03": ((10, 10, 0, "100%", 0, 0, 0), (10, 0), set()),  # a part may be the whole
    "镇街04": ((10, 4, 5, "40%", 0, 0, 0), (10, 0), {"found_adds_up"}),
    "镇街05": ((10, 10, None, "100%", 0, 0, 0), (10, 0), set()),  # a blank part counts as nothing
    "镇街06": ((None, 4, 5, None, 0, 0, 0), None, set()),  # a blank whole says nothing
    "镇街07": ((3, 2, 1, "66.7%", 0, 0, 0), (3, 0), set()),  # half-up at one decimal
    "镇街08": ((3, 2, 1, "66.66%", 0, 0, 0), (3, 0), {"rate_truncated"}),
    "镇街09": ((3, 2, 1, "66.6%", 0, 0, 0), (3, 0), {"rate_truncated"}),
    "镇街10": ((3, 2, 1, "66.5%", 0, 0, 0), (3, 0), {"rate"}),
    "镇街11": ((0, 0, 0, "0%", 0, 0, 0), (0, 0), {"rate_zero_base"}),
    "镇街12": ((0, 0, 0, "—", 0, 0, 0), (0, 0), set()),
    "镇街13": ((0, 0, 0, "100%", 0, 0, 0), (0, 0), {"rate"}),
    "镇街14": ((8, 1, 7, "12.5", 0, 0, 0), (8, 0), set()),  # 12.5 without the sign is the same statement
    "镇街15": ((8, 1, 7, "13%", 0, 0, 0), (8, 0), set()),  # 12.5 rounds half up
    "镇街16": ((8, 1, 7, "12%", 0, 0, 0), (8, 0), {"rate_truncated"}),
    "镇街17": ((1, 1, 0, "100%", 14, 0, 0), (1, 9), {"fines_need_penalties"}),
    "镇街18": ((1, 1, 0, "100%", 0, 2, 0), (1, 9), {"fines_need_penalties_back"}),
    "镇街19": ((1, 1, 0, "100%", 0.5, 2, 0), (1, 9), set()),
    "镇街20": ((1, 1, 0, "100%", 0, 0, 3), (1, 0), {"towns_not_by_towns"}),
    "部门21": ((1, 1, 0, "100%", 0, 0, 3), (1, 0), set()),
    "部门22": ((5, 5, 0, "100%", 0, 0, 0), (4, 0), {"same_found"}),
    "部门23": ((5, 5, 0, "100%", 1, 4, 0), (5, 3), {"penalties_within_visits"}),
    "部门24": ((5, 5, 0, "100%", 1, 3, 0), (5, 3), set()),
    "部门25": ((5, 5, 0, "100%", 1, 3, 0), None, set()),  # a partner form that was not sent contradicts nothing
}


def write_definitions(folder: Path) -> Path:
    """Write the catalog and the rules of these tests."""
    units = ", ".join(f"{{unit_id: unit_{name[-2:]}, name: {name}, kind: {name[:2]}}}" for name in CASES)
    files = {
        "catalog/landing.yaml": "places: [{place_id: inbox, path: inbox, policy: collect}]",
        "catalog/testland/authority.yaml": AUTHORITY.format(units=units),
        "catalog/testland/forms/hazards.yaml": FORM,
        "catalog/testland/forms/visits.yaml": PARTNER,
        "expectations/testland/hazards.yaml": RULES,
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


def write_workbook(path: Path, title: str, header: list[str], rows: list[tuple[Any, ...]]) -> Path:
    """Write one sheet: title with the period, header, rows; None stays blank."""
    with xlsxwriter.Workbook(path) as book:
        book.set_properties({"created": datetime(2025, 10, 1)})  # the same rows are the same bytes
        sheet = book.add_worksheet()
        for number, row in enumerate([[f"2025年9月{title}"], header, *rows]):
            sheet.write_row(number, 0, ["" if value is None else value for value in row])
    return path


HEADER = ["单位", "排查", "整改", "未整改", "整改率", "罚款（万元）", "处罚", "帮扶镇街"]


def ingest(settings: Settings, *paths: Path, policy: str = "collect") -> None:
    received_at = datetime(2025, 10, 1, tzinfo=UTC)
    intake.ingest_files(settings, map(str, paths), policy, received_at)
    check_submissions(settings)


@pytest.fixture(scope="module")
def checked(
    server: LocalServer, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[psycopg.Connection]:
    folder = tmp_path_factory.mktemp("rules")
    settings = settings_for(folder / "state", write_definitions(folder), new_database(server, template))
    intake.prepare(settings)
    rows = [(name, *figures) for name, (figures, _, _) in CASES.items()]
    total = ("合计", *[None] * 5, sum(row[6] for row in rows) + 20, None)
    hazards = write_workbook(folder / "a.xlsx", "隐患统计表", HEADER, [total, *rows])
    visits = [(name, *partner) for name, (_, partner, _) in CASES.items() if partner]
    ingest(settings, hazards, write_workbook(folder / "b.xlsx", "检查统计表", ["单位", "发现隐患", "检查"], visits))
    with connect(settings) as connection:
        yield connection


def found_by_unit(connection: psycopg.Connection) -> dict[str, set[str]]:
    """Return the rules that failed, by unit."""
    rows = connection.execute(
        "select u.unit_name, f.rule_id from quality.findings f join catalog.units u using (unit_id)"
        " where f.origin <> 'reading'"
    )
    found: dict[str, set[str]] = {}
    for unit, rule in rows:
        found.setdefault(unit, set()).add(rule.removeprefix("hazards."))
    return found


@pytest.mark.parametrize("unit", CASES)
def test_a_row_trips_exactly_the_rules_it_breaks(checked: psycopg.Connection, unit: str) -> None:
    assert found_by_unit(checked).get(unit, set()) == CASES[unit][2]


def test_a_printed_total_that_is_not_the_sum_is_found_with_the_sum_and_the_difference(
    checked: psycopg.Connection,
) -> None:
    row = checked.execute(
        "select unit_id, cells, stated, expected, message from quality.findings where rule_id = 'hazards.total'"
    ).fetchone()
    assert row is not None
    assert row[:4] == ("all_units", "Sheet1!G3", "34", "14")
    assert "相差 20" in row[4] and "25 个单位" in row[4]


def test_a_finding_names_its_cells_on_both_forms_and_carries_the_values(checked: psycopg.Connection) -> None:
    row = checked.execute(
        "select cells, stated, expected, severity, message from quality.findings where rule_id = 'hazards.same_found'"
    ).fetchone()
    assert row is not None
    assert row[:4] == ("Sheet1!B25、Sheet1!B23", "5", "4", "question")
    assert "排查" in row[4] and "《检查统计表》发现隐患" in row[4]


def test_a_wrong_rate_is_stated_as_typed_and_expected_at_its_own_precision(checked: psycopg.Connection) -> None:
    row = checked.execute(
        "select stated, expected from quality.findings where rule_id = 'hazards.rate' and unit_id = 'unit_10'"
    ).fetchone()
    assert row == ("66.5%", "66.7%")


def test_an_error_returns_a_collected_submission_a_question_does_not(checked: psycopg.Connection) -> None:
    outcomes = dict(
        checked.execute(
            "select s.unit_id, v.outcome from quality.verdicts v join intake.submissions s using (submission_id)"
            " where s.form_id = 'hazards' and s.row_role = 'unit'"
        ).fetchall()
    )
    assert outcomes["unit_01"] == "accepted"
    assert outcomes["unit_02"] == "returned"
    assert outcomes["unit_22"] == "questioned"
    assert outcomes["unit_08"] == "accepted", "a notice asks for nothing"


@pytest.mark.parametrize("order", [("hazards", "visits"), ("visits", "hazards")])
def test_a_contradiction_between_forms_is_found_whichever_comes_first(
    warehouse: Settings, tmp_path: Path, order: tuple[str, ...]
) -> None:
    settings = settings_for(tmp_path, write_definitions(tmp_path), warehouse.warehouse_url)
    intake.prepare(settings)
    files = {
        "hazards": write_workbook(tmp_path / "a.xlsx", "隐患统计表", HEADER, [("部门22", 5, 5, 0, "100%", 0, 0, 0)]),
        "visits": write_workbook(tmp_path / "b.xlsx", "检查统计表", ["单位", "发现隐患", "检查"], [("部门22", 4, 0)]),
    }
    for form in order:
        ingest(settings, files[form])
    with connect(settings) as connection:
        assert found_by_unit(connection) == {"部门22": {"same_found"}}


def test_a_partner_form_with_errors_of_its_own_returns_nobody_else(warehouse: Settings, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, write_definitions(tmp_path), warehouse.warehouse_url)
    rules = tmp_path / "expectations/testland/hazards.yaml"
    rules.write_text(rules.read_text(encoding="utf-8").replace("severity: question", "severity: error"))
    (tmp_path / "expectations/testland/visits.yaml").write_text(
        "form: visits\n"
        "rules: [{rule_id: no_hazard_without_visit, kind: part_whole, parts: [hazards], whole: [visits]}]",
        encoding="utf-8",
    )
    intake.prepare(settings)
    header = ["单位", "发现隐患", "检查"]
    ingest(
        settings,
        write_workbook(tmp_path / "a.xlsx", "隐患统计表", HEADER, [("部门22", 5, 5, 0, "100%", 0, 0, 0)]),
        write_workbook(tmp_path / "b.xlsx", "检查统计表", header, [("部门22", 5, 9)]),
    )
    ingest(settings, write_workbook(tmp_path / "slip.xlsx", "检查统计表", header, [("部门22", 50, 9)]))
    with connect(settings) as connection:
        outcomes = connection.execute(
            "select s.form_id, v.outcome from quality.verdicts v join intake.submissions s using (submission_id)"
            " order by s.file_id"
        ).fetchall()
    assert outcomes == [("hazards", "accepted"), ("visits", "accepted"), ("visits", "returned")]


def test_checking_again_changes_nothing(warehouse: Settings, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, write_definitions(tmp_path), warehouse.warehouse_url)
    intake.prepare(settings)
    path = write_workbook(tmp_path / "a.xlsx", "隐患统计表", HEADER, [("镇街02", 10, 11, -1, "110%", 0, 0, 0)])
    ingest(settings, path)
    with connect(settings) as connection:
        query = "select * from quality.findings order by finding_id"
        before = connection.execute(query).fetchall()
        connection.execute("delete from quality.verdicts")
        connection.commit()
        check_submissions(settings)
        assert connection.execute(query).fetchall() == before


def test_all_failing_rows_are_found_however_many(warehouse: Settings, tmp_path: Path) -> None:
    """Great Expectations hands out 20 failing keys unless told otherwise."""
    settings = settings_for(tmp_path, write_definitions(tmp_path), warehouse.warehouse_url)
    intake.prepare(settings)
    rows = [(name, 10, 11, -1, "110%", 0, 0, 0) for name in CASES]
    ingest(settings, write_workbook(tmp_path / "a.xlsx", "隐患统计表", HEADER, rows))
    with connect(settings) as connection:
        found = found_by_unit(connection)
    assert len(CASES) == 25 and all("fixed_within_found" in found[name] for name in CASES)


def test_a_rule_that_changes_is_applied_to_what_was_checked_before(warehouse: Settings, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, write_definitions(tmp_path), warehouse.warehouse_url)
    intake.prepare(settings)
    ingest(
        settings,
        write_workbook(tmp_path / "a.xlsx", "隐患统计表", HEADER, [("镇街20", 1, 1, 0, "100%", 0, 0, 3)]),
    )
    rules = tmp_path / "expectations/testland/hazards.yaml"
    rules.write_text(
        rules.read_text(encoding="utf-8").replace("kind: not_applicable,", "kind: not_applicable, severity: notice,")
    )
    checked = check_submissions(settings)
    assert (checked.submissions, checked.outcomes) == (1, {"accepted": 1})
    assert check_submissions(settings).submissions == 0


def test_a_rule_says_nothing_of_a_cell_that_could_not_be_read(warehouse: Settings, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, write_definitions(tmp_path), warehouse.warehouse_url)
    intake.prepare(settings)
    total = ("合计", 20, None, None, None, 28, 4, None)
    rows = [total, ("镇街01", 10, "四", 6, None, 14, "两次", 0), ("镇街02", 10, 4, 6, "40%", 14, 4, 0)]
    ingest(settings, write_workbook(tmp_path / "a.xlsx", "隐患统计表", HEADER, rows))
    with connect(settings) as connection:
        assert found_by_unit(connection) == {}


def test_a_printed_total_is_not_held_against_rows_of_which_one_was_left_out(
    warehouse: Settings, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, write_definitions(tmp_path), warehouse.warehouse_url)
    intake.prepare(settings)
    rows = [
        ("合计", *[None] * 4, 2, 3, None),
        ("镇街01", 1, 1, 0, "100%", 1, 1, 0),
        ("无名镇", 1, 1, 0, "100%", 1, 2, 0),
    ]
    ingest(settings, write_workbook(tmp_path / "a.xlsx", "隐患统计表", HEADER, rows))
    with connect(settings) as connection:
        assert found_by_unit(connection) == {}


def test_a_form_that_came_later_questions_what_was_accepted_and_does_not_return_it(
    warehouse: Settings, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, write_definitions(tmp_path), warehouse.warehouse_url)
    rules = tmp_path / "expectations/testland/hazards.yaml"
    rules.write_text(rules.read_text(encoding="utf-8").replace("severity: question", "severity: error"))
    intake.prepare(settings)
    hazards = write_workbook(tmp_path / "a.xlsx", "隐患统计表", HEADER, [("部门22", 5, 5, 0, "100%", 0, 0, 0)])
    visits = write_workbook(tmp_path / "b.xlsx", "检查统计表", ["单位", "发现隐患", "检查"], [("部门22", 4, 0)])
    again = write_workbook(tmp_path / "c.xlsx", "隐患统计表", HEADER, [("部门22", 5, 5, 0, "100%", 0, 0, 1)])
    for day, path in enumerate((hazards, visits, again), start=1):
        intake.ingest_files(settings, [str(path)], "collect", datetime(2025, 10, day, tzinfo=UTC))
        check_submissions(settings)
    with connect(settings) as connection:
        outcomes = connection.execute(
            "select s.form_id, v.outcome from quality.verdicts v join intake.submissions s using (submission_id)"
            " order by s.received_at"
        ).fetchall()
    assert outcomes == [("hazards", "questioned"), ("visits", "accepted"), ("hazards", "returned")]


def test_a_fault_of_one_sheet_returns_what_stands_on_it_and_nothing_else(warehouse: Settings, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, write_definitions(tmp_path), warehouse.warehouse_url)
    intake.prepare(settings)
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        for month, header in ((8, HEADER), (9, [*HEADER[:2], "乱写", *HEADER[3:]])):
            sheet = book.add_worksheet(f"{month}月")
            rows = [[f"2025年{month}月隐患统计表"], header, ["镇街01", 1, 1, 0, "100%", 0, 0, 0]]
            for number, cells in enumerate(rows):
                sheet.write_row(number, 0, cells)
    ingest(settings, tmp_path / "a.xlsx")
    with connect(settings) as connection:
        outcomes = connection.execute(
            "select s.period_id, v.outcome from quality.verdicts v join intake.submissions s using (submission_id)"
            " order by 1"
        ).fetchall()
    assert outcomes == [("2025-08", "accepted"), ("2025-09", "returned")]


def test_a_rule_that_cannot_be_evaluated_leaves_its_form_unchecked_and_the_others_are(
    warehouse: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(tmp_path, write_definitions(tmp_path), warehouse.warehouse_url)
    (tmp_path / "expectations/testland/visits.yaml").write_text(
        "form: visits\nrules: [{rule_id: few, kind: part_whole, parts: [hazards], whole: [visits]}]", encoding="utf-8"
    )
    intake.prepare(settings)

    def with_a_broken_rule(*arguments: Any) -> tuple[Suite, ...]:
        suites = load_suites(*arguments)
        return tuple(
            dataclasses.replace(suite, checks=(dataclasses.replace(suite.checks[0], condition="1 / 0 = 1"),))
            if suite.form.form_id == "visits"
            else suite
            for suite in suites
        )

    monkeypatch.setattr("enforcement_reporting.quality.check.load_suites", with_a_broken_rule)
    hazards = write_workbook(tmp_path / "a.xlsx", "隐患统计表", HEADER, [("部门22", 5, 5, 0, "100%", 0, 0, 0)])
    visits = write_workbook(tmp_path / "b.xlsx", "检查统计表", ["单位", "发现隐患", "检查"], [("部门22", 4, 5)])
    with pytest.raises(RuleError, match=r"visits\.few"):
        ingest(settings, hazards, visits)
    with connect(settings) as connection:
        checked = connection.execute(
            "select s.form_id from quality.verdicts v join intake.submissions s using (submission_id)"
        ).fetchall()
    assert checked == [("hazards",)]
