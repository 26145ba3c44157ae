"""Tables in Word documents, .docx, each as a sheet: 表1, 表2 and so on; and the paragraphs outside of them, 正文.

The paragraphs in front of a table stand above it, a row each, as title, unit and period do on a sheet; those behind the
last table stand below it. Rows and columns are counted as in a spreadsheet into which the document was copied. What is
struck out by a revision is not read, and what is inserted by one is.
"""

from __future__ import annotations

from collections import deque

from enforcement_reporting.workbook.elements import Attributes, walk
from enforcement_reporting.workbook.grid import LooseCells, OpenedWorkbook, Place, as_grids, as_prose
from enforcement_reporting.workbook.package import MAX_SHEETS, Parts, UnreadableWorkbook

_PREFIXES = {
    "http://schemas.openxmlformats.org/wordprocessingml/2006/main": "w",
    "http://purl.oclc.org/ooxml/wordprocessingml/main": "w",
    "http://schemas.openxmlformats.org/markup-compatibility/2006": "mc",
}
_MOST_LINES = 10  # of text that are taken to belong to a table
_MOST_COLUMNS = 500
_NOT_READ = frozenset(("w:del", "w:moveFrom", "mc:Fallback", "w:pPr", "w:rPr", "w:sectPr"))
_BREAKS = {"w:tab": "\t", "w:br": "\n", "w:cr": "\n", "w:noBreakHyphen": "-"}


def open_docx(parts: Parts) -> OpenedWorkbook:
    """Return the tables in the parts of a .docx document."""
    path = next((to for kind, to in parts.relations("_rels/.rels", "").values() if kind == "officeDocument"), "")
    document = _Document()
    walk(parts.xml(path), _PREFIXES, document.begin, document.end, document.text)
    if document.sheets:
        document.add_lines()
    return OpenedWorkbook(as_grids(document.sheets), [], parts.has_macros, as_prose(document.paragraphs))


class _Document:
    """What has been read so far, and where in it the reader is."""

    def __init__(self) -> None:
        self.sheets: list[LooseCells] = []
        self.paragraphs: list[str] = []  # outside of tables
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)  # since the last table
        self._tables = self._unread = 0  # inside of how many of them
        self._paragraphs: list[list[str]] = []  # a text box in a paragraph has paragraphs of its own
        self._is_text = False
        self._row = self._column = self._span = 0
        self._cell: list[str] | None = None
        self._continues = self._begins = False
        self._merged: dict[int, Place] = {}  # by column: where the cells begin that are merged downwards

    def begin(self, name: str, attributes: Attributes) -> None:
        if self._unread or name in _NOT_READ:
            self._unread += 1
        elif name == "w:t":
            self._is_text = True
        elif name == "w:p":
            self._paragraphs.append([])
        elif name in _BREAKS and self._paragraphs:
            self._paragraphs[-1].append(_BREAKS[name])
        elif name == "w:tbl":
            self._tables += 1
            if self._tables == 1:
                self._begin_table()
        elif self._tables == 1:
            self._begin_in_table(name, attributes)

    def _begin_in_table(self, name: str, attributes: Attributes) -> None:
        if name == "w:tr":
            self._column = 0
        elif name == "w:gridBefore":
            self._column = _number(attributes)
        elif name == "w:tc":
            self._cell, self._span, self._continues, self._begins = [], 1, False, False
        elif name == "w:gridSpan":
            self._span = max(1, _number(attributes))
        elif name == "w:vMerge":
            self._begins = attributes.get("w:val") == "restart"
            self._continues = not self._begins

    def end(self, name: str) -> None:
        if self._unread:
            self._unread -= 1
        elif name == "w:t":
            self._is_text = False
        elif name == "w:p" and self._paragraphs:
            text = "".join(self._paragraphs.pop()).strip()
            if self._cell is not None:
                self._cell.append(text)
            elif text:
                self._lines.append(text)
                self.paragraphs.append(text)
        elif name == "w:tbl":
            self._tables -= 1
        elif self._tables == 1 and name == "w:tc":
            self._end_cell(self.sheets[-1])
        elif self._tables == 1 and name == "w:tr":
            self._row += 1

    def text(self, text: str) -> None:
        if self._is_text and self._paragraphs and not self._unread:
            self._paragraphs[-1].append(text)

    def add_lines(self) -> None:
        """Put the paragraphs since the last table below it."""
        sheet = self.sheets[-1]
        for row, line in enumerate(self._lines, self._row):
            _put_line(sheet, row, line)

    def _begin_table(self) -> None:
        if len(self.sheets) >= MAX_SHEETS:
            raise UnreadableWorkbook(
                f"Word 文件中的表格超过 {MAX_SHEETS} 个的上限。请只保留填报的表格。", f"more than {MAX_SHEETS} tables"
            )
        sheet = LooseCells(f"表{len(self.sheets) + 1}")
        self.sheets.append(sheet)
        self._row, self._merged = len(self._lines), {}
        for row, line in enumerate(self._lines):
            _put_line(sheet, row, line)
        self._lines.clear()

    def _end_cell(self, sheet: LooseCells) -> None:
        place, last = (self._row, self._column), self._column + self._span - 1
        text = "\n".join(self._cell or ()).strip()
        begun = self._merged.get(self._column)
        if self._continues and begun:
            sheet.merge(*begun, self._row, max(last, sheet.spans.get(begun, begun)[1]))
        else:
            self._merged.pop(self._column, None)
            if self._begins:
                self._merged[self._column] = place
            sheet.put(*place, text)
            sheet.merge(*place, self._row, last)
        self._column, self._cell = last + 1, None
        if self._column > _MOST_COLUMNS:
            raise UnreadableWorkbook(
                f"Word 文件的“{sheet.name}”列数过多，拒绝读取。", f"{sheet.name}: more than {_MOST_COLUMNS} columns"
            )


def _put_line(sheet: LooseCells, row: int, line: str) -> None:
    """Put a paragraph on a row of its own; what tabs part stands in cells side by side."""
    for column, text in enumerate(filter(None, map(str.strip, line.split("\t")))):
        if column < _MOST_COLUMNS:
            sheet.put(row, column, text)


def _number(attributes: Attributes) -> int:
    stated = attributes.get("w:val", "")
    return int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 6 else 0
