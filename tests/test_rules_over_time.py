"""Rules that look at many periods: jumps, copies, last year's figures, runs of zeros, what is never fixed.

Each case is a unit with the months it sent; it says in which of them which rule is tripped.
"""

from __future__ import annotations

import dataclasses
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from conftest import new_database, settings_for
from enforcement_reporting import checking, intake
from enforcement_reporting.catalog import CatalogError, load_catalog
from enforcement_reporting.local.postgres import LocalServer
from enforcement_reporting.quality import check_submissions, load_suites
from enforcement_reporting.settings import Settings
from enforcement_reporting.warehouse import connect
from test_rules import AUTHORITY, write_workbook

FORM = """
form_id: months
authority_id: testland
title: 执法月度统计表
calendar: {kind: month}
figures: cumulative
unit_labels: [单位]
indicators:
  - {indicator_id: visits, label: [累计检查], unit_of_measure: 家次}
  - {indicator_id: cases, label: [累计立案], unit_of_measure: 起, counterpart: cases_in_month}
  - {indicator_id: cases_in_month, label: [本月立案], unit_of_measure: 起, figures: single}
  - {indicator_id: found, label: [本月排查], unit_of_measure: 条, figures: single}
  - {indicator_id: fixed, label: [本月整改], unit_of_measure: 条, figures: single}
  - {indicator_id: officers, label: [执法人员], unit_of_measure: 人, measure_kind: stock}
"""

RULES = """
form: months
rules:
  - {rule_id: jump, kind: jump, indicators: [visits, found], minimum_history: 5, minimum: 10}
  - {rule_id: copied, kind: copied}
  - {rule_id: last_year, kind: last_years_value, at_least: 2, minimum: 20}
  - {rule_id: silent, kind: zero_run, indicators: [visits, found], periods: 3}
  - {rule_id: none_fixed, kind: never_fixed, found: [found], fixed: [fixed], periods: 4, minimum: 8}
"""
LABELS = {
    "visits": "累计检查",
    "cases": "累计立案",
    "cases_in_month": "本月立案",
    "found": "本月排查",
    "fixed": "本月整改",
    "officers": "执法人员",
}
Figures = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Case:
    """What a unit sent, month by month, and the rules that are tripped by the month they are tripped in."""

    sent: dict[str, Figures]
    trips: dict[str, set[str]] = dataclasses.field(default_factory=dict)


def months(first: str, **columns: list[Any]) -> dict[str, Figures]:
    """Return figures of consecutive months; a month whose figures are all missing was not sent."""
    year, month = map(int, first.split("-"))
    sent: dict[str, Figures] = {}
    for place in range(max(map(len, columns.values()))):
        figures = {name: values[place] for name, values in columns.items() if place < len(values)}
        number = month - 1 + place
        if any(value is not None for value in figures.values()):
            sent[f"{year + number // 12}-{number % 12 + 1:02}"] = figures
    return sent


def piled_up(*singles: int) -> list[int]:
    return [sum(singles[: place + 1]) for place in range(len(singles))]


CASES = {
    "an even unit": Case(months("2025-01", found=[20, 22, 19, 21, 20, 23])),
    "one that jumps": Case(months("2025-01", found=[20, 22, 19, 21, 20, 60]), {"2025-06": {"jump_found"}}),
    "one that jumps too early to say": Case(months("2025-01", found=[20, 22, 19, 21, 60])),
    "one that falls to little": Case(months("2025-01", found=[20, 22, 19, 21, 20, 2]), {"2025-06": {"jump_found"}}),
    "one that swings": Case(months("2025-01", found=[5, 40, 12, 60, 33, 90])),
    "a small unit that doubles": Case(months("2025-01", found=[2, 2, 2, 2, 2, 11])),
    "an even unit that rises by a tenth": Case(months("2025-01", found=[200, 200, 200, 200, 200, 230])),
    "a cumulative figure that grows evenly": Case(months("2025-01", visits=piled_up(20, 22, 19, 21, 20, 23))),
    "a cumulative figure that grows at once": Case(
        months("2025-01", visits=piled_up(20, 22, 19, 21, 20, 80)), {"2025-06": {"jump_visits"}}
    ),
    "one with a month missing": Case(months("2025-01", visits=[20, 40, 60, None, 100, 120, 220])),
    "over the turn of the year": Case(
        months("2024-09", visits=[900, 920, 940, 960, 20, 41, 200]), {"2025-03": {"jump_visits"}}
    ),
    "an even turn of the year": Case(months("2024-09", visits=[900, 920, 940, 960, 20, 41, 60])),
    "a year that opens evenly": Case(months("2024-06", visits=[500, 520, 540, 560, 580, 600, 620, 21])),
    "a year that opens at once": Case(
        months("2024-06", visits=[500, 520, 540, 560, 580, 600, 620, 200]), {"2025-01": {"jump_visits"}}
    ),
    "all as in the month before": Case(
        months("2025-01", visits=[30, 30], cases=[4, 4], found=[5, 5]), {"2025-02": {"copied"}}
    ),
    "all but one": Case(months("2025-01", visits=[30, 30], cases=[4, 4], found=[5, 6])),
    "too little to be a copy": Case(months("2025-01", visits=[30, 30], cases=[4, 4], found=[0, 0])),
    "a copy of a month not sent": Case(
        months("2025-01", visits=[30, None, 30], cases=[4, None, 4], found=[5, None, 5])
    ),
    "december in january": Case(
        months("2024-12", visits=[30, 30], cases=[4, 4], found=[5, 5]), {"2025-01": {"copied"}}
    ),
    "last year's figures": Case(
        {"2024-03": {"visits": 90, "found": 25}, "2025-03": {"visits": 90, "found": 25}}, {"2025-03": {"last_year"}}
    ),
    "one of last year's figures": Case(
        {"2024-03": {"visits": 90, "found": 25}, "2025-03": {"visits": 91, "found": 25}}
    ),
    "small ones of last year": Case({"2024-03": {"visits": 19, "found": 19}, "2025-03": {"visits": 19, "found": 19}}),
    "last year's figure that has not grown": Case(
        {"2024-03": {"visits": 90, "found": 25}, "2025-02": {"visits": 90}, "2025-03": {"visits": 90, "found": 25}}
    ),
    "last year's figure that adds up": Case(
        {
            "2024-03": {"cases": 90, "found": 25},
            "2025-02": {"cases": 60},
            "2025-03": {"cases": 90, "cases_in_month": 30, "found": 25},
        }
    ),
    "last year's figure that does not add up": Case(
        {
            "2024-03": {"cases": 90, "found": 25},
            "2025-02": {"cases": 60},
            "2025-03": {"cases": 90, "cases_in_month": 29, "found": 25},
        },
        {"2025-03": {"last_year"}},
    ),
    "a run of zeros, asked once": Case(
        months("2025-01", visits=[5, 5, 5, 5, 5, 5], found=[1, 0, 0, 0, 0, 0]), {"2025-04": {"silent"}}
    ),
    "a run of zeros in one column": Case(months("2025-01", visits=[5, 5, 5, 5], found=[1, 0, 1, 0])),
    "a run that is short": Case(months("2025-01", visits=[5, 5, 5, 6], found=[1, 0, 0, 0])),
    "a run with a blank in it": Case(months("2025-01", visits=[5, 5, 5, 5], found=[1, 0, None, 0])),
    "a run with a month not sent": Case(months("2025-01", visits=[0, 0, None, 0, 0], found=[0, 0, None, 0, 0])),
    "a run from the first month on": Case(
        months("2025-01", visits=[0, 0, 0, 0], found=[0, 0, 0, 0]), {"2025-03": {"silent"}}
    ),
    "two runs": Case(
        months("2025-01", visits=[0] * 7, found=[0, 0, 0, 1, 0, 0, 0]), {"2025-03": {"silent"}, "2025-07": {"silent"}}
    ),
    "found for four months and never fixed": Case(
        months("2025-01", found=[2, 2, 2, 2], fixed=[0, 0, 0, 0]), {"2025-04": {"none_fixed"}}
    ),
    "found for three": Case(months("2025-01", found=[3, 3, 3], fixed=[0, 0, 0])),
    "little found in four": Case(months("2025-01", found=[2, 2, 2, 1], fixed=[0, 0, 0, 0])),
    "one fixed in four": Case(months("2025-01", found=[2, 2, 2, 2], fixed=[0, 1, 0, 0])),
    "a month of the four missing": Case(months("2025-01", found=[3, 3, None, 3, 3], fixed=[0, 0, None, 0, 0])),
}


def write_months_definitions(folder: Path, units: int = 1, rules: str = RULES) -> Path:
    """Write the catalog and the rules of these tests."""
    members = ", ".join(f"{{unit_id: unit_{number}, name: 单位{number}, kind: 镇街}}" for number in range(1, units + 1))
    files = {
        "catalog/landing.yaml": "places: [{place_id: inbox, path: inbox, policy: collect}]",
        "catalog/testland/authority.yaml": AUTHORITY.format(units=members),
        "catalog/testland/forms/months.yaml": FORM,
        "expectations/testland/months.yaml": rules,
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


def write(folder: Path, month: str, rows: dict[int, Figures], name: str = "") -> Path:
    year, number = month.split("-")
    lines = [(f"单位{unit}", *map(figures.get, LABELS)) for unit, figures in rows.items()]
    header = ["单位", *LABELS.values()]
    return write_workbook(folder / f"{month}{name}.xlsx", "执法月度统计表", header, lines, f"{year}年{int(number)}月")


def received(month: str, day: int = 2) -> datetime:
    first = datetime.fromisoformat(f"{month}-28").replace(tzinfo=UTC)
    return first + timedelta(days=4 + day)


def send(settings: Settings, path: Path, month: str, day: int = 2) -> None:
    intake.ingest_files(settings, [str(path)], "collect", received(month, day))


def found_in(settings: Settings) -> dict[tuple[str, str], dict[str, tuple[Any, ...]]]:
    """Return what was found: by unit and month, by rule."""
    found: dict[tuple[str, str], dict[str, tuple[Any, ...]]] = {}
    with connect(settings) as connection:
        for unit, period, rule, *said in connection.execute(
            "select unit_id, period_id, rule_id, severity, stated, expected, cells, message from quality.findings"
            " where origin <> 'reading'"
        ):
            found.setdefault((unit, period), {})[rule.removeprefix("months.")] = tuple(said)
    return found


@pytest.fixture(scope="module")
def found(server: LocalServer, template: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("months")
    definitions = write_months_definitions(folder, len(CASES))
    settings = settings_for(folder / "state", definitions, new_database(server, template))
    intake.prepare(settings)
    by_month: dict[str, dict[int, Figures]] = {}
    for number, case in enumerate(CASES.values(), 1):
        for month, figures in case.sent.items():
            by_month.setdefault(month, {})[number] = figures
    for month, rows in sorted(by_month.items()):
        send(settings, write(folder, month, rows), month)
    check_submissions(settings)
    return found_in(settings)


@pytest.mark.parametrize("name", CASES)
def test_a_unit_trips_exactly_the_rules_it_breaks_in_the_month_it_breaks_them(found: Any, name: str) -> None:
    unit = f"unit_{list(CASES).index(name) + 1}"
    assert {period: set(rules) for (whose, period), rules in found.items() if whose == unit} == CASES[name].trips


@pytest.mark.parametrize(
    ("name", "month", "rule", "stated", "expected", "said"),
    [
        ("one that jumps", "2025-06", "jump_found", "60", "20", "前 5 期的中位数为 20，相差 40，是平常波动的 20.0 倍"),
        ("a cumulative figure that grows at once", "2025-06", "jump_visits", "80", "20", "“累计检查”本期 80"),
        ("all as in the month before", "2025-02", "copied", "30、4、空白、5、空白", "与上期不同", "2025年1月"),
        (
            *("last year's figures", "2025-03", "last_year", "累计检查 90，本月排查 25，", "与去年不同"),
            "与2024年3月的数完全相同：累计检查 90，本月排查 25，",
        ),
        ("two runs", "2025-07", "silent", "0", "> 0", "累计检查、本月排查连续 3 期均为 0"),
        (
            *("found for four months and never fixed", "2025-04", "none_fixed", "0", "> 0"),
            "连续 4 期本月排查共 8，本月整改却一直为 0",
        ),
    ],
)
def test_a_question_says_what_it_is_about(
    found: Any, name: str, month: str, rule: str, stated: str, expected: str, said: str
) -> None:
    severity, *words, cells, message = found[f"unit_{list(CASES).index(name) + 1}", month][rule]
    assert [severity, *words] == ["question", stated, expected]
    assert said in message
    assert cells.startswith("Sheet1!")


@pytest.fixture
def one_unit(warehouse: Settings, tmp_path: Path) -> Settings:
    settings = settings_for(tmp_path, write_months_definitions(tmp_path), warehouse.warehouse_url)
    intake.prepare(settings)
    return settings


STORY = months("2025-01", found=[20, 22, 19, 21, 20, 60, 21, 20])


def test_a_correction_of_an_earlier_month_has_the_later_ones_checked_again(one_unit: Settings, tmp_path: Path) -> None:
    for month, figures in STORY.items():
        send(one_unit, write(tmp_path, month, {1: figures}), month)
        check_submissions(one_unit)
    assert set(found_in(one_unit)) == {("unit_1", "2025-06")}
    for month in list(STORY)[:4]:
        send(one_unit, write(tmp_path, month, {1: {"found": 61 + int(month[-1])}}, "更正"), month, 200)
    checked = check_submissions(one_unit)
    assert set(found_in(one_unit)) == {("unit_1", "2025-07"), ("unit_1", "2025-08")}
    assert checked.submissions == 4 + 7, "the corrections, and the months that look back on them; nothing else"
    assert check_submissions(one_unit).submissions == 0


def test_a_month_that_is_returned_is_no_history(one_unit: Settings, tmp_path: Path) -> None:
    rules = tmp_path / "expectations/testland/months.yaml"
    rules.write_text(RULES + "  - {rule_id: within, kind: part_whole, parts: [fixed], whole: [found]}\n")
    for month, figures in months("2025-01", found=[20, 22, 19, 21, 20, 60], fixed=[1, 1, 99, 1, 1, 1]).items():
        send(one_unit, write(tmp_path, month, {1: figures}), month)
    check_submissions(one_unit)
    assert {period: set(rules) for (_, period), rules in found_in(one_unit).items()} == {"2025-03": {"within"}}


def test_what_comes_next_is_checked_without_what_came_long_before(one_unit: Settings, tmp_path: Path) -> None:
    for month, figures in STORY.items():
        send(one_unit, write(tmp_path, month, {1: figures}), month)
    assert check_submissions(one_unit).submissions == len(STORY)
    send(one_unit, write(tmp_path, "2025-09", {1: {"found": 21}}), "2025-09")
    assert check_submissions(one_unit).submissions == 1


def test_what_is_found_does_not_depend_on_the_order_of_arrival(
    server: LocalServer, template: str, tmp_path: Path
) -> None:
    drawn = random.Random(1)
    units, story = range(1, 13), list[tuple[str, int, Path]]()
    definitions = write_months_definitions(tmp_path, len(units))
    by_unit = {unit: piled_up(*(drawn.choice([0, 0, 0, 20, 21, 90]) for _ in range(8))) for unit in units}
    for place in range(8):
        month = f"2025-{place + 1:02}"
        rows = {
            unit: {
                "visits": by_unit[unit][place],
                "found": drawn.choice([0, 0, 0, 0, 20, 80]),
                "fixed": drawn.choice([0, 0, 0, 3]),
                "cases": drawn.choice([1, 2]),
            }
            for unit in units
            if drawn.random() < 0.9
        }
        story.append((month, 2, write(tmp_path, month, rows)))
        corrected = {unit: {**figures, "found": 21} for unit, figures in rows.items() if drawn.random() < 0.2}
        if corrected:
            story.append((month, 90, write(tmp_path, month, corrected, "更正")))
    said = []
    for order in (story, drawn.sample(story, len(story)), story):
        settings = settings_for(tmp_path, definitions, new_database(server, template, "any_order"))
        intake.prepare(settings)
        for place, (month, day, path) in enumerate(order):
            send(settings, path, month, day)
            if len(said) < 2 or place == len(order) - 1:  # the third time, all is checked at once
                check_submissions(settings)
        with connect(settings) as connection:
            said.append(
                connection.execute(
                    "select finding_id, rule_kind, unit_id, period_id, severity, stated, expected, cells, message"
                    " from quality.findings order by 1"
                ).fetchall()
            )
    assert said[0] == said[1] == said[2]
    assert {kind for _, kind, *_ in said[0]} >= {"jump", "zero_run", "never_fixed"}


def test_a_jump_is_what_plain_arithmetic_says_it_is(server: LocalServer, template: str, tmp_path: Path) -> None:
    drawn = random.Random(11)
    units = 40
    rules = "{rule_id: jump, kind: jump, indicators: [found], periods: 6, minimum_history: 4, threshold: 3, minimum: 4,"
    definitions = write_months_definitions(
        tmp_path, units, f"form: months\nrules: [{rules} spread_percent: 12.5, severity: notice}}]"
    )
    settings = settings_for(tmp_path, definitions, new_database(server, template))
    intake.prepare(settings)
    figures = {
        unit: [drawn.choice([None, drawn.randint(0, 12), drawn.randint(8, 12)]) for _ in range(9)]
        for unit in range(1, units + 1)
    }
    for place in range(9):
        month = f"2025-{place + 1:02}"
        send(settings, write(tmp_path, month, {unit: {"found": row[place]} for unit, row in figures.items()}), month)
    check_submissions(settings)
    expected = {}
    for unit, row in figures.items():
        for place, figure in enumerate(row):
            known = [Decimal(value) for value in row[max(0, place - 6) : place] if value is not None]
            if figure is None or len(known) < 4:
                continue
            middle = median(known)
            off = abs(figure - middle)
            spread = max(Decimal("1.4826") * median(abs(value - middle) for value in known), Decimal("0.125") * middle)
            if off >= 4 and off > 3 * spread:
                expected[f"unit_{unit}", f"2025-{place + 1:02}"] = (str(figure), f"{middle.normalize():f}")
    assert {key: rules["jump"][1:3] for key, rules in found_in(settings).items()} == expected
    assert len(expected) > 5


def test_at_hand_they_are_named_as_not_checked(tmp_path: Path) -> None:
    definitions = write_months_definitions(tmp_path)
    path = write(tmp_path, "2025-01", {1: {"visits": 1}})
    checked = checking.check_files(definitions, [str(path)])
    assert not any(file.findings for file in checked.files)
    assert checked.not_checked() == ("本次未核对：5 条规则须与其他各期比较。")


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{rule_id: a, kind: jump, indicators: [officers]}", "officers: expected a flow of form months"),
        ("{rule_id: a, kind: jump, indicators: [nowhere]}", "has no indicator 'nowhere'"),
        ("{rule_id: a, kind: jump, severity: error}", "severity"),
        ("{rule_id: a, kind: jump, periods: 3}", "minimum_history: expected at most periods (3)"),
        ("{rule_id: a, kind: jump, periods: 1}", "periods"),
        ("{rule_id: a, kind: jump, threshold: 0}", "threshold"),
        ("{rule_id: a, kind: copied, indicators: [visits, cases]}", "expected at least 3 flows, found 2"),
        ("{rule_id: a, kind: copied, severity: error}", "severity"),
        ("{rule_id: a, kind: last_years_value, indicators: [officers], at_least: 1}", "expected a flow"),
        ("{rule_id: a, kind: last_years_value, minimum: 0}", "minimum"),
        ("{rule_id: a, kind: zero_run}", "indicators"),
        ("{rule_id: a, kind: zero_run, indicators: [officers]}", "officers: expected a flow of form months"),
        ("{rule_id: a, kind: never_fixed, found: [officers], fixed: [fixed], periods: 3}", "expected a flow"),
    ],
)
def test_a_rule_that_is_wrong_is_refused_by_name(tmp_path: Path, rule: str, said: str) -> None:
    write_months_definitions(tmp_path, rules=f"form: months\nrules:\n  - {rule}\n")
    with pytest.raises(CatalogError) as refused:
        load_suites(tmp_path, load_catalog(tmp_path))
    assert "expectations/testland/months.yaml" in str(refused.value) and said in str(refused.value)
