"""Templates: what a clerk may fill in and what not, and that they are known again whatever becomes of the file."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from click.testing import CliRunner
from openpyxl.cell import Cell
from openpyxl.worksheet.worksheet import Worksheet

from enforcement_reporting import generator
from enforcement_reporting.catalog import Catalog, Form, load_catalog
from enforcement_reporting.cli import main
from enforcement_reporting.findings import ReadingFinding
from enforcement_reporting.generator import Submission
from enforcement_reporting.settings import PROJECT_ROOT
from enforcement_reporting.templates import templates
from enforcement_reporting.texts import plain
from enforcement_reporting.workbook import Reader, ReadWorkbook, mark
from enforcement_reporting.workbook.package import open_package

CATALOG = load_catalog(PROJECT_ROOT)
READER = Reader(CATALOG)
FORMS = sorted(form.form_id for form in CATALOG.tables)
WITH_UNIT_ROWS = [form_id for form_id in FORMS if CATALOG.form_by_id[form_id].unit_labels]
STARTS = {"kezhou": date(2025, 7, 1)}
NOTES = "填表说明"


def stated(form: Form) -> list[Submission]:
    """Return what units state on a form for one period, without a contradiction."""
    made = generator.workbooks(
        PROJECT_ROOT, authority=form.authority_id, forms=[form.form_id], starting=STARTS.get(form.authority_id), seed=3
    )
    return [item for workbook in made for sheet in workbook.sheets for item in sheet]


def one(form_id: str, period: str, unit: str | None = None, *, consolidated: bool = False) -> tuple[str, bytes]:
    ((name, made),) = templates(PROJECT_ROOT, form_id, period, unit, consolidated=consolidated)
    return name, made.content()


def rows_of(sheet: Worksheet, form: Form) -> tuple[dict[str, int], int]:
    """Return the column of each indicator, found by the labels in the header, and the first row below it."""
    covered = {
        (row, column): sheet.cell(span.min_row, span.min_col)
        for span in sheet.merged_cells.ranges
        for row in range(span.min_row, span.max_row + 1)
        for column in range(span.min_col, span.max_col + 1)
    }
    below = sheet.freeze_panes
    assert below is not None
    first = openpyxl.utils.cell.coordinate_to_tuple(below)[0]
    found: dict[str, int] = {}
    wanted = {tuple(map(plain, item.label)): item.indicator_id for item in form.indicators}
    units = "|".join(re.escape(plain(item.unit_of_measure)) for item in form.indicators)
    for column in range(1, sheet.max_column + 1):
        cells = [covered.get((row, column), sheet.cell(row, column)) for row in range(2, first)]
        path = [plain(str(cell.value)) for cell in dict.fromkeys(cells) if cell.value]
        for length in range(1, len(path) + 1):
            for ending in (path[-length:], [*path[-length:-1], re.sub(rf"\(({units})\)$", "", path[-1])]):
                if indicator_id := wanted.get(tuple(ending)):
                    found[indicator_id] = column
    assert found.keys() == form.indicator_ids
    return found, first


def fill(content: bytes, form: Form, rows: Mapping[str, Mapping[str, Any]], *, results: bool = True) -> bytes:
    """Fill in the cells that may be; in formulas put the result that a spreadsheet saves, as openpyxl has none."""
    book = openpyxl.load_workbook(io.BytesIO(content))
    sheet = book.worksheets[0]
    columns, first = rows_of(sheet, form)
    for number, (name, figures) in enumerate(rows.items(), first):
        assert not form.unit_labels or sheet.cell(number, 1).value == name
        for indicator_id, figure in figures.items():
            cell = sheet.cell(number, columns[indicator_id])
            if not cell.protection.locked or (results and cell.data_type == "f"):
                cell.value = float(figure) if isinstance(figure, Decimal) else figure
    return saved(book)


def saved(book: openpyxl.Workbook) -> bytes:
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def findings(read: ReadWorkbook) -> list[ReadingFinding]:
    found = [*read.file_findings, *(item for items in read.sheet_findings.values() for item in items)]
    return found + [finding for item in read.submissions for finding in item.findings]


def assert_same(read: ReadWorkbook, expected: list[Submission], *, is_unit_s_own: bool) -> None:
    """Assert that exactly these figures come back; of its ranks and points a unit says nothing itself."""
    assert [finding.message() for finding in findings(read)] == []
    came_back = {
        (item.form_id, item.unit_id, item.period.period_id, item.row_role): {
            o.indicator_id.partition(".")[2]: o.value for o in item.observations
        }
        for item in read.submissions
    }
    assert came_back == {
        (item.form.form_id, item.unit_id, item.period.period_id, item.row_role): {
            indicator.indicator_id: figure
            if isinstance(figure := item.figures[indicator.indicator_id], Decimal)
            and not (is_unit_s_own and indicator.measure_kind in ("rank", "points"))
            else None
            for indicator in item.form.indicators
        }
        for item in expected
    }


@pytest.mark.parametrize("form_id", FORMS)
def test_what_a_unit_fills_in_is_read_back_whatever_file_and_sheets_are_called(form_id: str) -> None:
    form = CATALOG.form_by_id[form_id]
    for item in (stated(form)[0], stated(form)[-1]):
        name, content = one(form_id, item.period.period_id, item.unit_id)
        filled = fill(content, form, {item.name: item.figures})
        assert_same(READER.read(filled, name), [item], is_unit_s_own=True)

        book = openpyxl.load_workbook(io.BytesIO(filled))
        book.worksheets[0].title, book.worksheets[1].title = "Sheet2", "Sheet1"
        book.move_sheet("Sheet1", -1)
        assert_same(READER.read(saved(book), "新建 工作表.xlsx"), [item], is_unit_s_own=True)


@pytest.mark.parametrize("form_id", WITH_UNIT_ROWS)
def test_the_table_of_all_units_is_read_back_with_its_total_row(form_id: str) -> None:
    form = CATALOG.form_by_id[form_id]
    rows = stated(form)
    totals = []
    if form.total_row:
        added = {
            item.indicator_id: sum((r.figures[item.indicator_id] or Decimal(0) for r in rows), Decimal(0))
            for item in form.indicators
        }
        totals = [Submission(form, rows[0].period, form.total_row.states, form.total_row.labels[0], "total", added)]
    name, content = one(form_id, rows[0].period.period_id, consolidated=True)
    filled = fill(content, form, {item.name: item.figures for item in [*rows, *totals]})
    assert_same(READER.read(filled, name), [*rows, *totals], is_unit_s_own=False)


def test_every_unit_that_owes_a_form_gets_its_own() -> None:
    made = dict(templates(PROJECT_ROOT, "licheng_dispatch", "0912期"))
    assert len(made) == len(CATALOG.expected_units(CATALOG.form_by_id["licheng_dispatch"])) == 27
    assert all(len(item.rows) == 1 and item.rows[0].unit.name in name for name, item in made.items())


@pytest.mark.parametrize("form_id", FORMS)
def test_the_mark_settles_what_a_clerk_has_erased(form_id: str) -> None:
    form = CATALOG.form_by_id[form_id]
    item = stated(form)[0]
    _, content = one(form_id, item.period.period_id, item.unit_id)
    book = openpyxl.load_workbook(io.BytesIO(fill(content, form, {item.name: item.figures})))
    sheet = book.worksheets[0]
    _, first = rows_of(sheet, form)
    top = next(row for row in range(2, first) if sheet.cell(row, 1).fill.fgColor.rgb == "FFDDEBF7")
    for row in range(1, top):
        sheet.cell(row, 1).value = None
    sheet.title = "Sheet1"
    assert_same(READER.read(saved(book), "a.xlsx"), [item], is_unit_s_own=True)
    sheet.defined_names.clear()
    book.remove(book.worksheets[1])
    left = READER.read(saved(book), "a.xlsx")
    assert left.submissions == []
    assert "period_not_recognised" in {finding.kind for finding in left.file_findings}


def test_what_is_remembered_of_one_workbook_s_structure_gives_no_other_its_mark() -> None:
    """Two units' files of one form, told apart by their marks alone, read in turn and again."""
    form = CATALOG.form_by_id["licheng_dispatch"]
    files = {}
    for item in stated(form)[:2]:
        _, content = one(form.form_id, item.period.period_id, item.unit_id)
        book = openpyxl.load_workbook(io.BytesIO(fill(content, form, {item.name: item.figures})))
        sheet = book.worksheets[0]
        _, first = rows_of(sheet, form)
        for row in sheet.iter_rows(min_row=1, max_row=first - 1):
            for cell in row:
                if item.name in str(cell.value) or item.period.name in str(cell.value):
                    cell.value = None
        sheet.title = "Sheet1"
        files[item.unit_id] = (saved(book), item)
    assert len(files) == 2
    for content, item in [*files.values(), *reversed(files.values())]:
        opened = open_package(content)
        assert [f"|{item.unit_id}|" in sheet.mark for sheet in opened.sheets] == [True]
        assert_same(READER.read(content, "a.xlsx"), [item], is_unit_s_own=True)


def test_a_workbook_that_was_returned_keeps_its_mark_wherever_the_list_is_moved() -> None:
    form = CATALOG.form_by_id["licheng_dispatch"]
    item = stated(form)[0]
    name, content = one(form.form_id, item.period.period_id, item.unit_id)
    returned = mark(fill(content, form, {item.name: item.figures}), [], "核对")
    book = openpyxl.load_workbook(io.BytesIO(returned))
    book.move_sheet("核对清单", -2)
    for again in (returned, saved(book), mark(saved(book), [], "再次核对")):
        marks = {sheet.name: sheet.mark for sheet in open_package(again).sheets}
        assert f"|{item.unit_id}|" in marks.pop(form.title)
        assert marks == {"核对清单": ""}
        assert_same(READER.read(again, name), [item], is_unit_s_own=True)


@pytest.mark.parametrize(
    ("form_id", "said", "instead"),
    [
        ("licheng_dispatch", "统计区间：2023年5月1日—2023年9月12日（0912期）", "统计区间：0919期"),
        ("licheng_dispatch", "西天尾镇", "北高镇"),
        ("alar_license", "统计区间：2024年", "统计区间：2025年"),
        ("alar_license", "行政许可实施情况统计表", "行政处罚实施情况统计表"),
    ],
)
def test_a_sheet_that_contradicts_its_mark_is_a_finding_and_nothing_is_guessed(
    form_id: str, said: str, instead: str
) -> None:
    period = "2023-09-12" if form_id == "licheng_dispatch" else "2024"
    _, made = next(templates(PROJECT_ROOT, form_id, period))
    book = openpyxl.load_workbook(io.BytesIO(made.content()))
    sheet = book.worksheets[0]
    columns, first = rows_of(sheet, made.form)
    if instead == "行政处罚实施情况统计表":  # with that form's table in the place of this one's
        _, other = next(templates(PROJECT_ROOT, "alar_penalty", period))
        pasted = openpyxl.load_workbook(io.BytesIO(other.content())).worksheets[0]
        for span in list(sheet.merged_cells.ranges):
            sheet.unmerge_cells(str(span))
        for row in pasted.iter_rows():
            for cell in row:
                sheet.cell(cell.row, cell.column).value = cell.value
        for span in pasted.merged_cells.ranges:
            sheet.merge_cells(str(span))
    else:
        for column in columns.values():
            if not sheet.cell(first, column).protection.locked:
                sheet.cell(first, column).value = 1
        changed = [cell for row in sheet.iter_rows() for cell in row if cell.value == said]
        assert changed
        for cell in changed:
            cell.value = instead
    read = READER.read(saved(book), "表.xlsx")
    assert read.submissions == []
    (finding,) = read.file_findings
    assert (finding.kind, finding.severity.value) == ("template_differs", "error")
    assert finding.cells
    assert finding.stated != finding.expected and made.form.title in finding.expected


def test_a_template_of_another_version_is_taken_and_noticed() -> None:
    form = CATALOG.form_by_id["kezhou_penalty"]
    item = stated(form)[0]
    _, content = one(form.form_id, item.period.period_id, item.unit_id)
    more = form.indicators[0].model_copy(
        update={"indicator_id": "more_count", "label": ("新增",), "aliases": (), "optional": True}
    )
    newer = form.model_copy(update={"indicators": (*form.indicators, more)})
    forms = tuple(newer if other is form else other for other in CATALOG.forms)
    catalog = Catalog(**{name: getattr(CATALOG, name) for name in Catalog.model_fields} | {"forms": forms})
    read = Reader(catalog).read(fill(content, form, {item.name: item.figures}), "表.xlsx")
    assert len(read.submissions) == 1
    assert [finding.kind for finding in findings(read)] == ["template_outdated"]


def test_a_template_sent_back_as_it_was_is_no_report() -> None:
    for form_id, period in (
        ("licheng_dispatch", "2023-09-12"),
        ("kezhou_hazard", "2025-M01-M09"),
        ("alar_other", "2024"),
    ):
        name, made = next(templates(PROJECT_ROOT, form_id, period))
        assert [finding.kind for finding in findings(READER.read(made.content(), name))] == ["blank_submission"]


# What may be filled in.


def inputs(sheet: Worksheet, form: Form, count: int) -> Iterator[tuple[str, Cell]]:
    columns, first = rows_of(sheet, form)
    for row in range(first, first + count):
        for indicator_id, column in columns.items():
            if not sheet.cell(row, column).protection.locked:
                yield indicator_id, sheet.cell(row, column)


def made_of(form_id: str, *, consolidated: bool = False) -> tuple[Form, Worksheet, int]:
    form = CATALOG.form_by_id[form_id]
    period = stated(form)[0].period.period_id
    _, made = next(templates(PROJECT_ROOT, form_id, period, consolidated=consolidated))
    book = openpyxl.load_workbook(io.BytesIO(made.content()))
    return form, book.worksheets[0], len(made.rows)


@pytest.mark.parametrize("form_id", FORMS)
def test_only_cells_to_fill_in_are_open_and_each_says_in_chinese_what_it_takes(form_id: str) -> None:
    form, sheet, count = made_of(form_id)
    assert sheet.protection.sheet and not sheet.protection.password
    open_cells = {cell.coordinate: indicator_id for indicator_id, cell in inputs(sheet, form, count)}
    unlocked = {cell.coordinate for row in sheet.iter_rows() for cell in row if not cell.protection.locked}
    assert unlocked == open_cells.keys()
    assert all(sheet[address].value is None for address in open_cells)
    rules = {str(rule.sqref): rule for rule in sheet.data_validations.dataValidation}
    assert rules.keys() == open_cells.keys()
    for address, indicator_id in open_cells.items():
        rule = rules[address]
        indicator = next(item for item in form.indicators if item.indicator_id == indicator_id)
        assert indicator.unit_of_measure in rule.prompt and "请填" in rule.error
        assert rule.errorStyle in (None, "stop") and rule.allow_blank
        assert len(rule.prompt) <= 255 and len(rule.error) <= 255 and len(rule.promptTitle) <= 32
        assert len(rule.formula1) <= 255
        if rule.type == "custom":
            assert address in rule.formula1
        elif "元" in indicator.unit_of_measure:
            assert (rule.type, rule.operator, rule.formula1) == ("decimal", "greaterThanOrEqual", "0")
        else:
            assert (rule.type, rule.operator, rule.formula1) == ("whole", "greaterThanOrEqual", "0")


def test_a_part_may_not_exceed_its_whole_where_that_would_be_an_error_and_may_where_it_is_a_question() -> None:
    form, sheet, _ = made_of("licheng_dispatch")
    columns, first = rows_of(sheet, form)
    rules = {str(rule.sqref): rule for rule in sheet.data_validations.dataValidation}

    def cell(indicator_id: str) -> str:
        return sheet.cell(first, columns[indicator_id]).coordinate

    part, whole = cell("general_hazards_fixed_count"), cell("general_hazards_found_count")
    for address in (part, whole):
        formula = rules[address].formula1
        assert formula.endswith(f"OR(COUNT({whole})<1,ROUND(SUM({part})-SUM({whole}),9)<=0))")
        assert f"{address}=INT({address})" in formula and f"{address}>=0" in formula
        assert "不应大于" in rules[address].error
    amount = rules[cell("anonymous_rewards_10k_yuan")].formula1
    assert "INT(" not in amount and cell("rewards_10k_yuan") in amount
    assert rules[cell("closures_count")].type == "whole"


def test_what_does_not_apply_is_closed_and_marked() -> None:
    form, sheet, _ = made_of("licheng_dispatch", consolidated=True)
    columns, first = rows_of(sheet, form)
    kinds = {unit.name: unit.kind for unit in CATALOG.expected_units(form)}
    seen = set()
    for row in range(first, first + len(kinds)):
        cell = sheet.cell(row, columns["towns_guided_count"])
        is_town = kinds[str(sheet.cell(row, 1).value)] == "镇街"
        assert (cell.value, cell.protection.locked) == (("—", True) if is_town else (None, False))
        seen.add(is_town)
    assert seen == {True, False}


def test_the_total_row_adds_and_rates_divide() -> None:
    form, sheet, count = made_of("licheng_dispatch", consolidated=True)
    columns, first = rows_of(sheet, form)
    total = first + count
    assert sheet.cell(total, 1).value == "累计"
    for column in columns.values():
        letters = openpyxl.utils.get_column_letter(column)
        cells = f"{letters}{first}:{letters}{total - 1}"
        assert sheet.cell(total, column).value == f'=IF(COUNT({cells})=0,"",SUM({cells}))'
    form, sheet, _ = made_of("kezhou_hazard")
    columns, first = rows_of(sheet, form)
    cell = sheet.cell(first, columns["hazards_fixed_percent"])
    assert cell.protection.locked
    assert cell.value == f'=IF(COUNT(B{first},D{first},E{first})<3,"",IF(SUM(B{first})=0,"—",' + (
        f"ROUND(100*SUM(D{first},E{first})/SUM(B{first}),2)))"
    )


def test_the_sheet_says_until_when_and_how_things_are_counted_and_prints_on_one_page_s_width() -> None:
    form, sheet, _ = made_of("licheng_dispatch")
    texts = [row[0].value for row in sheet.iter_rows(max_row=5)]
    assert texts[0] == form.title
    assert "填报单位：西天尾镇" in texts
    assert any(str(text).startswith("报送截止时间：2023年6月28日 17:30") for text in texts)
    comments = [cell.comment.text for row in sheet.iter_rows() for cell in row if cell.comment]
    assert len(comments) == sum(bool(item.counting_rule) for item in form.indicators)
    assert any("复查也各计一次" in text and "附件2第1条" in text for text in comments)
    assert sheet.sheet_properties.pageSetUpPr.fitToPage
    assert (sheet.page_setup.orientation, sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight) == (
        *("landscape", None, 0),  # one page wide, which is what is meant where nothing is said
    )
    assert sheet.print_title_rows and sheet.freeze_panes
    notes = sheet.parent.worksheets[1]
    assert notes.title == NOTES
    said = {row[0]: row[1:] for row in notes.iter_rows(min_row=3, values_only=True)}
    assert set(said) == {item.caption for item in form.indicators}
    assert "一般隐患已整改数（○）不应大于一般隐患排查数（○）。" in str(said["一般隐患已整改数"][3])
    assert "行的“" not in str(said["一般隐患已整改数"][3])


def test_nothing_in_a_template_acts_as_a_formula_but_what_is_declared(tmp_path: Path) -> None:
    evil = '=HYPERLINK("http://x","y")'
    files = {
        "catalog/landing.yaml": "places: [{place_id: inbox, path: inbox, policy: collect}]",
        "catalog/demo/authority.yaml": f"authority_id: demo\nname: 局\nunits: {{unit_id: z, name: 全区, kind: 汇总,"
        f" members: [{{unit_id: x, name: '{evil}', kind: 镇}}]}}",
        "catalog/demo/forms/demo.yaml": f"form_id: demo\nauthority_id: demo\ntitle: '{evil}表'\n"
        "calendar: {kind: month}\nfigures: single\nunit_labels: ['=单位']\nindicators:\n"
        f"  - {{indicator_id: a, label: ['+1+1'], name: '{evil}', unit_of_measure: 件, counting_rule: '{evil}'}}\n"
        "  - {indicator_id: b, label: ['@SUM(A1)'], unit_of_measure: '=件'}\n",
        "expectations/demo.yaml": "form: demo\nrules:\n  - {rule_id: r, kind: part_whole, parts: [a], whole: [b],"
        " message: '=1+1'}\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    for consolidated in (False, True):
        ((_, made),) = templates(tmp_path, "demo", "2025-09", consolidated=consolidated)
        with zipfile.ZipFile(io.BytesIO(made.content())) as archive:
            sheets = [archive.read(name).decode() for name in archive.namelist() if "worksheets/sheet" in name]
            assert not [name for name in archive.namelist() if "hyperlink" in name or "externalLink" in name]
        assert len(sheets) == 2
        assert not any("<f>" in xml or "<hyperlink" in xml for xml in sheets)


def test_the_same_template_has_the_same_bytes() -> None:
    code = (
        "import sys, hashlib; from pathlib import Path; from enforcement_reporting.templates import templates\n"
        "made = templates(Path(sys.argv[1]), 'licheng_dispatch', '2023-09-12', consolidated=True)\n"
        "print(*(hashlib.sha256(item.content()).hexdigest() for _, item in made))"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code, str(PROJECT_ROOT)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    digests.add(hashlib.sha256(one("licheng_dispatch", "2023-09-12", consolidated=True)[1]).hexdigest())
    assert len(digests) == 1


def test_what_does_not_exist_is_named() -> None:
    for arguments, message in (
        (("nothing", "2024", None, False), "form: expected one of"),
        (("alar_license", "2024-05", None, False), "no period that form alar_license is reported for; one is 2045"),
        (("kezhou_plan", "2025-Q3", None, False), "no period that form kezhou_plan is reported for"),
        (("alar_license", "2024", "泌阳县", False), "does not owe form alar_license"),
        (("alar_license", "2024", None, True), "no column of units"),
        (("kezhou_plan", "2025-M01-M09", "州本级", True), "either a unit or consolidated"),
    ):
        form_id, period, unit, consolidated = arguments
        with pytest.raises(ValueError, match=message):
            list(templates(PROJECT_ROOT, form_id, period, unit, consolidated=consolidated))


def test_the_command_writes_files_and_names_them(tmp_path: Path) -> None:
    def call(*arguments: object) -> Any:
        return CliRunner().invoke(main, ["template", *map(str, arguments)])

    done = call("kezhou_plan", "--period", "2025年前三季度", "--out", tmp_path)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == sorted(map(str, tmp_path.iterdir()), key=done.stdout.find)
    assert len(list(tmp_path.iterdir())) == 5
    assert call("kezhou_plan", "--period", "2025年9月份的", "--unit", "nobody", "--out", tmp_path).exit_code == 3


@pytest.mark.skipif(shutil.which("soffice") is None, reason="needs LibreOffice")
def test_libreoffice_keeps_the_mark_and_works_the_formulas_out(tmp_path: Path) -> None:
    items = {}
    for form_id in ("licheng_dispatch", "kezhou_hazard", "alar_penalty"):
        form = CATALOG.form_by_id[form_id]
        item = stated(form)[0]
        _, content = one(form_id, item.period.period_id, item.unit_id)
        book = openpyxl.load_workbook(io.BytesIO(fill(content, form, {item.name: item.figures}, results=False)))
        sheet = book.worksheets[0]
        for row in range(1, 5):  # what is left to be known by is the mark
            if not str(sheet.cell(row, 1).value).startswith(form.unit_labels or "?"):
                sheet.cell(row, 1).value = None
        items[form_id] = item
        (tmp_path / f"{form_id}.xlsx").write_bytes(saved(book))
    subprocess.run(
        [
            *("soffice", f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to", "xlsx"),
            *("--outdir", str(tmp_path / "converted"), *map(str, sorted(tmp_path.glob("*.xlsx")))),
        ],
        check=True,
        capture_output=True,
        timeout=180,
    )
    for form_id, item in items.items():
        read = READER.read((tmp_path / "converted" / f"{form_id}.xlsx").read_bytes(), "表.xlsx")
        assert_same(read, [item], is_unit_s_own=True)


@pytest.mark.parametrize(
    ("figures", "says"),
    [("cumulative", "各项填自年初至期末的累计数，不是当期数。只填浅黄色单元格"), ("single", "只填浅黄色单元格")],
)
def test_where_a_month_would_be_understood_the_template_says_that_figures_are_cumulative(
    tmp_path: Path, figures: str, says: str
) -> None:
    files = {
        "landing.yaml": "places: [{place_id: inbox, path: inbox, policy: collect}]",
        "au/authority.yaml": "{authority_id: au, name: 市应急局, units: {unit_id: all, name: 全市, kind: 市, members: "
        "[{unit_id: a, name: 甲镇, kind: 镇街}]}}",
        "au/forms/f.yaml": f"""
form_id: f
authority_id: au
title: 执法情况月报
calendar: {{kind: month}}
figures: {figures}
unit_labels: [单位]
indicators: [{{indicator_id: found, label: [排查], unit_of_measure: 条}}]
""",
    }
    (tmp_path / "expectations").mkdir()
    for name, text in files.items():
        path = tmp_path / "catalog" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    ((name, made),) = templates(tmp_path, "执法情况月报", "2025年8月", "甲镇")
    book = openpyxl.load_workbook(io.BytesIO(made.content()))
    sheet = book.worksheets[0]
    above = [str(row[0].value) for row in sheet.iter_rows(max_row=6) if row[0].value]
    assert [text for text in above if text.startswith(says)]
    columns, first = rows_of(sheet, made.form)
    sheet.cell(first, columns["found"]).value = 5
    read = Reader(load_catalog(tmp_path)).read(saved(book), name)
    assert [(item.unit_id, item.period.period_id) for item in read.submissions] == [("a", "2025-08")]
    assert read.file_findings == []
