"""What goes back to a clerk: his own workbook, marked, with nothing lost from it and nothing of anybody else in it."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter
from openpyxl.comments import Comment
from openpyxl.formatting.rule import CellIsRule
from openpyxl.styles import Font, PatternFill
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation
from python_calamine import CalamineWorkbook

from enforcement_reporting import intake, review
from enforcement_reporting.findings import Severity
from enforcement_reporting.quality import check_submissions
from enforcement_reporting.settings import Settings
from enforcement_reporting.warehouse import connect
from enforcement_reporting.workbook import Remark, UnreadableWorkbook, as_xlsx, mark, only_own_rows, read_grids
from enforcement_reporting.workbook.cells import Cell
from enforcement_reporting.workbook.grid import Grid, as_text
from enforcement_reporting.workbook.returned import COLOURS
from enforcement_reporting.workbook.review_list import COLUMNS, LIST_SHEET
from other_formats import WRITERS
from test_rules import HEADER, write_definitions
from workbooks import Error, Formatted, Rows, Sheet, sheet_xml, workbook

RED, AMBER, BLUE = (COLOURS[severity] for severity in (Severity.ERROR, Severity.QUESTION, Severity.NOTICE))
SECRET = 987654321


def remark(cells: str, severity: Severity = Severity.ERROR, **more: str) -> Remark:
    said = {"message": "整改（11）不应大于排查（10）。", "stated": "11", "expected": "10", "unit": "镇街01", **more}
    number = hashlib.sha256(f"{cells} {severity} {said}".encode()).hexdigest()[:20]
    return Remark(number, severity, form="隐患统计表", period="2025年9月", cells=cells, **said)


def book_of(**sheets: Sequence[Sequence[object]]) -> bytes:
    """Return a workbook of these sheets, as a library writes it."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    return saved(book)


def saved(book: openpyxl.Workbook) -> bytes:
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


@pytest.fixture
def sent() -> bytes:
    """A workbook with much in it that is to survive."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "隐患"
    for row in (["2025年9月隐患统计表"], HEADER, ["镇街01", 10, 11, "=B3-C3", "110%", 0, 0, 0]):
        sheet.append(row)
    sheet.merge_cells("A1:H1")
    sheet["C3"].fill = PatternFill("solid", fgColor="FFE2EFDA")
    sheet["C3"].font = Font(bold=True)
    sheet["C3"].number_format = "0.00"
    sheet["B2"].fill, sheet["B2"].font = PatternFill("solid", fgColor="FF1F4E78"), Font(color="FFFFFFFF")
    sheet["A3"].comment = Comment("请王五填写", "王五")
    sheet["C3"].comment = Comment("上月为 9", "王五")
    sheet.column_dimensions["A"].width = 27
    choice = DataValidation(type="list", formula1='"是,否"')
    choice.add("H3")
    sheet.add_data_validation(choice)
    sheet.conditional_formatting.add(
        "B3:B9", CellIsRule(operator="lessThan", formula=["0"], font=Font(color="FFFF0000"))
    )
    book.create_sheet("台账").append(["明细", 42, "=B1*2"])
    book.defined_names["全部"] = DefinedName("全部", attr_text="隐患!$A$3:$H$3")
    return saved(book)


def opened(content: bytes) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(content))


def parts(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def fill(book: openpyxl.Workbook, address: str, sheet: str = "隐患") -> str:
    return book[sheet][address].fill.fgColor.rgb


def listed(book: openpyxl.Workbook) -> list[dict[str, object]]:
    """Return the rows of 核对清单 by their headings."""
    rows = [[cell.value for cell in row] for row in book[LIST_SHEET].iter_rows(min_row=4)]
    assert rows[0] == list(COLUMNS)
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows[1:]]


def test_wrong_cells_have_the_colour_of_their_severity_and_a_comment_with_what_is_wrong(sent: bytes) -> None:
    book = opened(
        mark(
            sent,
            [
                remark("隐患!C3、隐患!B3"),
                remark("隐患!F3", Severity.QUESTION, message="罚款明显高于上期。", stated="14", expected=""),
                remark("隐患!G3", Severity.NOTICE, message="截断。"),
            ],
            "退回清单",
        )
    )
    assert [fill(book, address) for address in ("B3", "C3", "F3", "G3", "H3")] == [RED, RED, AMBER, BLUE, "00000000"]
    comment = book["隐患"]["F3"].comment
    assert comment is not None
    assert comment.text.endswith("核实性：罚款明显高于上期。")


def test_what_would_mend_a_finding_stands_below_it_in_the_comment_and_on_the_list(sent: bytes) -> None:
    mend = "可能是两个数字颠倒：若将 C3 由 84 改为 48，则相符。"
    book = opened(mark(sent, [dataclasses.replace(remark("隐患!C3", message="不符。"), proposals=(mend,))], ""))
    comment = book["隐患"]["C3"].comment
    assert comment is not None and comment.text.endswith(f"强制性：不符。\n→ {mend}")
    assert f"不符。\n→ {mend}" in [cell.value for cell in book[LIST_SHEET][5]]


def test_several_findings_on_a_cell_are_one_comment_in_the_worst_colour(sent: bytes) -> None:
    book = opened(
        mark(sent, [remark("隐患!G3", Severity.NOTICE, message="甲。"), remark("隐患!G3", message="乙。")], "")
    )
    comment = book["隐患"]["G3"].comment
    assert comment is not None
    assert fill(book, "G3") == RED
    assert "甲。" in comment.text and "乙。" in comment.text


def test_a_cell_keeps_its_number_format_and_font_and_the_comment_it_had(sent: bytes) -> None:
    cell = opened(mark(sent, [remark("隐患!C3")], ""))["隐患"]["C3"]
    assert (cell.number_format, cell.font.bold, cell.value) == ("0.00", True, 11)
    assert cell.comment is not None and cell.comment.text.startswith("上月为 9\n【核对】")


def test_white_on_dark_does_not_become_white_on_light(sent: bytes) -> None:
    cell = opened(mark(sent, [remark("隐患!B2")], ""))["隐患"]["B2"]
    assert cell.fill.fgColor.rgb == RED
    assert cell.font.color is None or cell.font.color.rgb != "FFFFFFFF"


def test_all_else_in_the_workbook_survives(sent: bytes) -> None:
    marked = mark(sent, [remark("隐患!C3")], "")
    before, after = opened(sent), opened(marked)
    assert after.sheetnames == ["隐患", "台账", LIST_SHEET]
    for name in before.sheetnames:
        assert [[cell.value for cell in row] for row in after[name]] == [
            [cell.value for cell in row] for row in before[name]
        ]
    sheet = after["隐患"]
    assert sheet.merged_cells.ranges == before["隐患"].merged_cells.ranges
    assert sheet.column_dimensions["A"].width == 27
    assert [str(item.sqref) for item in sheet.data_validations.dataValidation] == ["H3"]
    assert [str(item.sqref) for item in sheet.conditional_formatting] == ["B3:B9"]
    assert after.defined_names["全部"].attr_text == "隐患!$A$3:$H$3"
    assert sheet["A3"].comment is not None and sheet["A3"].comment.text == "请王五填写"
    read = CalamineWorkbook.from_filelike(io.BytesIO(marked))
    assert read.get_sheet_by_name("隐患").to_python()[2][:3] == ["镇街01", 10.0, 11.0]


def test_what_is_not_touched_is_the_same_byte_for_byte_pictures_and_macros_too(sent: bytes) -> None:
    extra = {
        "xl/vbaProject.bin": b"\xd0\xcf macro",
        "xl/media/image1.png": b"PNG",
        "xl/drawings/drawing1.xml": b"<shape/>",
    }
    buffer = io.BytesIO(sent)
    with zipfile.ZipFile(buffer, "a") as archive:
        for name, data in extra.items():
            archive.writestr(name, data)
    before, after = parts(buffer.getvalue()), parts(mark(buffer.getvalue(), [remark("隐患!C3")], ""))
    changed = {name for name in before if before[name] != after.get(name)}
    assert not changed & (extra.keys() | {"xl/worksheets/sheet2.xml", "xl/theme/theme1.xml", "xl/sharedStrings.xml"})


def test_a_formula_keeps_the_result_that_was_saved() -> None:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as book:
        sheet = book.add_worksheet("隐患")
        sheet.write_row(0, 0, ["镇街01", 10])
        sheet.write_formula(0, 2, "=B1*2", None, 20)
    marked = mark(buffer.getvalue(), [remark("隐患!C1")], "")
    assert CalamineWorkbook.from_filelike(io.BytesIO(marked)).get_sheet_by_name("隐患").to_python() == [
        ["镇街01", 10.0, 20.0]
    ]
    assert opened(marked)["隐患"]["C1"].value == "=B1*2"


def test_the_list_stands_last_and_is_what_the_workbook_opens_on(sent: bytes) -> None:
    book = opened(mark(sent, [remark("隐患!C3", explanation="已核实", decision="采纳")], "退回清单：镇街01"))
    assert (book.sheetnames[-1], book.active.title if book.active else "") == (LIST_SHEET, LIST_SHEET)
    assert [bool(sheet.sheet_view.tabSelected) for sheet in book] == [False, False, True]
    (row,) = listed(book)
    assert (row["严重程度"], row["单元格"], row["填报值"], row["应为"], row["说明"], row["审核意见"]) == (
        "强制性",
        "隐患!C3",
        "11",
        "10",
        "已核实",
        "采纳",
    )
    sheet = book[LIST_SHEET]
    link = sheet["F5"].hyperlink
    assert link is not None and link.location == "'隐患'!C3"
    assert (sheet["J5"].protection.locked, sheet["G5"].protection.locked) == (False, True)
    assert (sheet.freeze_panes, sheet.column_dimensions["L"].hidden, sheet.print_title_rows) == ("A5", True, "$4:$4")


def test_findings_without_cells_or_with_cells_of_no_sheet_are_on_the_list_alone(sent: bytes) -> None:
    book = opened(mark(sent, [remark(""), remark("没有!A1"), remark("隐患")], ""))
    assert len(listed(book)) == 3
    assert fill(book, "A1") == "00000000"


def test_a_finding_on_a_blank_cell_is_marked_all_the_same(sent: bytes) -> None:
    book = opened(mark(sent, [remark("隐患!K9"), remark("隐患!A5")], ""))
    assert (fill(book, "K9"), fill(book, "A5")) == (RED, RED)


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "＝", "＋", "－", "＠", "\t=", "\r="])
def test_nothing_that_is_written_acts_as_a_formula(sent: bytes, begins: str) -> None:
    text = f"{begins}HYPERLINK(1)\x00\x0b\ufffe"
    said = remark("隐患!C3", message=text, stated=text, expected=text, explanation=text, decision=text, unit=text)
    book = opened(mark(sent, [said], text))
    for row in book[LIST_SHEET].iter_rows():
        for cell in row:
            assert cell.data_type in ("s", "inlineStr", "n") and (cell.value is None or cell.data_type != "n")
            assert cell.value is None or cell.quotePrefix
            assert not set(str(cell.value)) & set("\x00\x0b\ufffe")


def test_what_an_earlier_round_marked_is_undone(sent: bytes) -> None:
    first = mark(sent, [remark("隐患!C3"), remark("隐患!B2"), remark("隐患!F3")], "")
    book = opened(mark(first, [remark("隐患!F3", Severity.QUESTION, message="请说明。")], ""))
    assert [fill(book, address) for address in ("C3", "B2", "F3")] == ["FFE2EFDA", "FF1F4E78", AMBER]
    assert book["隐患"]["B2"].font.color.rgb == "FFFFFFFF"
    texts = {cell.coordinate: cell.comment.text for row in book["隐患"] for cell in row if cell.comment}
    assert texts.keys() == {"A3", "C3", "F3"}
    assert texts["C3"] == "上月为 9" and texts["F3"].count("【核对】") == 1
    assert book.sheetnames == ["隐患", "台账", LIST_SHEET]
    assert [row["问题"] for row in listed(book)] == ["请说明。"]


def test_a_sheet_of_the_clerk_by_the_name_of_the_list_stays(sent: bytes) -> None:
    book = opened(sent)
    book.create_sheet(LIST_SHEET).append(["本单位自查", 1])
    marked = opened(mark(saved(book), [remark("隐患!C3")], ""))
    assert marked.sheetnames == ["隐患", "台账", LIST_SHEET, f"{LIST_SHEET} (2)"]
    assert marked[LIST_SHEET]["A1"].value == "本单位自查"


def test_the_same_findings_give_the_same_bytes(sent: bytes) -> None:
    marked = mark(sent, [remark("隐患!C3")], "甲")
    assert marked == mark(sent, [remark("隐患!C3")], "甲")
    with zipfile.ZipFile(io.BytesIO(marked)) as archive:
        assert {part.date_time[0] for part in archive.infolist()} == {1980}, "no clock is in it"


@pytest.mark.parametrize("hostile", [b"", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"PK\x03\x04"])
def test_what_cannot_be_read_is_not_opened(hostile: bytes) -> None:
    with pytest.raises(UnreadableWorkbook):
        mark(hostile, [], "")


def test_parts_that_the_reader_never_opens_are_bounded_too(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO(sent)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/bomb.png", b"\0" * 41_000_000)
    with pytest.raises(UnreadableWorkbook):
        mark(buffer.getvalue(), [], "")


# From the warehouse -------------------------------------------------------------------------------------------------


@pytest.fixture
def settings(warehouse: Settings, tmp_path: Path) -> Settings:
    prepared = dataclasses.replace(warehouse, definitions=write_definitions(tmp_path / "definitions"))
    intake.prepare(prepared)
    return prepared


def take_in(settings: Settings, path: Path, content: bytes) -> None:
    path.write_bytes(content)
    intake.ingest_files(settings, [str(path)], "collect", datetime(2025, 10, 1, tzinfo=UTC))
    check_submissions(settings)


def returned(settings: Settings, unit: str, form: str = "hazards") -> tuple[str, bytes]:
    with connect(settings) as connection:
        (submission_id,) = connection.execute(
            "select submission_id from intake.submissions where unit_id = %s and form_id = %s", [unit, form]
        ).fetchone() or ("",)
        return review.returned_workbook(settings, connection, submission_id)


GOOD = (10, 4, 6, "40%", 0, 0, 0)
WRONG = (10, 11, -1, "110%", 0, 0, 0)


def test_a_unit_gets_its_own_workbook_with_its_own_cells_marked(settings: Settings, tmp_path: Path) -> None:
    rows = [["2025年9月隐患统计表"], HEADER, ["镇街02", *WRONG]]
    take_in(settings, tmp_path / "镇街02 9月.xlsx", book_of(隐患=rows))
    name, content = returned(settings, "unit_02")
    book = opened(content)
    assert name == "退回-镇街02 9月.xlsx"
    assert (fill(book, "B3"), fill(book, "C3"), fill(book, "E3")) == (RED, RED, "00000000")
    assert {row["单位"] for row in listed(book)} == {"镇街02"}
    assert any("不应大于" in str(row["问题"]) for row in listed(book))


@pytest.mark.parametrize("odd", ['s="1,5"', 's=""'])
def test_what_is_odd_in_a_workbook_is_a_refusal_and_no_fault(odd: str) -> None:
    rows: Rows = [["2025年9月隐患统计表"], list(HEADER), ["镇街01", *map(str, WRONG)]]
    xml = sheet_xml(Sheet(rows), []).replace('r="B3"', f'r="B3" {odd}').encode()
    content = workbook([], parts={"xl/worksheets/sheet1.xml": xml})
    assert read_grids(content)[0].rows[2][0] == "镇街01"
    with pytest.raises(UnreadableWorkbook, match="cannot be marked"):
        mark(content, [remark("Sheet1!B3")], "核对清单")


@pytest.mark.parametrize("kind", ["xls", "ods", "csv", "docx"])
def test_what_is_no_xlsx_comes_back_as_one_with_the_same_cells_marked(
    settings: Settings, tmp_path: Path, kind: str
) -> None:
    rows = [["2025年9月隐患统计表"], HEADER, ["镇街02", *WRONG], ["=1+1"]]
    take_in(settings, tmp_path / f"镇街02.{kind}", WRITERS[kind](Sheet(rows, name="表1")))
    name, content = returned(settings, "unit_02")
    book = opened(content)
    assert name == "退回-镇街02.xlsx"
    assert (fill(book, "B3", "表1"), fill(book, "C3", "表1"), fill(book, "E3", "表1")) == (RED, RED, "00000000")
    assert str(book["表1"]["C3"].value) == "11" and book["表1"]["C3"].comment is not None
    assert (book["表1"]["A4"].value, book["表1"]["A4"].data_type) == ("=1+1", "s")
    assert {row["单位"] for row in listed(book)} == {"镇街02"}
    take_in(settings, tmp_path / "again.xlsx", content)  # corrected in what came back, it is taken


def test_of_a_table_of_many_that_is_no_xlsx_one_unit_sees_its_own_rows_alone(
    settings: Settings, tmp_path: Path
) -> None:
    rows = [["2025年9月隐患统计表"], HEADER, ["镇街01", SECRET, *GOOD[1:]], ["镇街02", *WRONG]]
    take_in(settings, tmp_path / "汇总.csv", WRITERS["csv"](rows))
    _, content = returned(settings, "unit_02")
    assert fill(opened(content), "C4", "表1") == RED
    assert not any(str(SECRET).encode() in data or "镇街01".encode() in data for data in parts(content).values())


def cells_of(grid: Grid) -> dict[str, Cell]:
    """Return the cells by address; an error value is a text like any other."""
    return grid.errors | {
        grid.address(row, column): cell
        for row, cells in enumerate(grid.rows)
        for column, cell in enumerate(cells)
        if cell != ""
    }


@pytest.mark.parametrize("kind", WRITERS)
def test_a_workbook_made_of_another_file_has_its_cells_at_their_addresses(kind: str) -> None:
    rows: Rows = [
        ["表"],
        ["标题", "=1+1", "+1", "@x", True],
        [None, 1.5, Formatted(0.761, "0.0%"), "http://x.example", Error("#DIV/0!")],
        [None, "长" * 30_000, "甲\n乙", -7],
    ]
    content = WRITERS[kind](Sheet(rows, ["A2:A3", "B4:B4"], name="表1"))
    made = as_xlsx(content)
    if kind == "xlsx":
        assert made is None
        return
    assert made
    ((before,), (after,)) = read_grids(content), read_grids(made)
    shown = {place: as_text(cell) for place, cell in cells_of(before).items()}
    assert {place: as_text(cell) for place, cell in cells_of(after).items()} == shown
    assert (after.top, after.left, after.spans) == (before.top, before.left, before.spans)
    percent = [{place for place, shown in grid.formats.items() if shown.percent} for grid in (before, after)]
    assert percent[0] == percent[1]
    assert b"<f>" not in b"".join(parts(made).values())


def consolidated() -> bytes:
    """A table of an authority with a secret of another unit in every corner, written as spreadsheet software does."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "隐患"
    rows = [
        ["2025年9月隐患统计表"],
        [f"其中罚款最高 {SECRET} 元", SECRET],
        [None, None, "镇街03排名第一"],
        HEADER,
        ["镇街02", *WRONG, f"=B6+{SECRET}"],
        ["镇街03", SECRET, SECRET, 0, "100%", 0, 0, 0],
        ["合计", SECRET + 10, SECRET + 11, -1, None, 0, 0, 0],
        [f"注：镇街03含补报 {SECRET} 条"],
    ]
    for row in rows:
        sheet.append(row)
    sheet["B6"].comment = Comment(f"补报 {SECRET}", "张三")
    sheet["B5"].comment = Comment(f"勿与 {SECRET} 混淆", "张三")
    choice = DataValidation(type="list", formula1=f'"{SECRET},1"')
    choice.add("B5")
    sheet.add_data_validation(choice)
    sheet.conditional_formatting.add("B5:B9", CellIsRule(operator="equal", formula=[str(SECRET)], font=Font(bold=True)))
    sheet.oddFooter.center.text = f"机密 {SECRET}"
    book.create_sheet("底稿").append(["镇街03", SECRET])
    hidden = book.create_sheet("参数")
    hidden.append([SECRET])
    hidden.sheet_state = "hidden"
    book.defined_names["上限"] = DefinedName("上限", attr_text=str(SECRET))
    book.properties.description = f"汇总 {SECRET}"
    buffer = io.BytesIO(saved(book))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("xl/pivotCache/pivotCacheRecords1.xml", f"<r><n v='{SECRET}'/></r>")
        archive.writestr("xl/externalLinks/externalLink1.xml", f"<v>{SECRET}</v>")
    return buffer.getvalue()


def test_of_a_table_of_many_units_one_unit_sees_its_own_rows_alone(settings: Settings, tmp_path: Path) -> None:
    sent = consolidated()
    take_in(settings, tmp_path / "汇总.xlsx", sent)
    assert str(SECRET).encode() in b"".join(parts(sent).values()), "there is something to leak"
    name, content = returned(settings, "unit_02")
    everything = parts(content)
    assert [part for part, data in everything.items() if str(SECRET).encode() in data] == []
    text = b"".join(everything.values()).decode("utf-8", "ignore")
    assert "镇街03" not in text and str(SECRET + 10) not in text
    book = opened(content)
    sheet = book["隐患"]
    assert (name, book.sheetnames) == ("退回-汇总.xlsx", ["隐患", LIST_SHEET])
    assert [cell.value for cell in sheet[5]][:5] == ["镇街02", 10, 11, -1, "110%"]
    assert [cell.value for cell in sheet[4]][:8] == HEADER
    assert sheet["A1"].value == "2025年9月隐患统计表"
    assert [sheet.row_dimensions[row].hidden for row in (4, 5, 6, 7)] == [False, False, True, True]
    assert fill(book, "C5") == RED


def test_a_text_above_the_figures_that_names_another_unit_is_not_returned() -> None:
    rows = [["2025年9月隐患统计表"], ["城厢区未按时报送"], ["单位", "排查"], ["荔城区", 1], ["城厢区", SECRET]]
    content = only_own_rows(book_of(隐患=rows), {"隐患": {4}}, {"隐患": 4}, ["单位", "排查"], ["城厢区"])
    sheet = opened(content)["隐患"]
    assert [[cell.value for cell in row] for row in sheet] == [
        ["2025年9月隐患统计表", None],
        [None, None],
        ["单位", "排查"],
        ["荔城区", 1],
    ]


def test_what_is_merged_over_rows_of_several_units_is_not_returned() -> None:
    book = openpyxl.load_workbook(io.BytesIO(book_of(隐患=[["单位", "小计"], ["荔城区", SECRET], ["城厢区", None]])))
    book["隐患"].merge_cells("B2:B3")
    content = only_own_rows(saved(book), {"隐患": {2}}, {"隐患": 2}, [], [])
    assert opened(content)["隐患"]["B2"].value is None


def test_a_row_of_a_unit_nobody_knows_makes_it_a_table_of_many(settings: Settings, tmp_path: Path) -> None:
    rows = [["2025年9月隐患统计表"], HEADER, ["某某镇", SECRET, *GOOD[1:]], ["镇街02", *WRONG]]
    take_in(settings, tmp_path / "a.xlsx", book_of(隐患=rows))
    _, content = returned(settings, "unit_02")
    assert str(SECRET).encode() not in b"".join(parts(content).values())
    assert "某某镇" not in b"".join(parts(content).values()).decode("utf-8", "ignore")


def test_a_sheet_that_was_not_read_and_names_another_unit_is_not_returned(settings: Settings, tmp_path: Path) -> None:
    rows = [["2025年9月隐患统计表"], HEADER, ["镇街02", *WRONG]]
    other = [["镇街03", SECRET]]
    take_in(settings, tmp_path / "a.xlsx", book_of(隐患=rows, 底稿=other))
    _, content = returned(settings, "unit_02")
    assert str(SECRET).encode() not in b"".join(parts(content).values())


def test_what_is_returned_of_a_table_of_many_is_read_again_as_the_unit_s(settings: Settings, tmp_path: Path) -> None:
    take_in(settings, tmp_path / "汇总.xlsx", consolidated())
    _, content = returned(settings, "unit_02")
    take_in(settings, tmp_path / "again.xlsx", content)
    with connect(settings) as connection:
        rows = connection.execute(
            "select s.unit_id, count(*) from intake.submissions s join intake.files f using (file_id)"
            " where f.file_name = 'again.xlsx' group by 1"
        ).fetchall()
    assert rows == [("unit_02", 1)]


def test_the_authority_s_total_row_gets_the_file_whole(settings: Settings, tmp_path: Path) -> None:
    take_in(settings, tmp_path / "汇总.xlsx", consolidated())
    _, content = returned(settings, "all_units")
    assert opened(content)["隐患"]["B6"].value == SECRET
    assert opened(content).sheetnames == ["隐患", "底稿", "参数", LIST_SHEET]


def test_cells_of_a_partner_form_are_marked_where_it_is_in_the_same_file(settings: Settings, tmp_path: Path) -> None:
    hazards = [["2025年9月隐患统计表"], HEADER, ["部门22", 5, 5, 0, "100%", 0, 0, 0]]
    visits = [["2025年9月检查统计表"], ["单位", "发现隐患", "检查"], ["部门22", 4, 9]]
    take_in(settings, tmp_path / "a.xlsx", book_of(甲=hazards, 乙=visits))
    name, content = returned(settings, "unit_22")
    book = opened(content)
    assert name == "核实-a.xlsx"
    assert (fill(book, "B3", "甲"), fill(book, "B3", "乙")) == (AMBER, AMBER)


def test_cells_of_a_partner_form_in_another_file_are_not_taken_for_cells_of_this_one(
    settings: Settings, tmp_path: Path
) -> None:
    hazards = [["2025年9月隐患统计表"], HEADER, ["部门22", 5, 5, 0, "100%", 0, 0, 0]]
    take_in(settings, tmp_path / "a.xlsx", book_of(Sheet1=hazards))
    partner = [["2025年9月检查统计表"], ["单位", "检查", "发现隐患"], ["部门22", 9, 4]]
    take_in(settings, tmp_path / "b.xlsx", book_of(Sheet1=partner))
    book = opened(returned(settings, "unit_22")[1])
    assert (fill(book, "B3", "Sheet1"), fill(book, "C3", "Sheet1")) == (AMBER, "00000000")
    (row_of_list,) = listed(book)
    assert row_of_list["单元格"] == "Sheet1!B3、\n《检查统计表》的报送文件"


def test_where_the_file_cannot_be_marked_the_figures_stand_beside_the_list(settings: Settings, tmp_path: Path) -> None:
    rows = [["2025年9月隐患统计表"], HEADER, ["镇街02", *WRONG], ["镇街03", SECRET, *GOOD[1:]]]
    take_in(settings, tmp_path / "a.xlsx", book_of(隐患=rows))
    for kept in Path(settings.store).rglob("*"):
        if kept.is_file():
            kept.write_bytes(b"gone")
    _, content = returned(settings, "unit_02")
    book = opened(content)
    assert book.sheetnames == ["填报数据", LIST_SHEET]
    assert [cell.value for cell in book["填报数据"][4]][:5] == ["镇街02", 10, 11, -1, "110%"]
    assert fill(book, "C4", "填报数据") == RED
    assert str(SECRET).encode() not in b"".join(parts(content).values())
    take_in(settings, tmp_path / "again.xlsx", content)
    with connect(settings) as connection:
        again = connection.execute(
            "select s.unit_id, o.stated_value from intake.submissions s join intake.files f using (file_id)"
            " join intake.observations o using (submission_id) where f.file_name = 'again.xlsx'"
            " and o.indicator_id = 'hazards.fixed'"
        ).fetchall()
    assert again == [("unit_02", 11)]


def test_a_submission_that_is_not_there_is_named(settings: Settings) -> None:
    with connect(settings) as connection, pytest.raises(review.ReviewError, match="nowhere"):
        review.returned_workbook(settings, connection, "nowhere")
