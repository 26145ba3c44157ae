"""The replay of a campaign leads up to the published table, says what the document says, and is wrong where it says so.

Everything is worked out here from the CSVs in plain Python, by none of the code that checks or builds anything.
"""

from __future__ import annotations

import csv
import runpy
import subprocess
import sys
from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from python_calamine import CalamineWorkbook

from enforcement_reporting.catalog import load_catalog
from enforcement_reporting.settings import PROJECT_ROOT
from enforcement_reporting.workbook import Reader

EXAMPLES = PROJECT_ROOT / "examples"
REPLAY = EXAMPLES / "replay"
ISSUES = ("0628", "0728", "0829", "0904", "0912", "0919", "0926")
FORM, TOTAL = "licheng_dispatch", "累计"
NOTE = "注：演示数据，非实际填报。"

# When each workbook is received: its name, its table, its issue. None: the published table.
DELIVERIES = {
    "2023-06-28T1630+0800": ("荔城区调度表0628期（演示数据）", "0628", "0628"),
    "2023-07-28T1645+0800": ("荔城区调度表0728期（演示数据）", "0728", "0728"),
    "2023-08-29T1620+0800": ("荔城区调度表0829期（演示数据）", "0829", "0829"),
    "2023-09-04T1635+0800": ("荔城区调度表0904期（演示数据）", "0904", "0904"),
    "2023-09-05T0930+0800": ("区自然资源局0904期更正（演示数据）", "0904_ziran_ziyuan", "0904"),
    "2023-09-06T1000+0800": ("西天尾镇0728期更正（演示数据）", "0728_xitianwei", "0728"),
    "2023-09-06T1010+0800": ("西天尾镇0829期更正（演示数据）", "0829_xitianwei", "0829"),
    "2023-09-06T1020+0800": ("西天尾镇0904期更正（演示数据）", "0904_xitianwei", "0904"),
    "2023-09-12T1640+0800": ("荔城区调度表0912期（演示数据）", "0912", "0912"),
    "2023-09-14T1520+0800": ("拱辰街道0912期（演示数据）", "0912_gongchen", "0912"),
    "2023-09-19T1625+0800": ("荔城区调度表0919期（演示数据）", "0919", "0919"),
    "2023-09-26T1710+0800": ("荔城区调度表0926期", None, "0926"),
}

Row = dict[str, Decimal]
Table = dict[str, Row]  # by the unit's name, the printed total included


def read_table(name: str | None) -> Table:
    """Return a table's figures by unit and by the indicator's id."""
    path = EXAMPLES / "tables" / "licheng" / "dispatch.csv" if name is None else REPLAY / f"synthetic_{name}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    indicators = [indicator.indicator_id for indicator in load_catalog(PROJECT_ROOT).form_by_id[FORM].indicators]
    return {unit: dict(zip(indicators, map(Decimal, figures), strict=True)) for unit, *figures in rows}


SENT = {name: read_table(name) for _, name, _ in DELIVERIES.values()}
# The figures that stand in the end: an issue as it was sent in, with what units sent later in its place.
STANDING: dict[str, Table] = {issue: {} for issue in ISSUES}
for _, name, issue in DELIVERIES.values():
    STANDING[issue] |= {unit: row for unit, row in SENT[name].items() if unit != TOTAL}
PUBLISHED = SENT[None]
UNITS = [unit for unit in PUBLISHED if unit != TOTAL]


def district(issue: str, *indicators: str) -> Decimal:
    """Return the sum over all units at an issue."""
    return sum((row[indicator] for row in STANDING[issue].values() for indicator in indicators), Decimal(0))


def in_august(*indicators: str) -> Decimal:
    return district("0829", *indicators) - district("0728", *indicators)


def in_september(*indicators: str) -> Decimal:
    return district("0926", *indicators) - district("0829", *indicators)


def percent(part: Decimal, whole: Decimal) -> Decimal:
    return (100 * part / whole).quantize(Decimal("0.01"), ROUND_HALF_UP)


# --- the tables -----------------------------------------------------------------------------------------------------


def test_the_tables_are_what_the_script_makes(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, REPLAY / "make_synthetic.py", tmp_path],
        env={"PYTHONHASHSEED": "1", "TZ": "Asia/Shanghai", "PYTHONUTF8": "1"},
        check=True,
    )
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_bytes() for path in REPLAY.glob("*.csv")}
    assert made == kept and len(kept) == len(DELIVERIES) - 1


def violations(table: Table) -> Iterable[tuple[str, str]]:
    """Yield (unit, rule) wherever a table breaks one of the form's rules."""
    rules = yaml.safe_load((PROJECT_ROOT / "expectations" / "licheng" / f"{FORM}.yaml").read_text(encoding="utf-8"))
    rows = {unit: row for unit, row in table.items() if unit != TOTAL}
    kinds = {unit.name: unit.kind for unit in load_catalog(PROJECT_ROOT).authority_by_id["licheng"].reporting_units}

    def total(row: Row, indicators: list[str]) -> Decimal:
        return sum((row[indicator] for indicator in indicators), Decimal(0))

    for rule in rules["rules"]:
        breaks: Any = {
            "part_whole": lambda unit, row, rule=rule: total(row, rule["parts"]) > total(row, rule["whole"]),
            "amount_count": lambda unit, row, rule=rule: (
                total(row, rule["amount"]) > 0 and not total(row, rule["count"])
            ),
            "not_applicable": lambda unit, row, rule=rule: kinds[unit] == "镇街" and total(row, rule["indicators"]) > 0,
        }.get(rule["kind"])
        if breaks:
            yield from ((unit, rule["rule_id"]) for unit, row in rows.items() if breaks(unit, row))
    for indicator, stated in table.get(TOTAL, {}).items():
        if stated != sum(row[indicator] for row in rows.values()):
            yield TOTAL, f"total_{indicator}"


def test_only_the_fine_without_a_penalty_and_what_the_published_table_breaks_are_broken() -> None:
    found = {(name, *violation) for name, table in SENT.items() for violation in violations(table)}
    assert found == {
        ("0904", "区自然资源局", "fines_need_penalties"),
        (None, "区文旅局", "supervised_within_dept_found"),
        (None, "区鞋服城", "hazards_need_visits"),
        (None, TOTAL, "total_towns_guided_count"),
    }


def test_once_corrected_no_figure_falls_and_all_end_in_the_published_ones() -> None:
    assert STANDING["0926"] == {unit: PUBLISHED[unit] for unit in UNITS}
    for unit in UNITS:
        for indicator, published in PUBLISHED[unit].items():
            figures = [STANDING[issue][unit][indicator] for issue in ISSUES]
            assert figures == sorted(figures) and figures[0] >= 0, (unit, indicator, figures)
            finest = min(figure.normalize().as_tuple().exponent for figure in figures)
            assert finest >= min(0, published.as_tuple().exponent), (unit, indicator, figures)
    for indicator, stated in SENT["0919"][TOTAL].items():
        assert stated <= PUBLISHED[TOTAL][indicator], indicator


def test_every_unit_reports_every_issue_in_the_order_of_the_published_table() -> None:
    for issue in ISSUES[:-1]:
        missing = {"拱辰街道"} if issue == "0912" else set()
        assert list(SENT[issue]) == [TOTAL, *(unit for unit in UNITS if unit not in missing)]
        assert set(STANDING[issue]) == set(UNITS)


# --- what the document says -----------------------------------------------------------------------------------------


def test_major_hazards_found_in_september_are_6_against_13_in_august() -> None:
    both = ("major_hazards_self_found_count", "major_hazards_dept_found_count")
    assert [in_september(indicator) for indicator in both] == [1, 5]
    assert (in_september(*both), in_august(*both)) == (6, 13)
    assert percent(in_september(*both) - in_august(*both), in_august(*both)) == Decimal("-53.85")


def test_units_said_to_have_done_nothing_have_done_nothing() -> None:
    found = "general_hazards_found_count"
    no_general = {unit for unit in UNITS if STANDING["0829"][unit][found] == STANDING["0926"][unit][found]}
    assert no_general == {"区商务局", "区交警大队"}
    for issue in ISSUES:
        for unit in ("区文旅局", "区住建局", "区公安分局", "区自然资源局"):
            row = STANDING[issue][unit]
            assert row["major_hazards_self_found_count"] == row["major_hazards_dept_found_count"] == 0
        for unit in ("区市场监管局", "区公安分局", "区自然资源局"):
            assert STANDING[issue][unit]["penalties_count"] == 0


@pytest.mark.parametrize("indicator", ["penalties_count", "fines_10k_yuan", "general_hazards_found_count"])
def test_less_was_done_in_september_than_in_august(indicator: str) -> None:
    assert 0 < in_september(indicator) < in_august(indicator)


def test_the_shares_of_three_units_in_penalties_and_fines_are_cumulative() -> None:
    def share(indicator: str, since: str | None) -> Decimal:
        def grown(unit: str) -> Decimal:
            before = STANDING[since][unit][indicator] if since else Decimal(0)
            return STANDING["0926"][unit][indicator] - before

        return percent(
            sum(grown(unit) for unit in ("区交警大队", "区应急局", "区消防救援大队")), sum(map(grown, UNITS))
        )

    assert share("penalties_count", None) == Decimal("92.56")
    assert share("fines_10k_yuan", None) == Decimal("86.50")
    assert share("penalties_count", "0829") != Decimal("92.56")
    assert share("fines_10k_yuan", "0829") != Decimal("86.50")


# --- what was wrong -------------------------------------------------------------------------------------------------


def differences(sent: Row, corrected: Row) -> dict[str, tuple[int, int]]:
    return {key: (int(sent[key]), int(corrected[key])) for key in sent if sent[key] != corrected[key]}


def test_a_fine_without_a_penalty_is_withdrawn() -> None:
    (corrected,) = SENT["0904_ziran_ziyuan"].values()
    assert differences(SENT["0904"]["区自然资源局"], corrected) == {"fines_10k_yuan": (14, 0)}
    assert corrected["penalties_count"] == 0


def test_one_street_is_missing_from_an_issue_and_reports_later() -> None:
    assert "拱辰街道" not in SENT["0912"] and list(SENT["0912_gongchen"]) == ["拱辰街道"]


def test_two_figures_are_overstated_in_three_issues_and_then_corrected_in_each() -> None:
    overstated = {}
    for issue in ("0728", "0829", "0904"):
        (corrected,) = SENT[f"{issue}_xitianwei"].values()
        overstated[issue] = differences(SENT[issue]["西天尾镇"], corrected)
        assert set(overstated[issue]) == {"leader_inspections_count", "lectures_count"}
        assert all(sent > true for sent, true in overstated[issue].values())
    for indicator, (sent, _) in overstated["0904"].items():
        assert sent > PUBLISHED["西天尾镇"][indicator], "uncorrected, the cumulative figure would fall"


# --- the workbooks --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replay")
    runpy.run_path(str(EXAMPLES / "build_workbooks.py"))["build_all"](folder, "replay")
    return folder / "replay"


def workbook(built: Path, instant: str) -> Path:
    return built / instant / f"{DELIVERIES[instant][0]}.xlsx"


def test_each_workbook_lies_in_the_folder_of_its_instant_with_the_same_bytes_on_every_run(
    built: Path, tmp_path: Path
) -> None:
    subprocess.run(
        [sys.executable, EXAMPLES / "build_workbooks.py", tmp_path],
        env={"PYTHONHASHSEED": "1", "TZ": "Asia/Shanghai", "PYTHONUTF8": "1"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    again = {path: path.read_bytes() for path in (tmp_path / "replay").rglob("*.xlsx")}
    assert again == {tmp_path / "replay" / path.relative_to(built): path.read_bytes() for path in built.rglob("*.xlsx")}
    assert {path.relative_to(built) for path in built.rglob("*.xlsx")} == {
        workbook(Path(), instant) for instant in DELIVERIES
    }
    archived = {path.read_bytes() for path in tmp_path.glob("*.xlsx")}
    assert len(archived) == 9 and not archived & set(again.values())


def test_no_workbook_arrives_before_the_day_its_figures_end_on() -> None:
    assert list(DELIVERIES) == sorted(DELIVERIES)
    for instant, (_, _, issue) in DELIVERIES.items():
        assert f"{datetime.strptime(instant, '%Y-%m-%dT%H%M%z'):%m%d}" >= issue


@pytest.mark.parametrize("instant", DELIVERIES)
def test_every_workbook_is_read_without_findings(built: Path, instant: str) -> None:
    catalog = load_catalog(PROJECT_ROOT)
    names = {unit.unit_id: unit.name for unit in catalog.authority_by_id["licheng"].reporting_units}
    path, (_, table, issue) = workbook(built, instant), DELIVERIES[instant]
    read = Reader(catalog).read(path.read_bytes(), path.name)
    assert not read.file_findings and not any(read.sheet_findings.values())
    assert not [finding for submission in read.submissions for finding in submission.findings]
    assert {submission.period.period_id for submission in read.submissions} == {f"2023-{issue[:2]}-{issue[2:]}"}
    figures = {
        names.get(submission.unit_id, TOTAL): {
            item.indicator_id.removeprefix(f"{FORM}."): item.value for item in submission.observations
        }
        for submission in read.submissions
    }
    assert figures == SENT[table]


@pytest.mark.parametrize("instant", DELIVERIES)
def test_invented_figures_say_so_under_the_table_and_in_the_file_name(built: Path, instant: str) -> None:
    path, (name, table, _) = workbook(built, instant), DELIVERIES[instant]
    (sheet,) = CalamineWorkbook.from_path(str(path)).sheet_names
    rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_name(sheet).to_python()
    below = [row[0] for row in rows[-2:]]
    assert (NOTE in below) == ("（演示数据）" in name) == (table is not None)
