"""Every kind of rule: a case that trips it, and a near case that must not. One check of one workbook decides all."""

from __future__ import annotations

import dataclasses
import gc
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import xlsxwriter

from conftest import new_database, settings_for
from enforcement_reporting import intake, marts
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


def write_workbook(
    path: Path, title: str, header: list[str], rows: list[tuple[Any, ...]], month: str = "2025年9月"
) -> Path:
    """Write one sheet: title with the period, header, rows; None stays blank."""
    with xlsxwriter.Workbook(path) as book:
        book.set_properties({"created": datetime(2025, 10, 1)})  # the same rows are the same bytes
        sheet = book.add_worksheet()
        for number, row in enumerate([[f"{month}{title}"], header, *rows]):
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
        connection.execute("delete from quality.suites")
        connection.commit()
        assert check_submissions(settings).submissions == 1
        assert connection.execute(query).fetchall() == before


def test_a_check_and_a_build_leave_no_connection_open_and_none_to_the_collector(
    warehouse: Settings, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, write_definitions(tmp_path), warehouse.warehouse_url)
    intake.prepare(settings)
    ingest(settings, write_workbook(tmp_path / "a.xlsx", "隐患统计表", HEADER, [("镇街02", 10, 4, 6, "40%", 0, 0, 0)]))
    others = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    with connect(settings) as connection:
        connection.execute("delete from quality.suites")
        connection.commit()
        gc.disable()
        try:
            assert check_submissions(settings).submissions == 1
            marts.build(settings)
        finally:
            gc.enable()
        for _ in range(100):  # a process of the server's takes a moment to end
            left = connection.execute(others).fetchone()
            connection.commit()
            if left == (0,):
                break
            time.sleep(0.02)
    assert left == (0,)


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


# What the other form said on the day before, and on those after; the outcome of a 5, and the day it is accepted from.
OF_ITS_DAY: dict[str, tuple[tuple[int, ...], tuple[str, int | None]]] = {
    "镇街01": ((4, 4), ("returned", None)),
    "镇街02": ((4, 6), ("returned", None)),
    "镇街03": ((4, 5), ("accepted", 3)),
    "镇街04": ((5, 4), ("questioned", 2)),
    "镇街05": ((4, 5, 5), ("accepted", 3)),
    "镇街06": ((4, 5, 4), ("returned", None)),
    "镇街07": ((4, 4, 5), ("accepted", 4)),
}


@pytest.mark.parametrize("step", [1, -1])
def test_a_form_that_contradicted_the_other_of_its_own_day_is_returned_until_that_is_corrected(
    warehouse: Settings, tmp_path: Path, step: int
) -> None:
    settings = settings_for(tmp_path, write_definitions(tmp_path), warehouse.warehouse_url)
    rules = tmp_path / "expectations/testland/hazards.yaml"
    rules.write_text(rules.read_text(encoding="utf-8").replace("severity: question", "severity: error"))
    intake.prepare(settings)
    header, received = ["单位", "发现隐患", "检查"], (1, 3, 4)
    files = {
        2: write_workbook(
            tmp_path / "h.xlsx", "隐患统计表", HEADER, [(u, 5, 5, 0, "100%", 0, 0, 0) for u in OF_ITS_DAY]
        )
    }
    for number, day in enumerate(received):
        rows = [(unit, said[number], day) for unit, (said, _) in OF_ITS_DAY.items() if number < len(said)]
        files[day] = write_workbook(tmp_path / f"v{day}.xlsx", "检查统计表", header, rows)
    for day in sorted(files)[::step]:
        intake.ingest_files(settings, [str(files[day])], "collect", datetime(2025, 10, day, tzinfo=UTC))
        check_submissions(settings)
    with connect(settings) as connection:
        rows = connection.execute(
            "select u.unit_name, v.outcome, extract(day from v.accepted_from at time zone 'UTC')::int"
            " from quality.verdicts v join intake.submissions s using (unit_id, submission_id)"
            " join catalog.units u using (unit_id) where s.form_id = 'hazards'"
        ).fetchall()
    assert {unit: verdict for unit, *verdict in rows} == {unit: [*verdict] for unit, (_, verdict) in OF_ITS_DAY.items()}


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


# --- against other periods ------------------------------------------------------------------------------------------

MONTHLY = """
form_id: monthly
authority_id: testland
title: 执法月报表
calendar: {kind: month}
figures: cumulative
unit_labels: [单位]
indicators:
  - {indicator_id: visits, label: [累计检查], unit_of_measure: 家次}
  - {indicator_id: filed, label: [累计立案], unit_of_measure: 起, counterpart: filed_in_month}
  - {indicator_id: filed_in_month, label: [本月立案], unit_of_measure: 起, figures: single}
  - {indicator_id: fines, label: [本月罚款], unit_of_measure: 万元, figures: single}
  - {indicator_id: fines_change, label: [环比], unit_of_measure: "%", measure_kind: rate}
  - {indicator_id: fines_year, label: [同比], unit_of_measure: "%", measure_kind: rate}
  - {indicator_id: fixed_rate, label: [整改率], unit_of_measure: "%", measure_kind: rate}
  - {indicator_id: points, label: [整改率增减], unit_of_measure: 百分点, measure_kind: rate}
"""

MONTHLY_RULES = """
form: monthly
rules:
  - {rule_id: falls, kind: not_falling, indicators: [visits]}
  - {rule_id: accumulates, kind: accumulates}
  - {rule_id: fines_change, kind: stated_change, stated: fines_change, of: fines, against: previous}
  - {rule_id: fines_year, kind: stated_change, stated: fines_year, of: fines, against: year_ago}
  - {rule_id: points, kind: stated_change, stated: points, of: fixed_rate, against: previous, measured_in: points}
"""

MONTHLY_HEADER = ["单位", "累计检查", "累计立案", "本月立案", "本月罚款", "环比", "同比", "整改率", "整改率增减"]
MONTHLY_IDS = ["visits", "filed", "filed_in_month", "fines", "fines_change", "fines_year", "fixed_rate", "points"]
Figures = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Months:
    """What a unit sent of a month, and of those before it: a year ago, the month before, and its correction."""

    now: Figures
    trips: frozenset[str] = frozenset()
    before: Figures | None = None
    corrected: Figures | None = None
    year_ago: Figures | None = None


IN_SEPTEMBER = {
    "a figure that falls": Months({"visits": 8}, frozenset({"falls"}), {"visits": 9}),
    "one that stays": Months({"visits": 9}, before={"visits": 9}),
    "one that falls below what was corrected": Months({"visits": 8}, before={"visits": 9}, corrected={"visits": 7}),
    "one that fell after a correction too": Months(
        {"visits": 8}, frozenset({"falls"}), before={"visits": 7}, corrected={"visits": 9}
    ),
    "one before which there is a blank": Months({"visits": 0}, before={"visits": None, "filed": 1}),
    "a month that adds up": Months({"filed": 6, "filed_in_month": 2}, before={"filed": 4}),
    "a month that does not": Months({"filed": 7, "filed_in_month": 2}, frozenset({"accumulates"}), {"filed": 4}),
    "a month that adds up to a correction": Months(
        {"filed": 7, "filed_in_month": 2}, before={"filed": 4}, corrected={"filed": 5}
    ),
    "a month after a blank": Months({"filed": 7, "filed_in_month": 2}, before={"visits": 1}),
    "a month that does not say its own": Months({"filed": 7}, before={"filed": 4}),
    "a month after one that nobody sent": Months(
        {"visits": 1, "filed": 7, "filed_in_month": 2, "fines": 4, "fines_change": "9%", "fines_year": "9%"}
    ),
    "a change to its decimals": Months({"fines": 4, "fines_change": "33%"}, before={"fines": 3}),
    "a change to more decimals": Months({"fines": 4, "fines_change": "33.33%"}, before={"fines": 3}),
    "a change that is off": Months({"fines": 4, "fines_change": "34%"}, frozenset({"fines_change"}), {"fines": 3}),
    "a change cut off": Months({"fines": 5, "fines_change": "66.6%"}, before={"fines": 3}),
    "a change downwards": Months({"fines": 3, "fines_change": "-25%"}, before={"fines": 4}),
    "a change the wrong way": Months({"fines": 3, "fines_change": "25%"}, frozenset({"fines_change"}), {"fines": 4}),
    "a change from the base as known now": Months(
        {"fines": 4, "fines_change": "100%"}, before={"fines": 3}, corrected={"fines": 2}
    ),
    "a change from the base as first reported": Months(
        {"fines": 4, "fines_change": "33.3%"}, before={"fines": 3}, corrected={"fines": 2}
    ),
    "a change from neither": Months(
        {"fines": 4, "fines_change": "50.0%"}, frozenset({"fines_change"}), {"fines": 3}, {"fines": 2}
    ),
    "a change from nothing": Months({"fines": 4, "fines_change": "100%"}, before={"fines": 0}),
    "a change from a blank": Months({"fines": 4, "fines_change": "100%"}, before={"visits": 0}),
    "a change of a year": Months({"fines": 4, "fines_year": "-50%"}, year_ago={"fines": 8}),
    "a change of a year that is one of a month": Months(
        {"fines": 4, "fines_year": "-20%"}, frozenset({"fines_year"}), {"fines": 5}, year_ago={"fines": 8}
    ),
    "a change in points": Months({"fixed_rate": "42.5%", "points": 2.5}, before={"fixed_rate": "40%"}),
    "a change in percent where points belong": Months(
        {"fixed_rate": "42.5%", "points": 6.25}, frozenset({"points"}), {"fixed_rate": "40%"}
    ),
}

# December counts for nothing here: January opens the year.
IN_JANUARY = {
    "a figure that begins anew": Months({"visits": 3}, before={"visits": 90}),
    "a first month that is all of it": Months({"filed": 3, "filed_in_month": 3}, before={"filed": 50}),
    "a first month that is not": Months({"filed": 53, "filed_in_month": 3}, frozenset({"accumulates"}), {"filed": 50}),
    "a first month after nothing sent": Months({"filed": 4, "filed_in_month": 3}, frozenset({"accumulates"})),
}


def write_monthly_definitions(folder: Path, units: int) -> Path:
    """Write the catalog and the rules of these tests, with units named 单位1, 单位2 and so on."""
    members = ", ".join(f"{{unit_id: unit_{n}, name: 单位{n}, kind: 镇街}}" for n in range(1, units + 1))
    files = {
        "catalog/landing.yaml": "places: [{place_id: inbox, path: inbox, policy: collect}]",
        "catalog/testland/authority.yaml": AUTHORITY.format(units=members),
        "catalog/testland/forms/monthly.yaml": MONTHLY,
        "expectations/testland/monthly.yaml": MONTHLY_RULES,
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


def send(
    settings: Settings,
    folder: Path,
    month: str,
    received: str,
    sent: dict[int, Figures | None],
    policy: str = "collect",
) -> None:
    """Take in what units, by their numbers, sent of a month."""
    rows = [
        (f"单位{number}", *(figures.get(name) for name in MONTHLY_IDS)) for number, figures in sent.items() if figures
    ]
    if not rows:
        return
    path = write_workbook(folder / f"{month}{received}.xlsx", "执法月报表", MONTHLY_HEADER, rows, month)
    intake.ingest_files(settings, [str(path)], policy, datetime.fromisoformat(received).replace(tzinfo=UTC))


@pytest.fixture(scope="module")
def months(server: LocalServer, template: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what was found of each case: the rules, and the rows of its findings."""
    folder = tmp_path_factory.mktemp("months")
    cases = {**IN_SEPTEMBER, **IN_JANUARY}
    settings = settings_for(
        folder / "state", write_monthly_definitions(folder, len(cases)), new_database(server, template)
    )
    intake.prepare(settings)
    numbers = {name: number for number, name in enumerate(cases, start=1)}
    for group, (year_ago, before, now) in (
        (IN_SEPTEMBER, (("2024年9月", "2024-10-01"), ("2025年8月", "2025-09-01"), ("2025年9月", "2025-10-01"))),
        (IN_JANUARY, (("2024年1月", "2024-02-01"), ("2024年12月", "2025-01-02"), ("2025年1月", "2025-02-01"))),
    ):
        of = {numbers[name]: case for name, case in group.items()}
        send(settings, folder, *year_ago, {number: case.year_ago for number, case in of.items()})
        send(settings, folder, *before, {number: case.before for number, case in of.items()})
        send(settings, folder, before[0], "2025-09-10", {number: case.corrected for number, case in of.items()})
        send(settings, folder, *now, {number: case.now for number, case in of.items()})
    check_submissions(settings)
    found: dict[str, Any] = {name: {} for name in cases}
    with connect(settings) as connection:
        rows = connection.execute(
            "select unit_id, period_id, rule_id, severity, stated, expected, cells, message from quality.findings"
        ).fetchall()
    names = {f"unit_{number}": name for name, number in numbers.items()}
    for unit_id, period_id, rule_id, *said in rows:
        name = names[unit_id]
        assert period_id == ("2025-09" if name in IN_SEPTEMBER else "2025-01"), (name, rule_id, said)
        found[name][rule_id.removeprefix("monthly.")] = tuple(said)
    return found


@pytest.mark.parametrize("name", [*IN_SEPTEMBER, *IN_JANUARY])
def test_a_month_trips_exactly_the_rules_it_breaks(months: dict[str, Any], name: str) -> None:
    assert set(months[name]) == ({**IN_SEPTEMBER, **IN_JANUARY}[name]).trips


def test_a_fall_is_a_question_that_names_the_month_before_and_its_figure(months: dict[str, Any]) -> None:
    severity, stated, expected, cells, message = months["a figure that falls"]["falls"]
    assert (severity, stated, expected) == ("question", "8", "9")
    assert cells.startswith("Sheet1!B") and "、" not in cells, (
        "the cell is one of this workbook, not of the other month's"
    )
    assert "2025年8月" in message


def test_a_month_that_does_not_add_up_is_an_error_that_names_the_month_before(months: dict[str, Any]) -> None:
    severity, stated, expected, cells, message = months["a month that does not"]["accumulates"]
    assert (severity, stated, expected) == ("error", "7", "6")
    assert len(cells.split("、")) == 2
    assert "2025年8月累计 4 加本期 2" in message
    severity, stated, expected, _, message = months["a first month that is not"]["accumulates"]
    assert (severity, stated, expected) == ("error", "53", "3")
    assert "2024年12月" not in message


@pytest.mark.parametrize(
    ("name", "rule", "stated", "expected", "said"),
    [
        ("a change that is off", "fines_change", "34%", "33%", "2025年8月 3"),
        ("a change from neither", "fines_change", "50.0%", "100.0%", "2025年8月 2"),
        ("a change of a year that is one of a month", "fines_year", "-20%", "-50%", "2024年9月 8"),
        ("a change in percent where points belong", "points", "6.25", "2.50", "2025年8月 40"),
    ],
)
def test_a_wrong_change_is_told_with_the_right_one_at_its_own_decimals(
    months: dict[str, Any], name: str, rule: str, stated: str, expected: str, said: str
) -> None:
    *found, _, message = months[name][rule]
    assert found == ["error", stated, expected]
    assert said in message


def outcome_of(settings: Settings, period: str) -> list[tuple[Any, ...]]:
    """Return (outcome, rule, severity) of the one unit's latest submission for a period, with each of its findings."""
    with connect(settings) as connection:
        return connection.execute(
            "select v.outcome, f.rule_id, f.severity from quality.verdicts v left join quality.findings f"
            " using (submission_id) where submission_id ="
            " (select submission_id from intake.submissions where period_id = %s order by received_at desc limit 1)",
            [period],
        ).fetchall()


@pytest.fixture
def monthly(warehouse: Settings, tmp_path: Path) -> Settings:
    settings = settings_for(tmp_path, write_monthly_definitions(tmp_path, 1), warehouse.warehouse_url)
    intake.prepare(settings)
    return settings


def test_the_correction_of_the_month_before_explains_a_fall(monthly: Settings, tmp_path: Path) -> None:
    send(monthly, tmp_path, "2025年8月", "2025-09-01", {1: {"visits": 9}})
    send(monthly, tmp_path, "2025年9月", "2025-10-01", {1: {"visits": 8}})
    check_submissions(monthly)
    assert outcome_of(monthly, "2025-09") == [("questioned", "monthly.falls", "question")]
    send(monthly, tmp_path, "2025年8月", "2025-10-05", {1: {"visits": 7}})
    check_submissions(monthly)
    assert outcome_of(monthly, "2025-09") == [("accepted", None, None)]


@pytest.mark.parametrize(
    ("rule", "before", "now"),
    [
        ("accumulates", {"filed": 4}, {"filed": 7, "filed_in_month": 2}),
        ("fines_change", {"fines": 3}, {"fines": 4, "fines_change": "34%"}),
    ],
)
def test_a_month_before_that_came_later_questions_and_does_not_return(
    monthly: Settings, tmp_path: Path, rule: str, before: Figures, now: Figures
) -> None:
    send(monthly, tmp_path, "2025年9月", "2025-10-01", {1: now})
    check_submissions(monthly)
    assert outcome_of(monthly, "2025-09") == [("accepted", None, None)]
    send(monthly, tmp_path, "2025年8月", "2025-10-05", {1: before})
    check_submissions(monthly)
    assert outcome_of(monthly, "2025-09") == [("questioned", f"monthly.{rule}", "question")]
    send(monthly, tmp_path, "2025年9月", "2025-10-06", {1: now | {"visits": 1}})
    check_submissions(monthly)
    assert outcome_of(monthly, "2025-09") == [("returned", f"monthly.{rule}", "error")]


AUGUST, SEPTEMBER, YEAR_AGO = "2025年8月", "2025年9月", "2024年9月"
ADDS_UP_TO_FIVE = {"filed": 7, "filed_in_month": 2}
# What came of the months September looks at; September's outcome, when it is accepted from, its finding's severity.
OF_SEPTEMBER: dict[str, tuple[list[tuple[str, str, Figures]], tuple[str | None, ...]]] = {
    "was right, and is contradicted by a correction": (
        [(AUGUST, "2025-09-01", {"filed": 5}), (AUGUST, "2025-10-05", {"filed": 4})],
        ("questioned", "2025-10-01", "question"),
    ),
    "was wrong, and still is after a correction": (
        [(AUGUST, "2025-09-01", {"filed": 4}), (AUGUST, "2025-10-05", {"filed": 6})],
        ("returned", None, "error"),
    ),
    "was wrong, and a correction cures it": (
        [(AUGUST, "2025-09-01", {"filed": 4}), (AUGUST, "2025-10-05", {"filed": 5})],
        ("accepted", "2025-10-05", None),
    ),
    "was wrong, and what came after the cure says the same": (
        [
            (AUGUST, "2025-09-01", {"filed": 4}),
            (AUGUST, "2025-10-05", {"filed": 5}),
            (AUGUST, "2025-10-08", {"filed": 5, "visits": 1}),
            (YEAR_AGO, "2025-10-09", {"fines": 1}),
        ],
        ("accepted", "2025-10-05", None),
    ),
    "was wrong, and is so again after a cure": (
        [
            (AUGUST, "2025-09-01", {"filed": 4}),
            (AUGUST, "2025-10-05", {"filed": 5}),
            (AUGUST, "2025-10-08", {"filed": 4, "visits": 1}),
        ],
        ("returned", None, "error"),
    ),
    "was right, for the correction came before it": (
        [(AUGUST, "2025-09-01", {"filed": 4}), (AUGUST, "2025-09-20", {"filed": 5})],
        ("accepted", "2025-10-01", None),
    ),
}


@pytest.mark.parametrize("step", [1, -1])
def test_a_month_is_judged_by_what_was_known_on_its_receipt_and_by_what_is_known_now(
    warehouse: Settings, tmp_path: Path, step: int
) -> None:
    definitions = write_monthly_definitions(tmp_path, len(OF_SEPTEMBER))
    settings = settings_for(tmp_path, definitions, warehouse.warehouse_url)
    intake.prepare(settings)
    files: dict[tuple[str, str], dict[int, Figures | None]] = {}
    for number, (sent, _) in enumerate(OF_SEPTEMBER.values(), start=1):
        for month, received, figures in [*sent, (SEPTEMBER, "2025-10-01", ADDS_UP_TO_FIVE)]:
            files.setdefault((received, month), {})[number] = figures
    for received, month in sorted(files)[::step]:
        send(settings, tmp_path, month, received, files[received, month])
        check_submissions(settings)
    with connect(settings) as connection:
        found = connection.execute(
            "select v.outcome, to_char(v.accepted_from at time zone 'UTC', 'YYYY-MM-DD'), f.severity"
            " from quality.verdicts v join intake.submissions s using (unit_id, submission_id)"
            " left join quality.findings f using (submission_id) where s.period_id = '2025-09' order by s.unit_id"
        ).fetchall()
    assert dict(zip(OF_SEPTEMBER, found, strict=True)) == {name: is_ for name, (_, is_) in OF_SEPTEMBER.items()}


def test_what_an_archive_printed_stands_from_its_receipt(monthly: Settings, tmp_path: Path) -> None:
    for month, received, figures in (
        (AUGUST, "2025-09-01", {"filed": 4}),
        (SEPTEMBER, "2025-10-01", ADDS_UP_TO_FIVE),
        (AUGUST, "2025-10-05", {"filed": 5}),
    ):
        send(monthly, tmp_path, month, received, {1: figures}, "archive")
    check_submissions(monthly)
    with connect(monthly) as connection:
        assert connection.execute(
            "select count(*), bool_and(v.accepted_from = s.received_at) from quality.verdicts v"
            " join intake.submissions s using (unit_id, submission_id)"
        ).fetchone() == (3, True)


def test_a_past_day_knows_nothing_of_a_month_that_was_returned_on_it(
    server: LocalServer, template: str, tmp_path: Path
) -> None:
    """As of a day, there is what a warehouse that was built on that day had; the order of intake is of no account."""
    story = [
        (AUGUST, "2025-09-01", {"filed": 4}),
        (SEPTEMBER, "2025-10-01", ADDS_UP_TO_FIVE),
        (AUGUST, "2025-10-05", {"filed": 5}),
    ]
    said = []
    definitions = write_monthly_definitions(tmp_path, 1)
    for step in (1, -1):
        settings = settings_for(tmp_path, definitions, new_database(server, template, "a_past_day"))
        intake.prepare(settings)
        for month, received, figures in story[::step]:
            send(settings, tmp_path, month, received, {1: figures})
            check_submissions(settings)
            if step == 1 and received == "2025-10-01":
                marts.build(settings)
                with connect(settings) as connection:
                    built = "select 1 from marts.fct_indicator_values where period_id = '2025-09'"
                    assert connection.execute(built).fetchall() == []
        marts.build(settings)
        with connect(settings) as connection:

            def known(instant: str, connection: psycopg.Connection = connection) -> list[tuple[Any, ...]]:
                return connection.execute(
                    "select period_id, stated_value, single_value, first_value, known_from::date::text"
                    " from marts.indicator_values_as_of('testland', %s, %s) where indicator_id = 'monthly.filed'",
                    ["2025-09", instant],
                ).fetchall()

            assert known("2025-10-02 00:00+00") == []
            assert known("2025-10-06 00:00+00") == [("2025-09", 7, 2, 7, "2025-10-05")]
            columns = "submission_id, unit_id, period_id, outcome, known_from, known_to, superseded_by, is_first"
            said.append(
                [
                    connection.execute(f"select {columns} from marts.{mart} order by 1, 2, 3, 4".encode()).fetchall()
                    for mart, columns in (
                        ("fct_submissions", f"{columns}, is_standing"),
                        ("fct_indicator_values", "unit_id, period_id, indicator_id, stated_value, known_from"),
                        ("fct_findings", "finding_id, severity, stated, expected"),
                    )
                ]
            )
    assert said[0] == said[1]


def test_a_correction_that_has_errors_of_its_own_is_no_base(monthly: Settings, tmp_path: Path) -> None:
    rules = tmp_path / "expectations/testland/monthly.yaml"
    rules.write_text(
        rules.read_text(encoding="utf-8")
        + "  - {rule_id: filed_within, kind: part_whole, parts: [filed_in_month], whole: [filed]}\n",
        encoding="utf-8",
    )
    send(monthly, tmp_path, "2025年8月", "2025-09-01", {1: {"filed": 4, "filed_in_month": 1}})
    send(monthly, tmp_path, "2025年8月", "2025-09-02", {1: {"filed": 5, "filed_in_month": 6}})
    send(monthly, tmp_path, "2025年9月", "2025-10-01", {1: {"filed": 6, "filed_in_month": 2}})
    check_submissions(monthly)
    assert outcome_of(monthly, "2025-08") == [("returned", "monthly.filed_within", "error")]
    assert outcome_of(monthly, "2025-09") == [("accepted", None, None)]


def test_checking_months_again_changes_nothing(monthly: Settings, tmp_path: Path) -> None:
    send(monthly, tmp_path, "2025年9月", "2025-10-01", {1: {"visits": 8, "filed": 7, "filed_in_month": 2}})
    check_submissions(monthly)
    send(monthly, tmp_path, "2025年8月", "2025-09-01", {1: {"visits": 9, "filed": 4}})
    check_submissions(monthly)
    with connect(monthly) as connection:
        query = "select * from quality.findings order by finding_id"
        before = connection.execute(query).fetchall()
        assert len(before) == 2
        assert check_submissions(monthly).submissions == 0
        connection.execute("delete from quality.suites")
        connection.commit()
        assert check_submissions(monthly).submissions == 2
        assert connection.execute(query).fetchall() == before
