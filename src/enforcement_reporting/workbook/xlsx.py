"""Workbooks in Office Open XML, .xlsx and .xlsm.

A workbook written the way spreadsheet software usually writes them is read straight from its XML. Any other is read by
a general reader that allocates the whole rectangle from the first cell to the last and shows some
cells as blank that are not. Each sheet's XML is therefore searched first: for its extent, for formulas without a saved
value, for error values, and for number formats that change what a number says.
"""

from __future__ import annotations

import re
from array import array
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from enforcement_reporting.workbook.addresses import column_letters, column_number
from enforcement_reporting.workbook.formats import NumberFormat, read_styles
from enforcement_reporting.workbook.grid import MAX_CELLS, MAX_MERGED, MAX_TEXT_BYTES, Grid, OpenedWorkbook, too_large
from enforcement_reporting.workbook.package import Package, Parts, Sheet, UnreadableWorkbook, open_package, packed
from enforcement_reporting.workbook.usual import usual_sheets


def open_xlsx(source: bytes | Parts) -> OpenedWorkbook:
    """Return what there is to read in an .xlsx or .xlsm workbook, given its bytes or its parts.

    Raises UnreadableWorkbook where the bytes are no workbook, are encrypted or damaged, or exceed the bounds; memory
    stays within a small multiple of the bounds whatever the bytes say.
    """
    package = open_package(source)
    styles = read_styles(package.styles)
    usual = usual_sheets([sheet.xml for sheet in package.sheets], package.shared_strings, styles, MAX_CELLS)
    if usual is not None:
        grids = [
            Grid(
                sheet.name,
                rows,
                top,
                left,
                spans,
                formats=formats,
                texts=texts,
                filled=filled,
                is_plain=True,
                mark=sheet.mark,
            )
            for sheet, (rows, top, left, spans, formats, texts, filled) in zip(package.sheets, usual, strict=True)
        ]
        return OpenedWorkbook(grids, package.hidden, package.has_macros)
    return _open_unusual(package, styles.shown)


def _open_unusual(package: Package, formats: dict[int, NumberFormat]) -> OpenedWorkbook:
    """Return what there is to read in a workbook however it is written."""
    scans: list[_Scan] = []
    for sheet in package.sheets:
        scans.append(_Scan(sheet, formats))
        if sum(scan.extent for scan in scans) > MAX_CELLS:
            raise too_large(sheet.name, scans[-1].last_row - 1, scans[-1].last_column - 1)
    _refuse_repeated_texts(package, sum(scan.shared_texts for scan in scans))
    names, marks = [sheet.name for sheet in package.sheets], [sheet.mark for sheet in package.sheets]
    opened = OpenedWorkbook([], package.hidden, package.has_macros)
    if not names:
        return opened
    try:
        workbook = CalamineWorkbook.from_filelike(packed(package))
        package.sheets.clear()  # a large workbook need not be in memory twice
        for number, (name, mark, scan) in enumerate(zip(names, marks, scans, strict=True)):
            opened.grids.append(_grid(workbook, number, name, mark, scan))
    except BaseException as error:
        # A panic in the reader's Rust is no Exception, and its class cannot be imported.
        if isinstance(error, CalamineError) or type(error).__name__ == "PanicException":
            raise UnreadableWorkbook("文件已损坏，无法读取。请重新保存后再报。", f"damaged workbook: {error}") from None
        raise
    return opened


_NAME = rb"(?:[^\s<>/:]+:)?"
_CELL_START = re.compile(rb"<" + _NAME + rb"c(?=[\s/>])")
# A row or a cell with its address, style and kind where they stand first, as they nearly always do.
_TAG = re.compile(
    rb"<" + _NAME + rb"(row|c)"
    rb"""(?: r="([A-Za-z]{0,3})([0-9]{1,7})")?(?: s="([0-9]+)")?(?: t="([a-zA-Z]+)")?"""
    rb"""((?:\s++[^\s=<>"'/]++\s*+=\s*+(?:"[^"<>]*+"|'[^'<>]*+'))*+)\s*+(/?)>"""
)
_ATTRIBUTE = re.compile(rb"""\s([rst])\s*+=\s*+["']([^"']*+)["']""")
_ADDRESS = re.compile(rb"([A-Za-z]{0,3})([0-9]{1,7})")
_BODY = re.compile(rb"(?:[^<]++|<(?!/?" + _NAME + rb"c[\s/>]))*+")
_FORMULA = re.compile(rb"\s*+<" + _NAME + rb"f[\s/>]")
_VALUE = re.compile(rb"<" + _NAME + rb"v>([^<]*+)<")
_STRING_END = re.compile(rb"</" + _NAME + rb"si>")
_STRING_USE = re.compile(rb"""\st\s*+=\s*+["']s["'][^<>]*+>\s*+<""" + _NAME + rb"v>\s*+(\d{1,9})")
_KNOWN_ERRORS = frozenset((b"#DIV/0!", b"#N/A", b"#NAME?", b"#NULL!", b"#NUM!", b"#REF!", b"#VALUE!"))


class _Scan:
    """What a sheet's XML says that the general reader does not, and how many cells that reader will allocate.

    In the sheet, error values that the general reader does not know (#SPILL!) are replaced by one that it knows. Cells
    that carry nothing but a style count for nothing: the reader skips them.
    """

    def __init__(self, sheet: Sheet, formats: dict[int, NumberFormat]) -> None:
        xml = sheet.xml
        self.without_value: set[str] = set()
        self.errors: dict[str, str] = {}
        self.formats: dict[str, NumberFormat] = {}
        self.shared_texts = 0
        if xml.count(b"mergeCell") > MAX_MERGED:
            raise _abnormal(sheet, f"more than {MAX_MERGED} merged ranges")
        styles = {b"%d" % style: number_format for style, number_format in formats.items()}
        has_formulas = b"<f" in xml or b":f" in xml
        unknown_errors: list[tuple[int, int]] = []
        rows, columns = set(), set()
        cells = row = column = 0
        for match in _TAG.finditer(xml):
            tag, letters, digits, style, kind, others, closed = match.groups()
            if others:
                attributes = dict(_ATTRIBUTE.findall(others))
                style, kind = attributes.get(b"s", style), attributes.get(b"t", kind)
                if b"r" in attributes:
                    letters, digits = _address(sheet, attributes[b"r"])
            if tag == b"row":
                row, column = int(digits) if digits else row + 1, 0
                continue
            cells += 1
            if letters:
                column = column_number(letters.decode("ascii"))
            elif digits:
                raise _abnormal(sheet, f"a cell at {digits!r}")
            else:
                column, digits = column + 1, b"%d" % row
            if closed:
                continue
            rows.add(digits)
            columns.add(column)
            if kind == b"s":
                self.shared_texts += 1
            elif kind == b"e":
                value = _value(xml, match.end())
                said = value[1].decode("utf-8", "replace") if value else "#VALUE!"
                self.errors[_named(digits, column)] = said
                if value and value[1] not in _KNOWN_ERRORS:
                    unknown_errors.append(value.span(1))
            elif kind is None or kind == b"n":
                if number_format := styles.get(style or b"0"):
                    self.formats[_named(digits, column)] = number_format
                if has_formulas and _FORMULA.match(xml, match.end()):
                    value = _value(xml, match.end())
                    if not (value and value[1].strip()):
                        self.without_value.add(_named(digits, column))
        if cells != sum(1 for _ in _CELL_START.finditer(xml)):
            raise _abnormal(sheet, "malformed cells")
        numbers = [int(digits) for digits in rows]
        self.last_row, self.last_column = max(numbers, default=0), max(columns, default=0)
        self.extent = 0  # cells in the rectangle from the first to the last
        if rows:
            self.extent = (self.last_row - min(numbers) + 1) * (self.last_column - min(columns) + 1)
        for start, end in reversed(unknown_errors):
            sheet.xml = sheet.xml[:start] + b"#VALUE!" + sheet.xml[end:]


def _value(xml: bytes, start: int) -> re.Match[bytes] | None:
    """Return the saved value of the cell whose tag ends at ``start``."""
    body = _BODY.match(xml, start)
    return _VALUE.search(xml, start, body.end() + 1) if body else None


def _named(digits: bytes, column: int) -> str:
    return f"{column_letters(column - 1)}{int(digits)}"


def _address(sheet: Sheet, address: bytes) -> tuple[bytes, bytes]:
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise _abnormal(sheet, f"an address {address!r}")
    return match[1], match[2]


def _abnormal(sheet: Sheet, what: str) -> UnreadableWorkbook:
    return UnreadableWorkbook(
        f"工作表“{sheet.name}”的内部结构异常，拒绝读取。请用表格软件打开并另存为 .xlsx 后再报。",
        f"sheet {sheet.name}: {what}",
    )


def _refuse_repeated_texts(package: Package, uses: int) -> None:
    """Refuse a workbook in which a few large texts stand in so many cells that their copies would fill the memory."""
    lengths, start = array("L"), 0
    for match in _STRING_END.finditer(package.shared_strings):
        lengths.append(match.start() - start)
        start = match.end()
    if not lengths or max(lengths) * uses <= MAX_TEXT_BYTES:
        return
    total = found = 0
    for sheet in package.sheets:
        for match in _STRING_USE.finditer(sheet.xml):
            found += 1
            total += lengths[index] if (index := int(match[1])) < len(lengths) else 0
    if total > MAX_TEXT_BYTES or found < uses:
        raise UnreadableWorkbook(
            f"各单元格的文字合计超过 {MAX_TEXT_BYTES // 1_000_000} MB，拒绝读取。请删去表格以外的内容后再报。",
            f"{uses} cells hold {total} bytes of text, at most {MAX_TEXT_BYTES}",
        )


def _grid(workbook: CalamineWorkbook, number: int, name: str, mark: str, scan: _Scan) -> Grid:
    sheet = workbook.get_sheet_by_index(number)
    rows: list[list[Any]] = sheet.to_python(skip_empty_area=True)
    top, left = sheet.start or (0, 0)
    spans = {
        (row - top, column - left): (last_row - top, last_column - left)
        for (row, column), (last_row, last_column) in sheet.merged_cell_ranges or ()
    }
    return Grid(name, rows, top, left, spans, frozenset(scan.without_value), scan.errors, scan.formats, mark=mark)
