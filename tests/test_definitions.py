"""The definitions of this repository agree with each other, and a definition that is wrong is refused by name."""

from __future__ import annotations

import csv
import re
import unicodedata
from copy import deepcopy
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from enforcement_reporting.catalog import (
    CalendarDefinition,
    Catalog,
    CatalogError,
    Deadline,
    Form,
    Indicator,
    load_catalog,
    resolve,
)
from enforcement_reporting.periods import CalendarKind
from enforcement_reporting.quality import load_timeliness
from enforcement_reporting.quality.declared import TIMELINESS, Rate, declared_suites
from enforcement_reporting.quality.rules import Suite, load_suites

ROOT = Path(__file__).resolve().parents[1]
TABLES = ROOT / "examples" / "tables"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(ROOT)


@pytest.fixture(scope="module")
def suites(catalog: Catalog) -> dict[str, Suite]:
    """Return the suites by form, those within it and those across forms as one."""
    found: dict[str, Suite] = {}
    for suite in load_suites(ROOT, catalog):
        other = found.get(suite.form.form_id)
        found[suite.form.form_id] = replace(other, checks=other.checks + suite.checks) if other else suite
    return found


def test_every_form_has_a_suite(catalog: Catalog, suites: dict[str, Suite]) -> None:
    assert suites.keys() == catalog.form_by_id.keys()


def test_every_definition_stands_under_its_authority_and_bears_its_own_name(catalog: Catalog) -> None:
    declared = {(form.authority_id, form.form_id) for form in catalog.forms}
    forms = {(path.parts[-3], path.stem) for path in (ROOT / "catalog").glob("*/forms/*.yaml")}
    expectations = {(path.parts[-2], path.stem) for path, _ in declared_suites(ROOT)}
    assert forms == declared
    assert expectations == declared
    owed = {path.parts[-2] for path in (ROOT / "expectations").rglob(TIMELINESS)}
    assert owed <= {authority.authority_id for authority in catalog.authorities}
    for authority in catalog.authorities:
        assert {unit.unit_id.split("_")[0] for unit in authority.units.tree()} == {authority.authority_id}


def test_every_rate_that_a_form_states_is_recomputed(catalog: Catalog, suites: dict[str, Suite]) -> None:
    for form in catalog.tables:
        rates = {item.indicator_id for item in form.indicators if item.measure_kind == "rate"}
        assert rates == {column.indicator_id for column in suites[form.form_id].stated_rates}, form.form_id


def test_a_stated_rate_is_checked_against_the_same_division_as_its_metric(catalog: Catalog) -> None:
    metrics = {
        (frozenset(metric.terms()), metric.scale): metric.unit_of_measure
        for metric in catalog.metrics
        if metric.denominator
    }
    tables = {form.form_id for form in catalog.tables}
    for path, suite in declared_suites(ROOT):
        for rule in suite.rules:
            if isinstance(rule, Rate) and suite.form in tables:
                terms = frozenset(
                    (role, *resolve(reference, suite.form))
                    for role, references in (("numerator", rule.numerator), ("denominator", rule.denominator))
                    for reference in references
                )
                unit_of_measure = indicator(catalog, *resolve(rule.stated, suite.form)).unit_of_measure
                assert metrics.get((terms, rule.scale)) == unit_of_measure, f"{path}: {rule.rule_id}"


def test_every_total_row_is_added_up(catalog: Catalog, suites: dict[str, Suite]) -> None:
    for form in catalog.forms:
        kinds = {check.rule_kind for check in suites[form.form_id].checks}
        assert ("total_row" in kinds) == (form.total_row is not None), form.form_id


def test_what_does_not_apply_to_every_unit_is_checked_for_being_left_out(
    catalog: Catalog, suites: dict[str, Suite]
) -> None:
    for form in catalog.forms:
        restricted = {item.indicator_id for item in form.indicators if item.applies_to}
        checked = {
            column.indicator_id
            for check in suites[form.form_id].checks
            if check.rule_kind == "not_applicable"
            for column in check.columns
        }
        assert checked == restricted, form.form_id


def test_indicators_have_names_of_their_own_and_counting_rules_have_sources(catalog: Catalog) -> None:
    for form in catalog.tables:
        names = [item.name for item in form.indicators]
        assert None not in names and len(set(names)) == len(names), form.form_id
        for item in form.indicators:
            assert (item.counting_rule is None) == (item.counting_rule_source is None), item.indicator_id


def test_every_column_and_every_row_of_the_example_tables_is_declared(catalog: Catalog) -> None:
    unmatched: list[str] = []
    for path in sorted(TABLES.glob("*/*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = list(csv.reader(file))
        (unit_column,) = (number for number, column in enumerate(header) if column in ("名称", "单位", "地区/部门"))
        columns = [plain(column) for number, column in enumerate(header) if number != unit_column]
        forms = [form for form in catalog.tables if form.authority_id == path.parent.name and fits(form, columns)]
        if len(forms) != 1:
            unmatched.append(f"{path}: {len(forms)} forms")
            continue
        names = known_names(catalog, forms[0])
        unmatched += [f"{path}: {row[unit_column]}" for row in rows if row[unit_column] not in names]
    assert unmatched == []


def indicator(catalog: Catalog, form_id: str, indicator_id: str) -> Indicator:
    return next(item for item in catalog.form_by_id[form_id].indicators if item.indicator_id == indicator_id)


def fits(form: Form, columns: list[str]) -> bool:
    """Return whether every column is an indicator of the form, every indicator a column."""
    paths = [{plain(" > ".join(path)) for path in (item.label, *item.aliases)} for item in form.indicators]
    return len(paths) == len(columns) and all(any(column in path for path in paths) for column in columns)


def known_names(catalog: Catalog, form: Form) -> set[str]:
    units = catalog.authority_by_id[form.authority_id].reporting_units
    totals = form.total_row.labels if form.total_row else ()
    return {name for unit in units for name in (unit.name, *unit.aliases)} | set(totals)


def plain(path: str) -> str:
    """Return a printed header path without units of measure in parentheses and without differences of width."""
    folded = unicodedata.normalize("NFKC", path)
    return re.sub(r"\s|\((?:宗|万元|家次)\)(?= >|$)", "", folded)


# A catalog as small as it can be, and one thing wrong with it at a time.

LANDING = "catalog/landing.yaml"
AUTHORITY = "catalog/demo/authority.yaml"
FORM = "catalog/demo/forms/demo_checks.yaml"
METRICS = "catalog/demo/metrics.yaml"
SCOREBOARDS = "catalog/demo/scoreboards.yaml"
SUITE = "expectations/demo/demo_checks.yaml"

GOOD: dict[str, Any] = {
    LANDING: {"places": [{"place_id": "inbox", "path": "inbox", "policy": "collect"}]},
    AUTHORITY: {
        "authority_id": "demo",
        "name": "某市应急管理局",
        "units": {
            "unit_id": "demo_all",
            "name": "全市",
            "kind": "汇总",
            "members": [
                {"unit_id": "demo_east", "name": "东县", "kind": "县区"},
                {"unit_id": "demo_west", "name": "西县", "kind": "县区"},
            ],
        },
    },
    FORM: {
        "form_id": "demo_checks",
        "authority_id": "demo",
        "title": "检查情况统计表",
        "calendar": {"kind": "month"},
        "figures": "single",
        "unit_labels": ["单位"],
        "total_row": {"labels": ["合计"], "states": "demo_all"},
        "indicators": [
            {"indicator_id": "inspections_count", "label": ["检查"], "unit_of_measure": "家次"},
            {"indicator_id": "fines_10k_yuan", "label": ["罚款"], "unit_of_measure": "万元"},
        ],
    },
    METRICS: {
        "metrics": [
            {
                "metric_id": "demo_fines",
                "name": "罚款",
                "form": "demo_checks",
                "unit_of_measure": "万元",
                "numerator": ["fines_10k_yuan"],
            }
        ]
    },
    SCOREBOARDS: {
        "scoreboards": [
            {
                "scoreboard_id": "demo_board",
                "name": "评比",
                "form": "demo_checks",
                "items": [
                    {"item_id": "fines", "name": "罚款", "indicator": "fines_10k_yuan", "points": {"top": 2}},
                ],
            }
        ]
    },
    SUITE: {
        "form": "demo_checks",
        "rules": [
            {
                "rule_id": "fines_need_inspections",
                "kind": "amount_count",
                "amount": ["fines_10k_yuan"],
                "count": ["inspections_count"],
                "message": "罚款 {stated}，检查 {found}",
            }
        ],
    },
}

MISSING = object()
INDICATOR = ("indicators", 0)
RULE = ("rules", 0)
ITEM = ("scoreboards", 0, "items", 0)
CHECKS, FINES = GOOD[FORM]["indicators"]
EAST, WEST = GOOD[AUTHORITY]["units"]["members"]


def grouped(**group: Any) -> list[Any]:
    return [{"name": "按行业", "groups": [{"group_id": "demo_group", "name": "组", **group}]}]


def listed(**period: Any) -> dict[str, Any]:
    first = {"period_id": "one", "name": "第一阶段", "starts_on": "2025-01-01", "ends_on": "2025-03-31"}
    second = {"period_id": "two", "name": "第二阶段", "starts_on": "2025-04-01", "ends_on": "2025-06-30", **period}
    return {"kind": "list", "periods": [first, second]}


# where: file and key; what is written there; what the refusal must say besides the file.
DEADLINE = ("deadlines.0", "exactly one of working_day, day, days_after and dates")
BAD = {
    "a misspelt key": (AUTHORITY, ("authorty_id",), "demo", ("authorty_id", "not permitted")),
    "a missing unit of measure": (FORM, (*INDICATOR, "unit_of_measure"), MISSING, ("unit_of_measure", "required")),
    "an id that is no name": (FORM, (*INDICATOR, "indicator_id"), "检查数", ("indicators.0.indicator_id", "pattern")),
    "a label used twice": (FORM, (*INDICATOR, "label"), ["罚款"], ("label", "罚款", "declared twice")),
    "a unit name used twice": (AUTHORITY, ("units", "members", 0, "name"), "西县", ("西县", "declared twice")),
    "a unit id used twice": (AUTHORITY, ("units", "members", 0, "unit_id"), "demo_west", ("unit_id", "declared twice")),
    "an unknown calendar": (FORM, ("calendar", "kind"), "fortnight", ("calendar.kind", "year_to_date", "fortnight")),
    "a campaign without a first day": (FORM, ("calendar", "kind"), "campaign", ("calendar", "starts_on is needed")),
    "a campaign without issues": (
        FORM,
        ("calendar",),
        {"kind": "campaign", "starts_on": "2023-05-01"},
        ("calendar", "issues are needed"),
    ),
    "issues out of order": (
        FORM,
        ("calendar",),
        {"kind": "campaign", "starts_on": "2023-05-01", "issues": ["2023-09-12", "2023-09-04"]},
        ("calendar", "issues: expected days after starts_on (2023-05-01), each later than the one before"),
    ),
    "a summary that the calendar cannot have": (
        FORM,
        ("calendar",),
        {"kind": "week", "summaries": ["month"]},
        ("calendar", "summaries: possible for a week calendar: none; found month"),
    ),
    "a listed period with an id that is none": (
        FORM,
        ("calendar",),
        {"kind": "list", "periods": [{"period_id": "1/2", "name": "一", "starts_on": "2025-01-01"}]},
        ("calendar.periods.0.period_id", "pattern", "calendar.periods.0.ends_on"),
    ),
    "a month that begins on a day some months lack": (
        FORM,
        ("calendar",),
        {"kind": "month", "month_starts_on": 31},
        ("calendar", "month_starts_on: expected a day that every month has"),
    ),
    "a list without periods": (FORM, ("calendar",), {"kind": "list"}, ("calendar", "periods are needed")),
    "a list counted from a day": (
        FORM,
        ("calendar",),
        listed() | {"counted_from": "2025-02-01"},
        ("calendar", "counted_from is not for a list"),
    ),
    "a listed period that stands twice": (
        FORM,
        ("calendar",),
        listed(period_id="one"),
        ("calendar", "periods: one: an earlier one has the same period_id"),
    ),
    "a listed period that ends before it begins": (
        FORM,
        ("calendar",),
        listed(ends_on="2025-03-01"),
        ("calendar", "periods: two: expected starts_on not after ends_on"),
    ),
    "a listed period that accumulates from a later day": (
        FORM,
        ("calendar",),
        listed(accumulates_from="2025-05-01"),
        ("calendar", "periods: two: expected accumulates_from not after starts_on"),
    ),
    "a listed period a year after one that is none": (
        FORM,
        ("calendar",),
        listed(year_ago="2024"),
        ("calendar", "periods: two: year_ago: expected a period of the list"),
    ),
    "a quarter that begins in the middle of a month": (
        FORM,
        ("calendar",),
        {"kind": "quarter", "month_starts_on": 25},
        ("calendar", "month_starts_on is for a calendar of months only"),
    ),
    "a month counted from a day far off": (
        FORM,
        ("calendar", "counted_from"),
        "1999-01-01",
        ("calendar", "expected days from 2010 to 2045, found 1999-01-01"),
    ),
    "a summary that stands twice": (
        FORM,
        ("calendar", "summaries"),
        ["quarter", "quarter"],
        ("calendar", "summaries: one of them stands twice"),
    ),
    "a unit within one that is none": (
        AUTHORITY,
        ("units", "members", 0, "within"),
        "demo_north",
        ("'demo_north'", "expected a unit that reports"),
    ),
    "a unit within a group": (
        AUTHORITY,
        ("units", "members", 0, "within"),
        "demo_all",
        ("'demo_all'", "expected a unit that reports"),
    ),
    "a unit within itself": (
        AUTHORITY,
        ("units", "members", 0, "within"),
        "demo_east",
        ("within", "demo_east lies within itself"),
    ),
    "two units within each other": (
        AUTHORITY,
        ("units", "members"),
        [EAST | {"within": "demo_west"}, WEST | {"within": "demo_east"}],
        ("within", "lies within itself"),
    ),
    "a grouping without groups": (
        AUTHORITY,
        ("groupings",),
        [{"name": "按行业", "groups": []}],
        ("groupings.0.groups", "at least 1"),
    ),
    "a group of nothing": (AUTHORITY, ("groupings",), grouped(), ("groupings.0.groups.0", "expected units or kinds")),
    "a group of a unit that is none": (
        AUTHORITY,
        ("groupings",),
        grouped(units=["demo_north"]),
        ("'demo_north'", "expected a unit that reports"),
    ),
    "a group of a kind of unit that nobody is": (
        AUTHORITY,
        ("groupings",),
        grouped(kinds=["镇街"]),
        ("groupings.groups.kinds: no unit is of kind '镇街'", "县区"),
    ),
    "a group id used twice": (
        AUTHORITY,
        ("groupings",),
        grouped(kinds=["县区"]) * 2,
        ("unit_id 'demo_group' is declared twice",),
    ),
    "a group with the id of a unit": (
        AUTHORITY,
        ("groupings",),
        grouped(group_id="demo_east", kinds=["县区"]),
        ("unit_id 'demo_east' is declared twice",),
    ),
    "a stock that is cumulative": (
        FORM,
        INDICATOR,
        CHECKS | {"measure_kind": "stock", "figures": "cumulative"},
        ("inspections_count", "only a flow is cumulative or of one period"),
    ),
    "figures that are neither": (FORM, (*INDICATOR, "figures"), "both", ("indicators.0.figures", "cumulative", "both")),
    "a counterpart that is none": (
        FORM,
        INDICATOR,
        CHECKS | {"figures": "cumulative", "counterpart": "inspections_month"},
        ("inspections_count: counterpart: expected a flow of this form",),
    ),
    "a counterpart that is a stock": (
        FORM,
        ("indicators",),
        [CHECKS | {"figures": "cumulative", "counterpart": "fines_10k_yuan"}, FINES | {"measure_kind": "stock"}],
        ("inspections_count: counterpart: expected a flow of this form",),
    ),
    "a counterpart of the same figures": (
        FORM,
        (*INDICATOR, "counterpart"),
        "fines_10k_yuan",
        ("inspections_count: counterpart: expected one of the two cumulative and the other single",),
    ),
    "a counterpart of two": (
        FORM,
        ("indicators",),
        [
            CHECKS | {"figures": "cumulative", "counterpart": "fines_10k_yuan"},
            FINES,
            {
                "indicator_id": "cases_count",
                "label": ["立案"],
                "unit_of_measure": "起",
                "figures": "cumulative",
                "counterpart": "fines_10k_yuan",
            },
        ],
        ("counterpart 'fines_10k_yuan' is declared twice",),
    ),
    "a completion that is no percentage": (
        METRICS,
        ("metrics", 0, "against_schedule"),
        True,
        ("metrics.0", "against_schedule: expected a metric in %"),
    ),
    "a minimum denominator of an indicator": (
        SCOREBOARDS,
        (*ITEM, "minimum_denominator"),
        5,
        ("scoreboards.0.items.0", "minimum_denominator: expected a metric"),
    ),
    "an item named as the total": (SCOREBOARDS, (*ITEM, "item_id"), "total", ("scoreboards.0.items.0", "is taken")),
    "an unknown basis": (SCOREBOARDS, (*ITEM, "basis"), "monthly", ("scoreboards.0.items.0.basis", "single")),
    "an item of no weight": (SCOREBOARDS, (*ITEM, "weight"), 0, ("scoreboards.0.items.0.weight", "greater than 0")),
    "a weight that is no number": (SCOREBOARDS, (*ITEM, "weight"), "half", ("scoreboards.0.items.0.weight", "'half'")),
    "points that rise down the ranks": (
        SCOREBOARDS,
        (*ITEM, "points", "step"),
        -1,
        ("scoreboards.0.items.0.points.step", "greater than or equal to 0"),
    ),
    "an unknown rule for ties": (SCOREBOARDS, ("scoreboards", 0, "ties"), "mean", ("scoreboards.0.ties", "dense")),
    "an unknown time of receipt": (
        LANDING,
        ("places", 0, "received"),
        "in_name",
        ("places.0.received", "in_path", "in_name"),
    ),
    "a fall of what is not cumulative": (
        SUITE,
        RULE,
        {"rule_id": "no_fall", "kind": "not_falling", "indicators": ["fines_10k_yuan"]},
        ("rule no_fall", "fines_10k_yuan: expected a cumulative flow of form demo_checks"),
    ),
    "a fall of nothing": (
        SUITE,
        RULE,
        {"rule_id": "no_fall", "kind": "not_falling"},
        ("rule no_fall", "indicators: form demo_checks has no cumulative flows"),
    ),
    "months that add up to what has no counterpart": (
        SUITE,
        RULE,
        {"rule_id": "adds_up", "kind": "accumulates"},
        ("rule adds_up", "indicators: expected cumulative flows that have a counterpart"),
    ),
    "a change against a period that is none": (
        SUITE,
        RULE,
        {
            "rule_id": "change",
            "kind": "stated_change",
            "stated": "fines_10k_yuan",
            "of": "fines_10k_yuan",
            "against": "last",
        },
        ("rules.0", "against", "year_ago", "'last'"),
    ),
    "a change of nothing": (
        SUITE,
        RULE,
        {
            "rule_id": "change",
            "kind": "stated_change",
            "stated": "fines_10k_yuan",
            "of": "cases_count",
            "against": "previous",
        },
        ("rule change", "no indicator 'cases_count'"),
    ),
    "a total of no group": (FORM, ("total_row", "states"), "demo_east", ("total_row.states", "demo_all")),
    "a total row on a sheet of one unit": (FORM, ("unit_labels",), [], ("total_row needs unit_labels",)),
    "a kind of unit that nobody is": (FORM, (*INDICATOR, "applies_to"), ["镇街"], ("镇街", "known", "县区")),
    "a form of another authority": (FORM, ("authority_id",), "other", ("authority_id", "expected demo")),
    "an unknown landing policy": (LANDING, ("places", 0, "policy"), "keep", ("places.0.policy", "collect", "keep")),
    "a metric of nothing": (
        METRICS,
        ("metrics", 0, "numerator"),
        ["cases_count"],
        ("demo_fines", "demo_checks has no indicator 'cases_count'"),
    ),
    "a scoreboard item of two things": (
        SCOREBOARDS,
        ("scoreboards", 0, "items", 0, "metric"),
        "demo_fines",
        ("scoreboards.0.items.0", "either indicator or metric"),
    ),
    "a scoreboard item of no metric": (
        SCOREBOARDS,
        ("scoreboards", 0, "items", 0),
        {"item_id": "fines", "name": "罚款", "metric": "demo_rate", "points": {"top": 2}},
        ("demo_board.fines.metric", "no metric 'demo_rate'"),
    ),
    "an id with two underscores": (
        FORM,
        (*INDICATOR, "indicator_id"),
        "checks__count",
        ("indicator_id", "underscores"),
    ),
    "an id that ends in an underscore": (FORM, (*INDICATOR, "indicator_id"), "count_", ("indicator_id", "underscores")),
    "an indicator named as a fixed column": (
        FORM,
        (*INDICATOR, "indicator_id"),
        "rows_summed",
        ("indicators.0.indicator_id", "rows_summed is taken"),
    ),
    "a label that reads like another": (FORM, (*INDICATOR, "label"), ["罚 款（万元）"], ("罚款", "reads the same")),
    "an alias that reads like another unit": (
        AUTHORITY,
        ("units", "members", 0, "aliases"),
        ["西 县"],
        ("西 县", "reads the same", "demo_east"),
    ),
    "a unit that ends before it begins": (
        AUTHORITY,
        ("units", "members", 0),
        {"unit_id": "demo_east", "name": "东县", "kind": "县区", "valid_from": "2025-02-01", "valid_to": "2025-01-01"},
        ("units.members.0", "valid_from"),
    ),
    "a place declared twice": (
        LANDING,
        ("places",),
        [{"place_id": "inbox", "path": path, "policy": "collect"} for path in ("inbox", "other")],
        ("place_id", "inbox", "declared twice"),
    ),
    "a text where yes or no belongs": (FORM, (*INDICATOR, "optional"), "yes", ("indicators.0.optional", "'yes'")),
    "a text where a whole number belongs": (METRICS, ("metrics", 0, "scale"), "100", ("metrics.0.scale", "'100'")),
    "a fraction where a whole number belongs": (
        METRICS,
        ("metrics", 0, "decimals"),
        1.0,
        ("metrics.0.decimals", "1.0"),
    ),
    "a metric of no form": (
        METRICS,
        ("metrics", 0),
        GOOD[METRICS]["metrics"][0] | {"form": "demo_cases", "numerator": ["demo_checks.fines_10k_yuan"]},
        ("demo_fines.form", "demo_cases"),
    ),
    "a scoreboard of no form": (
        SCOREBOARDS,
        ("scoreboards", 0),
        {
            "scoreboard_id": "demo_board",
            "name": "评比",
            "form": "demo_cases",
            "items": [{"item_id": "fines", "name": "罚款", "metric": "demo_fines", "points": {"top": 2}}],
        },
        ("demo_board.form", "demo_cases"),
    ),
    "a scoreboard without a unit that is none": (
        SCOREBOARDS,
        ("scoreboards", 0, "excluded_units"),
        ["demo_north"],
        ("demo_board.excluded_units", "demo_north", "demo_east"),
    ),
    "a scoreboard of a kind of unit that nobody is": (
        SCOREBOARDS,
        ("scoreboards", 0, "unit_kinds"),
        ["镇街"],
        ("demo_board.unit_kinds", "镇街", "县区"),
    ),
    "a message with an open brace": (SUITE, (*RULE, "message"), "罚款 {stated", ("fines_need_inspections", "brace")),
    "a message with a brace too many": (SUITE, (*RULE, "message"), "{stated}}", ("fines_need_inspections", "brace")),
    "a suite of no form": (SUITE, ("form",), "demo_cases", ("form", "expected a form", "demo_cases")),
    "deadlines nobody knows from when": (
        FORM,
        ("deadlines",),
        [{"working_day": 3, "at": "17:30"}],
        ("deadlines and owed_from", "both"),
    ),
    "a deadline counted in two ways": (FORM, ("deadlines",), [{"working_day": 3, "day": 5, "at": "17:30"}], DEADLINE),
    "a deadline not counted at all": (FORM, ("deadlines",), [{"at": "17:30"}], DEADLINE),
    "an hour without quotation marks": (
        FORM,
        ("deadlines",),
        [{"working_day": 3, "at": 1050}],
        ("deadlines.0.at", "1050"),
    ),
    "an hour that no day has": (FORM, ("deadlines",), [{"working_day": 3, "at": "24:30"}], ("deadlines.0.at", "24:30")),
    "an unknown kind of rule": (SUITE, (*RULE, "kind"), "at_most", ("rules.0", "part_whole", "at_most")),
    "an unknown severity": (SUITE, (*RULE, "severity"), "warning", ("severity", "question", "warning")),
    "a rule about nothing": (
        SUITE,
        (*RULE, "count"),
        ["cases_count"],
        ("rule fines_need_inspections", "no indicator 'cases_count'"),
    ),
    "a message with a value nobody knows": (
        SUITE,
        (*RULE, "message"),
        "罚款 {amout}",
        ("rule fines_need_inspections", "{amout} is not known here", "stated"),
    ),
}


def write(folder: Path, definitions: dict[str, Any]) -> Path:
    for name, content in definitions.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return folder


def load(definitions: Path) -> tuple[Suite, ...]:
    return load_suites(definitions, load_catalog(definitions))


def changed(definitions: dict[str, Any], keys: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    result = deepcopy(definitions)
    place: Any = result
    for key in keys[:-1]:
        place = place[key]
    if value is MISSING:
        del place[keys[-1]]
    else:
        place[keys[-1]] = value
    return result


def test_the_small_catalog_is_accepted(tmp_path: Path) -> None:
    (suite,) = load(write(tmp_path, GOOD))
    assert suite.form.form_id == "demo_checks"


@pytest.mark.parametrize(("file", "keys", "value", "said"), BAD.values(), ids=BAD.keys())
def test_a_bad_definition_is_refused_with_file_key_and_expectation(
    tmp_path: Path, file: str, keys: tuple[str | int, ...], value: Any, said: tuple[str, ...]
) -> None:
    definitions = write(tmp_path, changed(GOOD, (file, *keys), value))
    with pytest.raises(CatalogError) as refusal:
        load(definitions)
    for words in (str(tmp_path / file), *said):
        assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("deadlines", "said"),
    [
        ([{"working_day": 3, "at": "17:30", "unit_kinds": ["镇街"]}], "no unit of kind '镇街' owes this form"),
        ([{"dates": {"2025-13": date(2026, 1, 5)}, "at": "17:30"}], "'2025-13' is no period of this form's calendar"),
        ([{"day": 5, "at": "17:30"}, {"day": 6, "at": "17:30"}], "deadlines.unit_kinds '*' is declared twice"),
    ],
)
def test_a_deadline_that_is_nobodys_is_refused(tmp_path: Path, deadlines: list[dict[str, Any]], said: str) -> None:
    form = GOOD[FORM] | {"deadlines": deadlines, "owed_from": date(2025, 1, 1)}
    with pytest.raises(CatalogError, match=re.escape(said)):
        load_catalog(write(tmp_path, GOOD | {FORM: form}))


def test_a_file_that_is_not_yaml_is_refused_by_name(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD) / FORM
    path.write_text("title: [检查\nform_id: demo_checks\n", encoding="utf-8")
    with pytest.raises(CatalogError, match=r"demo_checks\.yaml: not readable as YAML"):
        load(tmp_path)


def test_a_form_has_its_rules_in_one_file_only(tmp_path: Path) -> None:
    definitions = write(tmp_path, {**GOOD, "expectations/demo/more.yaml": GOOD[SUITE]})
    with pytest.raises(CatalogError, match=r"more\.yaml: the rules of form demo_checks are in .*demo_checks\.yaml"):
        load(definitions)


def test_a_folder_without_a_catalog_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"expected a folder with landing\.yaml"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title: 2025-13-45\n", "not readable as YAML: month must be in"),
        ("title: " + "[" * 3000 + "\n", "not readable as YAML"),
        ("form_id: demo_checks\ntitle: 一\ntitle: 二\n", "the key 'title' stands twice"),
        ("calendar: {kind: month, kind: year}\n", "the key 'kind' stands twice"),
    ],
)
def test_yaml_that_cannot_be_meant_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, GOOD) / FORM
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogError) as refusal:
        load(tmp_path)
    assert str(path) in str(refusal.value) and said in str(refusal.value)


@pytest.mark.parametrize("name", ["catalog/demo/forms/x.yaml", "expectations/demo/x.yaml"])
def test_a_folder_in_the_place_of_a_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (write(tmp_path, GOOD) / name).mkdir()
    with pytest.raises(CatalogError, match=r"x\.yaml: expected a file that can be read"):
        load(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "catalog/places.yaml",
        "catalog/demo/metric.yaml",
        "catalog/demo/form/x.yaml",
        "catalog/demo/forms/x.yml",
        "catalog/demo/forms/old/x.yaml",
        "expectations/demo/x.yml",
        "expectations/notes.txt",
    ],
)
def test_a_file_that_nothing_reads_is_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, GOOD) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a: 1\n", encoding="utf-8")
    with pytest.raises(CatalogError, match=r"not read by anything: expected .*(yaml|/)"):
        load(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "catalog/.git/config",
        "catalog/.git/x.yaml",
        "catalog/demo/.x.yaml",
        "catalog/demo/forms/._x.yaml",
        "expectations/.x/x.yaml",
    ],
)
def test_hidden_files_and_folders_are_passed_over(tmp_path: Path, name: str) -> None:
    sha256 = load_catalog(write(tmp_path, GOOD)).sha256
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\0")
    assert len(load(tmp_path)) == 1
    assert load_catalog(tmp_path).sha256 == sha256


def test_a_folder_without_expectations_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {name: content for name, content in GOOD.items() if name != SUITE})
    with pytest.raises(CatalogError, match="expectations: expected a folder"):
        load(tmp_path)


def test_one_unit_may_be_listed_under_spellings_that_read_the_same(tmp_path: Path) -> None:
    load(write(tmp_path, changed(GOOD, (AUTHORITY, "units", "members", 0, "aliases"), ["东 县"])))


def test_a_unit_within_another_is_counted_once_in_a_group_that_has_both(tmp_path: Path) -> None:
    authority = deepcopy(GOOD[AUTHORITY])
    authority["units"]["members"][0]["within"] = "demo_west"
    authority["groupings"] = grouped(units=["demo_east"])
    (authority_read,) = load_catalog(write(tmp_path, {**GOOD, AUTHORITY: authority})).authorities
    counted = {(unit, group): is_counted for unit, group, _, is_counted in authority_read.members_by_group()}
    assert counted["demo_west", "demo_all"] and not counted["demo_east", "demo_all"]
    assert counted["demo_east", "demo_group"], "a group that has only the one counts it"
    assert counted["demo_east", "demo_east"]


# What docs/adding_a_form.md shows beside the files it has written.

PAGE = (ROOT / "docs" / "adding_a_form.md").read_text(encoding="utf-8")
PIECES: dict[str, str] = {}  # by their first key; the first of several that have the same
for shown_piece in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL):
    PIECES.setdefault(shown_piece.split(":")[0], shown_piece)


def test_every_kind_of_calendar_is_shown_and_is_one() -> None:
    shown = [
        CalendarDefinition.model_validate(yaml.safe_load(line)["calendar"])
        for line in PIECES["calendar"].split("\n")
        if line
    ]
    assert {calendar.kind for calendar in shown} == set(CalendarKind)


def test_the_pieces_that_are_shown_fit_what_the_page_has_written(tmp_path: Path) -> None:
    for name, content in re.findall(r"```yaml file=(\S+)\n(.*?)```", PAGE, re.DOTALL):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    folder = tmp_path / "catalog" / "qingshan"
    with (folder / "authority.yaml").open("a", encoding="utf-8") as file:
        file.write(PIECES["groupings"] + PIECES["reporting_quality"])
    (folder / "scoreboards.yaml").write_text(PIECES["scoreboards"], encoding="utf-8")
    head = "form_id: cases\nauthority_id: qingshan\ntitle: 立案统计表\ncalendar: {kind: month}\n"
    (folder / "forms" / "cases.yaml").write_text(head + PIECES["figures"], encoding="utf-8")
    with (folder / "forms" / "qingshan_prevention.yaml").open("a", encoding="utf-8") as file:
        file.write(PIECES["deadlines"])
    (folder / "notices.yaml").write_text(PIECES["sender"], encoding="utf-8")
    (tmp_path / "expectations" / "qingshan" / TIMELINESS).write_text(PIECES["authority"], encoding="utf-8")
    (tmp_path / "expectations" / "qingshan" / "cases.yaml").write_text(
        "form: cases\n" + PIECES["rules"], encoding="utf-8"
    )
    catalog = load_catalog(tmp_path)
    assert [board.scoreboard_id for board in catalog.scoreboards] == ["qingshan_prevention_board"]
    (authority,) = catalog.authorities
    assert authority.reporting_quality and {unit.kind for unit in authority.units_ranked_by_reporting} == {"乡镇"}
    (suite,) = (suite for suite in load_suites(tmp_path, catalog) if suite.form.form_id == "cases")
    assert suite.reach == "across_periods" and len(suite.checks) == 3
    (timeliness,) = load_timeliness(tmp_path, catalog)
    assert len(timeliness.checks) == 3 and catalog.notices["qingshan"].repeat_every_days == 2


def test_every_way_to_count_a_deadline_is_shown_and_is_one() -> None:
    (shown,) = (piece for piece in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "postponed" in piece)
    for line in shown.splitlines():
        (deadline,) = yaml.safe_load(line)["deadlines"]
        assert Deadline.model_validate(deadline).at
