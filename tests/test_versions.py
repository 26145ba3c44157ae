"""A form that changes: what was sent before is read, checked and compared as what it was.

The form below changes twice. From 2025 its title and a label are others; from 2026 two columns are one, one has another
id, one is gone, one is split in two, and one is new.
"""

from __future__ import annotations

import io
import re
from datetime import UTC, date, datetime
from pathlib import Path

import openpyxl
import pytest

from conftest import new_database, settings_for
from enforcement_reporting import generator, intake
from enforcement_reporting.catalog import CatalogError, Lifetime, load_catalog
from enforcement_reporting.checking import check_files
from enforcement_reporting.findings import ReadingFinding
from enforcement_reporting.local.postgres import LocalServer
from enforcement_reporting.quality import check_submissions, load_suites
from enforcement_reporting.settings import PROJECT_ROOT, Settings
from enforcement_reporting.templates import templates
from enforcement_reporting.warehouse import connect
from enforcement_reporting.workbook import Reader, ReadWorkbook
from workbooks import Sheet, Value, workbook

FORM = """
form_id: p
authority_id: au
title: 执法处罚情况月报表
earlier_titles: [{until: 2024-12-31, title: 行政处罚情况月报}]
calendar: {kind: month, summaries: [quarter]}
figures: cumulative
unit_labels: [单位]
total_row: {labels: [合计], states: all}
indicators:
  - indicator_id: checks
    label: [检查家次]
    earlier_labels: [{until: 2024-12-31, label: [检查次数]}]
    unit_of_measure: 家次
  - {indicator_id: warnings, label: [处罚, 警告], unit_of_measure: 起}
  - {indicator_id: fined, label: [处罚, 罚款], unit_of_measure: 起}
  - {indicator_id: penalties, label: [处罚], unit_of_measure: 起, effective_from: 2026-01-01,
     replaces: [warnings, fined]}
  - {indicator_id: shut, label: [关闭企业], unit_of_measure: 家}
  - {indicator_id: closed, label: [关停取缔企业], unit_of_measure: 家, effective_from: 2026-01-01, replaces: [shut]}
  - {indicator_id: lectures, label: [宣讲], unit_of_measure: 场, effective_to: 2025-12-31}
  - {indicator_id: hazards, label: [隐患], unit_of_measure: 项, effective_to: 2025-12-31}
  - {indicator_id: small, label: [一般隐患], unit_of_measure: 项, effective_from: 2026-01-01}
  - {indicator_id: major, label: [重大隐患], unit_of_measure: 项, effective_from: 2026-01-01}
  - {indicator_id: staff, label: [执法人员], unit_of_measure: 人, measure_kind: stock, effective_from: 2026-01-01}
"""
DEFINITIONS = {
    "catalog/landing.yaml": "places: [{place_id: inbox, path: inbox, policy: collect}]",
    "catalog/au/authority.yaml": """
authority_id: au
name: 县应急局
units: {unit_id: all, name: 全县, kind: 全县, members: [{unit_id: a, name: 甲镇, kind: 乡镇},
  {unit_id: b, name: 乙镇, kind: 乡镇}]}
""",
    "catalog/au/forms/p.yaml": FORM,
    "expectations/au/p.yaml": """
form: p
rules:
  - {rule_id: fined_within_checks, kind: part_whole, parts: [fined], whole: [checks], effective_to: 2025-12-31}
  - {rule_id: penalties_within_checks, kind: part_whole, parts: [penalties], whole: [checks], severity: question,
     effective_from: 2026-01-01}
  - {rule_id: adds_up, kind: total_row, indicators: [checks], effective_from: 2025-01-01, effective_to: 2025-12-31}
  - {rule_id: total, kind: total_row, effective_from: 2026-01-01}
""",
}
OLDEST = ["单位", "检查次数", "警告", "罚款", "关闭企业", "宣讲", "隐患"]
OLD = ["单位", "检查家次", "警告", "罚款", "关闭企业", "宣讲", "隐患"]
NEW = ["单位", "检查家次", "处罚", "关停取缔企业", "一般隐患", "重大隐患", "执法人员"]


def written(root: Path, files: dict[str, str]) -> Path:
    """Write definitions into a folder and return it."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("versions"), DEFINITIONS)


@pytest.fixture(scope="module")
def reader(definitions: Path) -> Reader:
    return Reader(load_catalog(definitions))


def table(
    period: str, header: list[str], *rows: tuple[str, str], title: str = "执法处罚情况月报表"
) -> list[list[Value]]:
    """Return the rows of one table; 警告 and 罚款 stand under a label that is merged over them."""
    upper, lower = header, []
    if "警告" in header:
        upper = ["处罚" if name == "警告" else "" if name == "罚款" else name for name in header]
        lower = [[name if name in ("警告", "罚款") else "" for name in header]]
    return [[title], [f"统计期：{period}"], upper, *lower, *([name, *map(int, said.split())] for name, said in rows)]


def sheet(period: str, header: list[str], *rows: tuple[str, str], title: str = "执法处罚情况月报表") -> bytes:
    """Return a workbook of one table."""
    merges = ["C3:D3", *(f"{letter}3:{letter}4" for letter in "ABEFG")] if "警告" in header else []
    return workbook(Sheet(table(period, header, *rows, title=title), merges))


def found(read: ReadWorkbook) -> list[ReadingFinding]:
    """Return everything that was found."""
    placed = [*read.file_findings, *(item for some in read.sheet_findings.values() for item in some)]
    return placed + [finding for item in read.submissions for finding in item.findings]


def broken(settings: Settings, month: str) -> set[tuple[str, str]]:
    """Return the rules that were broken in a month, with the unit that did."""
    with connect(settings) as connection:
        return set(
            connection.execute(
                "select unit_id, rule_id from quality.findings where origin = 'form' and period_id = %s", [month]
            ).fetchall()
        )


def figures(read: ReadWorkbook) -> dict[str, dict[str, int]]:
    """Return the figures that were read, by unit and indicator."""
    return {
        item.unit_id: {cell.indicator_id: int(cell.value) for cell in item.observations if cell.value is not None}
        for item in read.submissions
    }


def test_a_form_has_the_versions_its_dates_make(definitions: Path) -> None:
    form = load_catalog(definitions).form_by_id["p"]
    said = [(version.form.title, [item.label[-1] for item in version.form.indicators]) for version in form.versions]
    assert said == [("行政处罚情况月报", OLDEST[1:]), ("执法处罚情况月报表", OLD[1:]), ("执法处罚情况月报表", NEW[1:])]
    assert [str(version.lifetime.first) for version in form.versions] == ["None", "2025-01-01", "2026-01-01"]
    assert [str(version.lifetime.last) for version in form.versions] == ["2024-12-31", "2025-12-31", "None"]
    assert form.lifetimes["warnings"] == Lifetime(None, form.lifetimes["lectures"].last)


@pytest.mark.parametrize(
    ("period", "header", "title"),
    [
        ("2024年12月", OLDEST, "行政处罚情况月报"),
        ("2025年1月", OLD, "执法处罚情况月报表"),
        ("2025年12月", OLD, "执法处罚情况月报表"),
        ("2026年1月", NEW, "执法处罚情况月报表"),
    ],
)
def test_each_period_is_read_in_the_version_of_its_time(
    reader: Reader, period: str, header: list[str], title: str
) -> None:
    read = reader.read(sheet(period, header, ("甲镇", "1 2 3 4 5 6"), title=title), "表.xlsx")
    assert found(read) == []
    ids = {"检查次数": "checks", "检查家次": "checks", "警告": "warnings", "罚款": "fined", "处罚": "penalties"}
    ids |= {"关闭企业": "shut", "关停取缔企业": "closed", "宣讲": "lectures", "隐患": "hazards"}
    ids |= {"一般隐患": "small", "重大隐患": "major", "执法人员": "staff"}
    assert figures(read) == {"a": {f"p.{ids[name]}": number for number, name in enumerate(header[1:], 1)}}


def test_an_old_layout_for_a_new_period_is_said_and_read_as_it_stands(reader: Reader) -> None:
    read = reader.read(sheet("2026年2月", OLD, ("甲镇", "1 2 3 4 5 6"), ("乙镇", "1 1 1 1 1 1")), "表.xlsx")
    (finding,) = found(read)
    assert (finding.kind, finding.severity.value, finding.scope) == ("wrong_version", "error", "sheet")
    assert finding.message() == (
        "表式版本不对：《执法处罚情况月报表》用的是2025年1月1日至2025年12月31日的表式，该期应当用2026年1月1日起的表式"
        "（本表缺少“处罚”、“关停取缔企业”、“一般隐患”、“重大隐患”、“执法人员”；"
        "多出“处罚 / 警告”、“处罚 / 罚款”、“关闭企业”、“宣讲”、“隐患”）。已按所用表式读取，请按该期的表式重报。"
    )
    assert finding.cells == "Sheet1!C4、Sheet1!D4、Sheet1!E3、Sheet1!F3、Sheet1!G3"
    assert finding.form_id == "p" and finding.period_id == "2026-02"
    assert figures(read)["a"]["p.warnings"] == 2 and figures(read)["b"]["p.hazards"] == 1


def test_a_new_layout_for_an_old_period_is_said_too(reader: Reader) -> None:
    read = reader.read(sheet("2025年11月", NEW, ("甲镇", "1 2 3 4 5 6")), "表.xlsx")
    (finding,) = found(read)
    assert finding.kind == "wrong_version" and finding.stated == "2026年1月1日起的表式"
    assert finding.expected.startswith("2025年1月1日至2025年12月31日的表式（本表缺少“处罚 / 警告”")
    assert figures(read)["a"]["p.penalties"] == 2


def test_a_label_of_another_time_is_another_version(reader: Reader) -> None:
    (finding,) = found(reader.read(sheet("2025年3月", OLDEST, ("甲镇", "1 2 3 4 5 6")), "表.xlsx"))
    assert finding.stated == "截至2024年12月31日的表式"
    assert finding.expected.endswith("（本表“检查次数”应为“检查家次”）")
    assert finding.cells == "Sheet1!B3"


@pytest.mark.parametrize(
    ("calendar", "changed_on", "last_old", "first_new"),
    [
        ("{kind: month}", "2025-07-01", "2025-06", "2025-07"),
        ("{kind: month, month_starts_on: 25}", "2026-01-01", "2025-12", "2026-01"),
        ("{kind: week}", "2026-01-01", "2025-W52", "2026-W01"),
        ("{kind: year_to_date}", "2025-07-01", "2025-M01-M06", "2025-M01-M07"),
        (
            "{kind: campaign, starts_on: 2025-05-01, issues: [2025-06-28, 2025-07-28]}",
            "2025-07-01",
            "2025-06-28",
            "2025-07-28",
        ),
    ],
)
def test_a_period_has_the_form_in_force_on_its_last_day(
    tmp_path: Path, calendar: str, changed_on: str, last_old: str, first_new: str
) -> None:
    form = f"""
form_id: p
authority_id: au
title: 表
calendar: {calendar}
figures: single
indicators:
  - {{indicator_id: old, label: [旧], unit_of_measure: 次}}
  - {{indicator_id: new, label: [新], unit_of_measure: 次, effective_from: {changed_on}, replaces: [old]}}
"""
    rules = {
        "expectations/au/p.yaml": "form: p\nrules: [{rule_id: r, kind: sum, parts: [old], whole: old,"
        " effective_to: 2020-01-01}]"
    }
    declared = load_catalog(written(tmp_path, {**DEFINITIONS, "catalog/au/forms/p.yaml": form, **rules})).form_by_id[
        "p"
    ]
    periods = {period.period_id: period for period in declared.calendar.calendar().periods()}
    assert declared.version_of(periods[last_old]).form.indicator_ids == {"old"}
    assert declared.version_of(periods[first_new]).form.indicator_ids == {"new"}
    assert periods[first_new].previous_period_id == last_old


def test_what_two_versions_have_in_common_is_of_the_periods_own(reader: Reader) -> None:
    header = [OLD[0], *OLD[2:]]
    rows = [["执法处罚情况月报表"], ["统计期：2025年3月"], header, ["甲镇", 1, 2, 3, 4, 5]]
    assert [(item.kind, item.expected) for item in found(reader.read(workbook(rows), "表.xlsx"))] == [
        ("missing_header", "检查家次")
    ]


def test_a_form_is_known_by_a_title_of_any_time(reader: Reader) -> None:
    rows = [["2024年12月行政处罚情况月报"], ["单位", "检查次数", "警告", "罚款"], ["甲镇", 1, 2, 3]]
    assert [item.kind for item in found(reader.read(workbook(rows), "表.xlsx"))] == ["missing_header"] * 3
    rows[0] = ["2024年12月月报"]
    assert [item.kind for item in found(reader.read(workbook(rows), "表.xlsx"))] == ["sheet_not_recognised"]


def test_a_sheet_that_lacks_a_column_is_still_of_its_version(reader: Reader) -> None:
    read = reader.read(sheet("2026年2月", NEW[:-1], ("甲镇", "1 2 3 4 5")), "表.xlsx")
    assert [(finding.kind, finding.expected) for finding in found(read)] == [("missing_header", "执法人员")]


def test_two_tables_on_one_sheet_may_be_of_two_versions(reader: Reader) -> None:
    rows = [*table("2026年1月", NEW, ("甲镇", "1 2 3 4 5 6")), *table("2025年12月", OLD, ("甲镇", "1 1 2 3 4 5"))]
    read = reader.read(workbook(Sheet(rows, ["C7:D7"])), "表.xlsx")
    assert found(read) == []
    assert [item.period.period_id for item in read.submissions] == ["2026-01", "2025-12"]
    assert [len(item.observations) for item in read.submissions] == [6, 6]


# The rules of the time


# By month: the header, the row of 甲镇, the total row, and the rules broken.
CHECKED: dict[str, tuple[list[str], str, str, set[tuple[str, str]]]] = {
    "2024-12": (OLDEST, "1 0 2 0 0 0", "9 0 2 0 0 0", {("a", "p.fined_within_checks")}),
    "2025-12": (OLD, "1 0 2 0 0 0", "9 0 2 0 0 0", {("a", "p.fined_within_checks"), ("all", "p.adds_up")}),
    "2026-01": (
        NEW,
        "1 2 1 0 0 0",
        "9 2 0 0 0 0",
        {("a", "p.penalties_within_checks"), ("all", "p.total_checks"), ("all", "p.total_closed")},
    ),
}


def nothing(row: str) -> str:
    """Return a row of zeros: a table of one unit has no total to be checked."""
    return " ".join("0" for _ in row.split())


def test_a_submission_is_checked_by_the_rules_of_its_period(
    definitions: Path, server: LocalServer, template: str, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path / "state", definitions, new_database(server, template))
    intake.prepare(settings)
    paths = []
    for month, (header, row, total, _) in CHECKED.items():
        paths.append(tmp_path / f"{month[:4]}年{int(month[5:])}月.xlsx")
        paths[-1].write_bytes(sheet(paths[-1].stem, header, ("甲镇", row), ("乙镇", nothing(row)), ("合计", total)))
    intake.ingest_files(settings, map(str, paths), "collect", datetime(2026, 2, 1, tzinfo=UTC))
    check_submissions(settings)
    assert {month: broken(settings, month) for month in CHECKED} == {month: said[3] for month, said in CHECKED.items()}
    at_hand = {
        (item.period, item.unit, item.rule_id)
        for file in check_files(definitions, list(map(str, paths))).files
        for item in file.findings
    }
    assert at_hand == {(month, *said) for month, (*_, rules) in CHECKED.items() for said in rules}


def test_only_rules_of_the_time_are_named_as_not_checked(tmp_path: Path) -> None:
    other = """
form_id: q
authority_id: au
title: 检查情况月报
calendar: {kind: month}
figures: single
unit_labels: [单位]
indicators: [{indicator_id: checks, label: [检查], unit_of_measure: 家次}]
"""
    rules = """
form: p
rules:
  - {rule_id: no_fall, kind: not_falling, indicators: [checks], effective_from: 2025-01-01}
  - {rule_id: same, kind: equal_across_forms, left: checks, right: q.checks, effective_from: 2025-01-01}
"""
    written(tmp_path, {**DEFINITIONS, "catalog/au/forms/q.yaml": other, "expectations/au/p.yaml": rules})
    skipped = []
    for period, header in (("2024年12月", OLDEST), ("2025年1月", OLD)):
        path = tmp_path / f"{period}.xlsx"
        path.write_bytes(sheet(period, header, ("甲镇", "1 2 3 4 5 6")))
        skipped.append(check_files(tmp_path, [str(path)]).skipped)
    assert [(some.across_periods, some.across_forms) for some in skipped] == [([], []), (["p.no_fall"], ["p.same"])]


def test_figures_of_another_version_are_kept_out_until_corrected_and_taken_from_the_archive(
    definitions: Path, server: LocalServer, template: str, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path / "state", definitions, new_database(server, template))
    intake.prepare(settings)
    path = tmp_path / "表.xlsx"
    path.write_bytes(sheet("2026年1月", OLD, ("甲镇", "1 0 2 0 0 0")))
    outcomes = []
    for number, policy in enumerate(("collect", "archive"), 1):
        path.write_bytes(sheet("2026年1月", OLD, ("甲镇", f"{number} 0 2 0 0 0")))
        intake.ingest_files(settings, [str(path)], policy, datetime(2026, 2, number, tzinfo=UTC))
        check_submissions(settings)
    with connect(settings) as connection:
        outcomes = connection.execute(
            "select policy, outcome from intake.submissions join quality.verdicts using (submission_id) order by 1"
        ).fetchall()
        kinds = connection.execute(
            "select rule_kind, severity, count(*) from quality.findings group by 1, 2"
        ).fetchall()
    assert outcomes == [("archive", "accepted"), ("collect", "returned")]
    assert kinds == [("wrong_version", "error", 2)]  # and no rule of another time on figures that are there


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            "expectations/au/p.yaml",
            ", effective_to: 2025-12-31}",
            "}",
            "rule fined_within_checks: p.fined: the form has it only from the beginning to 2025-12-31: expected"
            " effective_from and effective_to within that",
        ),
        (
            "expectations/au/p.yaml",
            "effective_from: 2025-01-01, effective_to: 2025-12-31",
            "effective_from: 2025-01-01, effective_to: 2024-12-31",
            "rules.2.total_row: effective_from: expected a day not after effective_to (2024-12-31)",
        ),
        ("catalog/au/forms/p.yaml", "[warnings, fined]", "[warnings, fines]", "replaces fines: expected indicators of"),
        ("catalog/au/forms/p.yaml", "[shut]", "[shut, fined]", "replaces 'fined' is declared twice"),
        (
            "catalog/au/forms/p.yaml",
            "家, effective_from: 2026-01-01, replaces: [shut]",
            "家, replaces: [shut]",
            "closed: replaces shut: expected effective_from, the day from which it does",
        ),
        (
            "catalog/au/forms/p.yaml",
            "unit_of_measure: 家}",
            "unit_of_measure: 起}",
            "closed: replaces shut: expected the same unit_of_measure",
        ),
        (
            "catalog/au/forms/p.yaml",
            "[关闭企业], unit_of_measure: 家",
            "[关闭企业], unit_of_measure: 家, effective_to: 2025-06-30",
            "shut: effective_to: expected 2025-12-31, as closed replaces it",
        ),
        (
            "catalog/au/forms/p.yaml",
            "[关闭企业], unit_of_measure: 家",
            "[关闭企业], unit_of_measure: 家, figures: single",
            "closed: replaces shut: expected the same figures",
        ),
        (
            "catalog/au/forms/p.yaml",
            "label: [宣讲], unit_of_measure: 场",
            "label: [宣讲], unit_of_measure: 场, effective_from: 2026-03-01",
            "lectures: effective_from: expected a day not after its last one, 2025-12-31",
        ),
        (
            "catalog/au/forms/p.yaml",
            "label: [隐患]",
            "label: [宣讲]",
            "label (from the beginning to 2024-12-31) ('宣讲',) is declared twice",
        ),
        (
            "catalog/au/forms/p.yaml",
            "[{until: 2024-12-31, label: [检查次数]}]",
            "[{until: 2024-12-31, label: [检查次数]}, {until: 2023-12-31, label: [检查]}]",
            "checks: earlier_labels: expected each until later than the one before",
        ),
        (
            "catalog/au/forms/p.yaml",
            "[{until: 2024-12-31, title: 行政处罚情况月报}]",
            "[{until: 2024-12-31, title: 行政处罚情况月报}, {until: 2024-12-31, title: 处罚月报}]",
            "earlier_titles: expected each until later than the one before",
        ),
        ("catalog/au/forms/p.yaml", "measure_kind: stock", "measure_kind: stock, effective_until: 2027-01-01", "Extra"),
    ],
)
def test_what_cannot_be_is_refused_by_file_and_key(tmp_path: Path, file: str, old: str, new: str, said: str) -> None:
    changed = DEFINITIONS[file].replace(old, new, 1)
    assert changed != DEFINITIONS[file]
    with pytest.raises(CatalogError) as refused:
        load_suites(written(tmp_path, {**DEFINITIONS, file: changed}), load_catalog(tmp_path))
    assert str(tmp_path / file) in str(refused.value) and said in str(refused.value)


def test_a_time_without_any_indicator_is_refused(tmp_path: Path) -> None:
    form = FORM[: FORM.index("  - indicator_id")] + FORM[FORM.index("  - {indicator_id: small") :]
    with pytest.raises(CatalogError, match="the form has none from the beginning to 2024-12-31"):
        load_catalog(written(tmp_path, {**DEFINITIONS, "catalog/au/forms/p.yaml": form}))


def test_a_template_is_that_of_the_period(definitions: Path, reader: Reader) -> None:
    headers = {"2024年12月": OLDEST, "2025年12月": OLD, "2026年1月": NEW}
    marks = set()
    for period, header in headers.items():
        for name, made in templates(definitions, "p", period, consolidated=True):
            book = openpyxl.load_workbook(io.BytesIO(made.content()))
            texts = [str(cell.value) for row in book.worksheets[0].iter_rows() for cell in row if cell.value]
            assert [label for label in header if not any(text.startswith(label) for text in texts)] == []
            assert name.startswith("行政处罚情况月报_" if period == "2024年12月" else "执法处罚情况月报表_")
            notes = " ".join(str(cell.value) for row in book.worksheets[1].iter_rows() for cell in row)
            assert ("处罚·罚款（○）不应大于" in notes) == ("罚款" in header)
            assert ("处罚（○）不应大于" in notes) == ("罚款" not in header)
            marks.add(made.mark.layout)
            read = reader.read(made.content(), name)
            assert {finding.kind for finding in found(read)} == {"blank_submission"}
    assert len(marks) == 3


def test_a_template_of_a_version_declared_later_is_of_the_wrong_one_and_not_outdated_besides(
    definitions: Path, reader: Reader, tmp_path: Path
) -> None:
    lines = FORM.replace(",\n     ", ", ").replace(", effective_to: 2025-12-31", "").splitlines(keepends=True)
    only_old = "".join(line for line in lines if "effective_from" not in line)
    files = {name: text for name, text in DEFINITIONS.items() if not name.startswith("expectations")}
    written(
        tmp_path,
        {
            **files,
            "catalog/au/forms/p.yaml": only_old,
            "expectations/au/p.yaml": """
form: p
rules: [{rule_id: fined_within_checks, kind: part_whole, parts: [fined], whole: [checks]}]
""",
        },
    )
    ((name, made),) = templates(tmp_path, "p", "2026-01", "甲镇")
    kinds = [finding.kind for finding in found(reader.read(made.content(), name))]
    assert kinds == ["wrong_version", "blank_submission"]


def test_the_page_says_what_happens(tmp_path: Path) -> None:
    page = (PROJECT_ROOT / "docs" / "adding_a_form.md").read_text(encoding="utf-8")
    section = page[page.index("When a form changes") :]
    form, rules = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    (said,) = re.findall(r"```\n(表式.*?)\n```", section, re.DOTALL)
    head = "form_id: p\nauthority_id: au\ncalendar: {kind: month}\nfigures: single\nunit_labels: [单位]\n"
    files = {"catalog/au/forms/p.yaml": head + form, "expectations/au/p.yaml": "form: p\n" + rules}
    catalog = load_catalog(written(tmp_path, {**DEFINITIONS, **files}))
    assert [len(suite.checks) for suite in load_suites(tmp_path, catalog)] == [2]
    old = ["单位", "检查家次", "警告", "罚款", "宣讲"]
    rows = [["双重预防机制检查月报表"], ["统计期：2026年1月"], old, ["甲镇", 1, 2, 3, 4]]
    (finding,) = found(Reader(catalog).read(workbook(rows), "表.xlsx"))
    assert finding.message() == said


def test_invented_figures_are_those_of_the_time(definitions: Path, reader: Reader) -> None:
    made = list(generator.workbooks(definitions, authority="au", periods=3, starting=date(2025, 11, 30)))
    assert len(made) == 6
    for book in made:
        read = reader.read(book.content(), book.file_name)
        assert found(read) == []
        ids = {cell.indicator_id for item in read.submissions for cell in item.observations}
        assert ("p.penalties" in ids) == (read.submissions[0].period.period_id == "2026-01")
