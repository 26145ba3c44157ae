"""The same of every other kind of file: reading ends soon and in little memory, with figures or with one sentence."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable

import pytest

from other_formats import (
    as_ods,
    as_xls,
    as_xlsb,
    compound,
    ods_document,
    record,
    xls_stream,
    xlsb_sheet,
    xlsb_texts,
)
from test_hostile_workbooks import FORM, MAX_MEGABYTES, MAX_SECONDS, Outcome, check_refusal, read_all
from workbooks import Sheet, relations, zipped

MANY = 600_000  # cells, more than are read
DOCTYPE = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'


def with_parts(content: bytes, **parts: bytes) -> bytes:
    """Return a zip with other parts in it; in their names __ is /."""
    archive = zipfile.ZipFile(io.BytesIO(content))
    named = {name.replace("__", "/"): data for name, data in parts.items()}
    return zipped({name: archive.read(name) for name in archive.namelist()} | named)


# .xls


def xls_record(kind: int, data: bytes) -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


def xls(*records: bytes) -> bytes:
    """Return a workbook with these records more at the end of its only sheet."""
    stream = xls_stream(as_xls(FORM))
    end = stream.rindex(xls_record(0x0A, b""))
    return compound(Workbook=stream[:end] + b"".join(records) + stream[end:])


def xls_globals(old: bytes, new: bytes) -> bytes:
    """Return a workbook with something else in the place of a record of the workbook, its sheet where it is then."""
    stream = xls_stream(as_xls(FORM))
    assert stream.count(old) >= 1
    return compound(Workbook=shifted(stream.replace(old, new, 1), len(new) - len(old)))


def shifted(stream: bytes, by: int) -> bytes:
    """Return a stream whose sheet begins so much later than it said."""
    at = stream.index(b"\x85\0", 20)
    begin = struct.unpack_from("<L", stream, at + 4)[0] + by
    return stream[: at + 4] + struct.pack("<L", begin) + stream[at + 8 :]


def xls_texts(count: int, texts: bytes) -> bytes:
    """Return a workbook with another table of texts."""
    stream = xls_stream(as_xls(FORM))
    at = next(at for at, kind, _ in xls_records(stream) if kind == 0xFC)
    old = stream[at : at + 4 + struct.unpack_from("<H", stream, at + 2)[0]]
    return xls_globals(old, xls_record(0xFC, struct.pack("<LL", 9, count) + texts))


def xls_records(stream: bytes) -> list[tuple[int, int, int]]:
    """Return where each record begins, its kind and its size."""
    found, at = [], 0
    while at + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, at)
        found.append((at, kind, size))
        at += 4 + size
    return found


def xls_of_names() -> bytes:
    """Return a workbook each of whose names says the one before twice."""
    names = b""
    for number in range(1, 60):
        code = b"\x17\x04\0haha" if number == 1 else struct.pack("<BHH", 0x23, number - 1, 0) * 2 + b"\x08"
        names += xls_record(0x18, struct.pack("<HBBHHHL", 0, 0, 3, len(code), 0, 0, 0) + b"\0n%02d" % number + code)
    end = xls_record(0x0A, b"")
    return xls_globals(end, names + end)


def xls_in_a_circle() -> bytes:
    """Return a workbook whose third sector is followed by its first."""
    content = bytearray(as_xls([*FORM, *[["长" * 100]] * 50]))
    table = 512 * (struct.unpack_from("<L", content, 76)[0] + 1)
    assert struct.unpack_from("<LL", content, table) == (1, 2)
    struct.pack_into("<L", content, table + 8, 0)
    return bytes(content)


def sheet_inside_a_record() -> bytes:
    """Return a workbook whose sheet lies inside a record of no known kind, where nobody counts its cells."""
    stream = xls_stream(as_xls(FORM))
    at = [place for place, kind, _ in xls_records(stream) if kind == 0x0809][1]
    sheet = b"".join(
        stream[place : place + 4 + size]
        for place, kind, size in xls_records(stream)
        if place >= at and kind in (0x0809, 0x00FD, 0x027E, 0x0203, 0x000A)
    )
    hidden = xls_record(0x7000, sheet)
    return compound(Workbook=shifted(stream[:at] + hidden + stream[at:], 4))


def cut(stream: bytes) -> bytes:
    return stream[: stream.rindex(xls_record(0x0A, b"")) - 30]


def many_numbers() -> bytes:
    cells = b"".join(xls_record(0x0203, struct.pack("<HHHd", n % 60_000, 0, 15, 1)) for n in range(MANY))
    stream = xls_stream(as_xls(FORM))
    end = stream.rindex(xls_record(0x0A, b""))
    return stream[:end] + cells + stream[end:]  # as it is, without a compound file around it


# .xlsb


def xlsb(**parts: bytes) -> bytes:
    """Return a workbook with other parts: the records of its sheet, or its texts."""
    names = {"sheet": "xl__worksheets__sheet1.bin", "texts": "xl__sharedStrings.bin"}
    return with_parts(as_xlsb(FORM), **{names[name]: data for name, data in parts.items()})


def xlsb_cells(*cells: tuple[int, int, int, bytes]) -> bytes:
    """Return a sheet of cells: row, column, kind, and what is in it."""
    made, before = [record(129), record(148, bytes(16)), record(145)], -1
    for row, column, kind, data in cells:
        if row != before:
            made.append(record(0, struct.pack("<L", row) + bytes(13)))
            before = row
        made.append(record(kind, struct.pack("<LL", column, 0) + data))
    return b"".join([*made, record(146), record(130)])


NUMBER = (5, bytes(8))

# .ods


def ods(rows: str, before: str = "") -> bytes:
    content = before + ods_document(f'<table:table table:name="表">{rows}</table:table>')
    return with_parts(as_ods(FORM), **{"content.xml": content.encode()})


def ods_row(cells: str, times: int = 1) -> str:
    return f'<table:table-row table:number-rows-repeated="{times}">{cells}</table:table-row>'


def ods_ones(times: int, more: str = "") -> str:
    repeated = f'table:number-columns-repeated="{times}"'
    return f'<table:table-cell office:value-type="float" office:value="1" {repeated} {more}/>'


# .docx


def docx(body: str, before: str = "") -> bytes:
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    xml = f"{before}<w:document {space}><w:body>{body}</w:body></w:document>"
    links = relations(("officeDocument", "word/document.xml"))
    return zipped({"_rels/.rels": links.encode(), "word/document.xml": xml.encode()})


def docx_table(*rows: str) -> str:
    return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in rows) + "</w:tbl>"


def docx_cell(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:tc>"


DOCX_FORM = "<w:p><w:r><w:t>2025年8月检查情况表</w:t></w:r></w:p>" + docx_table(
    *("".join(docx_cell(str(cell)) for cell in row) for row in FORM[1:])
)
ELSEWHERE = relations(("image", "http://x.example/a.png")).replace("/></", ' TargetMode="External"/></').encode()

REFUSED: dict[str, Callable[[], bytes]] = {
    "far_cell.xls": lambda: xls(xls_record(0x0203, struct.pack("<HHHd", 65535, 255, 15, 1))),
    "many_cells.xls": many_numbers,
    "sectors_in_a_circle.xls": xls_in_a_circle,
    "two_billion_texts.xls": lambda: xls_texts(2**31 - 1, b"\1\0\0a" * 4),
    "texts_that_lead_back.xls": lambda: xls_texts(400_000, struct.pack("<HBi", 0, 4, -7)),
    "cut.xls": lambda: compound(Workbook=cut(xls_stream(as_xls(FORM)))),
    "sheet_inside_a_record.xls": sheet_inside_a_record,
    "garbage.xls": lambda: compound(Workbook=bytes(range(256)) * 100),
    "far_cell.xlsb": lambda: xlsb(sheet=xlsb_cells((0, 0, *NUMBER), (1_048_575, 16_383, *NUMBER))),
    "cell_outside.xlsb": lambda: xlsb(sheet=xlsb_cells((0, 2**31, *NUMBER))),
    "text_that_is_not_there.xlsb": lambda: xlsb(sheet=xlsb_cells((0, 0, 7, struct.pack("<L", 2**31)))),
    "huge_text_in_many_cells.xlsb": lambda: xlsb(
        sheet=xlsb_cells(*((row, 0, 7, bytes(4)) for row in range(50_000))), texts=xlsb_texts(["长" * 30_000])
    ),
    "cell_cut_short.xlsb": lambda: xlsb(sheet=xlsb_cells((0, 0, 5, b"1"))),
    "record_beyond_the_end.xlsb": lambda: xlsb(sheet=b"\x01\xff\xff\xff\x7f"),
    "many_cells_in_one_place.xlsb": lambda: xlsb(sheet=xlsb_cells(*[(0, 0, *NUMBER)] * (2 * MANY))),
    "two_hundred_sheets.xlsb": lambda: as_xlsb(*[FORM] * 200),
    "bomb.xlsb": lambda: xlsb(sheet=bytes(60_000_000)),
    "billion_cells.ods": lambda: ods(ods_row(ods_ones(999_999_999))),
    "billion_rows.ods": lambda: ods(ods_row(ods_ones(1), 999_999_999)),
    "million_formulas.ods": lambda: ods(ods_row('<table:table-cell table:formula="1"/>', 999_999)),
    "far_cell.ods": lambda: ods(
        ods_row(ods_ones(1))
        + ods_row("<table:table-cell/>", 99_999)
        + ods_row('<table:table-cell table:number-columns-repeated="9999"/>' + ods_ones(1))
    ),
    "merged_ranges.ods": lambda: ods(ods_row(ods_ones(99_999, 'table:number-rows-spanned="2"'))),
    "external_entity.ods": lambda: ods(ods_row("&e;"), DOCTYPE),
    "bomb.ods": lambda: ods(ods_row(" " * 60_000_000)),
    "deep.ods": lambda: ods("<x>" * 100_000 + "</x>" * 100_000),
    "many_elements.ods": lambda: ods("<x/>" * 5_000_000),
    "external_entity.docx": lambda: docx(DOCX_FORM.replace("河口镇", "&e;"), DOCTYPE),
    "bomb.docx": lambda: docx(" " * 60_000_000),
    "wide_cell.docx": lambda: docx(docx_table(docx_cell("a", '<w:gridSpan w:val="9999"/>') * 9)),
    "many_tables.docx": lambda: docx(docx_table(docx_cell("a")) * 200),
    "many_cells.docx": lambda: docx(docx_table(*["<w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc>"] * MANY)),
    "deep.docx": lambda: docx("<w:p>" * 100_000 + "</w:p>" * 100_000),
    "no_document.docx": lambda: zipped({"word/document.xml": b"", "_rels/.rels": relations().encode()}),
    "one_wide_line.csv": lambda: b"1," * 5_000_000 + b"\n1,2\n1,2",
    "many_cells.csv": lambda: b"1,2\n" * MANY,
    "open_quote.csv": lambda: b'a,b\n1,2\n"' + b"x" * 20_000_000,
    "garbage.csv": lambda: b"a,b\n" + bytes(range(256)) * 1000,
}

READ: dict[str, tuple[Callable[[], bytes], set[str]]] = {
    "styled_cells_far_away.xls": (lambda: xls(xls_record(0x0201, struct.pack("<HHH", 65535, 255, 15))), set()),
    "lying_dimension.xls": (lambda: xls(xls_record(0x0200, struct.pack("<LLHHH", 0, 2**32 - 1, 0, 65535, 0))), set()),
    "names_that_double.xls": (xls_of_names, set()),
    "merged.xls": (lambda: xls(xls_record(0x00E5, struct.pack("<HHHHH", 1, 1, 65535, 0, 255))), set()),
    "lying_dimension.xlsb": (
        lambda: xlsb(sheet=xlsb_sheet(Sheet(FORM), [], []).replace(record(148, bytes(16)), record(148, b"\xff" * 16))),
        set(),
    ),
    "million_blank_cells.ods": (
        lambda: with_parts(
            as_ods(FORM),
            **{"content.xml": ods_content_with(ods_row("<table:table-cell/>") * 300_000)},
        ),
        set(),
    ),
    "the_form.docx": (lambda: docx(DOCX_FORM), set()),
    "macros.docx": (lambda: with_parts(docx(DOCX_FORM), **{"word__vbaProject.bin": b""}), {"macros_ignored"}),
    "picture_elsewhere.docx": (
        lambda: with_parts(docx(DOCX_FORM), **{"word___rels__document.xml.rels": ELSEWHERE}),
        set(),
    ),
    "tall_merge.docx": (lambda: docx(DOCX_FORM + docx_table(*[docx_cell("", "<w:vMerge/>")] * 20_000)), set()),
}


def ods_content_with(rows: str) -> bytes:
    xml = zipfile.ZipFile(io.BytesIO(as_ods(FORM))).read("content.xml").decode()
    return xml.replace("</table:table>", f"{rows}</table:table>").encode()


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Every file read, by one process that must survive all of them."""
    builders = REFUSED | {name: build for name, (build, _) in READ.items()}
    # Their names without the ending are not their own.
    contents = {f"{name.replace('.', '-')}.bin": build() for name, build in builders.items()}
    return {name.replace("-", "."): outcome for name, outcome in read_all(contents, tmp_path_factory).items()}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_with_one_clear_sentence(outcomes: dict[str, Outcome], case: str) -> None:
    check_refusal(outcomes[case])


@pytest.mark.parametrize("case", READ)
def test_it_is_read_and_what_is_odd_is_a_finding(outcomes: dict[str, Outcome], case: str) -> None:
    outcome = outcomes[case]
    assert (outcome.reason, outcome.findings, outcome.figures) == ("", sorted(READ[case][1]), ["3", "1"])


@pytest.mark.parametrize("case", [*REFUSED, *READ])
def test_it_takes_neither_long_nor_much_memory(outcomes: dict[str, Outcome], case: str) -> None:
    assert outcomes[case].seconds < MAX_SECONDS
    assert outcomes[case].megabytes < MAX_MEGABYTES
