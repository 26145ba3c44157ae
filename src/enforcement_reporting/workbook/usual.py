"""Sheets written the way spreadsheet software usually writes them, read straight from their XML.

A row is taken apart into what is the same on every copy of a form (its addresses, kinds and styles) and its values;
the first is worked out once and remembered. The grammar is strict and small: whatever is not as usual, or not surely
read here as by the general reader, is answered with None and is for that one to read or to refuse.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import compress
from typing import NamedTuple
from xml.etree import ElementTree as ET

from enforcement_reporting.workbook.addresses import column_number
from enforcement_reporting.workbook.cells import Cell
from enforcement_reporting.workbook.formats import NumberFormat, Styles
from enforcement_reporting.workbook.remembered import LONGEST, remembered

LARGEST = 1_000_000  # of all XML together; larger workbooks gain nothing here
_BEYOND = 9_999_999  # no row has this number

# Text is never trimmed, escaped or in several pieces here; phonetic marks, as Excel writes them, are no text.
_TEXT = re.compile(
    r"<si><t(?:>(?=[^<]*+(?<![ \t\n])<)(?![ \t\n])| xml:space=\"preserve\">)([^<&\r]++)</t>"
    r"(?:<phoneticPr(?: [A-Za-z]++=\"[^\"<>&]*+\")*+ ?/>)?+</si>"
)
_TEXTS_BEGIN = re.compile(r"\ufeff?(?:<\?xml [^<>]*\?>\s*)?<sst(?: [A-Za-z:]++=\"[^\"<>&]*+\")*+>")
_VALUE = re.compile(r"<v>([^<]*+)</v>")
_ATTRIBUTES = r"(?: [A-Za-z0-9:]++=\"[^\"<>&]*+\")*+ ?"
_ROW = re.compile(r"<row r=\"([1-9][0-9]{0,6})\"" + _ATTRIBUTES + "(/?)>")
_CELL = re.compile(
    r"(<c r=\"([A-Z]{1,3})([1-9][0-9]{0,6})\"(?: s=\"(0|[1-9][0-9]{0,4})\")?+(?: t=\"(n|s|str)\")?+"
    r"(?: ?/>|>(?:<f" + _ATTRIBUTES + r"(?:/>|>[^<]*+</f>))?+(<v></v>)</c>))"
)
_KINDS = {"": "n", "n": "n", "s": "s", "str": "str"}
_NUMBERS = re.compile(r"(?:-?[0-9]{1,20}(?:\.[0-9]{1,20})?+(?:[eE][+-]?[0-9]{1,2})?+ )*+")
_MARKUP = re.compile(r"[<&\r]")
_EXTENT = re.compile(r"[A-Z]{1,3}[1-9][0-9]{0,6}(?::[A-Z]{1,3}[1-9][0-9]{0,6})?")
_RANGE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6}):([A-Z]{1,3})([1-9][0-9]{0,6})")

Place = tuple[int, int]
Cells = list[Cell]


class UsualSheet(NamedTuple):
    """A sheet's cells as in Grid: from the first row and column that hold anything, by their own coordinates.

    ``filled`` are those that are not blank, by rows.
    """

    rows: list[Cells]
    top: int
    left: int
    spans: dict[Place, Place]
    formats: dict[str, NumberFormat]
    filled: list[Cells]


class _Row(NamedTuple):
    """What is the same in all rows that differ in their values alone: its cells that have a value, in their order.

    ``kind`` is that of all cells, or empty where they differ; ``first`` the number of the first of the empty rows
    right above, or its own.
    """

    first: int
    number: int
    columns: tuple[int, ...]
    addresses: tuple[str, ...]
    kinds: tuple[str, ...]
    kind: str
    styles: tuple[str, ...]
    stated_styles: frozenset[int]


def usual_sheets(
    sheets: Sequence[bytes], shared_strings: bytes, styles: Styles, max_cells: int
) -> list[UsualSheet] | None:
    """Return the cells of all sheets, or None where anything about any of them is unusual."""
    if len(shared_strings) + sum(map(len, sheets)) > LARGEST:
        return None
    try:
        texts = _texts(shared_strings.decode())
        if texts is None:
            return None
        found = []
        for xml in sheets:
            sheet = _sheet(xml.decode(), texts, styles, max_cells)
            if sheet is None:
                return None
            max_cells -= len(sheet.rows) * len(sheet.rows[0]) if sheet.rows else 0
            found.append(sheet)
        return found
    except UnicodeDecodeError:
        return None


def _texts(xml: str) -> dict[str, str] | None:
    """Return the shared texts by their number as cells write it."""
    if not xml:
        return {}
    if "_x" in xml:  # may be an escaped character
        return None
    begin, *between = _TEXT.split(xml)
    if not _TEXTS_BEGIN.fullmatch(begin) or not between or between[-1].strip() != "</sst>" or any(between[1:-1:2]):
        return None
    return {str(number): text for number, text in enumerate(between[::2])}


def _sheet(xml: str, texts: dict[str, str], styles: Styles, max_cells: int) -> UsualSheet | None:
    if "<!" in xml or "<?" in xml[2:]:  # what stands in a comment is not on the sheet
        return None
    before, begun, rest = xml.partition("<sheetData>")
    data, ended, after = rest.rpartition("</sheetData>")
    if not begun:
        before, ended, after = xml.partition("<sheetData/>")
    if not ended:
        return None
    *pieces, rest = data.split("</row>")
    rows: list[tuple[_Row, Cells]] = []
    formats: dict[str, NumberFormat] = {}
    last = 0
    read_row = _row if len(data) > LONGEST else _row_again
    for piece in pieces:
        row, values = read_row(piece)
        if row is None or row.first <= last:
            return None
        last = row.number
        if row.columns:
            cells = _cells(row, values, texts)
            if cells is None or not row.stated_styles <= styles.numeric:
                return None
            if row.kind != "s" and styles.shown:
                formats |= _shown(row, styles)
            rows.append((row, cells))
    if rest and not ((empty := _row(f'{rest}<row r="{_BEYOND}">')[0]) and empty.first > last):
        return None
    top = rows[0][0].number if rows else 1
    left = min([row.columns[0] for row, _ in rows], default=1)
    spans = _spans(f"{before}<sheetData/>{after}", top, left)
    rectangle = _rectangle(rows, top, left, max_cells)
    if spans is None or rectangle is None:
        return None
    filled: list[Cells] = [[]] * len(rectangle)
    for row, cells in rows:
        filled[row.number - top] = cells
    return UsualSheet(rectangle, top - 1, left - 1, spans, formats, filled)


def _rectangle(rows: list[tuple[_Row, Cells]], top: int, left: int, max_cells: int) -> list[Cells] | None:
    """Return the cells of the rows from the first to the last, or None where they are more than allowed."""
    if not rows:
        return []
    width = max([row.columns[-1] for row, _ in rows]) - left + 1
    if (rows[-1][0].number - top + 1) * width > max_cells:
        return None
    lines: list[Cells] = []
    for row, cells in rows:
        while len(lines) < row.number - top:
            lines.append([""] * width)
        if len(cells) < width:
            line: Cells = [""] * width
            for column, cell in zip(row.columns, cells, strict=True):
                line[column - left] = cell
            lines.append(line)
        else:
            lines.append(cells)
    return lines


@remembered(128)
def _spans(xml: str, top: int, left: int) -> dict[Place, Place] | None:
    """Return the merged ranges of a sheet from its XML without rows, counted from a row and a column.

    Where there is no more to the sheet than that, as usual; otherwise None.
    """
    try:
        tree = ET.fromstring(xml)  # noqa: S314 (entities were refused)
    except (ET.ParseError, LookupError, ValueError):
        return None
    names = [element.tag.rpartition("}")[2] for element in tree.iter()]
    ranges = [item.get("ref", "") for part in tree if part.tag.endswith("}mergeCells") for item in part]
    in_order = [part.tag.rpartition("}")[2] for part in tree]
    if names[0] != "worksheet" or names.count("mergeCell") != len(ranges) or in_order.count("sheetData") != 1:
        return None
    if names.count("sheetData") != 1 or not {"row", "c", "v"}.isdisjoint(names):
        return None
    extents = [part.get("ref", "") for part in tree if part.tag.endswith("}dimension")]
    if not all(map(_EXTENT.fullmatch, extents)):
        return None  # it counts for nothing, but the general reader refuses a sheet for it
    spans: dict[Place, Place] = {}
    for text in ranges:
        match = _RANGE.fullmatch(text)
        if match is None:
            return None
        place, end = (int(match[2]), column_number(match[1])), (int(match[4]), column_number(match[3]))
        if place[0] > end[0] or place[1] > end[1]:
            return None
        spans[place[0] - top, place[1] - left] = (end[0] - top, end[1] - left)
    return spans


def _row(xml: str) -> tuple[_Row | None, list[str]]:
    """Return what a row's XML says apart from its values, and these. Rows of labels come again with the same values."""
    between = _VALUE.split(xml)
    return _emptied_row("<v></v>".join(between[::2])), between[1::2]


_row_again = lru_cache(2048)(_row)


@remembered(512)
def _emptied_row(xml: str) -> _Row | None:
    """Return what a row's XML without its values says, or None. It may begin with rows that have no cells."""
    numbers: list[int] = []
    place, is_open = 0, False
    while not is_open and (tag := _ROW.match(xml, place)):
        numbers.append(int(tag[1]))
        place, is_open = tag.end(), not tag[2]
    if not is_open or numbers != sorted(set(numbers)):
        return None
    cells = _CELL.findall(xml, place)
    if not cells:
        return _Row(numbers[0], numbers[-1], (), (), (), "s", (), frozenset()) if place == len(xml) else None
    written, letters, digits, styles, kinds, values = zip(*cells, strict=True)
    columns = tuple(map(column_number, letters))
    if "".join(written) != xml[place:] or set(digits) != {str(numbers[-1])} or columns != tuple(sorted(set(columns))):
        return None
    columns, letters = tuple(compress(columns, values)), tuple(compress(letters, values))
    styles, kinds = tuple(compress(styles, values)), tuple(map(_KINDS.__getitem__, compress(kinds, values)))
    number_styles = {style for style, kind in zip(styles, kinds, strict=True) if kind == "n"} - {""}
    return _Row(
        first=numbers[0],
        number=numbers[-1],
        columns=columns,
        addresses=tuple([name + digits[0] for name in letters]),
        kinds=kinds,
        kind=kinds[0] if len(set(kinds)) == 1 else "",
        styles=styles,
        stated_styles=frozenset(map(int, number_styles)),
    )


def _cells(row: _Row, values: list[str], texts: dict[str, str]) -> Cells | None:
    """Return the cells for a row's values, or None where a value is not as usual."""
    try:
        if row.kind == "s":
            return [texts[value] for value in values]
        if row.kind == "n":
            return list(map(float, values)) if _are_numbers(values) else None
        typed = list(zip(row.kinds, values, strict=True))
        texts_of_formulas = [value for kind, value in typed if kind == "str"]
        if not all(value and "_x" not in value and not _MARKUP.search(value) for value in texts_of_formulas):
            return None
        if not _are_numbers([value for kind, value in typed if kind == "n"]):
            return None
        return [texts[value] if kind == "s" else float(value) if kind == "n" else value for kind, value in typed]
    except (KeyError, ValueError):
        return None


def _are_numbers(values: list[str]) -> bool:
    """Return whether all values are written as numbers, or else are no numbers to ``float`` either."""
    digits = "".join(values).replace(".", "")
    return (digits.isascii() and digits.isdecimal()) or bool(_NUMBERS.fullmatch("".join([f"{v} " for v in values])))


def _shown(row: _Row, styles: Styles) -> dict[str, NumberFormat]:
    """Return by address what the row's numbers are shown as."""
    return {
        address: number_format
        for address, kind, style in zip(row.addresses, row.kinds, row.styles, strict=True)
        if kind == "n" and (number_format := styles.shown.get(int(style or 0)))
    }
