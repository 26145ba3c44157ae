"""What the marts say about time, on real Postgres and real dbt.

Cumulative and single figures are derived from one another, and where one cannot be there is a reason. A correction
replaces only when it is accepted; what was known at any instant is what a warehouse would hold into which only that
much had come. Comparisons, sums over units, rankings and the list of what a correction moves say what plain arithmetic
says. And in whichever order submissions, checks and builds follow one another, the marts are the same in the end.

The submissions below are recorded once, for all tests; every expected number is worked out from them here.
"""

from __future__ import annotations

import io
import itertools
import json
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from hypothesis import HealthCheck, Phase, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from psycopg.rows import dict_row
from sqlalchemy.engine import make_url

import model
from conftest import new_database, settings_for
from enforcement_reporting import intake, marts
from enforcement_reporting.local.postgres import LocalServer
from enforcement_reporting.quality import check_submissions
from enforcement_reporting.settings import Settings
from enforcement_reporting.warehouse import connect
from model import BASES, Model, Period
from warehouse import Cell, state_figures

Row = dict[str, Any]

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
    - unit_id: west
      name: 西片
      kind: 片区
      members: [{unit_id: c, name: 丙镇, kind: 镇街}, {unit_id: z, name: 高新区, kind: 园区, within: c}]
    - {unit_id: d, name: 区住建局, kind: 部门}
groupings:
  - {name: 按类别, groups: [{group_id: towns, name: 各镇街, kinds: [镇街]}]}
  - name: 按条线
    groups: [{group_id: parks, name: 园区及所在地, units: [c, z]}, {group_id: pilots, name: 试点单位, units: [a, z]}]
""",
    "catalog/au/forms/f.yaml": """
form_id: f
authority_id: au
title: 执法情况月报
calendar: {kind: month, summaries: [quarter]}
figures: cumulative
unit_labels: [单位]
indicators:
  - {indicator_id: checks, label: [检查], unit_of_measure: 家次}
  - {indicator_id: cases, label: [立案], unit_of_measure: 起}
  - {indicator_id: staff, label: [持证人员], unit_of_measure: 人, measure_kind: stock}
""",
    "catalog/au/forms/s.yaml": """
form_id: s
authority_id: au
title: 巡查情况月报
calendar: {kind: month, summaries: [quarter]}
figures: single
unit_labels: [单位]
indicators:
  - {indicator_id: visits, label: [巡查], unit_of_measure: 家次}
  - {indicator_id: found, label: [发现隐患的], unit_of_measure: 家次}
""",
    "catalog/au/forms/t.yaml": """
form_id: t
authority_id: au
title: 抽检情况月报
calendar: {kind: month}
figures: single
unit_labels: [单位]
indicators:
  - {indicator_id: tests, label: [抽检], unit_of_measure: 批次}
  - {indicator_id: failed, label: [不合格], unit_of_measure: 批次}
""",
    "catalog/au/forms/m.yaml": """
form_id: m
authority_id: au
title: 宣讲情况月报
calendar: {kind: month}
figures: cumulative
unit_labels: [单位]
indicators:
  - {indicator_id: total, label: [累计宣讲], unit_of_measure: 场, counterpart: month}
  - {indicator_id: month, label: [本月宣讲], unit_of_measure: 场, figures: single}
""",
    "catalog/au/forms/y.yaml": """
form_id: y
authority_id: au
title: 事故情况表
calendar: {kind: year_to_date}
figures: cumulative
reported_by: [镇街]
unit_labels: [单位]
indicators: [{indicator_id: accidents, label: [事故], unit_of_measure: 起}]
""",
    "catalog/au/forms/plan.yaml": """
form_id: plan
authority_id: au
title: 年度检查计划
calendar: {kind: year}
figures: single
unit_labels: [单位]
indicators: [{indicator_id: checks, label: [计划检查], unit_of_measure: 家次}]
""",
    "catalog/au/metrics.yaml": """
metrics:
  - {metric_id: case_rate, name: 立案率, form: f, unit_of_measure: "%", scale: 100, decimals: 1,
     numerator: [cases], denominator: [checks]}
  - {metric_id: completion, name: 计划完成率, form: f, unit_of_measure: "%", scale: 100, decimals: 1,
     numerator: [checks], denominator: [plan.checks], against_schedule: true}
  - {metric_id: hit_rate, name: 隐患发现率, form: s, unit_of_measure: "%", scale: 100, decimals: 1,
     numerator: [found], denominator: [visits]}
  - {metric_id: fail_rate, name: 不合格率, form: t, unit_of_measure: "%", scale: 100, decimals: 1,
     numerator: [failed], denominator: [tests]}
""",
    "catalog/au/scoreboards.yaml": """
scoreboards:
  - scoreboard_id: whole
    name: 综合评比
    form: f
    excluded_units: [z]
    items:
      - {item_id: checks, name: 检查, indicator: checks, points: {top: 10}}
      - {item_id: rate, name: 立案率, metric: case_rate, better: lower, weight: 2, minimum_denominator: 10,
         points: {top: 10, step: 4, bottom: 3}}
  - scoreboard_id: dense
    name: 镇街检查评比
    form: f
    unit_kinds: [镇街]
    ties: dense
    items: [{item_id: checks, name: 检查, indicator: checks, points: {top: 5, step: 2}}]
  - scoreboard_id: monthly
    name: 当月检查评比
    form: f
    items: [{item_id: checks, name: 检查, indicator: checks, basis: single, points: {top: 3}}]
  - scoreboard_id: visits
    name: 巡查评比
    form: s
    items: [{item_id: visits, name: 巡查, indicator: visits, basis: cumulative, points: {top: 5}}]
  - scoreboard_id: across
    name: 完成率评比
    form: s
    items: [{item_id: completion, name: 完成率, metric: completion, points: {top: 5}}]
  - scoreboard_id: failures
    name: 不合格率评比
    form: t
    items:
      - {item_id: rate, name: 不合格率, metric: fail_rate, basis: cumulative, better: lower, minimum_denominator: 10,
         points: {top: 5}}
""",
    # The same again in small, for workbooks: this form has rules.
    "catalog/small/authority.yaml": """
authority_id: small
name: 县应急局
units: {unit_id: county, name: 全县, kind: 全县, members: [{unit_id: p, name: 甲乡, kind: 乡镇},
  {unit_id: q, name: 乙乡, kind: 乡镇}]}
""",
    "catalog/small/forms/g.yaml": """
form_id: g
authority_id: small
title: 督导情况月报
calendar: {kind: month, summaries: [quarter]}
figures: cumulative
unit_labels: [单位]
indicators:
  - {indicator_id: checks, label: [检查], unit_of_measure: 家次}
  - {indicator_id: cases, label: [立案], unit_of_measure: 起}
  - {indicator_id: visits, label: [本月巡查], unit_of_measure: 家次, figures: single}
""",
    "catalog/small/metrics.yaml": """
metrics:
  - {metric_id: share, name: 立案率, form: g, unit_of_measure: "%", scale: 100, decimals: 1,
     numerator: [cases], denominator: [checks]}
""",
    "catalog/small/scoreboards.yaml": """
scoreboards:
  - scoreboard_id: board
    name: 评比
    form: g
    items:
      - {item_id: checks, name: 检查, indicator: checks, basis: single, points: {top: 10}}
      - {item_id: visits, name: 巡查, indicator: visits, basis: cumulative, points: {top: 10}}
      - {item_id: rate, name: 立案率, metric: share, points: {top: 10}}
""",
    "expectations/small/g.yaml": """
form: g
rules:
  - {rule_id: cases_within_checks, kind: part_whole, parts: [cases], whole: [checks]}
  - {rule_id: never_falls, kind: not_falling, indicators: [checks], severity: question}
""",
}

# What a reports of 2024, month by month: the cumulative figures of f are their running sums.
CHECKS_2024 = [3, 2, 4, 0, 5, 1, 7, 2, 6, 3, 0, 9]
CASES_2024 = [1, 0, 1, 0, 2, 0, 1, 1, 1, 0, 0, 3]
VISITS_2024 = [2, 3, 0, 4, 1, 1, 2, 2, 5, 0, 1, 3]
MARCH_CORRECTED = 8  # the sum until March was printed as 9
FEBRUARY_VISITS_CORRECTED = 1  # printed as 3
F_CORRECTED, S_CORRECTED = "a-f-2024-03-2025-02-10", "a-s-2027-01-2027-05-01"
BLANK = None


@dataclass(frozen=True)
class Sent:
    """A submission with its verdict; None is one that nobody checked yet."""

    unit: str
    form: str
    period: str
    received: str
    outcome: str | None
    cells: dict[str, int | None]
    tag: str = ""

    @property
    def submission_id(self) -> str:
        """Return its id, which says what it is."""
        return f"{self.unit}-{self.form}-{self.period}-{self.received}{self.tag}"


@dataclass
class Sending:
    """Collects the submissions, in the order in which they are recorded."""

    sent: list[Sent] = field(default_factory=list)

    def __call__(
        self,
        unit: str,
        form: str,
        period: str,
        received: str | None = None,
        outcome: str | None = "accepted",
        tag: str = "",
        **cells: int | None,
    ) -> None:
        """Add one submission, received on the 5th of the next month unless it is said otherwise."""
        if received is None:
            year, month = int(period[:4]), int(period[-2:])
            received = f"{year + month // 12}-{month % 12 + 1:02}-05"
        self.sent.append(Sent(unit, form, period, received, outcome, cells, tag))


def story() -> list[Sent]:
    """Return everything that is sent."""
    send = Sending()
    runs = zip(itertools.accumulate(CHECKS_2024), itertools.accumulate(CASES_2024), VISITS_2024, strict=True)
    for month, (checks, cases, visits) in enumerate(runs, 1):
        send("a", "f", f"2024-{month:02}", checks=checks, cases=cases, staff=5 + month % 3)
        send("a", "s", f"2024-{month:02}", visits=visits, found=1)
    for month, checks, cases in ((1, 4, 1), (3, 10, 2), (4, 12, 2), (5, BLANK, 3), (6, 20, 4)):
        send("b", "f", f"2024-{month:02}", checks=checks, cases=cases, staff=3)
    send("c", "f", "2024-06", checks=8, cases=0, staff=2)
    for month, visits in ((1, 5), (3, 6), (4, BLANK), (5, 7), (6, 0)):
        send("b", "s", f"2024-{month:02}", visits=visits, found=0)
    for month, visits in ((1, 1), (2, 2), (3, BLANK), (4, 3)):
        send("c", "s", f"2024-{month:02}", visits=visits, found=0)

    for period, checks, cases in (
        ("01", 4, 1),
        ("02", 6, 1),
        ("03", 10, 2),
        ("04", 11, 2),
        ("05", 15, 2),
        ("06", 20, 8),
    ):
        send("a", "f", f"2025-{period}", checks=checks, cases=cases, staff=4 + int(period))
    send("a", "f", "2025-09", checks=30, cases=9, staff=6)
    for period, checks, cases in (
        ("01", 5, 1),
        ("02", 8, 1),
        ("03", 10, 2),
        ("04", 12, 2),
        ("05", 15, 3),
        ("06", 20, 5),
    ):
        send("b", "f", f"2025-{period}", checks=checks, cases=cases, staff=3)
    send("b", "f", "2025-09", checks=24, cases=6, staff=3)
    send("c", "f", "2025-06", checks=9, cases=2, staff=2)
    send("d", "f", "2025-06", checks=12, cases=3, staff=7)
    send("z", "f", "2025-06", checks=4, cases=1, staff=1)
    send("a", "f", "2024-03", "2025-02-10", checks=MARCH_CORRECTED, cases=2, staff=5)
    send("a", "s", "2024-02", "2025-03-11", visits=FEBRUARY_VISITS_CORRECTED, found=1)
    send("a", "f", "2025-02", "2025-03-20", "returned", checks=9, cases=1, staff=6)
    send("d", "f", "2025-06", "2025-07-15", "returned", checks=21, cases=3, staff=7)
    send("a", "plan", "2025", "2025-01-10", checks=40)
    send("b", "plan", "2025", "2025-01-10", checks=60)

    send("a", "s", "2025-01", visits=4, found=1)
    send("a", "s", "2025-02", visits=6, found=2)
    # What d corrects again and again; the one accepted on the 8th comes to be recorded last.
    for day, outcome, visits in (
        ("06", "returned", 1),
        ("07", "accepted", 2),
        ("09", "returned", 4),
        ("10", "questioned", 5),
        ("11", None, 6),
        ("08", "accepted", 3),
    ):
        send("d", "s", "2025-03", f"2025-04-{day}", outcome, visits=visits, found=0)

    send("a", "m", "2025-01", total=10, month=10)
    send("a", "m", "2025-03", total=30, month=12)
    send("a", "m", "2025-04", total=37, month=BLANK)
    send("a", "m", "2025-05", total=BLANK, month=5)
    for period, total, month in (("2026-01", 10, 10), ("2026-02", 30, 12)):  # contradicts itself: 22 are not 30
        send("b", "m", period, total=total, month=month)
    for last, accidents in ((1, 2), (2, 5), (4, 9), (5, 9)):
        send("a", "y", f"2025-M01-M{last:02}", f"2025-{last + 1:02}-05", accidents=accidents)
    send("d", "y", "2025-M01-M02", "2025-03-06", accidents=1)  # a department: it does not owe this form

    for unit, january, february in (("a", (6, 3), (6, 0)), ("b", (20, 2), (1, 0))):
        for month, (tests, failed) in ((1, january), (2, february)):
            send(unit, "t", f"2025-{month:02}", tests=tests, failed=failed)
    send("a", "t", "2026-01", tests=20, failed=2)
    send("a", "t", "2026-01", "2026-02-08", None, tests=20, failed=8)
    send("b", "t", "2026-01", tests=20, failed=6)
    send("c", "t", "2026-01", "2026-02-06", "returned", tests=30, failed=1)

    send("b", "t", "2026-03", tests=10, failed=1)
    send("b", "t", "2026-03", "2026-05-01", tag="-1", tests=20, failed=1)
    send("b", "t", "2026-03", "2026-05-01", tag="-2", tests=40, failed=1)

    for unit, plan in (("a", 40), ("b", 60)):
        send(unit, "f", "2026-06", checks=4, cases=1, staff=3)
        send(unit, "s", "2026-06", visits=1, found=0)
        send(unit, "plan", "2026", "2026-01-10", checks=plan)

    for unit, months in (("a", ((10, 4), (5, 1), (5, 1))), ("b", ((6, 3), (9, 3), (8, 2)))):
        for month, (visits, found) in enumerate(months, 1):
            send(unit, "s", f"2027-{month:02}", visits=visits, found=found)
    send("a", "s", "2027-01", "2027-05-01", visits=4, found=2)
    return send.sent


# When everything else is built already, a plan is corrected.
PLAN_CORRECTED = Sent("a", "plan", "2026", "2026-08-01", "accepted", {"checks": 80})


def record(settings: Settings, sent: Iterable[Sent]) -> None:
    """Put submissions into the tables as the intake and the check leave them."""
    with connect(settings) as connection:
        for item in sent:
            received_at = f"{item.received} 08:00+00"
            name = item.submission_id
            row = connection.execute(
                "insert into intake.files"
                " (file_sha256, file_name, landing_key, size_bytes, policy, received_at, outcome)"
                " values (%s, %s, %s, 1, 'collect', %s, 'taken_in') returning file_id",
                [name, f"{name}.xlsx", name, received_at],
            ).fetchone()
            assert row
            connection.execute(
                "insert into intake.submissions values (%s, %s, %s, %s, 'unit', %s, %s, 'collect', %s, '报表')",
                [name, item.unit, item.form, item.period, row[0], name, received_at],
            )
            stated = {
                f"{item.form}.{indicator}": Cell(
                    f"{letter}5",
                    "blank" if value is None else "value" if value else "zero",
                    value,
                    "" if value is None else str(value),
                )
                for letter, (indicator, value) in zip("BCDEFGH", item.cells.items(), strict=False)
            }
            state_figures(connection, item.unit, name, "报表", stated)
            if item.outcome:
                connection.execute("insert into quality.verdicts values (%s, %s, %s)", [item.unit, name, item.outcome])
            connection.execute(
                "insert into intake.touched (form_id, period_id, unit_id) values (%s, %s, %s)",
                [item.form, item.period, item.unit],
            )


class Marts:
    """What the marts of one warehouse say."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.connection = connect(settings)
        self.connection.autocommit = True

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

    def figure(self, unit: str, indicator: str, period: str) -> Row:
        """Return a unit's figure."""
        return self.one("fct_indicator_values", unit_id=unit, indicator_id=indicator, period_id=period)

    def total(self, group: str, indicator: str, period: str) -> Row:
        """Return a group's figure."""
        return self.one("fct_indicator_totals", unit_id=group, indicator_id=indicator, period_id=period)

    def metric(self, unit: str, metric: str, period: str) -> Row:
        """Return a metric."""
        return self.one("fct_metric_values", unit_id=unit, metric_id=metric, period_id=period)

    def comparison(self, unit: str, measure: str, period: str, comparison: str, basis: str) -> Row:
        """Return a comparison."""
        where = {"unit_id": unit, "measure_id": measure, "period_id": period}
        return self.one("fct_comparisons", **where, comparison=comparison, basis=basis)

    def ranking(self, board: str, item: str, period: str, *columns: str) -> dict[str, tuple[Any, ...]]:
        """Return, by unit, what a scoreboard says of an item."""
        where = {"scoreboard_id": board, "item_id": item, "period_id": period}
        return {row["unit_id"]: tuple(row[column] for column in columns) for row in self.rows("fct_rankings", **where)}


@dataclass(frozen=True)
class Places:
    """A warehouse to copy from that has the catalog in it, and marts built of nothing."""

    server: LocalServer
    settings: Settings

    def copy(self, name: str = "time_passing") -> Settings:
        """Return the settings of a new copy, which takes the place of the one before of that name."""
        database = make_url(self.settings.warehouse_url or "").database or ""
        url = new_database(self.server, database, name)
        return settings_for(self.settings.state / name, self.settings.definitions, url)


@pytest.fixture(scope="module")
def places(server: LocalServer, template: str, tmp_path_factory: pytest.TempPathFactory) -> Places:
    folder = tmp_path_factory.mktemp("time")
    for name, content in DEFINITIONS.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    settings = settings_for(folder / "state", folder, new_database(server, template))
    intake.prepare(settings)
    assert marts.build(settings)["full_refresh"]
    return Places(server, settings)


@pytest.fixture(scope="module")
def told(places: Places) -> Marts:
    """The marts once everything was sent, with a plan corrected after all else was built."""
    settings = places.copy("time_told")
    record(settings, story())
    marts.build(settings)
    record(settings, [PLAN_CORRECTED])
    marts.build(settings)
    return Marts(settings)


def derived(row: Row) -> tuple[Any, ...]:
    """Return the two figures, each with its reason where there is none."""
    return (
        row["cumulative_value"] if row["cumulative_reason"] is None else row["cumulative_reason"],
        row["single_value"] if row["single_reason"] is None else row["single_reason"],
    )


def plain(values: Iterable[Any]) -> tuple[Any, ...]:
    """Return numbers rounded as people would compare them."""
    return tuple(round(value, 2) if isinstance(value, Decimal) else value for value in values)


# Cumulative and single figures


def test_a_single_figure_is_the_difference_of_two_cumulative_ones(told: Marts) -> None:
    sums = list(itertools.accumulate(CHECKS_2024))
    sums[2] = MARCH_CORRECTED
    singles = [later - earlier for earlier, later in itertools.pairwise([0, *sums])]
    for month, expected in enumerate(zip(sums, singles, strict=True), 1):
        assert derived(told.figure("a", "f.checks", f"2024-{month:02}")) == expected
    assert sum(singles) == told.figure("a", "f.checks", "2024-12")["cumulative_value"] == sum(CHECKS_2024)


def test_a_window_opens_in_january_whatever_december_said(told: Marts) -> None:
    assert told.figure("a", "f.checks", "2024-12")["cumulative_value"] == 42
    assert derived(told.figure("a", "f.checks", "2025-01")) == (4, 4)
    assert derived(told.figure("a", "s.visits", "2025-01")) == (4, 4)


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        ("2024-01", (4, 4)),
        ("2024-03", (10, "2024年2月未报")),
        ("2024-04", (12, 2)),
        ("2024-05", ("本期空白", "本期空白")),
        ("2024-06", (20, "2024年5月空白")),
        ("2024-Q1", (10, 10)),
        ("2024-Q2", (20, 10)),
    ],
)
def test_a_difference_over_a_gap_is_unknown_and_says_what_is_missing(
    told: Marts, period: str, expected: tuple[Any, ...]
) -> None:
    assert derived(told.figure("b", "f.checks", period)) == expected


def test_the_first_report_of_a_unit_in_midyear_has_no_single_figure(told: Marts) -> None:
    assert derived(told.figure("c", "f.checks", "2024-06")) == (8, "2024年5月未报")
    assert derived(told.figure("c", "f.checks", "2024-Q2")) == (8, "2024年第一季度未报")


def test_single_figures_add_up_to_the_cumulative_one(told: Marts) -> None:
    singles = list(VISITS_2024)
    singles[1] = FEBRUARY_VISITS_CORRECTED
    for month, total in enumerate(itertools.accumulate(singles), 1):
        assert derived(told.figure("a", "s.visits", f"2024-{month:02}")) == (total, singles[month - 1])
    for quarter in range(4):
        within = singles[3 * quarter : 3 * quarter + 3]
        expected = (sum(singles[: 3 * quarter + 3]), sum(within))
        assert derived(told.figure("a", "s.visits", f"2024-Q{quarter + 1}")) == expected


@pytest.mark.parametrize(
    ("unit", "period", "expected"),
    [
        ("b", "2024-01", (5, 5)),
        ("b", "2024-03", ("2024年2月未报", 6)),
        ("b", "2024-04", ("本期空白", "本期空白")),
        ("b", "2024-06", ("2024年2月未报", 0)),
        ("b", "2024-Q1", ("2024年2月未报", "2024年2月未报")),
        ("b", "2024-Q2", ("2024年2月未报", "2024年4月空白")),
        ("c", "2024-02", (3, 2)),
        ("c", "2024-04", ("2024年3月空白", 3)),
    ],
)
def test_a_sum_over_a_gap_is_unknown_and_names_the_first_month_missing(
    told: Marts, unit: str, period: str, expected: tuple[Any, ...]
) -> None:
    assert derived(told.figure(unit, "s.visits", period)) == expected


def test_a_blank_cell_is_not_a_zero(told: Marts) -> None:
    zero, blank = told.figure("b", "s.visits", "2024-06"), told.figure("b", "s.visits", "2024-04")
    assert (zero["cell_state"], zero["stated_value"], zero["single_value"]) == ("zero", 0, 0)
    assert (blank["cell_state"], blank["stated_value"], blank["single_value"]) == ("blank", None, None)
    assert told.figure("a", "s.visits", "2024-03")["cumulative_value"] == 2 + FEBRUARY_VISITS_CORRECTED


def test_what_a_form_states_both_ways_is_not_derived(told: Marts) -> None:
    assert derived(told.figure("a", "m.total", "2025-03")) == (30, 12)  # though February is missing
    assert derived(told.figure("a", "m.month", "2025-03")) == (30, 12)
    assert derived(told.figure("a", "m.total", "2025-04")) == (37, 37 - 30)  # the other one is blank
    assert derived(told.figure("a", "m.month", "2025-05")) == ("2025年2月未报", 5)
    assert derived(told.figure("b", "m.total", "2026-02")) == (30, 12)  # to find that is for a rule, and stops no build


def test_a_stock_is_neither_added_nor_subtracted(told: Marts) -> None:
    row = told.figure("a", "f.staff", "2024-04")
    assert (row["stated_value"], *derived(row)) == (5 + 4 % 3, "不累加", "不相减")
    assert told.figure("a", "f.staff", "2024-Q2")["stated_value"] == 5 + 6 % 3
    assert told.total("everyone", "f.staff", "2024-06")["value"] == (5 + 6 % 3) + 3 + 2


def test_a_form_of_the_year_to_date_has_single_figures_too(told: Marts) -> None:
    def known(last: int) -> tuple[Any, ...]:
        return derived(told.figure("a", "y.accidents", f"2025-M01-M{last:02}"))

    assert [known(last) for last in (1, 2, 4, 5)] == [(2, 2), (5, 3), (9, "2025年1—3月未报"), (9, 0)]


def test_how_many_periods_of_the_window_were_reported_is_counted(told: Marts) -> None:
    row = told.figure("b", "f.checks", "2024-06")
    assert (row["reported_periods"], row["expected_periods"]) == (5, 6)
    quarter = told.figure("b", "s.visits", "2024-Q2")
    assert (quarter["reported_periods"], quarter["expected_periods"]) == (5, 6)


# Corrections


def test_an_accepted_revision_supersedes_the_one_before_and_a_returned_one_nothing(told: Marts) -> None:
    def at(day: str | None) -> datetime | None:
        return datetime.fromisoformat(f"2025-04-{day}T08:00:00+00:00") if day else None

    rows = told.rows("fct_submissions", unit_id="d", form_id="s")
    columns = ("outcome", "known_from", "known_to", "superseded_by", "is_first", "is_standing")
    said = {row["revision"]: tuple(row[column] for column in columns) for row in rows}
    of = "d-s-2025-03-2025-04-{}".format
    assert said == {
        1: ("returned", None, None, None, False, False),
        2: ("accepted", at("07"), at("08"), of("08"), True, False),
        3: ("accepted", at("08"), at("10"), of("10"), False, False),
        4: ("returned", None, None, None, False, False),
        5: ("questioned", at("10"), None, None, False, True),
        6: ("received", None, None, None, False, False),
    }
    figure = told.figure("d", "s.visits", "2025-03")
    assert (figure["stated_value"], figure["first_value"], figure["submission_id"]) == (5, 2, of("10"))


def test_every_figure_that_once_stood_can_be_read_with_the_time_it_did(told: Marts) -> None:
    versions = told.rows("fct_indicator_versions", unit_id="d", indicator_id="s.visits")
    assert {
        (row["stated_value"], row["known_from"].day, row["known_to"] and row["known_to"].day) for row in versions
    } == {
        (2, 7, 8),
        (3, 8, 10),
        (5, 10, None),
    }


@pytest.mark.parametrize(
    ("day", "expected"), [("06", []), ("07", [2]), ("08", [3]), ("09", [3]), ("10", [5]), ("12", [5])]
)
def test_what_was_known_on_a_day_is_what_had_been_accepted_by_then(told: Marts, day: str, expected: list[int]) -> None:
    rows = told.rows(
        "indicator_values_as_of", "au", "2025-03", f"2025-04-{day} 08:00+00", unit_id="d", indicator_id="s.visits"
    )
    assert [row["stated_value"] for row in rows] == expected


def test_a_derived_figure_is_known_since_the_last_of_what_it_is_derived_from(told: Marts) -> None:
    assert told.figure("a", "f.checks", "2024-04")["known_from"].date().isoformat() == "2025-02-10"
    assert told.figure("a", "f.checks", "2024-05")["known_from"].date().isoformat() == "2024-06-05"
    assert told.figure("a", "s.visits", "2024-12")["known_from"].date().isoformat() == "2025-03-11"


# What was known at an instant

AS_OF = {
    "indicator_values_as_of": "fct_indicator_values",
    "indicator_totals_as_of": "fct_indicator_totals",
    "metric_values_as_of": "fct_metric_values",
    "rankings_as_of": "fct_rankings",
    "comparisons_as_of": "fct_comparisons",
}
# Before anything was corrected; at the very instant of a correction; and between a return and its correction.
INSTANTS = ("2024-07-05 08:00+00", "2025-02-10 08:00+00", "2025-07-20 00:00+00")


@pytest.mark.parametrize("instant", INSTANTS)
def test_what_was_known_at_an_instant_is_what_would_be_built_of_what_had_come_by_then(
    places: Places, told: Marts, instant: str
) -> None:
    settings = places.copy()
    moment = datetime.fromisoformat(instant)
    record(settings, [item for item in story() if datetime.fromisoformat(f"{item.received}T08:00+00:00") <= moment])
    marts.build(settings)
    assert compare_as_of(told, instant, Marts(settings)) > 300


def test_what_is_known_now_is_what_the_marts_say(told: Marts) -> None:
    assert compare_as_of(told, "2028-01-01 00:00+00", told) > 1000
    assert told.figure("d", "y.accidents", "2025-M01-M02")["stated_value"] == 1  # not owed, and reported all the same


def compare_as_of(told: Marts, instant: str, then: Marts) -> int:
    """Hold what the functions say of all periods at an instant against the marts of then; return the number of rows."""
    periods = {row["period_id"] for row in told.rows("dim_period")}
    compared = 0
    for function, mart in AS_OF.items():
        statement = (
            "select known.* from unnest(%s::text[]) as asked (period_id),"
            f" lateral marts.{function}('au', asked.period_id, %s) as known"
        )
        with told.connection.cursor(row_factory=dict_row) as cursor:
            as_of = cursor.execute(statement.encode(), [sorted(periods), instant]).fetchall()
        built = [{column: row[column] for column in as_of[0]} for row in then.rows(mart)]
        assert sorted(map(repr, as_of)) == sorted(map(repr, built)), function
        compared += len(built)
    return compared


# Comparisons


def compared(row: Row) -> tuple[Any, ...]:
    return plain(row[key] for key in ("value", "base_value", "delta", "change_percent", "change_points"))


def test_a_year_on_year_change_is_held_against_the_same_cut_off_of_the_year_before(told: Marts) -> None:
    row = told.comparison("a", "f.checks", "2025-06", "同比", "cumulative")
    assert row["base_period_id"] == "2024-06"
    assert compared(row) == (20, 15, 5, Decimal("33.33"), None)
    assert (row["change_text"], row["reason"], row["is_complete"]) == ("+33.33%", None, True)


def test_a_change_is_held_against_the_single_figure_of_the_period_before(told: Marts) -> None:
    row = told.comparison("a", "f.checks", "2025-01", "环比", "single")
    assert (row["base_period_id"], *compared(row)) == ("2024-12", 4, 9, -5, Decimal("-55.56"), None)
    quarter = told.comparison("a", "f.checks", "2025-Q2", "环比", "single")
    assert (quarter["base_period_id"], *compared(quarter)) == ("2025-Q1", 20 - 10, 10, 0, 0, None)
    assert not told.rows("fct_comparisons", comparison="环比", basis="cumulative")


def test_a_stock_is_compared_as_it_stands(told: Marts) -> None:
    row = told.comparison("a", "f.staff", "2025-02", "环比", "stated")
    assert compared(row) == (6, 5, 1, 20, None)
    assert not told.rows("fct_comparisons", measure_id="f.staff", basis="single")


def test_the_change_of_a_rate_is_in_percentage_points(told: Marts) -> None:
    row = told.comparison("a", "case_rate", "2025-06", "同比", "cumulative")
    assert compared(row) == (40, Decimal("26.67"), Decimal("13.33"), None, Decimal("13.33"))
    assert row["change_text"] == "+13.33个百分点"


@pytest.mark.parametrize(
    ("unit", "indicator", "period", "comparison", "basis", "reason"),
    [
        ("c", "f.cases", "2025-06", "同比", "cumulative", "基数为零"),
        ("b", "f.checks", "2025-02", "同比", "cumulative", "2024年2月未报"),
        ("b", "f.checks", "2025-05", "同比", "cumulative", "2024年5月空白"),
        ("b", "f.checks", "2025-03", "同比", "single", "2024年2月未报"),
        ("c", "f.checks", "2025-06", "同比", "single", "2025年5月未报"),
        ("a", "f.checks", "2024-01", "环比", "single", "2023年12月未报"),
        ("a", "y.accidents", "2025-M01-M01", "同比", "cumulative", "2024年1月未报"),
    ],
)
def test_without_a_base_there_is_no_percentage_but_a_reason(
    told: Marts, unit: str, indicator: str, period: str, comparison: str, basis: str, reason: str
) -> None:
    row = told.comparison(unit, indicator, period, comparison, basis)
    assert (row["change_percent"], row["change_text"], row["reason"]) == (None, "—", reason)


def test_a_base_is_given_as_it_is_known_now_and_as_it_was_first_published(told: Marts) -> None:
    row = told.comparison("a", "f.checks", "2025-03", "同比", "cumulative")
    assert (row["base_value"], row["base_first_value"], row["change_percent"]) == (8, 9, 25)
    east = told.comparison("east", "f.checks", "2025-03", "同比", "cumulative")
    assert (east["base_value"], east["base_first_value"]) == (8 + 10, 9 + 10)
    rate = told.comparison("a", "case_rate", "2025-03", "同比", "cumulative")
    assert plain([rate["base_value"], rate["base_first_value"]]) == (25, Decimal("22.22"))


def test_a_base_first_published_is_set_beside_the_basis_it_was_published_on(told: Marts) -> None:
    single = told.comparison("a", "s.visits", "2025-02", "同比", "single")
    assert (single["base_value"], single["base_first_value"]) == (1, 3)
    cumulative = told.comparison("a", "s.visits", "2025-02", "同比", "cumulative")
    assert (cumulative["value"], cumulative["base_value"]) == (4 + 6, 2 + 1)
    assert cumulative["base_first_value"] is None
    rate = told.comparison("a", "hit_rate", "2025-02", "同比", "single")
    assert plain([rate["base_value"], rate["base_first_value"]]) == (100, Decimal("33.33"))
    assert told.comparison("a", "hit_rate", "2025-02", "同比", "cumulative")["base_first_value"] is None


def test_a_comparison_says_whether_both_its_sides_are_complete(told: Marts) -> None:
    def units(group: str, period: str) -> tuple[Any, ...]:
        row = told.comparison(group, "f.checks", period, "同比", "cumulative")
        sides = ("reported_units", "expected_units", "base_reported_units", "base_expected_units", "is_complete")
        return tuple(row[column] for column in sides)

    assert units("everyone", "2025-06") == (4, 4, 3, 4, False)
    assert units("east", "2025-06") == (2, 2, 2, 2, True)
    assert units("east", "2025-05") == (2, 2, 1, 2, False)
    assert units("towns", "2025-01") == (2, 3, 2, 3, False)


# Sums over units

JUNE = {"a": 20, "b": 20, "c": 9, "d": 12, "z": 4}
GROUPS = {  # z lies within c: who has c has z already
    "east": ("a", "b"),
    "west": ("c",),
    "everyone": ("a", "b", "c", "d"),
    "towns": ("a", "b", "c"),
    "parks": ("c",),
    "pilots": ("a", "z"),
}


@pytest.mark.parametrize("group", GROUPS)
def test_a_zone_within_a_district_is_counted_once(told: Marts, group: str) -> None:
    row = told.total(group, "f.checks", "2025-06")
    assert row["value"] == row["cumulative_value"] == sum(JUNE[unit] for unit in GROUPS[group])
    assert (row["reported_units"], row["expected_units"], row["is_complete"]) == (*[len(GROUPS[group])] * 2, True)
    rate = told.metric(group, "case_rate", "2025-06")
    assert rate["denominator"] == row["value"]
    assert rate["expected_units"] == len(GROUPS[group])


def test_a_sum_says_how_many_units_and_periods_are_in_it(told: Marts) -> None:
    may = told.total("everyone", "f.checks", "2025-05")
    assert (may["value"], may["reported_units"], may["expected_units"], may["is_complete"]) == (30, 2, 4, False)
    assert (may["reported_periods"], may["expected_periods"]) == (0, 5)  # c and d have reported none
    east = told.total("east", "f.checks", "2024-06")
    assert (east["value"], east["single_value"], east["reported_periods"]) == (15 + 20, 1, 5)
    assert (east["single_units"], east["expected_units"]) == (1, 2)
    assert (east["is_complete"], east["single_is_complete"]) == (True, False)


def test_nothing_that_is_incomplete_says_it_is_complete(told: Marts) -> None:
    units = {**{group: set(members) for group, members in GROUPS.items()}, **{unit: {unit} for unit in JUNE}}
    for group, members in units.items():
        for row in told.rows("fct_indicator_totals", unit_id=group, form_id="f", period_id="2025-06"):
            assert (row["is_complete"], row["expected_units"]) == (True, len(members))
        completion = told.metric(group, "completion", "2025-06")  # only a and b have a plan
        assert completion["is_complete"] == (members <= {"a", "b"})
        for row in told.rows("fct_metric_values", unit_id=group, period_id="2025-05", metric_id="case_rate"):
            assert row["is_complete"] == (members <= {"a", "b"})
    for row in told.rows("fct_comparisons"):
        full = (
            row["reported_units"] == row["expected_units"] and row["base_reported_units"] == row["base_expected_units"]
        )
        assert row["is_complete"] == (full and row["base_expected_units"] > 0)
    for row in told.rows("fct_rankings", scoreboard_id="monthly", period_id="2025-06"):
        assert not row["is_complete"]


@pytest.mark.parametrize(
    ("unit", "checks", "plan"), [("a", 30, 40), ("b", 24, 60), ("east", 54, 100), ("everyone", 54, 100)]
)
def test_a_yearly_plan_is_held_against_the_months_and_the_share_of_the_year_passed(
    told: Marts, unit: str, checks: int, plan: int
) -> None:
    row = told.metric(unit, "completion", "2025-09")
    assert (row["numerator"], row["denominator"], row["value"]) == (checks, plan, Decimal(100 * checks) / plan)
    assert (row["schedule_value"], row["schedule_gap"]) == (75, Decimal(100 * checks) / plan - 75)
    assert (row["reported_units"], row["is_complete"]) == ((1, True) if unit in "ab" else (2, unit == "east"))


def test_the_share_of_a_plan_done_in_one_month_is_of_the_whole_plan(told: Marts) -> None:
    assert told.metric("a", "completion", "2025-06")["single_value"] == Decimal(100 * (20 - 15)) / 40
    assert told.metric("a", "completion", "2025-09")["single_value"] is None  # August is missing
    assert told.metric("a", "completion", "2025-Q2")["schedule_value"] == 50


# Scoreboards


def test_after_two_firsts_comes_the_third(told: Marts) -> None:
    assert told.ranking("whole", "checks", "2025-06", "rank", "points") == {
        "a": (1, 10),
        "b": (1, 10),
        "d": (3, 8),
        "c": (4, 7),
    }


def test_where_so_declared_after_two_firsts_comes_the_second(told: Marts) -> None:
    assert told.ranking("dense", "checks", "2025-06", "rank", "points") == {"a": (1, 5), "b": (1, 5), "c": (2, 3)}


def test_the_lower_is_the_better_where_so_declared_and_a_small_denominator_is_not_ranked(told: Marts) -> None:
    assert told.ranking("whole", "rate", "2025-06", "value", "rank", "points", "reason") == {
        "a": (40, 3, 3, None),  # never below the bottom: 10 - 2 x 4 is 2
        "b": (25, 1, 10, None),
        "d": (25, 1, 10, None),
        "c": (None, None, None, "分母不足"),
    }


def test_a_total_is_the_weighted_sum_of_points_and_unknown_where_one_is(told: Marts) -> None:
    assert told.ranking("whole", "total", "2025-06", "value", "rank", "reason", "is_complete") == {
        "a": (10 + 2 * 3, 3, None, False),
        "b": (10 + 2 * 10, 1, None, False),
        "d": (8 + 2 * 10, 2, None, False),
        "c": (None, None, "有项目未排名", False),
    }


def test_what_is_ranked_can_be_the_month_alone(told: Marts) -> None:
    silent = (None, None, "没有数值")
    assert told.ranking("monthly", "checks", "2025-06", "value", "rank", "reason") == {
        "a": (5, 1, None),
        "b": (5, 1, None),
        **dict.fromkeys(("c", "d", "z"), silent),
    }


def test_a_denominator_is_big_enough_on_the_basis_that_is_ranked(told: Marts) -> None:
    columns = ("rank", "reason")
    ranks = told.ranking("failures", "rate", "2025-02", *columns)
    assert (ranks["a"], ranks["b"]) == ((2, None), (1, None))  # 3 of 12, and 2 of 21


def test_a_rank_that_a_returned_submission_would_change_is_not_stable(told: Marts) -> None:
    columns = ("rank", "rank_with_returned_counted", "is_stable")
    assert told.ranking("whole", "checks", "2025-06", *columns) == {
        "a": (1, 2, False),
        "b": (1, 2, False),
        "c": (4, 4, True),
        "d": (3, 1, False),
    }
    assert told.ranking("whole", "rate", "2025-06", *columns) == {
        "a": (3, 3, True),
        "b": (1, 2, False),
        "c": (None, None, True),
        "d": (1, 1, True),
    }
    assert {stable for (stable,) in told.ranking("whole", "checks", "2025-05", "is_stable").values()} == {True}


def test_a_returned_month_makes_the_rank_of_the_next_month_unstable_too(told: Marts) -> None:
    columns = ("value", "rank", "rank_with_returned_counted", "is_stable")
    february = told.ranking("monthly", "checks", "2025-02", *columns)
    assert (february["a"], february["b"]) == ((2, 2, 1, False), (3, 1, 2, False))  # 9 - 4 were 5
    march = told.ranking("monthly", "checks", "2025-03", *columns)
    assert (march["a"], march["b"]) == ((4, 1, 2, False), (2, 2, 1, False))  # 10 - 9 were 1


def test_what_nobody_checked_yet_makes_no_rank_unstable(told: Marts) -> None:
    ranks = told.ranking("failures", "rate", "2026-01", "rank", "rank_with_returned_counted")
    assert (ranks["a"], ranks["b"], ranks["c"]) == ((1, 2), (2, 3), (None, 1))


def test_a_series_says_how_many_places_were_gained(told: Marts) -> None:
    rows = told.rows("ranking_series", scoreboard_id="monthly", item_id="checks", period_id="2025-03")
    gained = {row["unit_id"]: (row["rank"], row["previous_rank"], row["places_gained"]) for row in rows}
    assert gained == {"a": (1, 2, 1), "b": (2, 1, -1), **dict.fromkeys(("c", "d", "z"), (None, None, None))}
    assert {row["previous_period_id"] for row in rows} == {"2025-02"}


def test_a_plan_corrected_later_moves_the_ranks_of_another_form_s_scoreboard(told: Marts) -> None:
    rates = {unit: told.metric(unit, "completion", "2026-06")["value"] for unit in "ab"}
    assert plain(rates.values()) == (5, Decimal("6.67"))
    ranks = told.ranking("across", "completion", "2026-06", "value", "rank")
    assert (ranks["a"], ranks["b"]) == ((rates["a"], 2), (rates["b"], 1))


# What a correction moves


def impact(rows: Iterable[Row]) -> dict[tuple[str, ...], tuple[Any, ...]]:
    return {
        tuple(row[key] for key in ("kind", "unit_id", "period_id", "subject_id", "basis")): plain(
            (row["value_before"], row["value_after"])
        )
        for row in rows
    }


def expected_impact() -> dict[tuple[str, ...], tuple[Any, ...]]:
    """Work out what moves when a's January of 2027 goes from 10 visits, 4 with a hazard, to 4 and 2."""
    a = {"before": [(10, 4), (5, 1), (5, 1)], "after": [(4, 2), (5, 1), (5, 1)]}
    b = [(6, 3), (9, 3), (8, 2)]
    both = {side: [(x + u, y + v) for (x, y), (u, v) in zip(months, b, strict=True)] for side, months in a.items()}
    figures: dict[str, dict[tuple[str, ...], Decimal]] = {"before": {}, "after": {}}
    for side, listed in figures.items():

        def state(kind: str, unit: str, period: str, basis: str, visits: int, found: int, listed: Any = listed) -> None:
            listed["指标", unit, period, "s.visits", basis] = Decimal(visits)
            listed["指标", unit, period, "s.found", basis] = Decimal(found)
            listed["派生指标", unit, period, "hit_rate", basis] = Decimal(100 * found) / visits

        for unit in ("a", "pilots", "east", "towns", "everyone"):
            months = (a if unit in ("a", "pilots") else both)[side]
            until = [tuple(map(sum, zip(*months[:count], strict=True))) for count in (1, 2, 3)]
            for number, (month, total) in enumerate(zip(months, until, strict=True), 1):
                state("", unit, f"2027-{number:02}", "本期", *month)
                state("", unit, f"2027-{number:02}", "累计", *total)
            state("", unit, "2027-Q1", "本期", *until[2])
            state("", unit, "2027-Q1", "累计", *until[2])
            for subject, kind in (("s.visits", "指标"), ("s.found", "指标"), ("hit_rate", "派生指标")):
                for earlier, later in (("01", "02"), ("02", "03")):
                    base, value = (listed[kind, unit, f"2027-{month}", subject, "本期"] for month in (earlier, later))
                    change = value - base if kind == "派生指标" else 100 * (value - base) / base
                    listed["环比", unit, f"2027-{later}", subject, "本期"] = change
        sums = {
            unit: [sum(visits for visits, _ in months[:n]) for n in (1, 2, 3)]
            for unit, months in (("a", a[side]), ("b", b))
        }
        for number, period in enumerate(("2027-01", "2027-02", "2027-03", "2027-Q1")):
            at = min(number, 2)
            for unit in ("a", "b"):
                rank = 1 + sum(other[at] > sums[unit][at] for other in sums.values())
                listed["名次", unit, period, "visits.visits", "名次"] = Decimal(rank)
                listed["名次", unit, period, "visits.total", "名次"] = Decimal(rank)
    return {
        key: plain((value, figures["after"][key]))
        for key, value in figures["before"].items()
        if round(value, 12) != round(figures["after"][key], 12)
    }


def test_a_correction_lists_exactly_what_it_moves(told: Marts) -> None:
    expected = expected_impact()
    assert impact(told.rows("impact_of", S_CORRECTED)) == expected
    # A few of them by hand.
    assert expected["指标", "a", "2027-03", "s.visits", "累计"] == (20, 14)
    assert ("派生指标", "a", "2027-02", "hit_rate", "累计") not in expected  # 5 of 15, and 3 of 9
    assert expected["派生指标", "east", "2027-02", "hit_rate", "累计"] == (Decimal("36.67"), Decimal("37.5"))
    assert expected["环比", "a", "2027-02", "s.visits", "本期"] == (-50, 25)
    assert expected["名次", "b", "2027-01", "visits.total", "名次"] == (2, 1)
    assert ("名次", "b", "2027-02", "visits.visits", "名次") not in expected  # first beside a, and before a


def test_a_unit_that_the_catalog_has_no_longer_moved_its_own_figures(told: Marts) -> None:
    with connect(told.settings) as connection, connection.transaction(force_rollback=True):
        connection.execute("delete from catalog.unit_closure where unit_id = 'a'")
        found = connection.execute(
            "select value_before, value_after from marts.impact_of(%s)"
            " where unit_id = 'a' and period_id = '2027-03' and subject_id = 's.visits' and basis = '累计'"
            " and kind = '指标'",
            [S_CORRECTED],
        ).fetchall()
    assert found == [(20, 14)]


def test_the_mart_of_impacts_says_whose_correction_it_was(told: Marts) -> None:
    rows = told.rows("fct_correction_impacts", submission_id=S_CORRECTED)
    assert impact(rows) == expected_impact()
    assert {(row["corrected_unit_id"], row["corrected_period_id"], row["revision"]) for row in rows} == {
        ("a", "2027-01", 2)
    }
    assert {row["unit_id"]: row["is_group"] for row in rows} == {
        "a": False,
        "b": False,
        **dict.fromkeys(("pilots", "east", "towns", "everyone"), True),
    }


def test_what_a_correction_moves_is_the_difference_between_before_and_at_its_instant(told: Marts) -> None:
    basis = {"cumulative": "累计", "single": "本期", "stated": "时点"}
    sides: list[dict[tuple[str, ...], Any]] = []
    for instant in ("2025-02-10 07:59:59+00", "2025-02-10 08:00:00+00"):
        known: dict[tuple[str, ...], Any] = {}
        for period in (*(f"2024-{month:02}" for month in range(1, 8)), "2024-Q1", "2024-Q2", "2024-Q3", "2025-01"):
            asked = ("au", period, instant)
            for kind, function, subject in (
                ("指标", "indicator_values_as_of", "indicator_id"),
                ("指标", "indicator_totals_as_of", "indicator_id"),
                ("派生指标", "metric_values_as_of", "metric_id"),
            ):
                for row in told.rows(function, *asked, form_id="f"):
                    for column in ("cumulative", "single"):
                        key = (kind, row["unit_id"], period, row[subject], basis[column])
                        known[key] = row[f"{column}_value"]
            for row in told.rows("comparisons_as_of", *asked, form_id="f"):
                key = (row["comparison"], row["unit_id"], period, row["measure_id"], basis[row["basis"]])
                known[key] = row["change_percent"] if row["change_points"] is None else row["change_points"]
            for row in told.rows("rankings_as_of", *asked, form_id="f"):
                known["名次", row["unit_id"], period, f"{row['scoreboard_id']}.{row['item_id']}", "名次"] = row["rank"]
        sides.append(known)
    before, after = sides
    expected = {
        key: plain((before.get(key), after.get(key)))
        for key in before.keys() | after.keys()
        if before.get(key) != after.get(key)
    }
    assert impact(told.rows("impact_of", F_CORRECTED)) == expected
    assert expected["指标", "a", "2024-04", "f.checks", "本期"] == (0, 1)
    assert expected["指标", "a", "2024-Q2", "f.checks", "本期"] == (15 - 9, 15 - 8)
    assert ("指标", "a", "2024-04", "f.checks", "累计") not in expected


def test_what_never_stood_moves_nothing(told: Marts) -> None:
    assert told.rows("impact_of", "d-s-2025-03-2025-04-09") == []
    assert told.rows("impact_of", "d-s-2025-03-2025-04-11") == []


def test_what_was_superseded_at_the_instant_it_came_moves_nothing(told: Marts) -> None:
    known = told.rows("indicator_values_as_of", "au", "2026-03", "2026-05-01 08:00+00", indicator_id="t.tests")
    assert [row["stated_value"] for row in known] == [40]
    assert told.rows("impact_of", "b-t-2026-03-2026-05-01-1") == []
    moved = impact(told.rows("impact_of", "b-t-2026-03-2026-05-01-2"))
    assert moved["指标", "b", "2026-03", "t.tests", "本期"] == (20, 40)
    assert moved["派生指标", "b", "2026-03", "fail_rate", "本期"] == (5, Decimal("2.5"))


def test_a_plan_corrected_lists_the_ranks_it_moves_on_another_form_s_scoreboard(told: Marts) -> None:
    moved = impact(told.rows("impact_of", PLAN_CORRECTED.submission_id))
    assert moved["派生指标", "a", "2026-06", "completion", "累计"] == (10, 5)
    assert {key[1]: value for key, value in moved.items() if key[3] == "across.completion"} == {
        "a": (1, 2),
        "b": (2, 1),
    }


# In whichever order things happen

# (unit, month, hour of receipt, checks, cases, visits): more cases than checks are returned, a fall is questioned.
DELIVERED = [
    ("甲乡", 1, 1, 4, 1, 2),
    ("乙乡", 1, 2, 5, 1, 3),
    ("甲乡", 2, 3, 6, 9, 2),
    ("甲乡", 2, 4, 6, 1, 2),
    ("乙乡", 2, 5, 9, 2, 1),
    ("甲乡", 1, 6, 3, 1, 5),
    ("甲乡", 3, 7, 10, 2, 0),
    ("甲乡", 3, 7, 11, 2, 4),  # received at the same instant as the one before
    ("乙乡", 1, 8, 5, 7, 3),
    ("乙乡", 4, 9, 20, 4, 2),
    ("甲乡", 4, 10, 9, 3, 1),  # less than in March
]


def write_workbooks(folder: Path) -> list[tuple[str, datetime]]:
    """Write the workbooks; return each with the time it is received."""
    written = []
    for number, (unit, month, hour, *figures) in enumerate(DELIVERED):
        path = folder / f"{number:02}.xlsx"
        with xlsxwriter.Workbook(path) as book:
            book.set_properties({"created": datetime(2025, 1, 1)})  # the same rows are the same bytes
            sheet = book.add_worksheet()
            rows: list[list[Any]] = [
                [f"2025年{month}月督导情况月报"],
                ["单位", "检查", "立案", "本月巡查"],
                [unit, *figures],
            ]
            for line, row in enumerate(rows):
                sheet.write_row(line, 0, row)
        written.append((str(path), datetime(2025, 6, 1, hour, tzinfo=UTC)))
    return written


def everything(settings: Settings) -> dict[str, list[str]]:
    """Return all rows of all marts, but for the numbers that files get in the order they are recorded."""
    state = {}
    for mart in marts.MARTS:
        out = io.StringIO()
        marts.export(settings, mart, {}, "json", out)
        rows = json.loads(out.getvalue(), parse_float=str)
        state[mart] = sorted(json.dumps({key: row[key] for key in row if key != "file_id"}) for row in rows)
    return state


@dataclass(frozen=True)
class InOrder:
    """The marts of what was taken in as it was received, checked and built once."""

    deliveries: list[tuple[str, datetime]]
    state: dict[str, list[str]]


@pytest.fixture(scope="module")
def in_order(places: Places, tmp_path_factory: pytest.TempPathFactory) -> InOrder:
    deliveries = write_workbooks(tmp_path_factory.mktemp("workbooks"))
    settings = places.copy()
    for path, received_at in deliveries:
        intake.ingest_files(settings, [path], "collect", received_at)
    check_submissions(settings)
    marts.build(settings)
    return InOrder(deliveries, everything(settings))


def test_the_load_in_order_has_all_that_can_differ(in_order: InOrder) -> None:
    outcomes = Counter(json.loads(row)["outcome"] for row in in_order.state["fct_submissions"])
    assert outcomes == {"accepted": 8, "returned": 2, "questioned": 1}
    assert all(in_order.state[mart] for mart in ("fct_rankings", "fct_comparisons", "fct_correction_impacts"))


@hypothesis_settings(
    max_examples=3,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],  # an example takes seconds: what fails is told as it is
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
@given(
    order=st.permutations(range(len(DELIVERED))),
    cut=st.integers(1, len(DELIVERED) - 1),
    checked_in_between=st.booleans(),
    seed=st.none() | st.integers(0, 999),
)
@example(order=[0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 5], cut=10, checked_in_between=True, seed=None)  # January comes last
def test_in_whichever_order_things_happen_the_marts_are_the_same(
    places: Places, in_order: InOrder, order: list[int], cut: int, checked_in_between: bool, seed: int | None
) -> None:
    settings = places.copy()
    for number, part in enumerate((order[:cut], order[cut:])):
        for index in part:
            path, received_at = in_order.deliveries[index]
            intake.ingest_files(settings, [path], "collect", received_at)
        if number or checked_in_between:
            check_submissions(settings)
        if seed is not None:
            touch_again(settings, random.Random(seed + number))
        marts.build(settings)
    assert everything(settings) == in_order.state


def touch_again(settings: Settings, chance: random.Random) -> None:
    """Name some of what was sent as touched once more."""
    with connect(settings) as connection:
        sent = connection.execute(
            "select form_id, period_id, unit_id from intake.submissions order by submission_id"
        ).fetchall()
        connection.cursor().executemany(
            "insert into intake.touched (form_id, period_id, unit_id) values (%s, %s, %s)",
            chance.sample(sent, chance.randint(0, len(sent))),
        )


# Whatever is sent

MONTHS = [Period(year, month, month) for year in (2024, 2025) for month in (1, 2, 3)]
PERIODS = {period.period_id: period for period in (*MONTHS, Period(2024, 1, 3), Period(2025, 1, 3))}
OF_ROW = {"stated": "value", "cumulative": "cumulative_value", "single": "single_value"}
COUNTS_OF_ROW = {"stated": "reported_units", "cumulative": "cumulative_units", "single": "single_units"}


def sent_by_chance(chance: random.Random) -> list[Sent]:
    """Return what units might send in two springs: with gaps, blanks, falls, corrections, and some of it sent back."""
    sent = []
    for unit, (form, indicators), month in itertools.product("abczd", model.INDICATORS.items(), MONTHS):
        for day in chance.sample(range(5, 29), chance.choice((0, 1, 1, 1, 2, 3))):
            received = f"{month.shifted(chance.choice((1, 1, 1, 2, 9))).months[0]}-{day:02}"
            cells = {
                name.partition(".")[2]: BLANK
                if chance.random() < 0.1
                else 4 * month.last + chance.choice((0, 1, 5, -4))
                for name in indicators
            }
            outcome = chance.choice(("accepted", "accepted", "accepted", "returned", None))
            sent.append(Sent(unit, form, month.period_id, received, outcome, cells))
    for unit, year in itertools.product("abczd", ("2024", "2025")):
        for month in chance.sample(range(1, 10), chance.choice((0, 1, 1, 2))):
            cells = {"checks": chance.choice((0, 10, 40))}
            sent.append(Sent(unit, "plan", year, f"{year}-{month:02}-03", "accepted", cells))
    chance.shuffle(sent)
    return sent


def differences(
    values: list[Row], totals: list[Row], metrics: list[Row], comparisons: list[Row], truth: Model
) -> list[str]:
    """Return where rows of the marts say something else than the model does of the same unit, period and measure."""
    found = []

    def hold(row: Row, what: str, said: Any, expected: Any) -> None:
        known = said is not None and expected is not None
        if said != expected and not (known and abs(Fraction(said) - expected) < Fraction(1, 10**9)):
            key = [str(row[name]) for name in ("unit_id", "period_id", "indicator_id", "metric_id") if name in row]
            found.append(f"{' '.join(key)} {what}: {said}, not {expected}")

    for row in values:
        figures = truth.of_unit(row["unit_id"], row["indicator_id"], PERIODS[row["period_id"]])
        assert figures, row
        for basis in BASES:
            hold(row, basis, row[f"{basis}_value"], figures[basis])
    for row in totals:
        figures, counts = truth.of_group(row["unit_id"], row["indicator_id"], PERIODS[row["period_id"]])
        for basis in BASES:
            hold(row, basis, row[OF_ROW[basis]], figures[basis])
            hold(row, f"units {basis}", row[COUNTS_OF_ROW[basis]], counts[basis])
    for row in metrics:
        who = row["unit_id"]
        terms = model.METRICS[row["form_id"]][row["metric_id"]]
        figures, counts = truth.of_metric(model.GROUPS.get(who, who), terms, PERIODS[row["period_id"]])
        for basis in BASES:
            hold(row, basis, row[OF_ROW[basis]], figures[basis])
            hold(row, f"units {basis}", row[COUNTS_OF_ROW[basis]], counts[basis])
    for row in comparisons:
        who, measure, basis = row["unit_id"], row["measure_id"], row["basis"]
        period = PERIODS[row["period_id"]]
        value, base = (truth.figures(who, measure, of)[basis] for of in (period, period.compared[row["comparison"]]))
        what = f"{measure} {basis} {row['comparison']}"
        hold(row, what, row["value"], value)
        hold(row, f"{what} base", row["base_value"], base)
        hold(row, f"{what} delta", row["delta"], None if value is None or base is None else value - base)
    return found


def missing(
    values: list[Row], totals: list[Row], metrics: list[Row], comparisons: list[Row], truth: Model
) -> list[tuple[str, ...]]:
    """Return what is reported or known by the model and has no row in the marts."""
    there = {
        *((row["unit_id"], row["indicator_id"], row["period_id"]) for row in (*values, *totals)),
        *((row["unit_id"], row["metric_id"], row["period_id"]) for row in metrics),
        *(
            (row["unit_id"], row["measure_id"], row["period_id"], row["basis"], row["comparison"])
            for row in comparisons
        ),
    }
    known: set[tuple[str, ...]] = set()
    for form, indicators in model.INDICATORS.items():
        for who, measure, (period_id, period) in itertools.product(
            ("a", "b", "c", "z", "d", *model.GROUPS), (*indicators, *model.METRICS[form]), PERIODS.items()
        ):
            if measure in indicators and who not in model.GROUPS and truth.of_unit(who, measure, period):
                known.add((who, measure, period_id))  # also where it left the cell blank
            figures = truth.figures(who, measure, period)
            known |= {(who, measure, period_id) for basis in BASES if figures[basis] is not None}
            for basis, comparison in (("cumulative", "同比"), ("single", "同比"), ("single", "环比")):
                if figures[basis] is not None:
                    known.add((who, measure, period_id, basis, comparison))
    return sorted(known - there)


@hypothesis_settings(
    max_examples=4,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
@given(seed=st.integers(0, 10**6))
@example(seed=1)
def test_whatever_is_sent_the_marts_say_what_plain_arithmetic_says(places: Places, seed: int) -> None:
    chance = random.Random(seed)
    sent = sent_by_chance(chance)
    settings = places.copy()
    cut = chance.randrange(len(sent))
    for part in (sent[:cut], sent[cut:]):
        record(settings, part)
        marts.build(settings)
    told = Marts(settings)
    relations = ("fct_indicator_values", "fct_indicator_totals", "fct_metric_values", "fct_comparisons")
    forms = tuple(model.INDICATORS)
    measured = [name for metrics in model.METRICS.values() for name in metrics]

    def asked(rows: list[Row]) -> list[Row]:
        return [
            row
            for row in rows
            if row["form_id"] in forms
            and row["period_id"] in PERIODS
            and ("metric_id" not in row or row["metric_id"] in measured)
            and (row.get("measure") != "metric" or row["measure_id"] in measured)
        ]

    truth = Model(tuple(sent))
    now = [asked(told.rows(relation)) for relation in relations]
    assert all(now)
    assert differences(*now, truth) == [] == missing(*now, truth)
    day = chance.choice(sent).received
    functions = ("indicator_values_as_of", "indicator_totals_as_of", "metric_values_as_of", "comparisons_as_of")
    then = [
        asked([row for period_id in PERIODS for row in told.rows(function, "au", period_id, f"{day} 23:59+00")])
        for function in functions
    ]
    known_then = Model(tuple(sent), day)
    assert differences(*then, known_then) == [] == missing(*then, known_then)
