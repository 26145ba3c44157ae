"""Spreadsheets in OpenDocument, .ods, read from their XML.

Element by element: a cell may say that it stands there a million times, and a general reader would believe it. What a
number is shown as stands beside it as a text.
"""

from __future__ import annotations

import re
from datetime import date, datetime

from enforcement_reporting.workbook.cells import Cell
from enforcement_reporting.workbook.elements import Attributes, walk
from enforcement_reporting.workbook.formats import NumberFormat
from enforcement_reporting.workbook.grid import LooseCells, OpenedWorkbook, as_grids, as_text
from enforcement_reporting.workbook.package import MAX_SHEETS, Parts, UnreadableWorkbook
from enforcement_reporting.workbook.template_mark import NAME as MARK

_OASIS = "urn:oasis:names:tc:opendocument:xmlns:"
_PREFIXES = {f"{_OASIS}{name}:1.0": name for name in ("office", "table", "text", "style")}
_PREFIXES["urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"] = "calcext"
_SPREADSHEET = b"opendocument.spreadsheet"
_NUMBERS = ("float", "percentage", "currency")
_SHOWN = re.compile(r"-?[0-9]+(?:\.([0-9]{1,15}))?(%?)")
_ERROR = re.compile(r"#(?:DIV/0!|N/A|NAME\?|NULL!|NUM!|REF!|VALUE!)|Err:[0-9]{3}")
_TEXT = re.compile('"([^"]*)"')
_BREAKS = {"text:s": " ", "text:tab": "\t", "text:line-break": "\n"}


def open_ods(parts: Parts) -> OpenedWorkbook:
    """Return what there is to read in the parts of an .ods spreadsheet."""
    if "META-INF/manifest.xml" in parts and b"encryption-data" in parts.xml("META-INF/manifest.xml"):
        raise UnreadableWorkbook("文件设有打开密码，无法读取。请取消密码后再报。", "encrypted document")
    if _SPREADSHEET not in parts.data("mimetype", 1_000):
        raise UnreadableWorkbook(
            "文件是 OpenDocument 文档，但不是电子表格（.ods）。请另存为 .ods 或 .xlsx 后再报。", "no spreadsheet"
        )
    document = _Document()
    walk(parts.xml("content.xml"), _PREFIXES, document.begin, document.end, document.text)
    has_macros = any(name.startswith("basic/") for name in parts.names)
    return OpenedWorkbook(as_grids(document.sheets), document.hidden, has_macros)


class _Document:
    """What has been read so far, and where in it the reader is."""

    def __init__(self) -> None:
        self.sheets: list[LooseCells] = []
        self.hidden: list[str] = []
        self._hidden_styles: set[str] = set()
        self._style = ""
        self._tables = self._asides = 0  # inside of how many of them
        self._sheet: LooseCells | None = None
        self._row = self._column = self._rows = 0
        self._cells: list[tuple[int, int, Attributes, str]] = []
        self._cell: Attributes | None = None
        self._texts: list[str] = []

    def begin(self, name: str, attributes: Attributes) -> None:
        if name == "style:style":
            self._style = attributes.get("style:name", "")
        elif name == "style:table-properties":
            if attributes.get("table:display") == "false":
                self._hidden_styles.add(self._style)
        elif name == "table:table":
            self._tables += 1
            if self._tables == 1:
                self._begin_sheet(attributes)
        elif name == "office:annotation":
            self._asides += 1
        elif name == "table:named-expression" and self._sheet:
            if attributes.get("table:name") == MARK and (text := _TEXT.search(attributes.get("table:expression", ""))):
                self._sheet.mark = text[1]
        elif self._sheet is None or self._tables > 1 or self._asides:
            return
        elif name == "table:table-row":
            self._column, self._cells = 0, []
            self._rows = _times(attributes, "table:number-rows-repeated")
        elif name in ("table:table-cell", "table:covered-table-cell"):
            self._cell, self._texts = attributes, []
        elif name == "text:p" and self._texts:
            self._texts.append("\n")
        elif name in _BREAKS:
            self._texts.append(_BREAKS[name] * min(_times(attributes, "text:c"), 100))

    def end(self, name: str) -> None:
        if name == "table:table":
            self._tables -= 1
            if not self._tables:
                self._sheet = None
        elif name == "office:annotation":
            self._asides -= 1
        elif self._sheet is None or self._tables > 1 or self._asides:
            return
        elif name == "table:table-row":
            self._end_row(self._sheet)
        elif name in ("table:table-cell", "table:covered-table-cell") and self._cell is not None:
            times = _times(self._cell, "table:number-columns-repeated")
            if self._cell.keys() - _PLACES or self._texts:
                self._cells.append((self._column, times, self._cell, "".join(self._texts)))
            self._column += times
            self._cell = None

    def text(self, text: str) -> None:
        if self._cell is not None and self._tables == 1 and not self._asides:
            self._texts.append(text)

    def _begin_sheet(self, attributes: Attributes) -> None:
        name = attributes.get("table:name", "")
        self._row = 0
        if attributes.get("table:style-name") in self._hidden_styles:
            self.hidden.append(name)
        else:
            self._sheet = LooseCells(name)
            self.sheets.append(self._sheet)
        if len(self.sheets) + len(self.hidden) > MAX_SHEETS:
            raise UnreadableWorkbook(
                f"工作簿超过 {MAX_SHEETS} 张工作表的上限。请只保留填报的工作表。", f"more than {MAX_SHEETS} sheets"
            )

    def _end_row(self, sheet: LooseCells) -> None:
        for column, times, attributes, text in self._cells:
            for row in range(self._row, self._row + self._rows):
                for place in range(column, column + times):
                    if not _put(sheet, row, place, attributes, text):
                        break
                else:
                    continue
                break
        self._row += self._rows


_PLACES = frozenset(("table:style-name", "table:number-columns-repeated", "table:content-validation-name"))


def _put(sheet: LooseCells, row: int, column: int, attributes: Attributes, text: str) -> bool:
    """Put one cell in its place; return whether there was anything to put."""
    rows, columns = _times(attributes, "table:number-rows-spanned"), _times(attributes, "table:number-columns-spanned")
    sheet.merge(row, column, row + rows - 1, column + columns - 1)
    is_formula = "table:formula" in attributes
    if attributes.get("calcext:value-type") == "error" or (is_formula and _ERROR.fullmatch(text)):
        sheet.put_error(row, column, text or "#VALUE!")
        return True
    value = _value(attributes, text)
    if value == "" and is_formula and "office:value-type" not in attributes:
        sheet.put_formula(row, column)
        return True
    sheet.put(row, column, value)
    if isinstance(value, float) and (number_format := _shown_as(value, text)):
        sheet.formats[row, column] = number_format
    return value != "" or rows > 1 or columns > 1


def _value(attributes: Attributes, text: str) -> Cell:
    kind = attributes.get("office:value-type", "")
    try:
        if kind in _NUMBERS:
            return float(attributes["office:value"])
        if kind == "date":
            day = attributes["office:date-value"]
            return datetime.fromisoformat(day) if "T" in day else date.fromisoformat(day)
    except (KeyError, ValueError):
        return text
    if kind == "boolean":
        return attributes.get("office:boolean-value") == "true"
    return attributes.get("office:string-value", text) if kind == "string" else text


def _shown_as(number: float, text: str) -> NumberFormat | None:
    """Return the format in which a number is shown as that text, where it is not shown as it is stored."""
    shown = text.replace(",", "").strip()
    match = _SHOWN.fullmatch(shown)
    if match is None or shown == as_text(number):
        return None
    number_format = NumberFormat(bool(match[2]), len(match[1] or ""))
    return number_format if number_format.show(number) == shown else None


def _times(attributes: Attributes, name: str) -> int:
    stated = attributes.get(name, "1")
    return max(1, int(stated)) if stated.isascii() and stated.isdigit() and len(stated) < 10 else 1
