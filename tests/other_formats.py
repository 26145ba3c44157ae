"""The sheets of ``workbooks`` written in every other kind of file that units send.

Nothing writes .xlsb here but Excel itself: its records are put together by hand, as [MS-XLSB] has them.
"""

from __future__ import annotations

import csv
import io
import re
import struct
from collections.abc import Callable, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import docx
import xlrd
import xlwt

from enforcement_reporting.workbook.addresses import column_number
from enforcement_reporting.workbook.formats import number_format_of
from workbooks import PACKAGE, Error, Formatted, Formula, Rows, Sheet, Value, relations, workbook, zipped

_ERRORS = {"#DIV/0!": 7, "#N/A": 42, "#REF!": 23}


def named(*sheets: Sheet | Rows) -> list[Sheet]:
    """Return sheets with the names that they have in every kind of file: those that a document would give them."""
    return [sheet if isinstance(sheet, Sheet) else Sheet(sheet, name=f"表{n}") for n, sheet in enumerate(sheets, 1)]


def merged(sheet: Sheet) -> list[tuple[int, int, int, int]]:
    """Return first and last row, first and last column of the merged ranges, counted from 0."""
    found = []
    for merge in sheet.merges:
        match = re.fullmatch(r"([A-Z]+)([0-9]+):([A-Z]+)([0-9]+)", merge)
        assert match
        found.append((int(match[2]) - 1, int(match[4]) - 1, column_number(match[1]) - 1, column_number(match[3]) - 1))
    return found


def shown(value: Value) -> str:
    """Return a value as a sheet shows it."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).upper()
        case Formatted(number, code):
            number_format = number_format_of(code)
            return (number_format.show(number) if number_format else None) or f"{number!r}"
        case Formula(_, result):
            return shown(result)
        case Error(text):
            return text
        case float():
            return f"{value:.15g}"
    return str(value)


def as_xlsx(*sheets: Sheet | Rows) -> bytes:
    return workbook(*named(*sheets))


def as_xls(*sheets: Sheet | Rows) -> bytes:
    book = xlwt.Workbook(encoding="utf-8")
    for sheet in named(*sheets):
        page = book.add_sheet(sheet.name)
        page.visibility = ("visible", "hidden", "veryHidden").index(sheet.state)
        corners = {(top, left): (bottom, right) for top, bottom, left, right in merged(sheet)}
        for row, values in enumerate(sheet.rows):
            for column, value in enumerate(values):
                bottom, right = corners.get((row, column), (row, column))
                style = xlwt.XFStyle()
                if isinstance(value, Formatted):
                    style.num_format_str, value = value.code, value.number
                elif isinstance(value, Formula):
                    value = value.result
                if isinstance(value, Error):
                    page.row(row).set_cell_error(column, value.value)
                elif (bottom, right) != (row, column):
                    page.write_merge(row, bottom, column, right, value, style)
                elif value is not None:
                    page.write(row, column, value, style)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def xls_stream(content: bytes) -> bytes:
    """Return the stream of an .xls file that holds the workbook."""
    found: bytes = xlrd.compdoc.CompDoc(content, io.StringIO()).get_named_stream("Workbook")
    return found


def as_ods(*sheets: Sheet | Rows) -> bytes:
    return zipped(
        {
            "mimetype": b"application/vnd.oasis.opendocument.spreadsheet",
            "content.xml": ods_content(*sheets).encode(),
            "META-INF/manifest.xml": b'<manifest xmlns="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
        }
    )


def ods_content(*sheets: Sheet | Rows) -> str:
    tables = "".join(
        f'<table:table table:name={quoteattr(sheet.name)} table:style-name="{sheet.state}">'
        f"{_ods_rows(sheet)}</table:table>"
        for sheet in named(*sheets)
    )
    return ods_document(tables)


def ods_document(tables: str) -> str:
    """Return a document with these tables and styles that hide them."""
    spaces = "".join(
        f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text", "style")
    )
    styles = "".join(
        f'<style:style style:name="{state}"><style:table-properties table:display="{display}"/></style:style>'
        for state, display in (("visible", "true"), ("hidden", "false"), ("veryHidden", "false"))
    )
    return (
        f"<office:document-content{spaces}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body></office:document-content>"
    )


def _ods_rows(sheet: Sheet) -> str:
    corners = {(top, left): (bottom - top + 1, right - left + 1) for top, bottom, left, right in merged(sheet)}
    made = []
    for row, values in enumerate(sheet.rows):
        cells = "".join(_ods_cell(value, corners.get((row, column))) for column, value in enumerate(values))
        made.append(f"<table:table-row>{cells}</table:table-row>")
    # As spreadsheet software ends a sheet: what is left of it, once.
    rest = '<table:table-row table:number-rows-repeated="1048000"><table:table-cell'
    return "".join(made) + f'{rest} table:number-columns-repeated="16384"/></table:table-row>'


def _ods_cell(value: Value, span: tuple[int, int] | None) -> str:
    spanned = f' table:number-rows-spanned="{span[0]}" table:number-columns-spanned="{span[1]}"' if span else ""
    text = f"<text:p>{escape(shown(value))}</text:p>"
    if isinstance(value, Formula):
        spanned += f' table:formula="of:={escape(value.code)}"'
        value = value.result
    match value:
        case None:
            return f"<table:table-cell{spanned}/>"
        case bool():
            kind = f'boolean" office:boolean-value="{str(value).lower()}'
        case int() | float():
            kind = f'float" office:value="{value!r}'
        case Formatted(number, code):
            kind = f'{"percentage" if "%" in code else "float"}" office:value="{number!r}'
        case Error():
            kind, spanned = "string", f'{spanned} table:formula="of:=1/0"'
        case _:
            kind = "string"
    return f'<table:table-cell{spanned} office:value-type="{kind}">{text}</table:table-cell>'


def as_csv(*sheets: Sheet | Rows, delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    (sheet,) = named(*sheets)
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter).writerows([[shown(value) for value in row] for row in sheet.rows])
    return buffer.getvalue().encode(encoding)


def as_docx(*sheets: Sheet | Rows) -> bytes:
    """Return a document: of each sheet, rows of a single text at its top as paragraphs, and the others as a table."""
    document = docx.Document()
    for sheet in named(*sheets):
        rows = [list(row) for row in sheet.rows]
        above = next(n for n, row in enumerate(rows) if sum(value is not None for value in row) > 1)
        for row in rows[:above]:
            document.add_paragraph("".join(map(shown, row)))
        width = max(map(len, rows))
        table: Any = document.add_table(len(rows) - above, width)
        for row, values in enumerate(rows[above:]):
            for column, value in enumerate(values):
                table.cell(row, column).text = shown(value)
        for top, bottom, left, right in merged(sheet):
            if top >= above:
                cells = table.cell(top - above, left), table.cell(bottom - above, right)
                text = cells[0].text
                cells[0].merge(cells[1]).text = text
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def as_xlsb(*sheets: Sheet | Rows) -> bytes:
    pages = named(*sheets)
    codes: list[str] = []
    texts: list[str] = []
    parts = {f"xl/worksheets/sheet{n}.bin": xlsb_sheet(sheet, codes, texts) for n, sheet in enumerate(pages, 1)}
    states = ("visible", "hidden", "veryHidden")
    bundles = (
        record(156, struct.pack("<LL", states.index(sheet.state), n) + wide(f"r{n}") + wide(sheet.name))
        for n, sheet in enumerate(pages, 1)
    )
    targets = [("worksheet", f"worksheets/sheet{n}.bin") for n in range(1, len(pages) + 1)]
    targets += [("styles", "styles.bin"), ("sharedStrings", "sharedStrings.bin")]
    return zipped(
        {
            **parts,
            "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"/>'.encode(),
            "_rels/.rels": relations(("officeDocument", "xl/workbook.bin")).encode(),
            "xl/_rels/workbook.bin.rels": relations(*targets).encode(),
            "xl/workbook.bin": b"".join([record(131), record(143), *bundles, record(144), record(132)]),
            "xl/styles.bin": xlsb_styles(codes),
            "xl/sharedStrings.bin": xlsb_texts(texts),
        }
    )


def xlsb_texts(texts: Sequence[str]) -> bytes:
    items = (record(19, b"\0" + wide(text)) for text in texts)
    return b"".join([record(159, struct.pack("<LL", len(texts), len(texts))), *items, record(160)])


def xlsb_styles(codes: Sequence[str]) -> bytes:
    formats = [record(44, struct.pack("<H", 200 + n) + wide(code)) for n, code in enumerate(codes)]
    styles = [record(47, struct.pack("<HHHHHBBHL", 0, 200 + n, 0, 0, 0, 0, 0, 0, 0)) for n in range(len(codes))]
    general = record(47, bytes(18))
    return b"".join(
        [
            *(record(278), record(615, struct.pack("<L", len(codes))), *formats, record(616)),
            *(record(626, struct.pack("<L", 1)), general, record(627)),  # the styles of styles, which are others
            *(record(617, struct.pack("<L", len(codes) + 1)), general, *styles, record(618), record(279)),
        ]
    )


def xlsb_sheet(sheet: Sheet, codes: list[str], texts: list[str]) -> bytes:
    """Return a sheet's records; texts of more than four characters are shared, number formats appended to ``codes``."""
    made = [record(129), record(147, bytes(23)), record(148, bytes(16)), record(145)]
    for row, values in enumerate(sheet.rows):
        made.append(record(0, struct.pack("<LLHBBBL", row, 0, 300, 0, 0, 0, 0)))
        made += [_xlsb_cell(column, value, codes, texts) for column, value in enumerate(values) if value is not None]
    made.append(record(146))
    if sheet.merges:
        ranges = [record(176, struct.pack("<LLLL", *corners)) for corners in merged(sheet)]
        made += [record(177, struct.pack("<L", len(ranges))), *ranges, record(178)]
    return b"".join([*made, record(130)])


def _xlsb_cell(column: int, value: Value, codes: list[str], texts: list[str]) -> bytes:
    style = 0
    if isinstance(value, Formatted):
        if value.code not in codes:
            codes.append(value.code)
        style, value = codes.index(value.code) + 1, value.number
    head = struct.pack("<LL", column, style)
    formula = struct.pack("<HL", 0, 0) + struct.pack("<L", 0)  # flags, no expression, nothing behind it
    match value:
        case Formula(_, str(result)):
            return record(8, head + wide(result) + formula)
        case Formula(_, result):
            return record(9, head + struct.pack("<d", result) + formula)
        case Error(text):
            return record(3, head + bytes([_ERRORS[text]]))
        case bool():
            return record(4, head + bytes([value]))
        case int() if abs(value) < 2**29:
            return record(2, head + struct.pack("<i", value << 2 | 2))
        case int() | float():
            return record(5, head + struct.pack("<d", value))
        case str() if len(value) > 4:
            if value not in texts:
                texts.append(value)
            return record(7, head + struct.pack("<L", texts.index(value)))
    return record(6, head + wide(str(value)))


def compound(**streams: bytes) -> bytes:
    """Return a compound file with these streams at its root; names have _ for a space."""
    sector = 512
    names = ["Root Entry", *(name.replace("_", " ") for name in streams)]
    directory = -(-len(names) // 4)
    table: list[int] = [0xFFFFFFFD]  # the table of sectors is in the first
    body = b""

    def chained(count: int) -> int:
        first = len(table)
        table.extend([*range(first + 1, first + count), 0xFFFFFFFE])
        return first

    first = chained(directory)
    entries = []
    for number, (name, data) in enumerate(zip(names, [b"", *streams.values()], strict=True)):
        size = max(len(data), 4096) if number else 0
        start = chained(-(-size // sector)) if number else 0xFFFFFFFE
        body += data.ljust(-(-size // sector) * sector, b"\0")
        encoded = name.encode("utf-16-le")
        right = number + 1 if 0 < number < len(names) - 1 else 0xFFFFFFFF
        child = 1 if not number and streams else 0xFFFFFFFF
        ends = (0xFFFFFFFF, right, child, start, size)
        entries.append(struct.pack("<64sHBBLLL36xLQ", encoded, len(encoded) + 2, 2 if number else 5, 1, *ends))
    assert len(table) <= sector // 4
    table += [0xFFFFFFFF] * (sector // 4 - len(table))
    mark, last = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0xFFFFFFFE
    numbers = (62, 3, 0xFFFE, 9, 6, 0, 1, first, 0, 4096, last, 0, last, 0)
    header = struct.pack("<8s16xHHHHH6xLLLLLLLLL", mark, *numbers)
    header += struct.pack("<109L", 0, *[0xFFFFFFFF] * 108)
    return header + struct.pack(f"<{sector // 4}L", *table) + b"".join(entries).ljust(directory * sector, b"\0") + body


def wide(text: str) -> bytes:
    """Return a text with its length in front."""
    return struct.pack("<L", len(text.encode("utf-16-le")) // 2) + text.encode("utf-16-le")


def record(kind: int, data: bytes = b"") -> bytes:
    """Return a record of an .xlsb part."""
    return _variable(kind) + _variable(len(data)) + data


def _variable(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])


WRITERS: dict[str, Callable[..., bytes]] = {
    "xlsx": as_xlsx,
    "xls": as_xls,
    "xlsb": as_xlsb,
    "ods": as_ods,
    "csv": as_csv,
    "docx": as_docx,
}
