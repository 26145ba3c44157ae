"""What the marts say of a form that changed, on real Postgres and real dbt.

In the middle of July 2025 two columns become one, another gets a new id, one is given up and one is new; in 2026 what
was two columns at first gets yet another id. Every expected number is worked out from the figures sent below.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import pytest

from conftest import new_database, settings_for
from enforcement_reporting import intake, marts
from enforcement_reporting.local.postgres import LocalServer
from enforcement_reporting.settings import Settings
from test_time import Marts, Sending, Sent, derived, everything, record
from test_versions import written
from warehouse import does_not_apply

CUMULATIVE = """
form_id: r
authority_id: au
title: 处罚情况月报
calendar: {kind: month, summaries: [quarter]}
figures: cumulative
unit_labels: [单位]
indicators:
  - {indicator_id: checks, label: [检查], unit_of_measure: 家次}
  - {indicator_id: warnings, label: [警告], unit_of_measure: 起}
  - {indicator_id: fined, label: [罚款], unit_of_measure: 起}
  - {indicator_id: shut, label: [关闭], unit_of_measure: 家}
  - {indicator_id: lectures, label: [宣讲], unit_of_measure: 场}
  - {indicator_id: officers, label: [在岗人员], unit_of_measure: 人, measure_kind: stock}
"""
SINGLE = """
form_id: s
authority_id: au
title: 巡查情况月报
calendar: {kind: month, summaries: [quarter]}
figures: single
unit_labels: [单位]
indicators:
  - {indicator_id: day, label: [日间巡查], unit_of_measure: 次}
  - {indicator_id: night, label: [夜间巡查], unit_of_measure: 次}
"""
METRICS = """
metrics:
  - {metric_id: lectures, name: 宣讲, form: r, unit_of_measure: 场, numerator: [lectures]}
  - {metric_id: penalty_rate, name: 处罚率, form: r, unit_of_measure: "%", scale: 100, decimals: 1,
     numerator: [penalties], denominator: [checks]}
  - {metric_id: major_share, name: 重大隐患率, form: s, unit_of_measure: "%", scale: 100, decimals: 1,
     numerator: [r.major], denominator: [visits]}
"""
DEFINITIONS = {
    "catalog/landing.yaml": "places: [{place_id: inbox, path: inbox, policy: collect}]",
    "catalog/au/authority.yaml": """
authority_id: au
name: 市应急局
units: {unit_id: all, name: 全市, kind: 全市, members: [{unit_id: a, name: 甲镇, kind: 镇街},
  {unit_id: b, name: 乙镇, kind: 镇街}, {unit_id: c, name: 丙镇, kind: 镇街}]}
""",
    "catalog/au/forms/r.yaml": CUMULATIVE.replace("[宣讲], unit", "[宣讲], effective_to: 2025-07-14, unit")
    + """
  - {indicator_id: penalties, label: [处罚], unit_of_measure: 起, effective_from: 2025-07-15,
     replaces: [warnings, fined]}
  - {indicator_id: closed, label: [关停取缔], unit_of_measure: 家, effective_from: 2025-07-15, replaces: [shut]}
  - {indicator_id: staff, label: [执法人员], unit_of_measure: 人, measure_kind: stock, effective_from: 2025-07-15,
     replaces: [officers]}
  - {indicator_id: major, label: [重大隐患], unit_of_measure: 项, effective_from: 2025-07-15}
""",
    "catalog/au/forms/s.yaml": SINGLE
    + """
  - {indicator_id: visits, label: [巡查], unit_of_measure: 次, effective_from: 2025-07-15, replaces: [day, night]}
  - {indicator_id: patrols, label: [巡查检查], unit_of_measure: 次, effective_from: 2026-01-01, replaces: [visits]}
  - {indicator_id: drones, label: [无人机巡查], unit_of_measure: 次, effective_from: 2025-07-15}
""",
    "catalog/au/metrics.yaml": METRICS,
    "expectations/au/r.yaml": """
form: r
rules: [{rule_id: checks_of_checks, kind: amount_count, amount: [checks], count: [checks]}]
""",
    "catalog/au/scoreboards.yaml": """
scoreboards:
  - scoreboard_id: board
    name: 评比
    form: r
    items:
      - {item_id: penalties, name: 处罚, indicator: penalties, points: {top: 3}}
      - {item_id: major, name: 重大隐患, indicator: major, points: {top: 3}}
      - {item_id: lectures, name: 宣讲, metric: lectures, points: {top: 3}}
""",
}
BEFORE_THE_CHANGE = {
    **DEFINITIONS,
    "catalog/au/forms/r.yaml": CUMULATIVE,
    "catalog/au/forms/s.yaml": SINGLE,
    "catalog/au/metrics.yaml": "".join(METRICS.partition("  - {metric_id: penalty_rate")[:1]),
    "catalog/au/scoreboards.yaml": "scoreboards: []",
}

# Month by month, as the period's own figures: what is sent of r are the running sums.
WARNINGS, FINED, SHUT = [1, 0, 2, 1, 3, 1, 2, 0, 1], [2, 2, 0, 1, 0, 4, 1, 1, 5], [0, 1, 0, 0, 2, 1, 1, 0, 3]
PENALTIES, CLOSED, MAJOR = [5, 2, 6], [1, 4, 0], [4, 2, 1]
DAY, NIGHT, VISITS, DRONES = [3, 1, 4, 1, 5, 9], [2, 6, 5, 3, 5, 8], [9, 7, 9], [1, 2, 3]


def story() -> list[Sent]:
    """Return everything that is sent."""
    send = Sending()
    sums = list(zip(*map(accumulate, (WARNINGS, FINED, SHUT)), strict=True))
    for month, (warnings, fined, shut) in enumerate(sums, 1):
        old = {"checks": 10 * month, "warnings": warnings, "fined": fined, "shut": shut}
        send("a", "r", f"2024-{month:02}", **old, lectures=month, officers=7)
        if month <= 6:
            send("a", "r", f"2025-{month:02}", **{**old, "warnings": warnings + 1}, lectures=month, officers=8)
    at_end = [WARNINGS[:6], FINED[:6]], SHUT[:6]
    penalties = list(accumulate(PENALTIES, initial=1 + sum(map(sum, at_end[0]))))[1:]
    closed = list(accumulate(CLOSED, initial=sum(at_end[1])))[1:]
    for month, new in enumerate(zip(penalties, closed, accumulate(MAJOR), strict=True), 7):
        send("a", "r", f"2025-{month:02}", checks=10 * month, penalties=new[0], closed=new[1], staff=9, major=new[2])
    # b leaves 罚款 blank; of c it does not apply (see below); neither sends anything of August.
    for unit in "bc":
        for month in ("2024-07", "2025-06"):
            send(unit, "r", month, checks=10, warnings=4, fined=None, shut=0, lectures=0, officers=1)
        send(unit, "r", "2025-07", checks=20, penalties=6, closed=0, staff=1, major=0)
    for month in range(1, 7):
        send("a", "s", f"2025-{month:02}", day=DAY[month - 1], night=NIGHT[month - 1])
        if month != 3:
            send("b", "s", f"2025-{month:02}", day=1, night=0)
    for month in range(7, 10):
        send("a", "s", f"2025-{month:02}", visits=VISITS[month - 7], drones=DRONES[month - 7])
        send("b", "s", f"2025-{month:02}", visits=2, drones=0)
    send("a", "s", "2026-01", patrols=8, drones=1)
    send("c", "s", "2025-05", visits=4)  # on the form of later: published, and taken as printed
    return send.sent


def sent_before_the_change() -> list[Sent]:
    return [item for item in story() if item.period <= "2025-06"]


@pytest.fixture(scope="module")
def told(server: LocalServer, template: str, tmp_path_factory: pytest.TempPathFactory) -> Marts:
    """The marts once everything was sent."""
    folder = tmp_path_factory.mktemp("changed")
    definitions = written(folder / "definitions", DEFINITIONS)
    settings = settings_for(folder / "state", definitions, new_database(server, template))
    intake.prepare(settings)
    record(settings, story())
    does_not_apply(settings, "r.fined", unit_id="c")
    marts.build(settings)
    return Marts(settings)


def carried(month: int) -> int:
    """Return what a had of both in 2025, up to a month before the change."""
    return 1 + sum(WARNINGS[:month]) + sum(FINED[:month])


# Figures


def test_what_replaced_others_has_their_sum_in_the_periods_before(told: Marts) -> None:
    for month in range(2, 7):
        expected = carried(month), carried(month) - carried(month - 1)
        assert derived(told.figure("a", "r.penalties", f"2025-{month:02}")) == expected
    row = told.figure("a", "r.penalties", "2025-06")
    assert (row["cell_state"], row["stated_text"], row["cell"]) == ("value", None, "C5、D5")
    assert row["submission_id"] == "a-r-2025-06-2025-07-05"
    assert derived(told.figure("a", "r.warnings", "2025-06")) == (1 + sum(WARNINGS[:6]), WARNINGS[5])


def test_a_difference_over_the_change_is_taken_from_what_was_replaced(told: Marts) -> None:
    for month in range(7, 10):
        total = carried(6) + sum(PENALTIES[: month - 6])
        assert derived(told.figure("a", "r.penalties", f"2025-{month:02}")) == (total, PENALTIES[month - 7])
        assert derived(told.figure("a", "r.closed", f"2025-{month:02}"))[1] == CLOSED[month - 7]
    assert derived(told.figure("a", "r.penalties", "2025-Q3")) == (carried(6) + sum(PENALTIES), sum(PENALTIES))
    assert derived(told.figure("a", "r.penalties", "2025-Q2")) == (carried(6), carried(6) - carried(3))


def test_what_a_form_did_not_count_before_has_no_figure_over_the_change_and_says_so(told: Marts) -> None:
    assert derived(told.figure("a", "r.major", "2025-07")) == (MAJOR[0], "指标口径变更")
    assert derived(told.figure("a", "r.major", "2025-08")) == (sum(MAJOR[:2]), MAJOR[1])
    assert derived(told.figure("a", "r.major", "2025-Q3")) == (sum(MAJOR), "指标口径变更")
    assert derived(told.figure("a", "s.drones", "2025-08")) == ("指标口径变更", DRONES[1])
    assert derived(told.figure("a", "s.drones", "2025-Q3")) == ("指标口径变更", sum(DRONES))
    assert told.rows("fct_indicator_values", indicator_id="r.major", period_id="2025-06") == []


def test_what_was_left_blank_leaves_the_sum_unknown_and_what_does_not_apply_adds_nothing(told: Marts) -> None:
    blank, nothing = (told.figure(unit, "r.penalties", "2025-06") for unit in "bc")
    assert (blank["cell_state"], blank["stated_value"]) == ("blank", None)
    assert derived(blank) == ("本期空白", "本期空白")
    assert (nothing["cell_state"], nothing["stated_value"], nothing["cumulative_value"]) == ("value", 4, 4)
    assert derived(told.figure("b", "r.penalties", "2025-07")) == (6, "2025年6月空白")
    assert derived(told.figure("c", "r.penalties", "2025-07")) == (6, 2)


def test_single_figures_add_up_over_the_change(told: Marts) -> None:
    own = [*map(sum, zip(DAY, NIGHT, strict=True)), *VISITS]
    for month, total in enumerate(accumulate(own), 1):
        assert derived(told.figure("a", "s.visits", f"2025-{month:02}")) == (total, own[month - 1])
        assert derived(told.figure("a", "s.patrols", f"2025-{month:02}")) == (total, own[month - 1])
    assert derived(told.figure("b", "s.visits", "2025-07")) == ("2025年3月未报", 2)


def test_what_stands_in_a_column_of_another_time_is_taken_as_printed_and_for_nothing_else(told: Marts) -> None:
    assert derived(told.figure("c", "s.visits", "2025-05")) == ("2025年1月未报", 4)
    assert told.rows("fct_indicator_values", unit_id="c", form_id="s", indicator_id="s.patrols") == []


def test_what_is_given_up_is_owed_by_nobody(told: Marts) -> None:
    for indicator, period in (("r.lectures", "2025-07"), ("r.warnings", "2025-07"), ("r.major", "2025-06")):
        for mart in ("fct_indicator_values", "fct_indicator_totals", "fct_comparisons"):
            name = "measure_id" if mart == "fct_comparisons" else "indicator_id"
            assert told.rows(mart, **{name: indicator, "period_id": period}) == []
    assert told.total("all", "r.lectures", "2025-06")["expected_units"] == 3
    row = told.total("all", "r.penalties", "2025-06")
    assert (row["value"], row["reported_units"], row["expected_units"]) == (carried(6) + 4, 2, 3)
    assert told.total("all", "r.penalties", "2025-07")["is_complete"]


# Comparisons


@pytest.mark.parametrize(
    ("measure", "period", "comparison", "basis", "value", "base"),
    [
        (
            "r.penalties",
            "2025-07",
            "同比",
            "cumulative",
            carried(6) + PENALTIES[0],
            sum(WARNINGS[:7]) + sum(FINED[:7]),
        ),
        ("r.penalties", "2025-07", "同比", "single", PENALTIES[0], WARNINGS[6] + FINED[6]),
        ("r.penalties", "2025-07", "环比", "single", PENALTIES[0], WARNINGS[5] + FINED[5]),
        ("r.penalties", "2025-08", "环比", "single", PENALTIES[1], PENALTIES[0]),
        ("r.penalties", "2025-Q3", "同比", "single", sum(PENALTIES), sum(WARNINGS[6:]) + sum(FINED[6:])),
        ("r.closed", "2025-09", "同比", "cumulative", sum(SHUT[:6]) + sum(CLOSED), sum(SHUT)),
        ("r.staff", "2025-07", "同比", "stated", 9, 7),
        ("r.staff", "2025-07", "环比", "stated", 9, 8),
        ("s.patrols", "2026-01", "同比", "single", 8, DAY[0] + NIGHT[0]),
    ],
)
def test_a_comparison_over_the_change_has_what_was_replaced_for_its_base(
    told: Marts, measure: str, period: str, comparison: str, basis: str, value: int, base: int
) -> None:
    row = told.comparison("a", measure, period, comparison, basis)
    assert (row["value"], row["base_value"], row["delta"]) == (value, base, value - base)
    assert row["reason"] is None and float(row["change_percent"]) == pytest.approx(100 * (value - base) / base)
    if comparison == "同比" and basis in ("cumulative", "stated") and measure[0] == "r":
        assert row["base_first_value"] == base


def test_a_base_of_another_definition_is_none_and_says_so(told: Marts) -> None:
    for unit in ("a", "all"):
        for measure, comparison, basis in (
            ("r.major", "同比", "cumulative"),
            ("s.drones", "环比", "single"),
            ("major_share", "同比", "cumulative"),
        ):
            row = told.comparison(unit, measure, "2025-07", comparison, basis)
            assert (row["base_value"], row["change_percent"], row["change_points"]) == (None, None, None)
            assert (row["change_text"], row["reason"]) == ("—", "指标口径变更，不可比"), (unit, measure)
    assert told.comparison("b", "r.penalties", "2025-07", "同比", "cumulative")["reason"] == "2024年7月空白"
    assert told.comparison("a", "r.major", "2025-08", "环比", "single")["reason"] == "指标口径变更"


def test_a_groups_base_is_the_sum_over_its_units(told: Marts) -> None:
    row = told.comparison("all", "r.penalties", "2025-07", "同比", "cumulative")
    assert row["base_value"] == sum(WARNINGS[:7]) + sum(FINED[:7]) + 4  # what b reported is not all of it
    assert (row["base_reported_units"], row["base_expected_units"], row["is_complete"]) == (2, 3, False)


# What is derived


def test_a_metric_goes_on_over_the_change_where_its_terms_do(told: Marts) -> None:
    june, july = (told.metric("a", "penalty_rate", f"2025-0{month}") for month in (6, 7))
    assert (june["numerator"], june["denominator"]) == (carried(6), 60)
    assert (july["numerator"], july["denominator"]) == (carried(6) + PENALTIES[0], 70)
    row = told.comparison("a", "penalty_rate", "2025-07", "同比", "cumulative")
    assert float(row["base_value"]) == pytest.approx(100 * (sum(WARNINGS[:7]) + sum(FINED[:7])) / 70)


def test_a_metric_is_not_there_where_a_form_does_not_have_a_term_of_it(told: Marts) -> None:
    assert told.metric("all", "lectures", "2025-06")["expected_units"] == 3
    assert told.rows("fct_metric_values", metric_id="lectures", period_id="2025-07") == []
    assert told.rows("fct_metric_values", metric_id="major_share", period_id="2025-06") == []
    assert told.metric("a", "major_share", "2025-07")["numerator"] is None  # there is no June to take from it
    assert told.metric("a", "major_share", "2025-08")["numerator"] == MAJOR[1]


def test_ranks_before_the_change_are_by_what_was_replaced(told: Marts) -> None:
    assert told.ranking("board", "penalties", "2025-06", "value", "rank") == {
        "a": (carried(6), 1),
        "b": (None, None),
        "c": (4, 2),
    }
    for item, period in (("major", "2025-06"), ("lectures", "2025-07")):
        assert set(told.ranking("board", item, period, "rank", "reason").values()) == {(None, "指标口径变更")}


def test_the_dimension_says_what_replaced_what(told: Marts) -> None:
    rows = {row["indicator_id"]: row for row in told.rows("dim_indicator")}
    assert str(rows["s.visits"]["effective_from"]) == "2025-07-15"
    assert str(rows["s.visits"]["effective_to"]) == "2025-12-31"
    assert rows["s.patrols"]["indicators_replaced"] == "s.day、s.night、s.visits"
    assert rows["r.checks"]["effective_from"] is rows["r.checks"]["indicators_replaced"] is None


# In whichever order things happen


def figures(settings: Settings) -> dict[str, list[str]]:
    """Return all rows of all marts but the list of files, of which nothing is touched here."""
    state = everything(settings)
    del state["fct_files"]
    return state


@pytest.fixture
def settings(server: LocalServer, template: str, tmp_path: Path) -> Settings:
    return settings_for(
        tmp_path / "state", written(tmp_path / "old", BEFORE_THE_CHANGE), new_database(server, template, "changing")
    )


def test_a_form_that_changes_when_its_figures_are_there_gives_the_same_marts(
    told: Marts, settings: Settings, tmp_path: Path
) -> None:
    intake.prepare(settings)
    early = sent_before_the_change()
    record(settings, early)
    does_not_apply(settings, "r.fined", unit_id="c")
    marts.build(settings)
    settings = replace(settings, definitions=written(tmp_path / "new", DEFINITIONS))
    intake.prepare(settings)
    assert marts.build(settings)["full_refresh"]
    record(settings, [item for item in story() if item not in early])
    assert not marts.build(settings)["full_refresh"]
    assert figures(settings) == figures(told.settings)


def test_a_correction_before_the_change_moves_what_comes_after_it_as_a_full_build_does(
    settings: Settings, tmp_path: Path
) -> None:
    settings = replace(settings, definitions=written(tmp_path / "new", DEFINITIONS))
    intake.prepare(settings)
    sent = story()
    record(settings, sent)
    does_not_apply(settings, "r.fined", unit_id="c")
    marts.build(settings)
    june = next(item for item in sent if (item.unit, item.form, item.period) == ("a", "r", "2025-06"))
    cells = {**june.cells, "fined": (june.cells["fined"] or 0) + 2}
    corrected = replace(june, received="2025-10-20", cells=cells)
    record(settings, [corrected])
    assert not marts.build(settings)["full_refresh"]
    changed = Marts(settings)
    assert derived(changed.figure("a", "r.penalties", "2025-06"))[0] == carried(6) + 2
    assert derived(changed.figure("a", "r.penalties", "2025-07"))[1] == PENALTIES[0] - 2
    then = changed.one("indicator_values_as_of", "au", "2025-07", "2025-10-01", unit_id="a", indicator_id="r.penalties")
    assert derived(then)[1] == PENALTIES[0]
    moved = {
        (row["kind"], row["period_id"], row["basis"]): (row["value_before"], row["value_after"])
        for row in changed.rows("impact_of", corrected.submission_id)
        if (row["unit_id"], row["subject_id"]) == ("a", "r.penalties")
    }
    assert moved["指标", "2025-07", "本期"] == (PENALTIES[0], PENALTIES[0] - 2)
    assert moved["指标", "2025-06", "累计"] == (carried(6), carried(6) + 2)
    by_increment = figures(settings)
    assert marts.build(settings, full_refresh=True)["full_refresh"]
    assert figures(settings) == by_increment
