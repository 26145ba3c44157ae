"""What follows from a figure where something begins, ends or is replaced, on real Postgres and real dbt.

The first period of a window and the last of a plan, summaries with a gap, a column that does not apply in the month
before it is replaced, ranks while something waits, and ratios whose difference is a round number. Every expected number
is worked out from the figures sent below.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from conftest import new_database, settings_for
from enforcement_reporting import intake, marts
from enforcement_reporting.local.postgres import LocalServer
from test_time import Marts, Sending, Sent, record
from test_versions import written
from warehouse import does_not_apply


def form(form_id: str, calendar: str, figures: str, *indicators: str) -> str:
    """Return a form whose columns are named after what they count."""
    listed = "".join(
        f"  - {{indicator_id: {name}, label: [栏{name}], unit_of_measure: 次{', ' if more else ''}{more}}}\n"
        for name, _, more in (item.partition(", ") for item in indicators)
    )
    return (
        f"form_id: {form_id}\nauthority_id: au\ntitle: 报表{form_id}情况表\ncalendar: {calendar}\nfigures: {figures}\n"
        f"unit_labels: [单位]\nindicators:\n{listed}"
    )


UNTIL, FROM = "effective_to: 2025-06-30", "effective_from: 2025-07-01, replaces"
DEFINITIONS = {
    "catalog/landing.yaml": "places: [{place_id: inbox, path: inbox, policy: collect}]",
    "catalog/au/authority.yaml": """
authority_id: au
name: 市应急局
units: {unit_id: all, name: 全市, kind: 全市, members: [{unit_id: a, name: 甲镇, kind: 镇街},
  {unit_id: b, name: 乙镇, kind: 镇街}, {unit_id: c, name: 丙镇, kind: 镇街},
  {unit_id: d, name: 丁镇, kind: 镇街, valid_from: 2025-03-10}]}
""",
    "catalog/au/forms/both.yaml": form(
        "both",
        "{kind: month, summaries: [quarter]}",
        "cumulative",
        "total, counterpart: month",
        "month, figures: single",
    ),
    "catalog/au/forms/f.yaml": form(
        "f",
        "{kind: month, summaries: [quarter]}",
        "cumulative",
        *("checks", f"warned, {UNTIL}", f"fined, {UNTIL}", f"penalties, {FROM}: [warned, fined]"),
    ),
    "catalog/au/forms/s.yaml": form(
        "s",
        "{kind: month, summaries: [quarter]}",
        "single",
        *(f"day, {UNTIL}", f"night, {UNTIL}", f"patrols, {FROM}: [day, night]"),
    ),
    "catalog/au/forms/plan.yaml": form("plan", "{kind: year}", "single", "checks"),
    "catalog/au/forms/pq.yaml": form("pq", "{kind: quarter}", "single", "checks"),
    "catalog/au/forms/y.yaml": form("y", "{kind: year_to_date}", "cumulative", "accidents"),
    "catalog/au/forms/r.yaml": form("r", "{kind: month}", "single", "over", "under"),
    "catalog/au/metrics.yaml": """
metrics:
  - {metric_id: completion, name: 完成率, form: f, unit_of_measure: "%", scale: 100, decimals: 1,
     numerator: [checks], denominator: [plan.checks]}
  - {metric_id: by_quarter, name: 季度计划完成率, form: f, unit_of_measure: "%", scale: 100, decimals: 1,
     numerator: [checks], denominator: [pq.checks], against_schedule: true}
  - {metric_id: day_by_quarter, name: 日查完成率, form: s, unit_of_measure: "%", scale: 100, decimals: 1,
     numerator: [day], denominator: [pq.checks]}
  - {metric_id: day_so_far, name: 日查累计完成率, form: f, unit_of_measure: "%", scale: 100, decimals: 1,
     numerator: [s.day], denominator: [pq.checks]}
  - {metric_id: ratio, name: 次均, form: r, unit_of_measure: 次, decimals: 2, numerator: [over], denominator: [under]}
""",
    "catalog/au/scoreboards.yaml": """
scoreboards:
  - {scoreboard_id: board, name: 评比, form: r, items: [{item_id: over, name: 次数, indicator: over, points: {top: 3}}]}
""",
    "expectations/au/f.yaml": """
form: f
rules: [{rule_id: none, kind: amount_count, amount: [checks], count: [checks]}]
""",
}
CHECKS = [5, 9, 10, 12, 14, 20, 22, 26, 30, 33, 36, 40]  # of the year so far


# Once all else is built: what is planned for the months of the second quarter goes on from it.
PLAN_CORRECTED = Sent("a", "pq", "2025-Q1", "2025-07-20", "accepted", {"checks": 10})


def story() -> Sending:
    send = Sending()
    send("a", "both", "2025-01", total=3, month=4)  # it contradicts itself: what is stated is taken
    send("a", "both", "2025-03", total=30, month=12)
    send("a", "plan", "2025", "2025-01-05", checks=100)
    send("a", "pq", "2025-Q1", "2025-01-05", checks=12)
    send("a", "pq", "2025-Q2", "2025-04-05", checks=40)
    for month, checks in enumerate(CHECKS, 1):
        kind = {"penalties": 9} if month > 6 else {"warned": 1, "fined": 5 if month == 6 else 2}
        send("a", "f", f"2025-{month:02}", checks=checks, **kind)
        send("a", "s", f"2025-{month:02}", **({"patrols": 3} if month > 6 else {"day": 1, "night": 2}))
    send("d", "s", "2025-02", day=9, night=9)  # of before it was there: nobody waits for it, and nothing counts on it
    for month in (3, 4, 5):  # d was founded in March
        send("d", "f", f"2025-{month:02}", checks=month, warned=1, fined=0)
        send("d", "s", f"2025-{month:02}", day=1, night=month)
    for month, accidents in enumerate((2, 5, 6), 1):
        send("a", "y", f"2025-M01-M{month:02}", f"2025-{month + 1:02}-05", accidents=accidents)
    for month, over, under in ((1, 16, 3), (2, 11, 10)):
        send("a", "r", f"2025-{month:02}", over=over, under=under)
    # b was sent back, and has sent again since, which nobody has looked at; c waits for its correction.
    send("b", "r", "2025-02", "2025-03-05", over=4, under=1)
    send("b", "r", "2025-02", "2025-03-06", "returned", over=99, under=1)
    send("b", "r", "2025-02", "2025-03-07", None, over=4, under=1)
    send("c", "r", "2025-02", "2025-03-05", over=1, under=1)
    send("c", "r", "2025-02", "2025-03-06", "returned", over=5, under=1)
    return send


@pytest.fixture(scope="module")
def told(server: LocalServer, template: str, tmp_path_factory: pytest.TempPathFactory) -> Marts:
    folder = tmp_path_factory.mktemp("edges")
    definitions = written(folder / "definitions", DEFINITIONS)
    settings = settings_for(folder / "state", definitions, new_database(server, template))
    intake.prepare(settings)
    record(settings, story().sent)
    for indicator_id in ("f.warned", "s.day"):
        does_not_apply(settings, indicator_id, period_id="2025-06")
    marts.build(settings)  # with its tests: December is the sum of the months
    record(settings, [PLAN_CORRECTED])
    marts.build(settings)
    return Marts(settings)


def derived(told: Marts, indicator: str, period: str, unit: str = "a") -> tuple[object, ...]:
    row = told.figure(unit, indicator, period)
    return row["stated_value"], row["cumulative_value"], row["single_value"]


def test_what_is_stated_for_the_first_period_alone_is_taken_for_it(told: Marts) -> None:
    assert derived(told, "both.total", "2025-01") == (3, 3, 4)
    assert derived(told, "both.month", "2025-01") == (4, 3, 4)


def test_a_summary_has_what_its_last_period_states_to_have_accumulated(told: Marts) -> None:
    assert derived(told, "both.month", "2025-03") == (12, 30, 12)
    assert derived(told, "both.month", "2025-Q1") == (None, 30, None)
    assert told.figure("a", "both.month", "2025-Q1")["single_reason"] == "2025年2月未报"
    assert derived(told, "both.total", "2025-Q1") == (30, 30, 30)


@pytest.mark.parametrize(
    ("period", "share"), [("2025-10", 3), ("2025-11", 3), ("2025-12", 4), ("2025-Q3", 10), ("2025-Q4", 10)]
)
def test_the_share_of_a_plan_is_of_the_whole_plan_in_its_last_period_too(told: Marts, period: str, share: int) -> None:
    assert told.metric("a", "completion", period)["single_value"] == share


@pytest.mark.parametrize(
    ("period", "since_january", "alone", "passed"),
    [
        ("2025-02", 90, 40, Fraction(200, 3)),
        ("2025-05", 28, 5, Fraction(500, 6)),
        ("2025-06", 40, 15, 100),
        ("2025-Q2", 40, 25, 100),
        ("2025-07", None, None, None),  # nobody has planned it yet
    ],
)
def test_against_plans_by_the_quarter_counts_what_is_planned_until_its_end(
    told: Marts, period: str, since_january: int | None, alone: int | None, passed: Fraction | int | None
) -> None:
    row = told.metric("a", "by_quarter", period)
    assert (row["value"], row["cumulative_value"], row["single_value"]) == (since_january, since_january, alone)
    if passed is not None:
        assert abs(Fraction(row["schedule_value"]) - passed) < Fraction(1, 10**15)
    # Published first was what was planned for the quarter alone, from which nothing follows for two of them.
    assert row["first_value"] == (None if period != "2025-02" else 75)


def test_what_a_month_states_alone_stands_over_its_quarter_s_own_plan(told: Marts) -> None:
    row = told.metric("a", "day_by_quarter", "2025-05")
    assert (row["value"], row["single_value"], row["cumulative_value"]) == (Decimal("2.5"), Decimal("2.5"), 10)


def test_terms_that_are_all_of_other_forms_go_with_what_the_form_states(told: Marts) -> None:
    row = told.metric("a", "day_so_far", "2025-05")
    assert (row["value"], row["cumulative_value"], row["single_value"]) == (10, 10, Decimal("2.5"))


def test_what_does_not_apply_adds_nothing_to_what_replaced_it_and_takes_nothing_back(told: Marts) -> None:
    assert derived(told, "f.penalties", "2025-05") == (3, 3, 0)
    assert derived(told, "f.penalties", "2025-06") == (5, 5, 2)
    assert derived(told, "f.penalties", "2025-Q2") == (5, 5, 2)
    assert derived(told, "f.penalties", "2025-07") == (9, 9, 4)
    assert derived(told, "s.patrols", "2025-05") == (3, 15, 3)
    assert derived(told, "s.patrols", "2025-06") == (2, 17, 2)
    assert derived(told, "s.patrols", "2025-Q2") == (8, 17, 8)
    assert derived(told, "s.patrols", "2025-07") == (3, 20, 3)


def test_the_figures_of_a_past_day_are_the_same(told: Marts) -> None:
    for indicator, period in (("f.penalties", "2025-06"), ("s.patrols", "2025-06"), ("s.patrols", "2025-Q2")):
        (row,) = told.rows(
            "indicator_values_as_of", "au", period, "2026-03-01", unit_id="a", indicator_id=indicator
        )  # fmt: skip
        assert (row["stated_value"], row["cumulative_value"], row["single_value"]) == derived(told, indicator, period)


def test_a_unit_that_was_founded_within_the_year_is_not_asked_for_what_was_before(told: Marts) -> None:
    assert derived(told, "f.checks", "2025-03", "d") == (3, 3, 3)
    assert derived(told, "f.checks", "2025-05", "d") == (5, 5, 1)
    assert derived(told, "f.checks", "2025-Q1", "d") == (3, 3, 3)
    assert derived(told, "s.night", "2025-03", "d") == (3, 3, 3)
    assert derived(told, "s.night", "2025-05", "d") == (5, 12, 5)
    assert derived(told, "s.night", "2025-Q1", "d") == (3, 3, 3)
    assert derived(told, "s.patrols", "2025-05", "d") == (6, 15, 6)
    row = told.figure("d", "s.night", "2025-05")
    assert (row["reported_periods"], row["expected_periods"]) == (3, 3)


def test_year_to_date_forms_are_compared_with_the_period_before(told: Marts) -> None:
    row = told.comparison("a", "y.accidents", "2025-M01-M03", "环比", "single")
    assert (row["value"], row["base_value"], row["change_text"]) == (1, 3, "-66.67%")


def test_only_what_waits_for_its_correction_is_counted_as_it_stands(told: Marts) -> None:
    columns = ("value", "rank", "rank_with_returned_counted", "is_stable")
    assert told.ranking("board", "over", "2025-02", *columns) == {
        "a": (11, 1, 1, True),
        "b": (4, 2, 3, False),
        "c": (1, 3, 2, False),
    }


def test_a_difference_of_ratios_that_is_half_a_hundredth_is_rounded_up(told: Marts) -> None:
    row = told.comparison("a", "ratio", "2025-02", "环比", "single")
    assert (row["change_percent"], row["change_text"]) == (Decimal("-79.375"), "-79.38%")
