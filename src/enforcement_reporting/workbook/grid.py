"""Opening a workbook that nobody vouches for, as grids of cells.

A workbook is hostile until it is read. The zip container is inflated here first, within fixed bounds, and the sheets'
XML is searched for what the fast reader does not tell: cells far outside the table (which would make it allocate the
whole rectangle), formulas without a saved value, and error values.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from xml.etree import ElementTree

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum

MAX_FILE_BYTES = 30_000_000
MAX_INFLATED_BYTES = 60_000_000
MAX_PARTS = 2_000
MAX_SHEETS = 100
MAX_CELLS = 500_000
MAX_TEXT = 2_000

Cell = str | float | bool | date | datetime | time | timedelta

_ADDRESS = re.compile(rb"""\sr\s*=\s*["']([A-Z]{1,3})(\d{1,7})["']""")
_FORMULA_CELL = re.compile(
    rb"""<(?:\w+:)?c\b[^>]*?\sr\s*=\s*["']([A-Z]{1,3}\d{1,7})["'][^>]*>\s*"""
    rb"""<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"""
)
_ERROR_CELL = re.compile(
    rb"""<(?:\w+:)?c\b(?=[^>]*\st\s*=\s*["']e["'])[^>]*?\sr\s*=\s*["']([A-Z]{1,3}\d{1,7})["'][^>]*>.*?"""
    rb"""<(?:\w+:)?v>([^<]*)</(?:\w+:)?v>""",
    re.DOTALL,
)
_XML = (".xml", ".rels")
_COMPOUND_FILE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")


class UnreadableWorkbook(Exception):
    """A file that cannot be read as a workbook. ``reason`` is for the clerk, ``str()`` for the log."""

    def __init__(self, reason: str, log: str) -> None:
        super().__init__(log)
        self.reason = reason


@dataclass
class Grid:
    """One sheet: cells as rows of values ('' where blank), with the sheet's own coordinates.

    ``rows[r][c]`` is the cell in row ``top + r`` and column ``left + c``, counted from 0. ``spans`` maps the first
    cell of a merged range to its last, in the same relative coordinates. ``without_value`` holds the addresses of
    formulas that were saved without a result, ``errors`` those of error values such as #DIV/0!.
    """

    name: str
    rows: list[list[Cell]]
    top: int = 0
    left: int = 0
    spans: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    without_value: frozenset[str] = frozenset()
    errors: dict[str, str] = field(default_factory=dict)

    def address(self, row: int, column: int) -> str:
        """Return the cell's address as people know it, such as B7."""
        return f"{column_letters(self.left + column)}{self.top + row + 1}"

    def text(self, row: int, column: int) -> str:
        """Return the cell as text: numbers as they were typed."""
        return as_text(self.rows[row][column])

    @property
    def is_empty(self) -> bool:
        """Return whether there is nothing at all on the sheet."""
        return not any(cell != "" for row in self.rows for cell in row)


def as_text(cell: Cell) -> str:
    """Return a cell's value as text; a whole number shows no decimal point, a date its ISO form."""
    if isinstance(cell, str):
        return cell[:MAX_TEXT]
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    return str(cell)


def column_letters(index: int) -> str:
    """Return the letters of a column counted from 0: A, B, …, Z, AA."""
    letters = ""
    index += 1
    while index:
        index, remainder = divmod(index - 1, 26)
        letters = chr(65 + remainder) + letters
    return letters


def has_macros(content: bytes) -> bool:
    """Return whether the workbook carries a macro project (which is never run)."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return any(name.endswith("vbaProject.bin") for name in archive.namelist())


def read_grids(content: bytes) -> list[Grid]:
    """Return the sheets of an .xlsx or .xlsm workbook.

    Raises UnreadableWorkbook where the bytes are no workbook, are encrypted or truncated, or exceed the bounds;
    memory stays within a small multiple of MAX_INFLATED_BYTES whatever the bytes say.
    """
    peculiar = _inflate(content)
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        names = [sheet.name for sheet in workbook.sheets_metadata if sheet.typ is SheetTypeEnum.WorkSheet]
        if len(names) > MAX_SHEETS:
            raise UnreadableWorkbook(
                f"工作簿有 {len(names)} 张工作表，超过 {MAX_SHEETS} 张的上限。请只保留填报的工作表。",
                f"{len(names)} sheets, at most {MAX_SHEETS} are read",
            )
        return [_grid(workbook, name, peculiar.get(name, _NOTHING_PECULIAR)) for name in names]
    except (CalamineError, zipfile.BadZipFile) as error:
        raise UnreadableWorkbook("文件已损坏，无法读取。请重新保存后再报。", f"damaged workbook: {error}") from None


@dataclass(frozen=True)
class _Peculiar:
    """What the fast reader shows as blank although the cell is not."""

    without_value: frozenset[str] = frozenset()
    errors: dict[str, str] = field(default_factory=dict)


_NOTHING_PECULIAR = _Peculiar()


def _inflate(content: bytes) -> dict[str, _Peculiar]:
    """Inflate every XML part within bounds; return by sheet name which cells the fast reader would show as blank."""
    if not content:
        raise UnreadableWorkbook("文件是空的（0 字节）。", "empty file")
    if len(content) > MAX_FILE_BYTES:
        size = len(content) // 1_000_000
        raise UnreadableWorkbook(
            f"文件有 {size} MB，超过 {MAX_FILE_BYTES // 1_000_000} MB 的上限。", f"{size} MB, too large"
        )
    if content.startswith(_COMPOUND_FILE):
        if _ENCRYPTED in content:
            raise UnreadableWorkbook("文件设有打开密码，无法读取。请取消密码后再报。", "encrypted workbook")
        raise UnreadableWorkbook(
            "文件是旧的 .xls 格式（或 .doc）。请另存为 .xlsx 后再报。", "a compound file (.xls or other), not .xlsx"
        )
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        hint = "文件不完整" if content.startswith(b"PK") else "文件不是 Excel 工作簿"
        raise UnreadableWorkbook(f"{hint}，无法读取。请重新保存为 .xlsx 后再报。", f"not a zip: {error}") from None
    with archive:
        parts = archive.infolist()
        if "xl/workbook.xml" not in archive.NameToInfo:
            raise UnreadableWorkbook("文件不是 Excel 工作簿（.xlsx）。", "a zip without xl/workbook.xml")
        if len(parts) > MAX_PARTS:
            raise UnreadableWorkbook("文件的内部结构异常，拒绝读取。", f"{len(parts)} parts, at most {MAX_PARTS}")
        if any(part.flag_bits & 1 for part in parts):
            raise UnreadableWorkbook("文件已加密，无法读取。请取消密码后再报。", "encrypted zip parts")
        inflated = 0
        found: dict[str, _Peculiar] = {}
        for part in parts:
            if not part.filename.endswith(_XML):
                continue
            xml = _part(archive, part, MAX_INFLATED_BYTES - inflated)
            inflated += len(xml)
            if b"<!DOCTYPE" in xml[:4096] or b"<!ENTITY" in xml:
                raise UnreadableWorkbook("文件的内部结构异常，拒绝读取。", f"{part.filename} declares XML entities")
            if part.filename.startswith("xl/worksheets/") and part.filename.endswith(".xml"):
                peculiar = _scan(xml)
                if peculiar != _NOTHING_PECULIAR:
                    found[part.filename] = peculiar
        return {name: found[part] for name, part in _sheet_parts(archive) if part in found} if found else {}


def _sheet_parts(archive: zipfile.ZipFile) -> Iterable[tuple[str, str]]:
    """Yield (sheet name, part name) of every sheet, as the workbook's relationships say."""
    try:
        relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
        sheets = ElementTree.fromstring(archive.read("xl/workbook.xml"))
    except (KeyError, ElementTree.ParseError):
        return
    targets = {relation.get("Id"): relation.get("Target", "") for relation in relations}
    for element in sheets.iter():
        if element.tag.endswith("}sheet"):
            relation_id = next((value for key, value in element.items() if key.endswith("}id")), None)
            target = targets.get(relation_id, "").lstrip("/")
            yield element.get("name", ""), target if target.startswith("xl/") else f"xl/{target}"


def _part(archive: zipfile.ZipFile, part: zipfile.ZipInfo, room: int) -> bytes:
    """Return a part's bytes, refusing to inflate more than ``room``."""
    try:
        with archive.open(part) as stream:
            xml = stream.read(room + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise UnreadableWorkbook(
            "文件不完整或已损坏，无法读取。请重新保存后再报。", f"part {part.filename}: {error}"
        ) from None
    if len(xml) > room:
        raise UnreadableWorkbook(
            f"文件解压后超过 {MAX_INFLATED_BYTES // 1_000_000} MB，拒绝读取。请删去多余的行列后再报。",
            f"inflates beyond {MAX_INFLATED_BYTES} bytes (part {part.filename})",
        )
    return xml


def _scan(xml: bytes) -> _Peculiar:
    """Return the addresses of formulas without a value and of errors; refuse a sheet whose rectangle is too large."""
    last_row = last_column = 0
    first_row = first_column = 1 << 30
    for match in _ADDRESS.finditer(xml):
        row, column = int(match[2]), _column_number(match[1])
        first_row, last_row = min(first_row, row), max(last_row, row)
        first_column, last_column = min(first_column, column), max(last_column, column)
    if last_row and (last_row - first_row + 1) * (last_column - first_column + 1) > MAX_CELLS:
        raise UnreadableWorkbook(
            f"工作表的数据区达到第 {last_row} 行，超出可读取的范围。请删去表格以外的内容后再报。",
            f"a sheet spans {last_row} rows and {last_column} columns, at most {MAX_CELLS} cells are read",
        )
    without_value: frozenset[str] = frozenset()
    if b"<f" in xml or b":f" in xml:
        without_value = frozenset(match[1].decode() for match in _FORMULA_CELL.finditer(xml))
    errors: dict[str, str] = {}
    if b't="e"' in xml or b"t='e'" in xml:
        errors = {match[1].decode(): match[2].decode("utf-8", "replace") for match in _ERROR_CELL.finditer(xml)}
    return _Peculiar(without_value, errors)


def _grid(workbook: CalamineWorkbook, name: str, peculiar: _Peculiar) -> Grid:
    sheet = workbook.get_sheet_by_name(name)
    rows: list[list[Any]] = sheet.to_python(skip_empty_area=True)
    top, left = sheet.start or (0, 0)
    spans = {
        (row - top, column - left): (last_row - top, last_column - left)
        for (row, column), (last_row, last_column) in sheet.merged_cell_ranges or ()
    }
    return Grid(name, rows, top, left, spans, peculiar.without_value, peculiar.errors)


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number
