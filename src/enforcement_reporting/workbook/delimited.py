"""Tables as text, .csv: what the text is encoded in, and what parts its columns, is told from the text.

What nothing parts into columns is prose, as a bulletin saved as text.
"""

from __future__ import annotations

import csv
import io
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from enforcement_reporting.workbook.grid import LooseCells, OpenedWorkbook, as_grids, as_prose
from enforcement_reporting.workbook.package import EXPECTED, UnreadableWorkbook

SHEET = "表1"
_DELIMITERS = "\t,;"
_LOOKED_AT = 200  # rows by which the delimiter is known
_BINARY = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MOST_COLUMNS = 16_384
_SENTENCE = re.compile("[，。]")
# Spreadsheets are told in this way to leave a number's zeros alone.
_AS_TEXT = re.compile(r'="([^"]*)"')


def open_csv(content: bytes) -> OpenedWorkbook:
    """Return the one sheet in the bytes of a .csv file, or its prose; what stands in its cells is text."""
    text = _decoded(content)
    delimiter = _delimiter(text)
    if not delimiter:
        if not _SENTENCE.search(text):
            raise _no_table("text that nothing parts into columns")
        return OpenedWorkbook([], [], False, as_prose(text.splitlines()))
    sheet = LooseCells(SHEET)
    try:
        for row, cells in enumerate(_rows(text, delimiter)):
            if len(cells) > _MOST_COLUMNS:
                raise _no_table(f"{len(cells)} columns")
            for column, cell in enumerate(cells):
                match = _AS_TEXT.fullmatch(cell)
                sheet.put(row, column, match[1] if match else cell)
    except csv.Error as error:
        raise _no_table(str(error)) from None
    return OpenedWorkbook(as_grids([sheet]), [], False)


def _decoded(content: bytes) -> str:
    """Return the text: in what its mark says, else in UTF-8, or where it cannot be that, in GB 18030.

    Chinese in GB 18030 is hardly ever sound UTF-8: every character would have to look like a part of one.
    """
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig"] if content.startswith(BOM_UTF8) else ["utf-8", "gb18030"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if _BINARY.search(text):
            break
        return text
    raise _no_table("neither a known kind of file nor text")


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def _delimiter(text: str) -> str:
    """Return what parts most of the first rows into the same number of columns, at least two of them; or nothing."""
    best, most = "", (1, 0)
    for delimiter in _DELIMITERS:
        for width, rows in Counter(_widths(text, delimiter)).items():
            if (rows, width) > most and rows > 1:
                best, most = delimiter, (rows, width)
    return best


def _widths(text: str, delimiter: str) -> Iterator[int]:
    """Yield the columns of each of the first rows that has more than one."""
    try:
        for cells in islice(_rows(text, delimiter), _LOOKED_AT):
            if sum(map(bool, cells)) > 1:
                yield len(cells)
    except csv.Error:
        return


def _no_table(log: str) -> UnreadableWorkbook:
    return UnreadableWorkbook(f"文件不是可以采集的表格。{EXPECTED}", log)
