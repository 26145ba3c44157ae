"""Workbooks in the binary format of Excel, .xlsb.

python-calamine reads the cells. What it is handed is packed anew of records that were counted and measured before: it
allocates the whole rectangle from the first cell to the last with a copy of each text, and knows neither merged cells
nor number formats nor errors, which are taken from the records on the way.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from python_calamine import CalamineError, CalamineWorkbook

from enforcement_reporting.workbook.formats import BUILT_IN, NumberFormat, number_format_of
from enforcement_reporting.workbook.grid import (
    MAX_CELLS,
    MAX_TEXT_BYTES,
    Grid,
    LooseCells,
    OpenedWorkbook,
    as_grids,
    too_large,
)
from enforcement_reporting.workbook.package import (
    MAX_INFLATED_BYTES,
    MAX_SHEETS,
    MAX_STRUCTURE_BYTES,
    Parts,
    UnreadableWorkbook,
)
from enforcement_reporting.workbook.template_mark import NAME as MARK

_ROW, _FIRST_CELL, _LAST_CELL = 0, 1, 11
_SHORT, _REAL, _WHOLE = 2, 5, 2
_ERROR, _SHARED, _FORMULA_ERROR = 3, 7, 11
_TEXTS = (6, 8)
_LEAST = {2: 12, 3: 9, 4: 9, 5: 16, 6: 12, 7: 12, 8: 12, 9: 16, 10: 9, 11: 9}  # bytes of each kind of cell
_DIMENSIONS, _BEGIN_CELLS, _END_CELLS, _MERGED = 0x94, 0x91, 0x92, 0xB0
_PROPERTIES, _SHEET, _END_SHEETS, _NAME, _END_BOOK = 0x99, 0x9C, 0x90, 0x27, 0x84
_A_TEXT = b"\x17"  # in an expression
_TEXT, _BEGIN_TEXTS = 0x13, 0x9F
_BEGIN_FORMATS, _FORMAT, _BEGIN_STYLES, _END_STYLES, _STYLE = 0x267, 0x2C, 0x269, 0x26A, 0x2F
_ERRORS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}
_LAST_ROW, _LAST_COLUMN = 1_048_575, 16_383
_NONE = 0xFFFFFFFF

_Record = tuple[int, bytes]


def open_xlsb(parts: Parts) -> OpenedWorkbook:
    """Return what there is to read in the parts of an .xlsb workbook."""
    relations = parts.relations("xl/_rels/workbook.bin.rels", "xl")
    opened = OpenedWorkbook([], [], parts.has_macros)
    properties: list[_Record] = []
    paths: list[tuple[str, str, int]] = []  # with their place among all sheets
    marks: dict[int, str] = {}
    listed = 0
    for kind, data in _records(parts.data("xl/workbook.bin", MAX_STRUCTURE_BYTES)):
        if kind == _PROPERTIES:
            properties = [(kind, data)]
        elif kind == _SHEET:
            state, _ = _numbers("<LL", data)
            relation, at = _wide(data, 8)
            name, _ = _wide(data, at)
            kind_of_sheet, path = relations.get(relation, ("", ""))
            listed += 1
            if kind_of_sheet == "worksheet" and state:
                opened.hidden.append(name)
            elif kind_of_sheet == "worksheet":
                paths.append((name, path, listed - 1))
        elif kind == _NAME:
            (of_sheet,) = _numbers("<L", data, 5)
            name, at = _wide(data, 9)
            if name == MARK and data[at + 4 : at + 5] == _A_TEXT:
                (length,) = _numbers("<H", data, at + 5)
                marks[of_sheet] = data[at + 7 : at + 7 + 2 * length].decode("utf-16-le", "replace")
    if len(paths) > MAX_SHEETS:
        raise UnreadableWorkbook(
            f"工作簿有 {len(paths)} 张工作表，超过 {MAX_SHEETS} 张的上限。请只保留填报的工作表。",
            f"{len(paths)} sheets, at most {MAX_SHEETS} are read",
        )
    by_kind = dict(relations.values())
    all_texts = (item for item in _records(_part(parts, by_kind, "sharedStrings")) if item[0] == _TEXT)
    texts = list(islice(all_texts, MAX_CELLS))  # more than there may be cells nobody looks up
    styles = _Styles(_records(_part(parts, by_kind, "styles", MAX_STRUCTURE_BYTES)))
    lengths = [2 * _numbers("<L", data, 1)[0] for _, data in texts]
    sheets: list[_Sheet] = []
    room = _Room()
    for name, path, place in paths:
        sheets.append(_Sheet(LooseCells(name, marks.get(place, "")), styles.shown, lengths, room))
        sheets[-1].scan(_records(parts.data(path)))
    if sheets:
        opened.grids = _grids(_packed(properties, texts, styles, sheets), sheets)
    return opened


@dataclass
class _Styles:
    """The formats and styles of cells as records, and by style what a number is shown as."""

    records: Iterator[_Record]
    formats: list[_Record] = field(default_factory=list)
    styles: list[_Record] = field(default_factory=list)
    shown: dict[int, NumberFormat] = field(default_factory=dict)

    def __post_init__(self) -> None:
        codes = dict(BUILT_IN)
        is_of_cells = False
        for kind, data in self.records:
            if kind == _FORMAT:
                self.formats.append((kind, data))
                codes[_numbers("<H", data)[0]] = _wide(data, 2)[0]
            elif kind in (_BEGIN_STYLES, _END_STYLES):
                is_of_cells = kind == _BEGIN_STYLES
            elif kind == _STYLE and is_of_cells:
                if number_format := number_format_of(codes.get(_numbers("<HH", data)[1], "")):
                    self.shown[len(self.styles)] = number_format
                self.styles.append((kind, data))


@dataclass
class _Room:
    """What may still be read: cells in rectangles, bytes of text in cells, cells as they are listed, twice or not."""

    cells: int = MAX_CELLS
    text_bytes: int = MAX_TEXT_BYTES
    records: int = MAX_CELLS


@dataclass
class _Sheet:
    """The records of a sheet's cells, and what they say that the reader does not; ``room`` is that of all."""

    loose: LooseCells
    shown: dict[int, NumberFormat]
    lengths: list[int]
    room: _Room
    records: list[_Record] = field(default_factory=list)

    def scan(self, records: Iterator[_Record]) -> None:
        """Measure a sheet's cells. Raises UnreadableWorkbook where they are too many or not sound."""
        row, last, is_inside = -1, -1, False
        rows, columns = set(), set()
        for kind, data in records:
            if kind in (_BEGIN_CELLS, _END_CELLS):
                is_inside = kind == _BEGIN_CELLS
            elif kind == _MERGED:
                first_row, last_row, first_column, last_column = _numbers("<LLLL", data)
                self.loose.merge(first_row, first_column, last_row, last_column)
            elif kind == _ROW and is_inside:
                (row,) = _numbers("<L", data)
            elif is_inside and _FIRST_CELL < kind <= _LAST_CELL:
                (column,) = _numbers("<L", data)
                if len(data) < _LEAST[kind] or not 0 <= row <= _LAST_ROW or column > _LAST_COLUMN:
                    raise _damaged(f"a cell of kind {kind} with {len(data)} bytes at {row}, {column}")
                if row != last:
                    self.records.append((_ROW, struct.pack("<L", row) + bytes(13)))
                    last = row
                rows.add(row)
                columns.add(column)
                self._cell(kind, data, row, column)
        if rows:
            self.room.cells -= (max(rows) - min(rows) + 1) * (max(columns) - min(columns) + 1)
            if self.room.cells < 0:
                raise too_large(self.loose.name, max(rows), max(columns))

    def _cell(self, kind: int, data: bytes, row: int, column: int) -> None:
        if kind in (_ERROR, _FORMULA_ERROR):
            self.loose.put_error(row, column, _ERRORS.get(data[8], "#VALUE!"))
            data = data[:8] + b"\x0f" + data[9:]
            kind = _ERROR
        elif kind in _TEXTS:
            text, _ = _wide(data, 8)
            self.room.text_bytes -= 2 * len(text)
        elif kind == _SHARED:
            (number,) = _numbers("<L", data, 8)
            if number >= len(self.lengths):
                raise _damaged(f"text {number} of {len(self.lengths)}")
            self.room.text_bytes -= self.lengths[number]
        elif number_format := self.shown.get(int.from_bytes(data[4:7], "little")):
            self.loose.formats[row, column] = number_format
        if kind == _SHORT and data[8] & 3 == _WHOLE:  # of which the reader would not see that it is a day
            kind, data = _REAL, data[:8] + struct.pack("<d", _numbers("<l", data, 8)[0] >> 2)
        self.room.records -= 1
        if self.room.text_bytes < 0 or self.room.records < 0:
            raise UnreadableWorkbook(
                "各单元格的内容过多，拒绝读取。请删去表格以外的内容后再报。",
                "too many cells, or too long texts in them",
            )
        self.records.append((kind, data))


def _grids(packed: io.BytesIO, sheets: list[_Sheet]) -> list[Grid]:
    try:
        workbook = CalamineWorkbook.from_filelike(packed)
        for number, sheet in enumerate(sheets):
            sheet.records.clear()
            cells = workbook.get_sheet_by_index(number)
            top, left = cells.start or (0, 0)
            for row, values in enumerate(cells.to_python(skip_empty_area=True), top):
                for column, value in enumerate(values, left):
                    sheet.loose.put(row, column, float(value) if type(value) is int else value)
    except BaseException as error:
        # A panic in the reader's Rust is no Exception, and its class cannot be imported.
        if isinstance(error, CalamineError) or type(error).__name__ == "PanicException":
            raise _damaged(str(error)) from None
        raise
    return as_grids(sheet.loose for sheet in sheets)


def _packed(properties: list[_Record], texts: list[_Record], styles: _Styles, sheets: list[_Sheet]) -> io.BytesIO:
    """Return a workbook of those records and nothing else; the sheets have numbers for names."""
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    targets = [f"worksheets/sheet{number}.bin" for number in range(len(sheets))]
    links = "".join(
        f'<Relationship Id="r{number}" Type="{office}/worksheet" Target="{target}"/>'
        for number, target in enumerate(targets)
    )
    listed = [(_SHEET, struct.pack("<LL", 0, n + 1) + _as_wide(f"r{n}") + _as_wide(str(n))) for n in range(len(sheets))]
    count = struct.pack("<L", len(texts))
    formats = [(_BEGIN_FORMATS, struct.pack("<L", len(styles.formats))), *styles.formats]
    parts = {
        "xl/_rels/workbook.bin.rels": (
            f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{links}'
            f"</Relationships>"
        ).encode(),
        "xl/workbook.bin": _joined([*properties, *listed, (_END_SHEETS, b""), (_END_BOOK, b"")]),
        "xl/sharedStrings.bin": _joined([(_BEGIN_TEXTS, count + count), *texts]),
        "xl/styles.bin": _joined([*formats, (_BEGIN_STYLES, struct.pack("<L", len(styles.styles))), *styles.styles]),
    }
    begin = [(_DIMENSIONS, bytes(16)), (_BEGIN_CELLS, b"")]
    for target, sheet in zip(targets, sheets, strict=True):
        parts[f"xl/{target}"] = _joined([*begin, *sheet.records, (_END_CELLS, b"")])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    buffer.seek(0)
    return buffer


def _part(parts: Parts, by_kind: dict[str, str], kind: str, limit: int = MAX_INFLATED_BYTES) -> bytes:
    path = by_kind.get(kind, "")
    return parts.data(path, limit) if path in parts else b""


def _records(data: bytes) -> Iterator[_Record]:
    """Yield the kind and the content of each record. Raises UnreadableWorkbook where one is cut short."""
    at, end = 0, len(data)
    while at < end:
        kind, at = _variable(data, at, 2)
        size, at = _variable(data, at, 4)
        if at + size > end:
            raise _damaged(f"a record of {size} bytes at {at} of {end}")
        yield kind, data[at : at + size]
        at += size


def _variable(data: bytes, at: int, most: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, of at most so many bytes, and where it ends."""
    value = 0
    for place in range(most):
        if at >= len(data):
            raise _damaged("cut short")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            break
    return value, at


def _joined(records: list[_Record]) -> bytes:
    made = []
    for kind, data in records:
        made.append(_as_variable(kind) + _as_variable(len(data)) + data)
    return b"".join(made)


def _as_variable(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def _numbers(layout: str, data: bytes, at: int = 0) -> tuple[int, ...]:
    try:
        return struct.unpack_from(layout, data, at)
    except struct.error as error:
        raise _damaged(str(error)) from None


def _wide(data: bytes, at: int) -> tuple[str, int]:
    """Return a text that begins with its length, and where it ends."""
    (length,) = _numbers("<L", data, at)
    end = at + 4 + (0 if length == _NONE else 2 * length)
    if end > len(data):
        raise _damaged(f"a text of {length} characters")
    return data[at + 4 : end].decode("utf-16-le", "replace"), end


def _as_wide(text: str) -> bytes:
    return struct.pack("<L", len(text)) + text.encode("utf-16-le")


def _damaged(log: str) -> UnreadableWorkbook:
    return UnreadableWorkbook("文件已损坏，无法读取。请重新保存后再报。", f".xlsb: {log}")
