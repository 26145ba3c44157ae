"""What would mend a sum or a rate: each kind of explanation on a tiny table, and a near case that explains nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from conftest import new_database, settings_for
from enforcement_reporting import intake
from enforcement_reporting.catalog import Catalog, load_catalog
from enforcement_reporting.checking import check_files
from enforcement_reporting.local.postgres import LocalServer
from enforcement_reporting.quality import check_submissions, load_suites
from enforcement_reporting.quality.at_hand import Sheets, Submission
from enforcement_reporting.quality.mending import KINDS, MOST, Proposal
from enforcement_reporting.quality.rules import Suite
from enforcement_reporting.warehouse import connect
from enforcement_reporting.workbook import Observations, ReadSubmission, ReadWorkbook
from enforcement_reporting.workbook.addresses import column_letters
from enforcement_reporting.workbook.measures import reading_of
from workbooks import workbook

UNITS = "甲乙丙丁戊己庚辛"
DEFINITIONS = {
    "catalog/landing.yaml": "places: [{place_id: inbox, path: inbox, policy: collect}]",
    "catalog/testland/authority.yaml": """
authority_id: testland
name: 测试局
units:
  unit_id: all_units
  name: 全区
  kind: 汇总
  members:
"""
    + "".join(f"  - {{unit_id: unit_{n}, name: {name}镇, kind: 镇街}}\n" for n, name in enumerate(UNITS))
    + "  - {unit_id: zone, name: 园区, kind: 镇街, within: unit_0}\n",
    "catalog/testland/forms/hazards.yaml": """
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
  - {indicator_id: rate, label: [整改率], unit_of_measure: "%", measure_kind: rate}
  - {indicator_id: visits, label: [检查], unit_of_measure: 家次}
  - {indicator_id: fines, label: [罚款], unit_of_measure: 万元}
""",
    "expectations/testland/hazards.yaml": """
form: hazards
rules:
  - {rule_id: total, kind: total_row}
  - {rule_id: adds_up, kind: sum, parts: [fixed, open], whole: found}
  - {rule_id: within, kind: part_whole, parts: [fixed], whole: [found]}
  - {rule_id: rate, kind: rate, stated: rate, numerator: [fixed], denominator: [found]}
""",
}
COLUMNS = ("found", "fixed", "open", "rate", "visits", "fines")
BLANK = (None,) * 6
Figures = Sequence[Any]


def write_definitions(folder: Path) -> Path:
    for name, content in DEFINITIONS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def defined(tmp_path_factory: pytest.TempPathFactory) -> tuple[Catalog, tuple[Suite, ...]]:
    folder = write_definitions(tmp_path_factory.mktemp("mending"))
    catalog = load_catalog(folder)
    return catalog, load_suites(folder, catalog)


def submission(catalog: Catalog, workbook: ReadWorkbook, unit: str, line: int, figures: Figures) -> Submission:
    """Return a row as it is read: the figures in the columns from B on, the total in line 2, units below."""
    form = catalog.form_by_id["hazards"]
    readings = []
    for figure in figures:
        text = "" if figure is None else str(figure)
        value = Decimal(text.rstrip("%")) if text else None
        decimals = len(text.rstrip("%").partition(".")[2]) if text else None
        readings.append(reading_of("value" if text else "blank", value, text, decimals))
    period = next(period for period in form.calendar.calendar().periods() if period.period_id == "2025-09")
    cells = [f"{column_letters(number)}{line}" for number in range(1, 7)]
    said = Observations([f"hazards.{name}" for name in COLUMNS], readings, cells)
    role = "total" if unit == "all_units" else "unit"
    return Submission(ReadSubmission("hazards", unit, period, role, "表", said), workbook)


def proposed(
    defined: tuple[Catalog, tuple[Suite, ...]],
    rows: Sequence[Figures],
    total: Figures,
    rule: str = "total_visits",
    *,
    row: int = 0,
    before: Sequence[Figures] = (),
    zone: Figures | None = None,
) -> list[Proposal]:
    """Return what would mend a rule in a row: 0 is the total, 1 the first unit. ``before`` are rows of last period."""
    catalog, suites = defined
    workbook = ReadWorkbook()
    named = [("all_units", total), *((f"unit_{number}", figures) for number, figures in enumerate(rows))]
    if zone:
        named.append(("zone", zone))
    items = [submission(catalog, workbook, unit, line, said) for line, (unit, said) in enumerate(named, 2)]
    last = {
        unit: submission(catalog, ReadWorkbook(), unit, 9, said) for (unit, _), said in zip(named, before, strict=False)
    }
    sheet = Sheets(catalog, suites).sheet(items, lambda item, _: last.get(item.read.unit_id))
    assert f"hazards.{rule}" in sheet.broken(row)
    return sheet.proposals(row, f"hazards.{rule}")


def visits(*values: Any) -> list[Figures]:
    return [(None, None, None, None, value, None) for value in values]


def total_of(value: Any) -> Figures:
    return visits(value)[0]


def said(proposals: Sequence[Proposal]) -> list[tuple[str, ...]]:
    return [(item.kind, *(":".join(change) for change in item.changes)) for item in proposals]


# kind: (units' visits, stated total, proposals)
SUMS: dict[str, tuple[list[Any], Any, list[tuple[str, ...]]]] = {
    "two digits swapped": ([484, 312, 778], 1538, [("swapped_digits", "表!F3:484:448")]),
    "two digits swapped, in a unit or in the total": (
        [484, 312, 777],
        1537,
        [("swapped_digits", "表!F2:1537:1573", "表!F3:484:448")],
    ),
    "two digits swapped in the total": ([455, 312, 777], 1454, [("swapped_digits", "表!F2:1454:1544")]),
    "digits that are not beside one another": ([584, 312, 777], 1574, []),
    "a factor of ten": ([4840, 312, 777], 1573, [("magnitude", "表!F3:4840:484")]),
    "yuan in a column of 10,000 yuan": ([3120000, 484, 777], 1573, [("magnitude", "表!F3:3120000:312")]),
    "a factor of a hundred": ([48400, 312, 777], 1573, []),
    "a digit too many": ([4854, 312, 777], 1573, [("digit_count", "表!F3:4854:484")]),
    "a digit too few": ([484, 31, 777], 1573, [("digit_count", "表!F4:31:312")]),
    "a sign": ([484, -312, 777], 1573, [("sign", "表!F4:-312:312")]),
    "all added twice": ([484, 312, 777], 3146, [("twice", "表!F2:3146:1573")]),
    "a unit left out": ([484, 312, 777], 1261, [("left_out", "表!F2:1261:1573")]),
    "a unit added twice": ([484, 312, 777], 1885, [("added_twice", "表!F2:1885:1573")]),
    "another digit in the total": ([484, 312, 777], 1553, [("one_digit", "表!F2:1553:1573")]),
    "two other digits in the total": ([484, 312, 777], 1557, []),
    "the figure of the row above": ([484, 484, 777], 1573, [("neighbour", "表!F3:484:312", "表!F4:484:312")]),
    "a difference below ten": ([484, 312, 777], 1576, []),
    "a unit of that very figure, too small to tell": ([484, 312, 3], 796, []),
}


@pytest.mark.parametrize("case", SUMS)
def test_a_total_that_is_not_the_sum(defined: Any, case: str) -> None:
    units, stated, expected = SUMS[case]
    assert said(proposed(defined, visits(*units), total_of(stated))) == expected


def test_a_unit_within_another_that_was_added_too(defined: Any) -> None:
    (proposal,) = proposed(defined, visits(484, 312, 777), total_of(1573 + 268), zone=total_of(268))
    assert proposal.kind == "overlap"
    assert proposal.text == (
        "差额恰为F6（园区）的 268（已含在甲镇内），可能重复计算：若将 F2（合计行）由 1841 改为 1573，则相符。"
    )


def test_figures_of_last_period(defined: Any) -> None:
    last = visits(1421, 450, 290, 681)
    stated = proposed(defined, visits(484, 312, 777), total_of(1421), before=last)
    assert said(stated) == [("not_updated", "表!F2:1421:1573")]
    one = proposed(defined, visits(484, 312, 681), total_of(1573), before=last)
    assert said(one) == [("not_updated", "表!F5:681:777")]
    two = proposed(defined, visits(484, 290, 681), total_of(1573), before=last)
    assert two == []  # it may be either
    back = proposed(defined, visits(484, 312, 939), total_of(1477), before=last)
    assert said(back) == [("as_before", "表!F5:939:681")]


def test_two_columns_exchanged(defined: Any) -> None:
    rows = [(None,) * 4 + (484, 25.5), (None,) * 4 + (31, 312), (None,) * 4 + (777, 12.1)]
    total = (None,) * 4 + (1573, 68.6)
    by_visits, by_fines = (proposed(defined, rows, total, f"total_{name}") for name in ("visits", "fines"))
    assert {item.kind for item in (*by_visits, *by_fines)} == {"exchanged"}
    assert by_visits[0].text == (
        "可能是相邻两栏互换：若将 F4（乙镇）的 31 与 G4（乙镇）的 312 对调，则相符，另有 1 处问题也随之消除。"
    )
    whole = proposed(defined, rows, (None,) * 4 + (1573, 349.6))
    assert "exchanged" not in {item.kind for item in whole}  # the other column is right as it is


def test_one_cell_that_mends_its_own_row_as_well_displaces_all_else(defined: Any) -> None:
    rows = [(31, 20, 18, None, None, None), (57, 50, 7, None, None, None), (40, 33, 7, None, None, None)]
    total = (135, 103, 32, None, None, None)
    for number, rule in ((0, "total_found"), (1, "adds_up")):
        (proposal,) = proposed(defined, rows, total, rule, row=number)
        assert [*proposal.changes] == [("表!B3", "31", "38")]
        assert proposal.text.endswith("另有 1 处问题也随之消除。")


def test_another_finding_tells_something_where_half_of_the_change_would_not_end_it(defined: Any) -> None:
    for fixed, expected in ((60, 1), (45, 0)):  # more than were found, by 20 or by 5; the total is short of 28 too
        rows = [(40, fixed, None, None, None, None), (57, 50, 7, None, None, None), (40, 33, 7, None, None, None)]
        proposals = proposed(defined, rows, (165, *BLANK[1:]), "total_found")
        assert len(proposals) == expected
        assert all([*item.changes] == [("表!B3", "40", "68")] for item in proposals)


def test_a_mend_that_breaks_another_rule_is_none(defined: Any) -> None:
    rows = [(484, 484, 0, None, None, None), (312, 300, 12, None, None, None), (778, 700, 78, None, None, None)]
    assert proposed(defined, rows, (1538, *BLANK[1:]), "total_found") == []  # 448 would be below 484
    rows[0] = (484, None, None, None, None, None)
    assert len(proposed(defined, rows, (1538, *BLANK[1:]), "total_found")) == 1


def test_places_are_named_as_a_choice_and_more_than_three_are_not_named(defined: Any) -> None:
    two = proposed(defined, visits(4840, 4840, 77, 15), total_of(5416))
    assert [(item.kind, item.is_choice, len(item.changes)) for item in two] == [("magnitude", True, 2)]
    assert "F3（甲镇）由 4840 改为 484，或 F4（乙镇）由 4840 改为 484" in two[0].text
    assert proposed(defined, visits(4840, 4840, 4840, 4840, 15), total_of(15019)) == []


def test_what_many_differences_would_find_is_luck(defined: Any) -> None:
    assert said(proposed(defined, visits(12, 57), total_of(12))) == [("left_out", "表!F2:12:69")]
    assert said(proposed(defined, visits(571, 12, 93), total_of(162))) == [("digit_count", "表!F3:571:57")]
    assert proposed(defined, visits(12, 57, 34, 45, 81, 93, 76, 29), total_of(427 - 52)) == []  # 57 and 5


# (the row's fixed, found, stated rate; the other rows), the proposals
RATES: dict[str, tuple[Figures, list[Figures], list[tuple[str, ...]]]] = {
    "two digits swapped": ((13, 43, "32.03%"), [], [("swapped_digits", "表!E3:32.03%:30.23%")]),
    "a digit too many": ((13, 43, "320.2%"), [], [("digit_count", "表!E3:320.2%:30.2%")]),
    "of all units": ((13, 43, "33.9%"), [(72, 208, "34.6%")], [("overall_rate", "表!E3:33.9%:30.2%")]),
    "of another unit": ((13, 43, "37.5%"), [(33, 88, "37.5%")], [("other_row", "表!E3:37.5%:30.2%")]),
    "of all others": ((13, 43, "100%"), [(33, 33, "100%"), (8, 8, "100%")], []),
    "numerator and denominator": ((43, 13, "30.2%"), [], [("inverted", "表!E3:30.2%:330.8%")]),
    "another column": ((13, 43, "16.7%"), [], [("other_term", "表!E3:16.7%:30.2%")]),
    "nothing": ((13, 43, "44.4%"), [(33, 88, "37.5%")], []),
}


@pytest.mark.parametrize("case", RATES)
def test_a_rate_that_is_not_its_own(defined: Any, case: str) -> None:
    own, others, expected = RATES[case]
    rows = [(found, fixed, found - fixed, rate, 78, None) for fixed, found, rate in [own, *others]]
    found = said(proposed(defined, rows, BLANK, "rate", row=1))
    assert found == expected


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 500), st.integers(1, 500), st.integers(0, 2), st.booleans())
def test_a_rate_of_another_column_is_found_however_it_is_rounded(
    defined: Any, data: st.DataObject, found: int, visits: int, decimals: int, is_base: bool
) -> None:
    fixed = data.draw(st.integers(0, found))
    right, typed = (
        (Decimal(100 * over) / under).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
        for over, under in ((fixed, found), (fixed, visits) if is_base else (visits, found))
    )
    last_digits = typed.scaleb(decimals)
    assume(last_digits > 10 and last_digits % 10 and abs(last_digits - right.scaleb(decimals)) >= 10)
    row = (found, fixed, found - fixed, f"{typed}%", visits, None)
    proposals = proposed(defined, [row], BLANK, "rate", row=1)
    assert ("表!E3", f"{typed}%", f"{right}%") in {change for item in proposals for change in item.changes}


def test_the_mean_of_rates_printed_as_the_rate_of_all(defined: Any) -> None:
    rows = [
        (43, 13, None, "30.2%", None, None),
        (88, 33, None, "37.5%", None, None),
        (32, 7, None, "21.9%", None, None),
    ]
    (proposal,) = proposed(defined, rows, (163, 53, None, "29.9%", None, None), "rate")
    assert said([proposal]) == [("mean_of_rates", "表!E2:29.9%:32.5%")]


def test_what_is_found_on_a_units_own_row_says_nothing_of_another(defined: Any) -> None:
    rows = [(43, 13, None, "37.5%", 78, None), (88, 33, None, "37.5%", 99, None)]
    (proposal,) = proposed(defined, rows, BLANK, "rate", row=1)
    assert "乙" not in proposal.text and "E4" not in proposal.text


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from(["swapped", "neighbour", "last period", "total swapped", "total stale"]))
def test_a_planted_fault_is_always_among_the_proposals(defined: Any, seed: int, fault: str) -> None:
    random = Random(seed)
    names, right = range(len(UNITS)), [large(random) for _ in UNITS]
    last = [value - random.randrange(10**4, 10**5) for value in right]
    others = [large(random) for _ in UNITS]
    units, total = list(right), sum(right)
    number = random.choice(names)
    cell, mended = f"表!F{number + 3}", str(right[number])
    match fault:
        case "swapped":
            units[number] = swapped(right[number], random)
        case "neighbour":
            units[number] = others[number]
        case "last period":
            units[number] = last[number]
        case "total swapped":
            cell, mended, total = "表!F2", str(sum(right)), swapped(sum(right), random)
        case _:
            cell, mended, total = "表!F2", str(sum(right)), sum(last)
    gap = total - sum(units)
    assume(
        sum(could_be_swapped(value, off) for value, off in [(total, -gap), *((unit, gap) for unit in units)]) <= MOST
    )
    rows = [(None,) * 4 + (unit, other) for unit, other in zip(units, others, strict=True)]
    stated = (None,) * 4 + (total, sum(others))
    before = [(None,) * 4 + (sum(last), None), *((None,) * 4 + (value, None) for value in last)]
    proposals = proposed(defined, rows, stated, before=before)
    assert any((change.cell, change.needed) == (cell, mended) for item in proposals for change in item.changes)
    assert len(proposals) <= MOST and all(len(item.changes) <= MOST for item in proposals)
    assert proposals == proposed(defined, rows, stated, before=before)


def large(random: Random) -> int:
    """Return a number of seven digits, the first four of which differ."""
    return int("".join(random.sample("123456789", 4))) * 1000 + random.randrange(1000)


def could_be_swapped(value: int, off: int) -> bool:
    """Return whether two digits swapped make a number so much larger."""
    digits = str(value)
    swaps = (digits[:n] + digits[n + 1] + digits[n] + digits[n + 2 :] for n in range(len(digits) - 1))
    return str(value + off) in swaps


def swapped(value: int, random: Random) -> int:
    """Return a number with two digits swapped: not the last ones, whose difference is too small to tell anything."""
    digits = str(value)
    places = [place for place in range(4) if digits[place] != digits[place + 1] and (place or digits[1] != "0")]
    assume(places)  # 55555 has none
    place = random.choice(places)
    return int(digits[:place] + digits[place + 1] + digits[place] + digits[place + 2 :])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 400), min_size=2, max_size=8), st.integers(-400, 400))
def test_every_proposal_does_what_it_says(defined: Any, units: list[int], off: int) -> None:
    stated = max(sum(units) + off, 0)
    if stated == sum(units):
        return
    for item in proposed(defined, visits(*units), total_of(stated)):
        assert item.kind in KINDS
        for change in item.changes:
            figures = {f"表!F{line}": value for line, value in enumerate([stated, *units], 2)}
            assert str(figures[change.cell]) == change.stated
            figures[change.cell] = int(change.needed)
            assert 2 * figures["表!F2"] == sum(figures.values())


# In the warehouse.

HEADER = ["单位", "排查（条）", "整改（条）", "未整改（条）", "整改率（%）", "检查（家次）", "罚款（万元）"]


def table(month: str, total: Figures, units: Sequence[Figures]) -> bytes:
    named = [["合计", *total], *([f"{name}镇", *figures] for name, figures in zip(UNITS, units, strict=False))]
    return workbook([[f"{month}隐患统计表"], HEADER, *named])


def test_the_warehouse_proposes_the_same_and_knows_last_period(
    server: LocalServer, template: str, tmp_path: Path
) -> None:
    definitions = write_definitions(tmp_path / "definitions")
    configured = settings_for(tmp_path / "state", definitions, new_database(server, template))
    intake.prepare(configured)
    last = [(100 + n, 60, 40 + n, "60%", 211 * n, 0) for n in range(1, 4)]
    rows = [(584, 423, 125, "77.2%", 251, 0), (307, 200, 107, "65.1%", 452, 0), (402, 300, 102, "74.6%", 673, 0)]
    paths = [tmp_path / "08.xlsx", tmp_path / "09.xlsx"]
    paths[0].write_bytes(table("2025年8月", (306, 180, 126, None, 1266, 0), last))
    paths[1].write_bytes(table("2025年9月", (1257, 923, 334, None, 1266, 0), rows))
    for month, path in enumerate(paths, 9):
        intake.ingest_files(configured, [str(path)], "collect", datetime(2025, month, 1, tzinfo=UTC))
    check_submissions(configured)
    with connect(configured) as connection:
        found = dict(
            connection.execute(
                "select unit_id || ' ' || rule_id, proposals from quality.findings"
                " where period_id = '2025-09' and severity <> 'notice'"
            ).fetchall()
        )
    at_hand = {
        f"{finding.unit} {finding.rule_id}": [proposal.as_json() for proposal in finding.proposals]
        for file in check_files(definitions, [str(paths[1])]).files
        for finding in file.findings
        if finding.severity != "notice"
    }
    (stale,) = found.pop("all_units hazards.total_visits")
    assert stale["text"] == "所填与上期相同，可能尚未更新：若将 F3（合计行）由 1266 改为 1376，则相符。"
    assert at_hand.pop("all_units hazards.total_visits") == []
    assert found == at_hand and len(found) == 3
    changes = [item["changes"] for proposals in found.values() for item in proposals]
    assert changes == [[{"cell": "Sheet1!B4", "from": "584", "to": "548"}]] * 3
