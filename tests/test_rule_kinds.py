"""Rules over one report that are about more than two sums: partitions, changes, rates of a total row, what is not done.

Each case says which rules it trips. It is checked twice: in the database, and at hand without one.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from conftest import new_database, settings_for
from enforcement_reporting import checking, intake
from enforcement_reporting.catalog import CatalogError, load_catalog
from enforcement_reporting.local.postgres import LocalServer
from enforcement_reporting.quality import load_suites
from enforcement_reporting.warehouse import connect
from test_rules import AUTHORITY, ingest, write_workbook

FORM = """
form_id: kinds
authority_id: testland
title: 执法综合统计表
calendar: {kind: month}
figures: single
unit_labels: [单位]
total_row: {labels: [合计], states: all_units}
indicators:
  - {indicator_id: on_site, label: [现场], unit_of_measure: 起}
  - {indicator_id: off_site, label: [非现场], unit_of_measure: 起}
  - {indicator_id: mines, label: [矿山], unit_of_measure: 起}
  - {indicator_id: factories, label: [工贸], unit_of_measure: 起}
  - {indicator_id: cases, label: [立案], unit_of_measure: 起}
  - {indicator_id: cases_change, label: [立案同比], unit_of_measure: "%", measure_kind: rate}
  - {indicator_id: visits, label: [检查], unit_of_measure: 家次}
  - {indicator_id: visits_before, label: [去年检查], unit_of_measure: 家次}
  - {indicator_id: visits_more, label: [检查增减], unit_of_measure: 家次, measure_kind: rate}
  - {indicator_id: visits_change, label: [检查同比], unit_of_measure: "%", measure_kind: rate}
  - {indicator_id: fines, label: [罚款], unit_of_measure: 万元}
  - {indicator_id: fines_before, label: [去年罚款], unit_of_measure: 万元}
  - {indicator_id: fines_more, label: [罚款增减], unit_of_measure: 万元, measure_kind: rate}
  - {indicator_id: fines_change, label: [罚款同比], unit_of_measure: "%", measure_kind: rate}
  - {indicator_id: deaths, label: [死亡], unit_of_measure: 人}
  - {indicator_id: deaths_more, label: [死亡增减], unit_of_measure: 人, measure_kind: rate}
  - {indicator_id: deaths_change, label: [死亡同比], unit_of_measure: "%", measure_kind: rate}
  - {indicator_id: found, label: [排查], unit_of_measure: 条}
  - {indicator_id: fixed, label: [整改], unit_of_measure: 条}
  - {indicator_id: fixed_rate, label: [整改率], unit_of_measure: "%", measure_kind: rate}
  - {indicator_id: attendance, label: [出勤率], unit_of_measure: "%", measure_kind: rate}
"""

PARTNER = """
form_id: sources
authority_id: testland
title: 案件来源统计表
calendar: {kind: month}
figures: single
unit_labels: [单位]
indicators:
  - {indicator_id: reported, label: [举报], unit_of_measure: 起}
  - {indicator_id: seen, label: [检查发现], unit_of_measure: 起}
"""

RULES = """
form: kinds
rules:
  - {rule_id: ways, kind: partitions_agree, partitions: [[on_site, off_site], [mines, factories]]}
  - {rule_id: ways_and_sources, kind: partitions_agree,
     partitions: [[on_site, off_site], [sources.reported, sources.seen], [cases]]}
  - {rule_id: whole, kind: whole_base, value: cases, change: cases_change}
  - {rule_id: visits, kind: change_triple, value: visits, base: visits_before, delta: visits_more,
     percent: visits_change}
  - {rule_id: fines, kind: change_triple, value: fines, base: fines_before, delta: fines_more, percent: fines_change}
  - {rule_id: deaths, kind: change_triple, value: deaths, delta: deaths_more, percent: deaths_change}
  - {rule_id: rate, kind: rate, stated: fixed_rate, numerator: [fixed], denominator: [found]}
  - {rule_id: overall, kind: overall_rate, rate: fixed_rate}
  - {rule_id: overall_attendance, kind: overall_rate, rate: attendance}
  - {rule_id: none_fixed, kind: never_fixed, found: [found], fixed: [fixed], minimum: 5}
"""

NAMES = {
    "on_site": "现场",
    "off_site": "非现场",
    "mines": "矿山",
    "factories": "工贸",
    "cases": "立案",
    "cases_change": "立案同比",
    "visits": "检查",
    "visits_before": "去年检查",
    "visits_more": "检查增减",
    "visits_change": "检查同比",
    "fines": "罚款",
    "fines_before": "去年罚款",
    "fines_more": "罚款增减",
    "fines_change": "罚款同比",
    "deaths": "死亡",
    "deaths_more": "死亡增减",
    "deaths_change": "死亡同比",
    "found": "排查",
    "fixed": "整改",
    "fixed_rate": "整改率",
    "attendance": "出勤率",
}
Figures = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Case:
    """What a unit states, on the form and on its partner, and the rules that are to be tripped."""

    states: Figures
    trips: set[str] = dataclasses.field(default_factory=set)
    sources: tuple[int | None, int | None] | None = None


def triple(of: str, value: Any, base: Any, more: Any, change: Any) -> Figures:
    return {of: value, f"{of}_before": base, f"{of}_more": more, f"{of}_change": change}


CASES = {
    "partitions that agree": Case({"on_site": 3, "off_site": 4, "mines": 2, "factories": 5}),
    "partitions that do not": Case({"on_site": 3, "off_site": 4, "mines": 2, "factories": 6}, {"ways"}),
    "a blank part is nothing": Case({"on_site": 7, "mines": 2, "factories": 5}),
    "a blank partition says nothing": Case({"on_site": 3, "off_site": 4}),
    "three that agree on two forms": Case({"on_site": 3, "off_site": 4, "cases": 7}, sources=(5, 2)),
    "the last of three that differs": Case({"on_site": 3, "off_site": 4, "cases": 8}, {"ways_and_sources"}, (5, 2)),
    "one on another form that differs": Case({"on_site": 3, "off_site": 4, "cases": 7}, {"ways_and_sources"}, (5, 3)),
    "one on another form that was not sent": Case({"on_site": 3, "off_site": 4, "cases": 8}),
    "a base that is whole": Case({"cases": 349, "cases_change": "-12.1%"}),  # 397
    "no base that is whole": Case({"cases": 55, "cases_change": "29.3%"}, {"whole"}),
    "a base for the change cut off": Case({"cases": 5, "cases_change": "66.6%"}),  # 3
    "a base for the change rounded": Case({"cases": 5, "cases_change": "66.7%"}),
    "a base for neither": Case({"cases": 5, "cases_change": "66.8%"}, {"whole"}),
    "a fall by less than a digit": Case({"cases": 1999, "cases_change": "-0.05%"}),  # 2000
    "a fall to nothing": Case({"cases": 0, "cases_change": "-100%"}),
    "a fall by half to nothing": Case({"cases": 0, "cases_change": "-50%"}, {"whole"}),
    "nothing, as before": Case({"cases": 0, "cases_change": "0%"}),
    "a fall by more than all": Case({"cases": 3, "cases_change": "-103%"}, {"whole"}),
    "a doubling": Case({"cases": 3, "cases_change": "50"}),
    "a change of what is blank": Case({"cases_change": "29.3%"}),
    "no change stated": Case({"cases": 55, "cases_change": "—"}),
    "a triple that agrees": Case(triple("visits", 55, 40, 15, "37.5%")),
    "a triple cut off": Case(triple("visits", 5, 3, 2, "66.6%")),
    "a triple downwards": Case(triple("visits", 30, 40, -10, "-25%")),
    "a wrong change": Case(triple("visits", 55, 40, 14, "37.5%"), {"visits"}),
    "a wrong percentage": Case(triple("visits", 55, 40, 15, "38.5%"), {"visits_percent"}),
    "a percentage of the value": Case(triple("visits", 55, 40, 15, "27.3%"), {"visits_percent"}),
    "a change the wrong way": Case(triple("visits", 30, 40, 10, "-25%"), {"visits"}),
    "a change from nothing": Case(triple("visits", 30, 0, 30, "100%")),
    "a triple with a blank": Case(triple("visits", 30, None, 10, "25%")),
    "amounts off by a digit": Case(triple("fines", 12.35, 10.20, 2.16, "21.1%")),
    "amounts off by more": Case(triple("fines", 12.35, 10.20, 2.17, "21.1%"), {"fines"}),
    "three without a base": Case({"deaths": 3, "deaths_more": -2, "deaths_change": "-40%"}),
    "three without a base that differ": Case(
        {"deaths": 3, "deaths_more": -2, "deaths_change": "-66.7%"}, {"deaths_percent"}
    ),
    "two without a base": Case({"deaths": 3, "deaths_more": -2}),
    "enough found and none fixed": Case({"found": 5, "fixed": 0, "fixed_rate": "0%"}, {"none_fixed"}),
    "little found and none fixed": Case({"found": 4, "fixed": 0, "fixed_rate": "0%"}),
    "enough found and one fixed": Case({"found": 5, "fixed": 1, "fixed_rate": "20%"}),
    "what was fixed left blank": Case({"found": 5, "fixed": None}),
}
MEAN = {"found": 5, "fixed": 1, "fixed_rate": "20%"}, {"found": 1, "fixed": 1, "fixed_rate": "100%"}
# The rows of two units and of the total, and what the total row trips.
TOTALS: dict[str, tuple[Figures, Figures, Figures, set[str]]] = {
    "the ratio of sums": (*MEAN, {"found": 6, "fixed": 2, "fixed_rate": "33.3%"}, set()),
    "the mean of rates": (*MEAN, {"found": 6, "fixed": 2, "fixed_rate": "60%"}, {"rate", "overall_mean"}),
    "another wrong rate": (*MEAN, {"found": 6, "fixed": 2, "fixed_rate": "61%"}, {"rate"}),
    "a wrong rate outside": (*MEAN, {"found": 6, "fixed": 2, "fixed_rate": "10%"}, {"rate"}),
    "rates alone, inside": ({"attendance": "80%"}, {"attendance": "95.55%"}, {"attendance": "95.6%"}, set()),
    "rates alone, below": ({"attendance": "80%"}, {"attendance": "95%"}, {"attendance": "79%"}, {"overall_attendance"}),
    "rates alone, above": ({"attendance": "80%"}, {"attendance": "95%"}, {"attendance": "96%"}, {"overall_attendance"}),
    "one blank among them": ({"attendance": None}, {"attendance": "95%"}, {"attendance": "95%"}, set()),
    "one unread among them": ({"attendance": "八成"}, {"attendance": "95%"}, {"attendance": "79%"}, set()),
    "sums not printed, inside": (*MEAN, {"fixed_rate": "60%"}, set()),
    "sums not printed, outside": (*MEAN, {"fixed_rate": "10%"}, {"overall"}),
}


def write_kinds(folder: Path, rules: str = RULES) -> Path:
    """Write the catalog and the rules of these tests."""
    units = ", ".join(
        f"{{unit_id: unit_{number}, name: 单位{number}, kind: 镇街}}" for number in range(1, len(CASES) + 1)
    )
    files = {
        "catalog/landing.yaml": "places: [{place_id: inbox, path: inbox, policy: collect}]",
        "catalog/testland/authority.yaml": AUTHORITY.format(units=units),
        "catalog/testland/forms/kinds.yaml": FORM,
        "catalog/testland/forms/sources.yaml": PARTNER,
        "expectations/testland/kinds.yaml": rules,
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


def write(path: Path, month: str, rows: dict[str, Figures]) -> Path:
    header = [
        "单位",
        *(
            f"{name}（万元）" if name.startswith(("罚款", "去年罚款")) and "同比" not in name else name
            for name in NAMES.values()
        ),
    ]
    return write_workbook(
        path, "执法综合统计表", header, [(name, *map(figures.get, NAMES)) for name, figures in rows.items()], month
    )


Found = dict[tuple[str, str], dict[str, tuple[Any, ...]]]  # by unit and period, by rule


@pytest.fixture(scope="module")
def found(server: LocalServer, template: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Found]:
    """Return the findings of all cases, in the database and at hand."""
    folder = tmp_path_factory.mktemp("kinds")
    definitions = write_kinds(folder)
    settings = settings_for(folder / "state", definitions, new_database(server, template))
    intake.prepare(settings)
    rows = {f"单位{number}": case.states for number, case in enumerate(CASES.values(), 1)}
    sources = [(f"单位{n}", *case.sources) for n, case in enumerate(CASES.values(), 1) if case.sources]
    files = [
        write(folder / "cases.xlsx", "2025年9月", rows),
        write_workbook(folder / "sources.xlsx", "案件来源统计表", ["单位", "举报", "检查发现"], sources),
        *(
            write(folder / f"{n}.xlsx", f"2024年{n}月", dict(zip(("单位1", "单位2", "合计"), stated, strict=True)))
            for n, (*stated, _) in enumerate(TOTALS.values(), 1)
        ),
    ]
    ingest(settings, *files)
    there: Found = {}
    with connect(settings) as connection:
        for unit, period, rule, *said in connection.execute(
            "select unit_id, period_id, rule_id, severity, stated, expected, cells, message from quality.findings"
            " where origin <> 'reading'"
        ):
            there.setdefault((unit, period), {})[rule.removeprefix("kinds.")] = tuple(said)
    here: Found = {}
    for file in checking.check_files(definitions, [str(path) for path in files]).files:
        for f in file.findings:
            if not f.rule_id.startswith("reading."):
                said = (f.severity.value, f.stated, f.expected, f.cells, f.message)
                here.setdefault((f.unit or "", f.period or ""), {})[f.rule_id.removeprefix("kinds.")] = said
    return {"in the database": there, "at hand": here}


@pytest.mark.parametrize("where", ["in the database", "at hand"])
@pytest.mark.parametrize("name", CASES)
def test_a_row_trips_exactly_the_rules_it_breaks(found: dict[str, Found], name: str, where: str) -> None:
    unit = f"unit_{list(CASES).index(name) + 1}"
    assert set(found[where].get((unit, "2025-09"), {})) == CASES[name].trips


@pytest.mark.parametrize("where", ["in the database", "at hand"])
@pytest.mark.parametrize("name", TOTALS)
def test_a_total_row_trips_exactly_the_rules_it_breaks(found: dict[str, Found], name: str, where: str) -> None:
    period = f"2024-{list(TOTALS).index(name) + 1:02}"
    assert set(found[where].get(("all_units", period), {})) == TOTALS[name][-1]


def test_both_say_the_same_words(found: dict[str, Found]) -> None:
    assert found["in the database"] == found["at hand"]


@pytest.mark.parametrize(
    ("name", "rule", "severity", "stated", "expected", "said"),
    [
        ("partitions that do not", "ways", "error", "7", "8", "现场＋非现场为 7，矿山＋工贸为 8"),
        ("the last of three that differs", "ways_and_sources", "error", "7", "8", "检查发现为 7，立案为 8"),
        ("no base that is whole", "whole", "error", "29.3%", "27.9%", "基数为 42 时是 31.0%，为 43 时是 27.9%"),
        ("a wrong change", "visits", "error", "14", "15", "检查 55 减去年检查 40"),
        ("a wrong percentage", "visits_percent", "error", "38.5%", "37.5%", "基数 40"),
        ("amounts off by more", "fines", "question", "2.17", "2.15", "减去年罚款 10.2"),
        ("three without a base that differ", "deaths_percent", "error", "-66.7%", "-40.0%", "死亡 3、基数 5"),
        ("enough found and none fixed", "none_fixed", "question", "0", "> 0", "排查共 5，整改却为 0"),
    ],
)
def test_a_finding_says_what_was_stated_and_what_it_should_be(
    found: dict[str, Found], name: str, rule: str, severity: str, stated: str, expected: str, said: str
) -> None:
    unit = f"unit_{list(CASES).index(name) + 1}"
    *words, cells, message = found["in the database"][unit, "2025-09"][rule]
    assert words == [severity, stated, expected]
    assert said in message
    assert cells.startswith("Sheet1!")


def test_the_mean_of_rates_is_a_remark_beside_the_error_that_has_the_right_rate(found: dict[str, Found]) -> None:
    said = found["in the database"]["all_units", "2024-02"]
    assert said["rate"][:3] == ("error", "60%", "33%")
    assert said["overall_mean"][:3] == ("notice", "60%", "33%")
    assert "所列 2 个单位比率的平均数" in said["overall_mean"][4]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{rule_id: a, kind: partitions_agree, partitions: [[on_site]]}", "partitions"),
        ("{rule_id: a, kind: partitions_agree, partitions: [[on_site], []]}", "partitions.1"),
        ("{rule_id: a, kind: partitions_agree, partitions: [[on_site], [nowhere]]}", "has no indicator 'nowhere'"),
        ("{rule_id: a, kind: whole_base, value: fines, change: fines_change}", "expected a count"),
        ("{rule_id: a, kind: whole_base, value: sources.seen, change: cases_change}", "indicators of form kinds"),
        ("{rule_id: a, kind: change_triple, value: cases, delta: cases_change}", "percent"),
        (
            "{rule_id: a, kind: change_triple, value: cases, delta: sources.seen, percent: cases_change}",
            "of form kinds",
        ),
        ("{rule_id: a, kind: overall_rate, rate: cases}", "rate: expected a rate of form kinds"),
        ("{rule_id: a, kind: never_fixed, found: [found], fixed: [nothing]}", "has no indicator 'nothing'"),
        ("{rule_id: a, kind: never_fixed, found: [found], fixed: [fixed], severity: error}", "severity"),
        ("{rule_id: a, kind: never_fixed, found: [found], fixed: [fixed], minimum: 0}", "minimum"),
    ],
)
def test_a_rule_that_is_wrong_is_refused_by_name(tmp_path: Path, rule: str, said: str) -> None:
    write_kinds(tmp_path, f"form: kinds\nrules:\n  - {rule}\n")
    with pytest.raises(CatalogError) as refused:
        load_suites(tmp_path, load_catalog(tmp_path))
    assert "expectations/testland/kinds.yaml" in str(refused.value) and said in str(refused.value)


def test_an_overall_rate_needs_a_total_row(tmp_path: Path) -> None:
    write_kinds(tmp_path, "form: kinds\nrules: [{rule_id: a, kind: overall_rate, rate: fixed_rate}]")
    form = tmp_path / "catalog/testland/forms/kinds.yaml"
    form.write_text("\n".join(line for line in FORM.splitlines() if "total_row" not in line), encoding="utf-8")
    with pytest.raises(CatalogError, match="declares no total_row"):
        load_suites(tmp_path, load_catalog(tmp_path))
