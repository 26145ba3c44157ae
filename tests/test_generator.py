"""Generated workbooks: read without a finding, value by value, and contradicting no rule, whatever the catalog."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from enforcement_reporting import generator, intake
from enforcement_reporting.catalog import load_catalog, resolve
from enforcement_reporting.generator import GenerationError, Submission, Workbook
from enforcement_reporting.quality import check_submissions
from enforcement_reporting.quality.declared import (
    AmountCount,
    Equal,
    NotApplicable,
    PartWhole,
    Rate,
    StatedChange,
    Sum,
    Total,
    declared_suites,
)
from enforcement_reporting.settings import PROJECT_ROOT, Settings
from enforcement_reporting.warehouse import connect
from enforcement_reporting.workbook import Reader

CATALOG = load_catalog(PROJECT_ROOT)
READER = Reader(CATALOG)
AUTHORITIES = sorted({form.authority_id for form in CATALOG.tables})
PERIODS = 3

# A scheme of one of the authorities was counted from April on: its form has no earlier period.
STARTS = {"kezhou": date(2025, 4, 1)}


def generated(authority: str, definitions: Path = PROJECT_ROOT, **options: Any) -> list[Workbook]:
    options = {"periods": PERIODS, "starting": STARTS.get(authority), "seed": 7} | options
    return list(generator.workbooks(definitions, authority=authority, **options))


def submissions(workbooks: list[Workbook]) -> Iterator[Submission]:
    return (item for workbook in workbooks for sheet in workbook.sheets for item in sheet)


Key = tuple[str, str, str, str]


def stated(workbooks: list[Workbook]) -> dict[Key, dict[str, Decimal | None]]:
    """Return the numbers by submission and indicator; a mark such as — is no number."""
    return {
        (item.form.form_id, item.unit_id, item.period.period_id, item.row_role): {
            f"{item.form.form_id}.{name}": figure if isinstance(figure, Decimal) else None
            for name, figure in item.figures.items()
        }
        for item in submissions(workbooks)
    }


@pytest.mark.parametrize("layout", ["unit", "consolidated"])
@pytest.mark.parametrize("authority", AUTHORITIES)
def test_generated_workbooks_are_read_without_a_finding_and_every_value_comes_back(authority, layout):
    workbooks = generated(authority, layout=layout)
    forms = {form.form_id for form in CATALOG.tables if form.authority_id == authority}
    assert {item.form.form_id for item in submissions(workbooks)} == forms

    read: dict[Key, dict[str, Decimal | None]] = {}
    for workbook in workbooks:
        found = READER.read(workbook.content(), workbook.file_name)
        findings = [*found.file_findings, *(item for items in found.sheet_findings.values() for item in items)]
        findings += [finding for item in found.submissions for finding in item.findings]
        assert [finding.message() for finding in findings] == []
        for item in found.submissions:
            key = (item.form_id, item.unit_id, item.period.period_id, item.row_role)
            read[key] = {observation.indicator_id: observation.value for observation in item.observations}
    assert read == stated(workbooks)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("authority", AUTHORITIES)
def test_generated_figures_contradict_no_rule(authority, seed):
    assert list(contradictions(generated(authority, seed=seed))) == []


@pytest.mark.parametrize("authority", AUTHORITIES)
def test_printed_totals_contradict_no_rule(authority):
    assert list(contradictions(generated(authority, layout="consolidated"))) == []


@pytest.mark.parametrize("authority", AUTHORITIES)
def test_cumulative_figures_never_fall_inside_their_window(authority):
    latest: dict[tuple[str, str, str, date], Decimal] = {}
    compared = 0
    for item in submissions(generated(authority, periods=4 if authority != "kezhou" else 9)):
        for indicator in item.form.indicators:
            figure = item.figures[indicator.indicator_id]
            if isinstance(figure, Decimal) and indicator.measure_kind == "flow":
                assert figure >= 0
                if item.form.figures_of(indicator) == "cumulative":
                    key = (item.unit_id, item.form.form_id, indicator.indicator_id, item.period.accumulates_from)
                    compared += key in latest
                    assert figure >= latest.get(key, 0), key
                    latest[key] = figure
    assert compared or authority == "alar"


def test_the_database_finds_nothing_in_generated_workbooks(warehouse: Settings, tmp_path: Path):
    intake.prepare(warehouse)
    options: dict[str, Any] = {"seed": 3, "periods": 2}
    paths = [
        *generator.generate(PROJECT_ROOT, tmp_path / "a", authority="kezhou", starting=date(2025, 4, 1), **options),
        *generator.generate(PROJECT_ROOT, tmp_path / "b", authority="licheng", layout="consolidated", **options),
        *generator.generate(PROJECT_ROOT, tmp_path / "c", authority="zhumadian", layout="consolidated", **options),
        *generator.generate(PROJECT_ROOT, tmp_path / "d", authority="alar", **options),
    ]
    intake.ingest_files(warehouse, map(str, paths), "collect", datetime(2025, 7, 1, tzinfo=UTC))
    checked = check_submissions(warehouse)
    with connect(warehouse) as connection:
        assert connection.execute("select message from quality.findings").fetchall() == []
    assert checked.outcomes == {"accepted": checked.submissions}
    assert checked.submissions > 100


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    first, again, other = (
        [(workbook.file_name, workbook.content()) for workbook in generated("kezhou", units=2, periods=2, seed=seed)]
        for seed in (5, 5, 6)
    )
    assert first == again
    assert [name for name, _ in first] == [name for name, _ in other]
    assert all(ours != theirs for (_, ours), (_, theirs) in zip(first, other, strict=True))


@pytest.mark.parametrize("authority", ["kezhou", "zhumadian"])
def test_what_a_unit_states_does_not_depend_on_how_much_is_asked_for(authority):
    everything = stated(generated(authority, periods=4, starting=date(2025, 3, 1)))
    unit_id = CATALOG.authority_by_id[authority].reporting_units[1].unit_id
    form_id = next(form.form_id for form in CATALOG.tables if form.authority_id == authority)
    a_little = stated(
        generated(authority, periods=1, starting=date(2025, 6, 1), units=[unit_id], forms=[form_id], seed=7)
    )
    assert list(a_little) == [(form_id, unit_id, "2025-M01-M06", "unit")]
    assert a_little.items() <= everything.items()


def test_every_workbook_says_that_it_is_synthetic():
    for workbook in (*generated("kezhou", units=1, periods=1), *generated("licheng", periods=1, layout="consolidated")):
        with zipfile.ZipFile(io.BytesIO(workbook.content())) as archive:
            assert archive.read("docProps/core.xml").decode().count("合成数据，仅供演示") >= 2
            assert "合成数据，仅供演示" in archive.read("xl/sharedStrings.xml").decode()
            sheets = [archive.read(name).decode() for name in archive.namelist() if "worksheets/sheet" in name]
        assert len(sheets) == len(workbook.sheets)
        assert all('<c r="A1" s="1" t="s"><v>0</v>' in sheet for sheet in sheets)


def test_figures_can_be_altered_before_they_are_written():
    def one_more(submission: Submission) -> None:
        submission.figures["post_exams_count"] += 1

    workbooks = generated("kezhou", forms=["kezhou_exam_posts"], revise=one_more)
    assert {rule for rule, *_ in contradictions(workbooks)} == {"posts_total"}


def test_what_is_asked_for_and_does_not_exist_is_named():
    for options, message in (
        ({"authority": "nowhere"}, "authority: expected one of"),
        ({"authority": "alar", "units": 2}, "units: expected from 1 to 1"),
        ({"authority": "alar", "units": ["kezhou_benji"]}, "units: 'kezhou_benji' is no reporting unit of alar"),
        ({"authority": "alar", "forms": ["kezhou_plan"]}, "forms: 'kezhou_plan' is no form of alar"),
        ({"authority": "licheng", "periods": 100}, "periods: expected from 1 to "),
    ):
        with pytest.raises(GenerationError, match=message):
            list(generator.workbooks(PROJECT_ROOT, **options))


FORM = """
form_id: demo
authority_id: demo
title: 示范统计表
calendar: {kind: month}
figures: cumulative
indicators:
  - {indicator_id: a, label: [甲], unit_of_measure: 件}
  - {indicator_id: b, label: [乙], unit_of_measure: 件}
  - {indicator_id: c, label: [丙], unit_of_measure: 件}
  - {indicator_id: all, label: [合计], unit_of_measure: 件}
  - {indicator_id: month, label: [本月合计], unit_of_measure: 件, figures: single, counterpart: all}
  - {indicator_id: growth, label: [本月环比], unit_of_measure: "%", measure_kind: rate}
  - {indicator_id: more, label: [比上年同期], unit_of_measure: 件, measure_kind: rate}
"""

RULES: dict[str, list[dict[str, Any]]] = {
    "two_partitions_of_one_total": [
        {"rule_id": "one", "kind": "sum", "parts": ["a", "b"], "whole": "all"},
        {"rule_id": "other", "kind": "sum", "parts": ["b", "c"], "whole": "all"},
    ],
    "a_circle": [
        {"rule_id": "one", "kind": "part_whole", "parts": ["a"], "whole": ["b"]},
        {"rule_id": "two", "kind": "part_whole", "parts": ["b"], "whole": ["c"]},
        {"rule_id": "three", "kind": "part_whole", "parts": ["c"], "whole": ["a"]},
    ],
    "only_zero_will_do": [{"rule_id": "one", "kind": "part_whole", "parts": ["a", "b"], "whole": ["a"]}],
    "over_time": [
        {"rule_id": "no_fall", "kind": "not_falling"},
        {"rule_id": "adds_up", "kind": "accumulates"},
        {"rule_id": "growth", "kind": "stated_change", "stated": "growth", "of": "month", "against": "previous"},
        {"rule_id": "more", "kind": "stated_change", "stated": "more", "of": "all", "against": "year_ago"}
        | {"measured_in": "units"},
    ],
    "both_ways": [{"rule_id": "one", "kind": "amount_count", "amount": ["a"], "count": ["b", "c"], "and_back": True}],
}


def write_demo(tmp_path: Path, rules: list[dict[str, Any]]) -> None:
    (tmp_path / "catalog" / "demo" / "forms").mkdir(parents=True)
    (tmp_path / "expectations").mkdir()
    landing = "places: [{place_id: inbox, path: inbox, policy: collect}]"
    (tmp_path / "catalog" / "landing.yaml").write_text(landing)
    authority = "{authority_id: demo, name: 局, units: {unit_id: z, name: 全区, kind: 汇总, members: [%s]}}"
    units = "{unit_id: x, name: 甲镇, kind: 镇}, {unit_id: y, name: 乙镇, kind: 镇}"
    (tmp_path / "catalog" / "demo" / "authority.yaml").write_text(authority % units)
    (tmp_path / "catalog" / "demo" / "forms" / "demo.yaml").write_text(FORM)
    (tmp_path / "expectations" / "demo.yaml").write_text(yaml.safe_dump({"form": "demo", "rules": rules}))


@pytest.mark.parametrize("name", RULES)
def test_rules_that_lean_on_one_another_are_all_kept(name, tmp_path):
    write_demo(tmp_path, RULES[name])
    catalog = load_catalog(tmp_path)

    workbooks = generated("demo", tmp_path, periods=14)
    assert list(contradictions(workbooks, tmp_path)) == []
    before: dict[tuple[str, date], Any] = {}
    for item in submissions(workbooks):
        window = item.unit_id, item.period.accumulates_from
        assert item.figures["month"] == item.figures["all"] - before.get(window, 0)
        before[window] = item.figures["all"]
    assert any(item.figures["c"] for item in submissions(workbooks))
    if name == "over_time":
        assert all(item.figures["more"] is not None for item in submissions(workbooks))
    read = Reader(catalog).read(workbooks[0].content(), workbooks[0].file_name)
    assert [finding.message() for finding in read.file_findings] == []


def test_a_rule_that_cannot_be_kept_is_named(tmp_path):
    write_demo(tmp_path, RULES["a_circle"])
    form = tmp_path / "catalog" / "demo" / "forms" / "demo.yaml"
    form.write_text(
        form.read_text() + "  - {indicator_id: one, label: [其一], unit_of_measure: 件, measure_kind: rate}\n"
    )
    rules = [
        {"rule_id": "share", "kind": "rate", "stated": "growth", "numerator": ["a"], "denominator": ["b"]},
        {"rule_id": "other", "kind": "rate", "stated": "one", "numerator": ["a"], "denominator": ["all"], "scale": 1},
        {"rule_id": "never", "kind": "equal_across_forms", "left": "growth", "right": "one"},
    ]
    (tmp_path / "expectations" / "demo.yaml").write_text(yaml.safe_dump({"form": "demo", "rules": rules}))
    with pytest.raises(GenerationError, match=r"rule demo\.never: "):
        generated("demo", tmp_path)


def contradictions(workbooks: list[Workbook], definitions: Path = PROJECT_ROOT) -> Iterator[tuple[str, ...]]:
    """Yield each declared rule that a submission breaks, evaluated independently of how figures are generated."""
    catalog = load_catalog(definitions)
    suites = {suite.form: suite.rules for _, suite in declared_suites(definitions)}
    together: dict[tuple[str, str, str], dict[tuple[str, str], Any]] = {}
    for item in submissions(workbooks):
        row = together.setdefault((item.unit_id, item.period.period_id, item.row_role), {})
        row.update({(item.form.form_id, name): figure for name, figure in item.figures.items()})
    kinds = {unit.unit_id: unit.kind for authority in catalog.authorities for unit in authority.units.tree()}
    rows_of_table: dict[int, list[Submission]] = {}
    for workbook in workbooks:
        for sheet in workbook.sheets:
            rows_of_table |= {id(item): sheet for item in sheet}

    for item in submissions(workbooks):
        figures = together[item.unit_id, item.period.period_id, item.row_role]

        def numbers(references: Any, item: Submission = item, figures: Any = figures) -> list[Decimal] | None:
            """Return the figures of all references; None where one of the forms was not reported."""
            places = [resolve(reference, item.form.form_id) for reference in references]
            if any(place not in figures for place in places):
                return None
            return [figures[place] if isinstance(figures[place], Decimal) else Decimal(0) for place in places]

        for rule in suites.get(item.form.form_id, ()):
            broken = False
            match rule:
                case PartWhole():
                    parts, whole = numbers(rule.parts), numbers(rule.whole)
                    broken = parts is not None and whole is not None and sum(parts) > sum(whole)
                case Sum():
                    parts, whole = numbers(rule.parts), numbers([rule.whole])
                    broken = parts is not None and whole is not None and sum(parts) != sum(whole)
                case Equal():
                    left, right = numbers([rule.left]), numbers([rule.right])
                    broken = left is not None and right is not None and left != right
                case AmountCount():
                    amount, count = numbers(rule.amount), numbers(rule.count)
                    if amount is not None and count is not None:
                        broken = sum(amount) > 0 and sum(count) == 0
                        broken |= rule.and_back and sum(count) > 0 and sum(amount) == 0
                case Rate():
                    over, under = numbers(rule.numerator), numbers(rule.denominator)
                    if over is not None and under is not None:
                        shown = item.figures[resolve(rule.stated, item.form.form_id)[1]]
                        if sum(under):
                            exact = rule.scale * Decimal(sum(over)) / sum(under)
                            broken = shown != exact.quantize(Decimal("0.01"), ROUND_HALF_UP)
                        else:
                            broken = isinstance(shown, Decimal)
                case NotApplicable():
                    for name in rule.indicators:
                        indicator = next(i for i in item.form.indicators if i.indicator_id == name)
                        if item.row_role == "unit" and kinds[item.unit_id] not in indicator.applies_to:
                            broken |= item.figures[name] is not None
                case StatedChange():
                    figure, value = (item.figures[resolve(name, "")[1]] for name in (rule.stated, rule.of))
                    previous, year_ago = item.period.previous_period_id, item.period.year_ago_period_id
                    base_id = previous if rule.against == "previous" else year_ago
                    base = together.get((item.unit_id, base_id, "unit"), {}).get((item.form.form_id, rule.of))
                    if base is not None and (base or rule.measured_in != "percent"):
                        exact = value - base
                        exact = 100 * exact / abs(base) if rule.measured_in == "percent" else exact
                        broken = figure != exact.quantize(Decimal("0.01"), ROUND_HALF_UP)
                case Total() if item.row_role == "total":
                    for indicator in item.form.indicators:
                        if indicator.measure_kind in ("flow", "stock"):
                            rows = [row for row in rows_of_table[id(item)] if row.row_role == "unit"]
                            added = sum(row.figures[indicator.indicator_id] or 0 for row in rows)
                            broken |= added != item.figures[indicator.indicator_id]
            if broken:
                yield rule.rule_id, item.form.form_id, item.unit_id, item.period.period_id
