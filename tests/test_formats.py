"""Whatever kind of file a unit sends, the same figures are read from it, at the same addresses."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable

import docx
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from python_calamine import CalamineWorkbook

from enforcement_reporting.catalog import Catalog, load_catalog
from enforcement_reporting.workbook import Reader, ReadWorkbook, UnreadableWorkbook, read_grids
from enforcement_reporting.workbook.opening import FORMATS, READABLE_SUFFIXES, format_of, open_workbook
from enforcement_reporting.workbook.package import ReaderFailed
from enforcement_reporting.workbook.template_mark import NAME as MARK
from enforcement_reporting.workbook.template_mark import NOTES, Mark, layout_of
from other_formats import (
    WRITERS,
    as_csv,
    as_docx,
    as_xls,
    as_xlsb,
    as_xlsx,
    compound,
    ods_document,
    record,
    wide,
    xls_stream,
)
from test_reading import CATALOG, HEADER, MERGES, TITLE
from workbooks import Error, Formatted, Formula, Rows, Sheet, Value, zipped

BINARY = ("xls", "xlsb", "ods")  # which hold numbers, and not their looks alone
WITH_SHEETS = ("xlsx", *BINARY)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    root = tmp_path_factory.mktemp("definitions")
    for name, text in CATALOG.items():
        path = root / "catalog" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    catalog: Catalog = load_catalog(root)
    return Reader(catalog)


def seen(read: ReadWorkbook) -> list[tuple[object, ...]]:
    """Return the observations with whose they are, and the kinds of findings."""
    found = [
        (item.form_id, item.unit_id, item.period.period_id, item.row_role, item.sheet, *observation)
        for item in read.submissions
        for observation in item.observations
    ]
    findings = [(item.kind, item.cells, item.stated) for item in read.file_findings]
    findings += [(item.kind, item.cells, item.stated) for items in read.sheet_findings.values() for item in items]
    findings += [(item.kind, item.cells, item.stated) for one in read.submissions for item in one.findings]
    return [*found, *sorted(findings)]


def hazards(*rows: list[Value]) -> Sheet:
    """A sheet of many units with merged headers in three rows."""
    header = [[*row, label] for row, label in zip(HEADER, ("整改率", None, "%"), strict=True)]
    return Sheet([[TITLE], *header, *rows], [*MERGES, "G2:G3"], "表1")


def penalties(*figures: Value) -> Sheet:
    """A sheet of one unit, which is named above the table together with the period."""
    rows: Rows = [
        ["行政处罚情况统计表"],
        ["填报单位：河口镇"],
        ["2025年1-9月"],
        ["处罚数量", None, None, "合计", "罚没金额"],
        ["警告", "罚款", "其他", None, None],
        ["宗", "宗", "宗", "宗", "万元"],
        list(figures),
    ]
    return Sheet(rows, ["A4:C4", "D4:D5", "E4:E5"], "表1")


TYPED = [
    hazards(
        ["河口镇", 5, 4, 1, 0, 2.5, Formatted(0.761, "0.0%")],
        ["上坡街道", 1234567, 0, None, "—", "1,234.5", "80%"],
        ["县公安局", "１２", "约50", 3.5, -1, Formatted(2.25, "0.00"), Formatted(57.142857142857146, "0.00")],
        ["合计", 1, 2, 3, 4, 5, Formatted(1, "0%")],
    ),
    hazards(["河口镇", Formula("1+4", 5), Error("#DIV/0!"), "", "007", 0.1 + 0.2, None], ["无名镇", 1]),
    penalties(1, 2, 0, 3, 4.25),
    penalties(None, "—", "0", "三", "12.5万元"),
]


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("number", range(len(TYPED)))
def test_the_same_figures_are_read_at_the_same_addresses(reader: Reader, kind: str, number: int) -> None:
    sheet = TYPED[number]
    expected = seen(reader.read(as_xlsx(sheet), "报表"))
    assert len(expected) >= 5
    assert format_of(WRITERS[kind](sheet)) == kind
    assert seen(reader.read(WRITERS[kind](sheet), "报表")) == expected


@pytest.mark.parametrize("kind", BINARY)
def test_grids_are_those_of_the_same_workbook_as_xlsx(kind: str) -> None:
    rows: Rows = [
        [],
        [None, "甲", None, True, 1, -2.5, 1e-7, 123456789012.5],
        [None, None, None, Formula("1+1", "二"), Formula("1+1", 2), Formatted(3, "#,##0.00"), Error("#REF!")],
        ["= 文本", "长" * 3000, "🙂", None, 536870912, -536870913, 0.07],
    ]
    sheets = (
        Sheet(rows, ["B2:C3", "D3:D4"], "填报 数据"),
        Sheet([], name="空"),
        Sheet([[1]], name="藏", state="hidden"),
    )
    opened, expected = open_workbook(WRITERS[kind](*sheets)), open_workbook(as_xlsx(*sheets))
    assert (opened.grids, opened.hidden) == (expected.grids, expected.hidden)


def marked(kind: str, mark: str, *sheets: Sheet) -> bytes:
    """Return a workbook whose last sheet carries the mark of a template."""
    content, number = WRITERS[kind](*sheets), len(sheets) - 1
    if kind == "ods":
        name = f'<table:named-expression table:name="{MARK}" table:expression="of:=&quot;{mark}&quot;"/>'
        xml = f"<table:named-expressions>{name}</table:named-expressions></table:table></office:spreadsheet>"
        return with_part(content, "content.xml", b"</table:table></office:spreadsheet>", xml.encode())
    if kind == "xlsx":
        name = f'<definedName name="{MARK}" localSheetId="{number}">"{mark}"</definedName>'
        names = f"</sheets><definedNames>{name}</definedNames>".encode()
        return with_part(content, "xl/workbook.xml", b"</sheets>", names)
    text = mark.encode("utf-16-le")
    if kind == "xlsb":
        code = b"\x17" + struct.pack("<H", len(mark)) + text
        name = struct.pack("<LBL", 0, 0, number) + wide(MARK) + struct.pack("<L", len(code)) + code
        return with_part(content, "xl/workbook.bin", record(144), record(144) + record(39, name))
    code = b"\x17" + bytes([len(mark), 1]) + text
    head = struct.pack("<HBBHHHL", 0, 0, len(MARK), len(code), 0, number + 1, 0)
    data = head + b"\1" + MARK.encode("utf-16-le") + code
    stream, name = bytearray(xls_stream(content)), struct.pack("<HH", 0x18, len(data)) + data
    at = 0
    while stream[at : at + 2] != b"\x0a\0":  # the end of what concerns all sheets
        if stream[at : at + 2] == b"\x85\0":  # where a sheet begins
            struct.pack_into("<L", stream, at + 4, struct.unpack_from("<L", stream, at + 4)[0] + len(name))
        at += 4 + struct.unpack_from("<H", stream, at + 2)[0]
    return compound(Workbook=bytes(stream[:at] + name + stream[at:]))


@pytest.mark.parametrize("kind", WITH_SHEETS)
def test_the_mark_of_a_template_is_kept_and_its_notes_are_no_table(reader: Reader, kind: str) -> None:
    form = reader._form_by_id["penalties"]
    mark = Mark(form.form_id, "2025-M01-M09", "hekou", layout_of(form)).text
    rows = TYPED[2].rows
    erased = Sheet([rows[0], *rows[3:]], ["A2:C2", "D2:D3", "E2:E3"], "表1")
    (submission,) = reader.read(marked(kind, mark, Sheet([["别的"]], name="前"), erased), "报表").submissions
    assert (submission.unit_id, submission.period.period_id) == ("hekou", "2025-M01-M09")
    notes = Sheet([["《行政处罚情况统计表》填表说明"], ["警告", "宗"]], name="说明")
    read = reader.read(marked(kind, NOTES, TYPED[2], notes), "报表")
    assert len(read.submissions) == 1 and not read.file_findings


def test_a_range_merged_backwards_merges_nothing() -> None:
    (grid,) = read_grids(as_xlsb(Sheet([["甲", 1], ["乙", 2]], ["B2:A1"], "表")))
    assert grid.spans == {}


@pytest.mark.parametrize("kind", WITH_SHEETS)
def test_a_day_where_a_number_belongs_is_unreadable(reader: Reader, kind: str) -> None:
    day = hazards(["河口镇", Formatted(45901, "yyyy-mm-dd"), 1, 1, 1, 1, None])
    content = WRITERS[kind](day)
    if kind == "ods":
        content = with_part(
            content, "content.xml", b'"float" office:value="45901"', b'"date" office:date-value="2025-09-01"'
        )
    (submission,) = reader.read(content, "报表").submissions
    assert (submission.observations[0].state, submission.observations[0].text) == ("unreadable", "2025-09-01")


def with_part(content: bytes, name: str, old: bytes, new: bytes) -> bytes:
    archive = zipfile.ZipFile(io.BytesIO(content))
    files = {part: archive.read(part) for part in archive.namelist()}
    assert old in files[name]
    return zipped(files | {name: files[name].replace(old, new)})


def test_what_writes_xlsb_here_is_what_others_read() -> None:
    rows: Rows = [["甲", "很长的文字", 1.5], [True, 3, Formula("1+1", 2)]]
    book = CalamineWorkbook.from_filelike(io.BytesIO(as_xlsb(rows)))
    assert book.get_sheet_by_index(0).to_python() == [["甲", "很长的文字", 1.5], [True, 3, 2]]


# CSV


GREETING: Rows = [["单位", "检查次数", "立案数"], ["河口镇", 3, 1], ["上坡街道", "1,234", "0"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_the_encoding_and_the_delimiter_of_a_csv_file_are_told_from_it(encoding: str, delimiter: str) -> None:
    (grid,) = read_grids(as_csv(GREETING, encoding=encoding, delimiter=delimiter))
    assert grid.rows == [["单位", "检查次数", "立案数"], ["河口镇", "3", "1"], ["上坡街道", "1,234", "0"]]


def test_a_comma_in_a_few_cells_parts_no_columns() -> None:
    (grid,) = read_grids("甲\t乙\n1,5\t2,5\n3\t4\n".encode())
    assert grid.rows == [["甲", "乙"], ["1,5", "2,5"], ["3", "4"]]


def test_quotes_line_breaks_and_zeros_in_front_are_kept() -> None:
    (grid,) = read_grids('"检查\n次数","说""明"\r\n="007",\r\n\r\n08,2\r\n'.encode())
    assert grid.rows == [["检查\n次数", '说"明'], ["007", ""], ["", ""], ["08", "2"]]
    assert grid.address(3, 0) == "A4"


@pytest.mark.parametrize(
    "content",
    [
        b"hello, world",
        "你好\n再见\n".encode(),
        b"a,b\0\n1,2",
        b"\x81\x20,\n\xff,\n",
        b"\xff\xfea,",
        b"\xef\xbb\xbf\xff,1\n",
    ],
)
def test_a_text_that_is_no_table_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableWorkbook) as refused:
        read_grids(content)
    assert "不是可以采集的表格" in refused.value.reason and ".docx" in refused.value.reason


# Word


W = nsdecls("w")


def document(*blocks: str) -> bytes:
    """Return a document with these paragraphs and tables."""
    made = docx.Document()
    body = made.element.body
    for block in blocks:
        body.insert(len(body) - 1, parse_xml(block))
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def paragraph(inner: str) -> str:
    return f"<w:p {W}>{inner}</w:p>"


def run(text: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


def table(*rows: str) -> str:
    return f"<w:tbl {W}><w:tblPr/><w:tblGrid/>{''.join(f'<w:tr>{row}</w:tr>' for row in rows)}</w:tbl>"


def cell(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr><w:p>{run(text)}</w:p></w:tc>"


def test_each_table_of_a_document_is_a_sheet_below_the_paragraphs_before_it() -> None:
    grids = read_grids(
        document(
            *(paragraph(run("一、概况")), paragraph(run("单位：甲") + "<w:r><w:tab/></w:r>" + run("2025年8月"))),
            *(paragraph(""), table(cell("项") + cell("数"), cell("一") + cell("1"))),
            *(paragraph(run("第二张")), table(cell("二")), paragraph(run("注：完"))),
        )
    )
    assert [(grid.name, grid.rows) for grid in grids] == [
        ("表1", [["一、概况", ""], ["单位：甲", "2025年8月"], ["项", "数"], ["一", "1"]]),
        ("表2", [["第二张"], ["二"], ["注：完"]]),
    ]


def test_cells_of_a_document_merged_across_and_down_are_merged() -> None:
    (grid,) = read_grids(
        document(
            table(
                cell("a", '<w:gridSpan w:val="2"/><w:vMerge w:val="restart"/>') + cell("b"),
                cell("", '<w:gridSpan w:val="2"/><w:vMerge/>') + cell("c"),
                cell("d") + cell("e") + cell("f"),
                f'<w:trPr><w:gridBefore w:val="2"/></w:trPr>{cell("g")}',
            )
        )
    )
    assert grid.rows == [["a", "", "b"], ["", "", "c"], ["d", "e", "f"], ["", "", "g"]]
    assert grid.spans == {(0, 0): (1, 1)}


def test_what_a_revision_inserts_is_read_and_what_it_strikes_out_is_not() -> None:
    inserted = f'<w:ins w:id="1" w:author="x">{run("12")}</w:ins>'
    deleted = '<w:del w:id="2" w:author="x"><w:r><w:delText>11</w:delText></w:r></w:del>'
    moved = f'<w:moveFrom w:id="3" w:author="x">{run("13")}</w:moveFrom>'
    control = f"<w:sdt><w:sdtContent>{cell('34')}</w:sdtContent></w:sdt>"
    within = table(cell("内", '<w:gridSpan w:val="3"/>'))
    nested = f"<w:tc><w:tcPr/>{within}<w:p/></w:tc>"
    stops = '<w:pPr><w:tabs><w:tab w:val="left" w:pos="1"/></w:tabs></w:pPr>'
    row = f"<w:tc><w:tcPr/><w:p>{stops}{deleted}{inserted}{moved}</w:p></w:tc>{control}{nested}{cell('末')}"
    (grid,) = read_grids(document(table(row)))
    assert grid.rows == [["12", "34", "内", "末"]]


# OpenDocument


def test_cells_and_rows_of_a_sheet_that_are_repeated_stand_as_often_as_they_say() -> None:
    number = '<table:table-cell office:value-type="float" office:value="7" table:number-columns-repeated="2"/>'
    blank = '<table:table-cell table:number-columns-repeated="2"/>'
    rows = (
        f'<table:table-row table:number-rows-repeated="3">{blank}</table:table-row>'
        f'<table:table-row table:number-rows-repeated="2">{blank}{number}</table:table-row>'
        f"<table:table-row>{number}</table:table-row>"
    )
    (grid,) = read_grids(ods(f'<table:table table:name="表">{rows}</table:table>'))
    assert grid.rows == [["", "", 7, 7], ["", "", 7, 7], [7, 7, "", ""]]
    assert grid.address(0, 2) == "C4"


def test_comments_are_no_text_of_their_cell_and_line_breaks_are() -> None:
    text = (
        '<table:table-cell office:value-type="string"><office:annotation><text:p>批注</text:p></office:annotation>'
        '<text:p>检<text:span>查</text:span></text:p><text:p>次<text:s text:c="2"/>数</text:p></table:table-cell>'
    )
    row = f"<table:table-row>{text}</table:table-row>"
    (grid,) = read_grids(ods(f'<table:table table:name="表">{row}</table:table>'))
    assert grid.rows == [["检查\n次  数"]]


def test_a_formula_saved_without_a_result_is_told_from_a_blank() -> None:
    row = '<table:table-row><table:table-cell table:formula="of:=1"/><table:table-cell/></table:table-row>'
    (grid,) = read_grids(ods(f'<table:table table:name="表">{row}</table:table>'))
    assert grid.without_value == {"A1"}


def ods(tables: str, **parts: bytes) -> bytes:
    files = {
        "mimetype": b"application/vnd.oasis.opendocument.spreadsheet",
        "content.xml": ods_document(tables).encode(),
    }
    return zipped(files | {name.replace("__", "/").replace("_", ".", 1): data for name, data in parts.items()})


# The old binary format


def xls_with(*records: tuple[int, bytes]) -> bytes:
    """Return a workbook with these records more at the end of its only sheet."""
    stream = xls_stream(as_xls([["甲"]]))
    end = stream.rindex(struct.pack("<HH", 0x0A, 0))
    more = b"".join(struct.pack("<HH", kind, len(data)) + data for kind, data in records)
    return compound(Workbook=stream[:end] + more + stream[end:])


def formula(row: int, result: bytes) -> tuple[int, bytes]:
    return 0x0006, struct.pack("<HHH", row, 0, 15) + result + struct.pack("<HLH", 0, 0, 0)


def test_formulas_count_with_the_results_that_were_saved() -> None:
    text = "结果"
    content = xls_with(
        formula(1, struct.pack("<d", 2.5)),
        *(formula(2, b"\0\0\0\0\0\0\xff\xff"), (0x0207, struct.pack("<HB", 2, 1) + text.encode("utf-16-le"))),
        *(formula(3, b"\1\0\1\0\0\0\xff\xff"), formula(4, b"\2\0\x07\0\0\0\xff\xff")),
    )
    (grid,) = read_grids(content)
    assert [row[0] for row in grid.rows] == ["甲", 2.5, text, True, ""]
    assert grid.errors == {"A5": "#DIV/0!"}


# A reader that breaks


class PanicException(BaseException):
    """As the reader in Rust raises it."""


@pytest.mark.parametrize("fault", [ZeroDivisionError("x"), RecursionError(), PanicException("index out of bounds")])
def test_a_fault_in_a_reader_is_an_outcome_and_is_logged_with_its_trace(
    reader: Reader, fault: BaseException, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    breaks(monkeypatch, fault)
    with pytest.raises(ReaderFailed) as refused:
        reader.read(as_csv(GREETING), "报表.csv")
    assert "意外错误" in refused.value.reason and "Error" not in refused.value.reason
    (record,) = caplog.records
    assert record.exc_info and record.exc_info[1] is fault
    assert fault.__notes__ == ["while reading .csv with csv"]  # type: ignore[attr-defined]
    assert reader.read(as_xlsx(TYPED[2]), "报表.xlsx").submissions


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), SystemExit(), MemoryError(), GeneratorExit()])
def test_what_speaks_of_the_process_is_no_outcome_of_a_file(
    reader: Reader, fault: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks(monkeypatch, fault)
    with pytest.raises(type(fault)):
        reader.read(as_csv(GREETING), "报表.csv")


def breaks(monkeypatch: pytest.MonkeyPatch, fault: BaseException) -> None:
    def broken(_: bytes) -> None:
        raise fault

    monkeypatch.setattr("enforcement_reporting.workbook.delimited.open_csv", broken)


# What a file is


def test_what_a_file_is_is_told_from_its_bytes_and_not_from_its_name(reader: Reader) -> None:
    for kind, write in WRITERS.items():
        content = write(TYPED[2])
        assert format_of(content) == kind
        assert len(reader.read(content, "报表.pdf").submissions) == 1


def test_a_document_inside_a_workbook_makes_it_no_document() -> None:
    book = as_xlsx([["甲", 1]])
    archive = zipfile.ZipFile(io.BytesIO(book))
    files = {name: archive.read(name) for name in archive.namelist()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as made:
        for name, data in [*files.items(), ("xl/embeddings/1.docx", as_docx(GREETING)), ("xl/media/content.xml", b"")]:
            made.writestr(name, data)
    assert format_of(buffer.getvalue()) == "xlsx"


def test_every_kind_is_in_the_one_table_and_its_names_are_known() -> None:
    assert FORMATS.keys() == WRITERS.keys()
    assert {".xlsx", ".xlsm", ".xls", ".et", ".xlsb", ".ods", ".csv", ".docx"} == set(READABLE_SUFFIXES)


def protected_xls() -> bytes:
    stream = xls_stream(as_xls([["甲"]]))
    begin = 4 + int.from_bytes(stream[2:4], "little")
    return compound(Workbook=stream[:begin] + struct.pack("<HHHHH", 0x2F, 6, 1, 1, 1) + stream[begin:])


NOT_READ: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "0 字节"),
    "pdf": (lambda: b"%PDF-1.7\n", "PDF"),
    "png": (lambda: b"\x89PNG\r\n\x1a\n", "图片"),
    "jpeg": (lambda: b"\xff\xd8\xff\xe0", "图片"),
    "rar": (lambda: b"Rar!\x1a\x07", "压缩包"),
    "rtf": (lambda: b"{\\rtf1", "RTF"),
    "html": (lambda: b"\xef\xbb\xbf<html><table><tr><td>1</td></tr></table></html>", "网页"),
    "xml": (lambda: b'<?xml version="1.0"?><Workbook/>', "XML"),
    "zip": (lambda: zipped({"a.xlsx": b""}), "不是 Excel 工作簿"),
    "pptx": (lambda: zipped({"ppt/presentation.xml": b""}), "演示文稿"),
    "odt": (lambda: zipped({"mimetype": b"application/vnd.oasis.opendocument.text", "content.xml": b""}), ".ods"),
    "doc": (lambda: compound(WordDocument=b"x"), ".docx"),
    "ppt": (lambda: compound(PowerPoint_Document=b"x"), "演示文稿"),
    "msi": (lambda: compound(Other=b"x"), "不是工作簿"),
    "xlsx_with_password": (lambda: compound(EncryptionInfo=b"x", EncryptedPackage=b"x"), "密码"),
    "xls_with_password": (protected_xls, "密码"),
    "ods_with_password": (
        lambda: ods("", **{"META-INF__manifest_xml": b"<manifest><encryption-data/></manifest>"}),
        "密码",
    ),
    "old_excel": (lambda: compound(Workbook=struct.pack("<HHHHHH", 0x0809, 8, 0x0400, 16, 0, 0)), "Excel 4.0"),
}


@pytest.mark.parametrize("name", NOT_READ)
def test_what_is_not_read_says_what_it_is_and_what_is_expected(name: str) -> None:
    build, words = NOT_READ[name]
    with pytest.raises(UnreadableWorkbook) as refused:
        read_grids(build())
    assert words in refused.value.reason
    assert "请" in refused.value.reason or name == "empty"
