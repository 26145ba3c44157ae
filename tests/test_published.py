"""The main job: the published tables, taken in as archive material, against what was printed.

Expectations are worked out here from the CSV files alone, in exact decimals, never read off the marts.
"""

from __future__ import annotations

import csv
import runpy
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

import psycopg
import pytest

from conftest import new_database, settings_for
from enforcement_reporting import intake, marts
from enforcement_reporting.catalog import load_catalog
from enforcement_reporting.local.postgres import LocalServer
from enforcement_reporting.quality import check_submissions
from enforcement_reporting.settings import PROJECT_ROOT
from enforcement_reporting.warehouse import connect

TABLES = PROJECT_ROOT / "examples" / "tables"


@pytest.fixture(scope="module")
def published(
    server: LocalServer, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[psycopg.Connection]:
    """A warehouse that has taken in the nine published workbooks and built its marts."""
    folder = tmp_path_factory.mktemp("published")
    settings = settings_for(folder, url=new_database(server, template))
    build_all = runpy.run_path(str(PROJECT_ROOT / "examples" / "build_workbooks.py"))["build_all"]
    intake.prepare(settings)
    files = [str(path) for path in build_all(folder / "workbooks")]
    results = intake.ingest_files(settings, files, "archive", datetime(2026, 1, 1, tzinfo=UTC))
    assert [file.outcome for file in results] == ["taken_in"] * 9
    check_submissions(settings)
    marts.build(settings)
    with connect(settings) as connection:
        yield connection


def table(authority: str, name: str) -> list[list[str]]:
    """Return the rows of a printed table, header first."""
    with (TABLES / authority / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def number(text: str) -> Decimal:
    return Decimal(text.rstrip("%"))


# --- source 002: a scoreboard ---------------------------------------------------------------------------------------


def test_all_item_ranks_points_totals_and_overall_ranks_are_as_printed(published: psycopg.Connection) -> None:
    header, *rows = table("zhumadian", "score")
    assert len(rows) == 10
    ours = {
        (unit, item): (rank, points)
        for unit, item, rank, points in published.execute(
            "select unit_name, item_id, rank, points from marts.fct_rankings"
            " where scoreboard_id = 'zhumadian_effectiveness'"
        )
    }
    items = [item.item_id for item in load_catalog(PROJECT_ROOT).scoreboards[0].items]
    compared = 0
    for row in rows:
        overall_rank, unit, total, *columns = row
        assert ours[unit, "total"] == (int(overall_rank), int(total))
        for item, (_, rank, points) in zip(items, zip(*[iter(columns)] * 3, strict=True), strict=True):
            assert ours[unit, item] == (int(rank), int(points))
            compared += 1
    assert compared == 30 and len(ours) == 40 and header[1] == "单位"


def test_the_consistent_bulletin_raises_nothing(published: psycopg.Connection) -> None:
    rows = published.execute("select * from marts.fct_findings where authority_id = 'zhumadian'").fetchall()
    assert rows == []


# --- source 000: rates ----------------------------------------------------------------------------------------------

# (printed table, metric, rule): columns of the numerator, of the denominator, the printed rate, scale
RATES = {
    ("plan", "kezhou_plan_completion_rate", "plan_completion"): (
        ["前三季度已检查企业家数"],
        ["前三季度计划检查企业家数"],
        "计划完成率",
        100,
    ),
    ("cases", "kezhou_typical_cases_reported_rate", "reported_rate"): (["实报案例数"], ["应报案例数"], "报送率", 100),
    ("cases", "kezhou_typical_cases_qualified_rate", "qualified_rate"): (["合格案例数"], ["实报案例数"], "合格率", 100),
    ("penalty", "kezhou_penalty_rate", "penalty_rate"): (["处罚次数"], ["检查家次"], "处罚率", 100),
    ("hazard", "kezhou_hazards_fixed_rate", "fixed_rate"): (
        ["已完成整改数（一般隐患）", "已完成整改数（重大隐患）"],
        ["隐患总数"],
        "整改率",
        100,
    ),
    ("staff", "kezhou_recorded_officers_rate", "recorded_rate"): (
        ["已录入执法人员"],
        ["持证执法人员"],
        "录入执法人员与持证执法人员比例",
        100,
    ),
    ("attendance", "kezhou_attendance_rate", "attendance_rate"): (
        ["出勤人数"],
        ["应参与执法人员"],
        "实际参与执法与应参与执法人数人员比例",
        100,
    ),
    ("caseload", "kezhou_cases_per_officer", "cases_per_officer"): (
        ["立案审批表"],
        ["应参与执法人员"],
        "人均办案比例",
        1,
    ),
    ("scan", "kezhou_scan_rate", "scan_rate"): (["扫码检查企业家次"], ["应扫码企业家次"], "扫码率", 100),
}


def test_every_printed_unit_rate_equals_ours_at_its_precision_or_is_a_finding(published: psycopg.Connection) -> None:
    ours = {
        (metric, unit): value
        for metric, unit, value in published.execute(
            "select metric_id, unit_name, value from marts.fct_metric_values where form_id like 'kezhou%'"
        )
    }
    rate_findings = {
        (rule.removesuffix("_zero_base"), unit, stated)
        for rule, unit, stated in published.execute(
            "select rule_id, unit_name, stated from marts.fct_findings where rule_kind = 'rate'"
        )
    }
    compared = wrong = 0
    for (name, metric, rule), (_, _, rate_label, _) in RATES.items():
        header, *rows = table("kezhou", name)
        for row in rows:
            cells = dict(zip(header, row, strict=True))
            printed = cells[rate_label]
            value = ours[metric, cells["名称"]]
            places = Decimal(1).scaleb(number(printed).as_tuple().exponent)  # type: ignore[arg-type]
            right = value is not None and value.quantize(places, ROUND_HALF_UP) == number(printed)
            assert right != ((f"kezhou_{name}.{rule}", cells["名称"], printed) in rate_findings), (name, cells)
            compared += 1
            wrong += not right
    assert (compared, wrong) == (45, 3)


def test_overall_rates_are_ratios_of_sums(published: psycopg.Connection) -> None:
    ours = {
        metric: (numerator, denominator, value, reported, complete)
        for metric, numerator, denominator, value, reported, complete in published.execute(
            "select metric_id, numerator, denominator, value, reported_units, is_complete from marts.fct_metric_values"
            " where unit_id = 'kezhou_all'"
        )
    }
    for (name, metric, _), (tops, bottoms, _, scale) in RATES.items():
        header, *rows = table("kezhou", name)
        sums = [
            sum(Decimal(dict(zip(header, row, strict=True))[label]) for row in rows for label in labels)
            for labels in (tops, bottoms)
        ]
        numerator, denominator, value, reported, complete = ours[metric]
        assert [numerator, denominator] == sums
        assert value.quantize(Decimal("1e-10")) == (scale * sums[0] / sums[1]).quantize(Decimal("1e-10"))
        assert (reported, complete) == (5, True)


def test_the_counties_are_rolled_up_without_the_prefecture(published: psycopg.Connection) -> None:
    row = published.execute(
        "select numerator, denominator, reported_units from marts.fct_metric_values"
        " where unit_id = 'kezhou_xianshi' and metric_id = 'kezhou_penalty_rate'"
    ).fetchone()
    assert row == (3 + 17 + 12 + 1, 27 + 105 + 122 + 24, 4)


def test_sums_that_do_not_add_up_within_and_across_tables_are_findings(published: psycopg.Connection) -> None:
    found = published.execute(
        "select severity, form_id, unit_name, rule_kind, stated, expected from marts.fct_findings"
        " where authority_id = 'kezhou' and rule_kind <> 'rate' and form_id <> 'kezhou_bulletin'"
    ).fetchall()
    assert sorted(found) == [
        ("error", "kezhou_exam_posts", "州本级", "sum", "112", "79"),
        ("question", "kezhou_exam_posts", "州本级", "equal_across_forms", "112", "79"),
        ("question", "kezhou_penalty", "乌恰县", "part_whole_across_forms", "12", "9"),
        ("question", "kezhou_penalty", "阿克陶县", "part_whole_across_forms", "17", "6"),
        ("question", "kezhou_scan", "阿图什市", "part_whole_across_forms", "32", "27"),
    ]


# --- source 004: a consolidated table -------------------------------------------------------------------------------


def test_every_figure_of_the_dispatch_table_is_in_the_marts_with_its_cell(published: psycopg.Connection) -> None:
    _, total, *rows = table("licheng", "dispatch")
    form = load_catalog(PROJECT_ROOT).form_by_id["licheng_dispatch"]
    ours = {
        (unit, indicator): (value, cell)
        for unit, indicator, value, cell in published.execute(
            "select unit_name, indicator_id, stated_value, cell from marts.wide_indicator_values"
            " where form_id = 'licheng_dispatch' and period_id = '2023-09-26'"
        )
    }
    assert total[0] == "累计" and len(rows) == 27 and len(ours) == 27 * 28
    for row_number, (unit, *figures) in enumerate(rows, start=8):
        for column, (indicator, figure) in enumerate(zip(form.indicators, figures, strict=True), start=1):
            letters = chr(65 + column) if column < 26 else "A" + chr(65 + column - 26)
            value, cell = ours[unit, f"licheng_dispatch.{indicator.indicator_id}"]
            assert (value, cell) == (Decimal(figure), f"{letters}{row_number}")


def test_exactly_the_columns_whose_total_is_not_the_sum_are_findings(published: psycopg.Connection) -> None:
    _, total, *rows = table("licheng", "dispatch")
    form = load_catalog(PROJECT_ROOT).form_by_id["licheng_dispatch"]
    off = {
        (f"licheng_dispatch.total_{indicator.indicator_id}", printed, str(added))
        for indicator, printed, *units in zip(form.indicators, total[1:], *[row[1:] for row in rows], strict=True)
        if (added := sum(map(Decimal, units))) != Decimal(printed)
    }
    found = published.execute(
        "select rule_id, stated, expected from marts.fct_findings where rule_kind = 'total_row'"
    ).fetchall()
    assert set(found) == off and len(off) == 1


def test_what_would_mend_them_is_proposed_where_the_tables_bear_it_out(published: psycopg.Connection) -> None:
    found = published.execute(
        "select rule_id, proposals from marts.fct_findings where severity <> 'notice' and proposals is not null"
    ).fetchall()
    # 41 + 12 + 26 = 79, which is what the other table has; 85 ÷ 251 = 33.9 %; 366 and 386 differ in a digit. Nothing is
    # made of 22, 24, 25 and 27, each of which would mend the last one too, with a digit less.
    total_of_posts = "若将 F3（三岗人员逢查必考次数合计）由 112 改为 79，则相符，另有 1 处问题也随之消除。"
    assert dict(found) == {
        "kezhou_exam_posts.posts_total": total_of_posts,
        "kezhou_exam_posts.total_equals_examinees": total_of_posts,
        "kezhou_scan.scan_rate": (
            "所填恰为本表各单位合计的比率，可能错行：若将 G3（扫码率）由 33.9% 改为 30.2%，则相符。"
        ),
        "licheng_dispatch.total_towns_guided_count": (
            "只差一位数字，可能误填：若将 K7（累计行）由 366 改为 386，则相符。"
        ),
    }


def test_exactly_the_rows_that_contradict_themselves_are_findings(published: psycopg.Connection) -> None:
    found = published.execute(
        "select severity, unit_name, rule_id from marts.fct_findings"
        " where form_id = 'licheng_dispatch' and rule_kind <> 'total_row'"
    ).fetchall()
    assert sorted(found) == [
        ("error", "区文旅局", "licheng_dispatch.supervised_within_dept_found"),
        ("notice", "区消防救援大队", "licheng_dispatch.major_never_fixed"),
        ("question", "区鞋服城", "licheng_dispatch.hazards_need_visits"),
    ]


def test_the_printed_total_row_is_a_statement_beside_the_sum_and_never_a_unit(published: psycopg.Connection) -> None:
    assert published.execute(
        "select count(*) from marts.fct_indicator_values where unit_id = 'licheng_all'"
    ).fetchone() == (0,)
    assert published.execute(
        "select count(*) from marts.fct_stated_totals where form_id = 'licheng_dispatch'"
    ).fetchone() == (28,)


# --- source 001: blanks, zeros, money -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["license", "penalty", "coercion", "other_acts"])
def test_blanks_stay_blank_and_zeros_stay_zero(published: psycopg.Connection, name: str) -> None:
    _, (_, *figures) = table("alar", name)
    form_id = f"alar_{name.removesuffix('_acts')}"
    ours = published.execute(
        "select v.cell_state, v.stated_value from marts.fct_indicator_values v"
        " join catalog.indicators i on i.indicator_id = v.indicator_id where v.form_id = %s order by i.sort_no",
        [form_id],
    ).fetchall()
    expected = [
        ("blank", None) if not text else ("zero" if not Decimal(text) else "value", Decimal(text)) for text in figures
    ]
    assert ours == expected


def test_yuan_and_ten_thousand_yuan_agree(published: psycopg.Connection) -> None:
    row = published.execute(
        "select numerator, value, unit_of_measure from marts.fct_metric_values"
        " where metric_id like 'alar%%' and unit_name = '第一师阿拉尔市应急管理局'"
    ).fetchone()
    assert row == (Decimal("173.7821088"), Decimal("1737821.088"), "元")


# --- what the texts state -------------------------------------------------------------------------------------------

STATEMENTS = PROJECT_ROOT / "examples" / "statements"


def test_every_stated_figure_is_in_the_warehouse_or_said_not_to_be_bound(published: psycopg.Connection) -> None:
    bound = {
        (form_id, cell)
        for form_id, cell in published.execute(
            "select s.form_id, o.cell from intake.observations o join intake.submissions s using (submission_id)"
            " where s.form_id like '%%_bulletin'"
        )
    }
    listed = {
        (form_id, cells.partition("!")[2])
        for form_id, cells in published.execute(
            "select form_id, cells from marts.fct_findings where rule_kind = 'statement_not_bound'"
        )
    }
    stated: dict[tuple[str, str], dict[str, str]] = {}
    for path in STATEMENTS.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            first = 5 if path.stem in ("alar", "licheng") else 4  # below the title and the header
            again: set[tuple[str, ...]] = set()
            for row, line in enumerate(csv.DictReader(file), start=first):
                said = (line["指标"], line["范围"], line["期"], line["数值"])
                if line["数值"] and said not in again:  # what is said once more says nothing new
                    stated[f"{path.stem}_bulletin", f"F{row}"] = line
                    again.add(said)
    assert bound | listed == stated.keys()
    assert {stated[key]["指标"] for key in listed} == {""}
    assert len(bound) == 191


def test_exactly_the_statements_that_contradict_a_table_or_one_another_are_findings(
    published: psycopg.Connection,
) -> None:
    found = published.execute(
        "select severity, unit_name, rule_id, stated, expected from marts.fct_findings"
        " where form_id like '%%_bulletin' and rule_kind <> 'statement_not_bound'"
    ).fetchall()
    assert sorted(found) == [
        ("error", "全州", "kezhou_bulletin.major_hazards_base", "29.3%", "27.9%"),
        ("error", "全州", "kezhou_bulletin.one_fixed_rate", "69.1", "67.56"),
        ("error", "全州", "kezhou_bulletin.one_penalty_rate", "15.5", "11.5"),
        ("error", "全州", "kezhou_bulletin.penalties", "54次", "40"),
        ("error", "全州", "kezhou_bulletin.table_fixed_rate", "67.56%", "70.65%"),
        ("error", "全州", "kezhou_bulletin.typical_cases_qualified_rate", "62.5%", "100.0%"),
        ("error", "全州", "kezhou_bulletin.typical_cases_reported_rate", "40%", "38%"),
        ("error", "全州应急管理部门", "chuxiong_bulletin.fixed_rate", "96.3%", "97.4%"),
        ("error", "区应急局", "licheng_bulletin.supervised", "10条", "15"),
        ("error", "区文旅局", "licheng_bulletin.supervised_within_found", "1", "0"),
        ("error", "第一师阿拉尔市应急管理局", "alar_bulletin.one_count_of_units", "270", "280"),
        ("error", "荔城区", "licheng_bulletin.industries", "155", "154"),
        ("notice", "全州", "kezhou_bulletin.table_fixed_rate_mean", "67.56%", "70.65%"),
        ("question", "全州", "kezhou_bulletin.first_half_caseload", "0.93", "—"),
        ("question", "全州", "kezhou_bulletin.hazards_fixed", "914项", "963"),
    ]


def test_a_report_without_a_table_has_its_row_in_the_marts(published: psycopg.Connection) -> None:
    row = published.execute(
        "select numerator, denominator, round(value, 1) from marts.fct_metric_values"
        " where metric_id = 'chuxiong_hazards_fixed_rate' and unit_id = 'chuxiong_all'"
    ).fetchone()
    assert row == (6396, 6568, Decimal("97.4"))
