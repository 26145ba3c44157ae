"""Workbooks in the old binary format, .xls and .et, through xlrd.

xlrd is the reader that tells a number's format and an error's name, and it allocates in Python, where running out ends
in an exception. It is handed no more than the records that hold sheets, texts, formats and cells, and these only once
they have been counted: what it does with others may take as long as their sender likes.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from datetime import datetime, time
from typing import Any

import xlrd

from enforcement_reporting.workbook.cells import Cell
from enforcement_reporting.workbook.compound import CompoundFile
from enforcement_reporting.workbook.formats import NumberFormat, number_format_of
from enforcement_reporting.workbook.grid import MAX_CELLS, LooseCells, OpenedWorkbook, as_grids
from enforcement_reporting.workbook.package import EXPECTED, MAX_SHEETS, UnreadableWorkbook
from enforcement_reporting.workbook.template_mark import NAME as MARK

_BOF, _EOF, _CONTINUE, _BOUNDSHEET, _SST, _FILEPASS = 0x0809, 0x000A, 0x003C, 0x0085, 0x00FC, 0x002F
_NAME, _A_TEXT = 0x0018, 0x17
_CELLS = frozenset((0x0203, 0x00FD, 0x0204, 0x00D6, 0x027E, 0x00BD, 0x0006, 0x0206, 0x0406, 0x0205))
# Of the workbook: fonts, formats, styles, dates, code page, country. Of a sheet: what belongs to formulas, texts that
# are results, merged cells.
_OTHERS = frozenset((0x0031, 0x041E, 0x00E0, 0x0022, 0x0042, 0x008C, 0x0221, 0x04BC, 0x0236, 0x0207, 0x00E5))
_READ = _CELLS | _OTHERS | {_BOF, _EOF, _BOUNDSHEET, _SST}
_PASSED_OVER = struct.pack("<H", 0x7FFF)  # a kind of record that nobody has defined
_OLDEST = 0x0500
_HEAD, _PLACE = struct.Struct("<HH"), struct.Struct("<HH")
_DAMAGED = "文件不完整或已损坏，无法读取。请用表格软件打开并另存为 .xlsx 后再报。"
_FAULTS = (
    *(xlrd.XLRDError, struct.error, LookupError, AssertionError, ValueError, TypeError, AttributeError),
    *(OverflowError, NotImplementedError),
)
_DOCUMENTS = {
    "worddocument": "Word 97-2003 文档（.doc）。请用 Word 或 WPS 另存为 .docx 后再报。",
    "powerpoint document": f"演示文稿（.ppt），不是可以采集的表格。{EXPECTED}",
}


def open_xls(content: bytes) -> OpenedWorkbook:
    """Return what there is to read in the bytes of an .xls or .et workbook."""
    stream, has_macros = content, False
    if int.from_bytes(content[:2], "little") != _BOF:
        file = CompoundFile(content)
        stream, has_macros = _workbook(file), "_vba_project_cur" in file.entries
    checked, marks = _checked(stream)
    try:
        with xlrd.open_workbook(
            file_contents=checked, formatting_info=True, on_demand=True, ragged_rows=True, logfile=io.StringIO()
        ) as book:
            return _read(book, has_macros, marks)
    except _FAULTS as error:
        raise _damaged(f"{type(error).__name__}: {error}") from None


def _workbook(file: CompoundFile) -> bytes:
    """Return the stream that holds the workbook; say what the file is where there is none."""
    if "encryptedpackage" in file.entries:
        raise UnreadableWorkbook("文件设有打开密码，无法读取。请取消密码后再报。", "encrypted workbook")
    for name in ("workbook", "book"):
        if stream := file.stream(name):
            return stream
    for name, words in _DOCUMENTS.items():
        if name in file.entries:
            raise UnreadableWorkbook(f"文件是{words}", f"a compound file with a stream {name}")
    raise UnreadableWorkbook(
        "文件不是工作簿。请用表格软件打开并另存为 .xlsx 后再报。",
        f"a compound file without a workbook: {', '.join(sorted(file.entries))[:200]}",
    )


def _checked(stream: bytes) -> tuple[bytes, dict[int, str]]:
    """Return the stream with all records passed over that are not read, having counted those that are.

    With it come the marks of templates by the place of their sheets among all.
    """
    marks: dict[int, str] = {}
    checked = bytearray(stream)
    begins: set[int] = set()
    sheets: list[int] = []
    texts: list[memoryview] = []
    cells, is_read = 0, False
    for place, kind, end in _records(stream):
        if kind == _CONTINUE:
            if is_read and texts:
                texts.append(memoryview(stream)[place + 4 : end])
        else:
            is_read = kind in _READ
            if texts:
                _check_texts(texts)
                texts = []
        if not is_read:
            checked[place : place + 2] = _PASSED_OVER
        if kind == _BOF:
            begins.add(place)
            if _version(stream, place) < _OLDEST:
                raise UnreadableWorkbook(
                    "文件是 Excel 4.0 或更早的格式。请用表格软件打开并另存为 .xlsx 后再报。", "an older version of BIFF"
                )
        elif kind == _BOUNDSHEET:
            sheets.append(int.from_bytes(stream[place + 4 : place + 8], "little"))
        elif kind == _NAME and (mark := _mark(stream[place + 4 : end])):
            marks[mark[0]] = mark[1]
        elif kind == _SST:
            texts = [memoryview(stream)[place + 4 : end]]
        elif kind == _FILEPASS and stream[place + 4 : end].strip(b"\0"):
            raise UnreadableWorkbook("文件设有打开密码，无法读取。请取消密码后再报。", "encrypted workbook")
        elif kind in _CELLS:
            cells += 1
            if cells > MAX_CELLS:
                raise UnreadableWorkbook(
                    "单元格过多，超出可读取的范围。请删去表格以外的内容后再报。", f"more than {MAX_CELLS} cell records"
                )
    if 0 not in begins:
        raise _damaged("does not begin")
    if len(sheets) > MAX_SHEETS:
        raise UnreadableWorkbook(
            f"工作簿有 {len(sheets)} 张工作表，超过 {MAX_SHEETS} 张的上限。请只保留填报的工作表。",
            f"{len(sheets)} sheets, at most {MAX_SHEETS} are read",
        )
    if not begins.issuperset(sheets):  # inside a record there may be others that were not counted
        raise _damaged("a sheet begins where no record does")
    return bytes(checked), marks


def _mark(name: bytes) -> tuple[int, str] | None:
    """Return the place of a sheet and the mark that it carries, or None where a name is another."""
    try:
        length, of_sheet = name[3], int.from_bytes(name[8:10], "little")
        text, at = _characters(name, 14, length)
        if text != MARK or not of_sheet or name[at] != _A_TEXT:
            return None
        return of_sheet - 1, _characters(name, at + 2, name[at + 1])[0]
    except IndexError:
        return None


def _characters(data: bytes, at: int, count: int) -> tuple[str, int]:
    """Return so many characters behind a byte that says how wide they are, and where they end."""
    end = at + 1 + count * (1 + (data[at] & 1))
    encoding = "utf-16-le" if data[at] & 1 else "latin-1"
    return data[at + 1 : end].decode(encoding, "replace"), end


def _records(stream: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield where each record begins, its kind, and where it ends; what is padded behind the last is none."""
    place, size, depth = 0, len(stream), 0
    while place + 4 <= size:
        kind, length = _HEAD.unpack_from(stream, place)
        end = place + 4 + length
        if end > size and not depth:
            return
        if end > size:
            raise _damaged(f"a record at {place} reaches beyond the end")
        depth += (kind == _BOF) - (kind == _EOF)
        yield place, kind, end
        place = end


def _version(stream: bytes, place: int) -> int:
    return int.from_bytes(stream[place + 4 : place + 6], "little")


def _check_texts(parts: list[memoryview]) -> None:
    """Refuse a table of texts whose sizes lead back or beyond it: xlrd follows them for as often as it says."""
    try:
        count = int.from_bytes(parts[0][4:8], "little")
        if count > MAX_CELLS:
            raise _damaged(f"{count} texts")
        part, at = 0, 8
        for _ in range(count):
            data = parts[part]
            characters, options = struct.unpack_from("<HB", data, at)
            at += 3
            runs = behind = 0
            if options & 8:
                (runs,) = struct.unpack_from("<H", data, at)
                at += 2
            if options & 4:
                (behind,) = struct.unpack_from("<i", data, at)
                at += 4
            if behind < 0:
                raise _damaged("a text with something of negative size behind it")
            while True:
                width = 2 if options & 1 else 1
                here = min((len(data) - at) // width, characters)
                at, characters = at + here * width, characters - here
                if not characters:
                    break
                part += 1
                data, at = parts[part], 1
                options = data[0]
            at += 4 * runs + behind
            while at >= len(data) and part + 1 < len(parts):
                at -= len(data)
                part += 1
                data = parts[part]
    except (struct.error, IndexError) as error:
        raise _damaged(f"table of texts: {error}") from None


def _read(book: Any, has_macros: bool, marks: dict[int, str]) -> OpenedWorkbook:
    opened = OpenedWorkbook([], [], has_macros)
    formats = [number_format_of(book.format_map[style.format_key].format_str) for style in book.xf_list]
    sheets = []
    # Charts and modules are among all sheets, and not among those that are read.
    places = [place for place, number in enumerate(book._all_sheets_map) if number >= 0]
    for number, name in enumerate(book.sheet_names()):
        if book._sheet_visibility[number]:
            opened.hidden.append(name)
        else:
            sheets.append(_cells(book, book.sheet_by_index(number), formats))
            sheets[-1].mark = marks.get(places[number], "")
            book.unload_sheet(number)
            opened.grids = as_grids(sheets)
    return opened


def _cells(book: Any, sheet: Any, formats: list[NumberFormat | None]) -> LooseCells:
    loose = LooseCells(sheet.name)
    for first_row, end_row, first_column, end_column in sheet.merged_cells:
        loose.merge(first_row, first_column, end_row - 1, end_column - 1)
    for row in range(sheet.nrows):
        kinds, values = sheet.row_types(row), sheet.row_values(row)
        for column, (kind, value) in enumerate(zip(kinds, values, strict=True)):
            if kind == xlrd.XL_CELL_NUMBER:
                loose.put(row, column, value)
                if number_format := formats[sheet.cell_xf_index(row, column)]:
                    loose.formats[row, column] = number_format
            elif kind == xlrd.XL_CELL_TEXT:
                loose.put(row, column, value)
            elif kind == xlrd.XL_CELL_BOOLEAN:
                loose.put(row, column, bool(value))
            elif kind == xlrd.XL_CELL_ERROR:
                loose.put_error(row, column, xlrd.error_text_from_code.get(value, "#VALUE!"))
            elif kind == xlrd.XL_CELL_DATE:
                loose.put(row, column, _day(value, book.datemode))
    return loose


def _day(number: float, datemode: int) -> Cell:
    """Return a day or an instant; a number that is none stays a number."""
    try:
        instant: datetime = xlrd.xldate_as_datetime(number, datemode)
    except (ValueError, OverflowError, xlrd.XLDateError):
        return number
    if 0 <= number < 1:
        return instant.time()
    return instant.date() if instant.time() == time.min else instant


def _damaged(log: str) -> UnreadableWorkbook:
    return UnreadableWorkbook(_DAMAGED, f".xls: {log}")
