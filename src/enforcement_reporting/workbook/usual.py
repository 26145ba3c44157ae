"""Sheets written the way spreadsheet software usually writes them, read straight from their XML.

What is the same on every copy of a form is worked out once and remembered: how a sheet begins, as far as it holds
nothing but texts, and how a row of figures is written, as a regular expression that takes its values out of the next
row in one match. Any other row is taken apart into its addresses, kinds and styles, that come again, and its values.
The grammar is strict and small: whatever is not as usual, or not surely read here as by the general reader, is answered
with None and is for that one to read or to refuse.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import compress
from operator import itemgetter
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

from enforcement_reporting.workbook.addresses import column_letters, column_number
from enforcement_reporting.workbook.cells import Cell
from enforcement_reporting.workbook.formats import NumberFormat, Styles
from enforcement_reporting.workbook.remembered import LONGEST, Lookup, remembered

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
# A row of figures is short, and few in a workbook are unlike one another; to learn one takes as long as to read fifty.
_LONGEST_LEARNT, _MOST_LEARNT, _MOST_ALIKE = 8_192, 16, 4
_FIGURE = re.compile(
    r"<c r=\"([A-Z]{1,3})[0-9]{1,7}\"((?: s=\"(0|[1-9][0-9]{0,4})\")?+)(?: t=\"s\")?+(?:/>|><v>[^<]*+</v></c>)"
)
_REFERENCE = "0|[1-9][0-9]{0,6}"
_IN_CELL = rf"(?:><v>([-+.0-9eE]++)</v></c>| t=\"s\"><v>({_REFERENCE})</v></c>|/>)"
# How a sheet begins is looked for among those that have as many of their first characters in common.
_SIGN, _MOST_HEADS, _LARGEST_HEAD = 600, 32, 4_000
_BLANK = '""'  # a blank cell among numbers in JSON
_from_json = json.JSONDecoder(parse_int=float).raw_decode
_MARKUP = re.compile(r"[<&\r]")
_EXTENT = re.compile(r"[A-Z]{1,3}[1-9][0-9]{0,6}(?::[A-Z]{1,3}[1-9][0-9]{0,6})?")
_RANGE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6}):([A-Z]{1,3})([1-9][0-9]{0,6})")

Place = tuple[int, int]
Cells = list[Cell]
Texts = list[str]  # the shared texts in their order, after a blank one


class UsualSheet(NamedTuple):
    """A sheet as in Grid: from the first row and column that hold anything, by their own coordinates."""

    rows: list[Cells]
    top: int
    left: int
    spans: dict[Place, Place]
    formats: dict[str, NumberFormat]
    texts: list[tuple[str, ...]]
    filled: list[int]


# The number of the first of the empty rows right above, or its own; its number; the columns of its cells; the cells;
# the texts among them; how many are not blank. No class: there are many.
_Row = tuple[int, int, tuple[int, ...], Cells, tuple[str, ...], int]


class _Shape(NamedTuple):
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


class _Template(NamedTuple):
    """Rows of figures that differ in their number and their cells, each in one and the same style or missing."""

    pattern: re.Pattern[str]
    columns: tuple[int, ...]
    styles: tuple[int, ...]
    stated_styles: frozenset[int]


class _Head(NamedTuple):
    """How a sheet begins: its XML to the end of the last of its first rows that hold nothing but texts.

    ``take`` picks the cells of all these rows out of the texts; by row: its number, where its cells are among those
    picked, where those that are not blank, and how many these are. ``last`` is the number of the last row, be it an
    empty one.
    """

    xml: str
    before: str
    last: int
    columns: tuple[int, ...] = ()
    take: Callable[[Texts], Any] = list
    rows: tuple[tuple[int, slice, slice, int], ...] = ()


def usual_sheets(
    sheets: Sequence[bytes], shared_strings: bytes, styles: Styles, max_cells: int
) -> list[UsualSheet] | None:
    """Return the cells of all sheets, or None where anything about any of them is unusual."""
    if len(shared_strings) + sum(map(len, sheets)) > LARGEST:
        return None
    try:
        texts = _texts(shared_strings.decode()) if shared_strings else [""]
        if texts is None:
            return None
        found = []
        lessons = iter(range(_MOST_LEARNT))
        for xml in sheets:
            sheet = _sheet(xml.decode(), texts, styles, max_cells, lessons)
            if sheet is None:
                return None
            max_cells -= len(sheet.rows) * len(sheet.rows[0]) if sheet.rows else 0
            found.append(sheet)
        return found
    except (UnicodeDecodeError, IndexError):  # a text that is not there
        return None


def _texts(xml: str) -> Texts | None:
    """Return the shared texts in their order, after a blank one."""
    if "_x" in xml:  # may be an escaped character
        return None
    begin, _, rest = xml.partition("<si><t>")
    if _TEXTS_BEGIN.fullmatch(begin) and rest.endswith("</t></si></sst>"):
        texts = rest[: -len("</t></si></sst>")].split("</t></si><si><t>")
        if texts == list(map(str.strip, texts)) and all(texts) and not _MARKUP.search("".join(texts)):
            return ["", *texts]
    begin, *between = _TEXT.split(xml)
    if not _TEXTS_BEGIN.fullmatch(begin) or not between or between[-1].strip() != "</sst>" or any(between[1:-1:2]):
        return None
    return ["", *between[::2]]


def _sheet(xml: str, texts: Texts, styles: Styles, max_cells: int, lessons: Iterator[int]) -> UsualSheet | None:
    head = _head(xml)
    if head is None:
        return None
    rest = xml[len(head.xml) :]
    # What stands in a comment is not on the sheet. To look for one character first is ten times faster.
    if ("!" in rest and "<!" in rest) or ("?" in rest and "<?" in rest):
        return None
    data, ended, after = rest.rpartition("</sheetData>")
    if not ended:
        return None
    formats: dict[str, NumberFormat] = {}
    below = _rows_below(head, data.split("</row>"), texts, styles, formats, lessons)
    if below is None:
        return None
    picked = head.take(texts)
    rows: list[_Row] = [
        (number, number, head.columns, list(picked[cells]), picked[said], filled)
        for number, cells, said, filled in head.rows
    ]
    rows += [row for row in below if row[2]]
    top = rows[0][1] if rows else 1
    left = min([row[2][0] for row in rows], default=1)
    width = max([row[2][-1] for row in rows], default=0) - left + 1
    spans = _spans(f"{head.before}<sheetData/>{after}", top, left)
    if spans is None or (rows and (rows[-1][1] - top + 1) * width > max_cells):
        return None
    if rows and rows[-1][1] - top + 1 > len(rows):
        by_number = {row[1]: row for row in rows}
        rows = [by_number.get(number) or (number, number, (), [], (), 0) for number in range(top, rows[-1][1] + 1)]
    return UsualSheet(
        [cells if len(cells) == width else _placed(cells, columns, left, width) for _, _, columns, cells, _, _ in rows],
        top - 1,
        left - 1,
        spans,
        formats,
        [row[4] for row in rows],
        [row[5] for row in rows],
    )


def _placed(cells: Cells, columns: tuple[int, ...], left: int, width: int) -> Cells:
    """Return a whole row, from column ``left`` on, that is blank where it has no cell."""
    placed: Cells = [""] * width
    for column, cell in zip(columns, cells, strict=True):
        placed[column - left] = cell
    return placed


def _rows_below(
    head: _Head,
    pieces: list[str],
    texts: Texts,
    styles: Styles,
    formats: dict[str, NumberFormat],
    lessons: Iterator[int],
) -> list[_Row] | None:
    """Return the rows below a head, the empty ones too, and add what their numbers are shown as.

    ``pieces`` are the rows and what stands behind the last of them.
    """
    *pieces, end = pieces
    rows: list[_Row] = []
    begun: list[tuple[_Shape, list[str]]] = []
    last = head.last
    for piece in pieces:
        row = _templated(piece, texts, styles, formats)
        if row is None:
            between = _VALUE.split(piece)
            shape, values = _shape("<v></v>".join(between[::2])), between[1::2]
            if shape is None or not shape.stated_styles <= styles.numeric:
                return None
            cells = _cells(shape, values, texts)
            if cells is None:
                return None
            said = tuple([cell for cell in cells if isinstance(cell, str)])
            row = (shape.first, shape.number, shape.columns, cells, said, len(cells))
            if shape.kind != "s":
                if styles.shown:
                    formats |= _shown(shape, styles)
                _learn(piece, lessons)
            elif len(begun) == len(rows):
                begun.append((shape, values))
        if row[0] <= last:
            return None
        last = row[1]
        rows.append(row)
    if end and not ((empty := _shape(f'{end}<row r="{_BEYOND}">')) and empty.first > last):
        return None
    if begun and not head.rows:
        _remember(head, pieces, begun)
    return rows


_heads: Lookup[str, list[_Head]] = Lookup(64, lambda _: [])


def _head(xml: str) -> _Head | None:
    """Return how a sheet begins, as far as that was seen before."""
    for head in _heads.get(xml[:_SIGN], ()):
        if xml.startswith(head.xml):
            return head
    before, begun, _ = xml.partition("<sheetData>")
    if not begun or "<!" in before or "<?" in before[2:]:
        return None
    return _Head(before + begun, before, 0)


def _remember(start: _Head, pieces: list[str], begun: list[tuple[_Shape, list[str]]]) -> None:
    """Keep the rows of texts with which a sheet begins."""
    rows = [(shape, [int(value) + 1 for value in values]) for shape, values in begun if values]
    xml = "</row>".join([start.xml + pieces[0], *pieces[1 : len(begun)], ""])
    if not rows or len(xml) > LONGEST:
        return
    left = min(shape.columns[0] for shape, _ in rows)
    columns = tuple(range(left, max(shape.columns[-1] for shape, _ in rows) + 1))
    if len(rows) * len(columns) > _LARGEST_HEAD:
        return
    picked: list[int] = []
    places = []
    for shape, values in rows:
        in_column = dict(zip(shape.columns, values, strict=True))
        begin = len(picked)
        picked += [in_column.get(column, 0) for column in columns]
        end = len(picked)
        picked += values
        places.append((shape.number, slice(begin, end), slice(end, len(picked)), len(values)))
    known = _heads[xml[:_SIGN]]
    if len(known) == _MOST_HEADS:
        known.clear()
    known.append(_Head(xml, start.before, begun[-1][0].number, columns, itemgetter(*picked), tuple(places)))


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


def _templated(xml: str, texts: Texts, styles: Styles, formats: dict[str, NumberFormat]) -> _Row | None:
    """Return a row of figures like one that was seen before, or None; add what its numbers are shown as."""
    for template in _templates.get(_tag(xml), ()):
        match = template.pattern.fullmatch(xml)
        if match and template.stated_styles <= styles.numeric:
            break
    else:
        return None
    groups = match.groups(_BLANK)
    row, columns, numbers, references = int(groups[0]), template.columns, groups[1::2], groups[2::2]
    try:
        # A spreadsheet writes its numbers as JSON does, and there is nothing faster to read many.
        cells: Cells = _from_json(f"[{','.join(numbers)}]")[0]
    except ValueError:
        return None
    said = []
    if references.count(_BLANK) < len(references):
        for place, reference in enumerate(references):
            if reference is not _BLANK:
                cells[place] = text = texts[int(reference) + 1]
                said.append(text)
    filled = len(cells) - numbers.count(_BLANK) + len(said)
    if styles.shown:
        for column, cell, style in zip(columns, cells, template.styles, strict=True):
            if type(cell) is float and (number_format := styles.shown.get(style)):
                formats[f"{column_letters(column - 1)}{row}"] = number_format
    if cells[0] == "" or cells[-1] == "":  # the sheet ends where its values end
        places = [place for place, cell in enumerate(cells) if cell != ""]
        within = slice(places[0], places[-1] + 1) if places else slice(0)
        cells, columns = cells[within], columns[within]
    return row, row, columns, cells, tuple(said), filled


_templates: Lookup[str, list[_Template]] = Lookup(64, lambda _: [])


def _tag(xml: str) -> str:
    """Return the tag of a row without its number."""
    return xml[len('<row r="') : xml.find(">")].lstrip("0123456789")


def _learn(xml: str, lessons: Iterator[int]) -> None:
    """Make a template of a row of figures, where it is one that can be and there are lessons left."""
    tag = _ROW.match(xml)
    if tag is None or tag[2] or len(xml) > _LONGEST_LEARNT:
        return
    cells = _FIGURE.findall(xml, tag.end())
    columns = tuple([column_number(letters) for letters, *_ in cells])
    if not columns or columns != tuple(range(columns[0], columns[-1] + 1)) or next(lessons, None) is None:
        return
    pattern = re.compile(
        r'<row r="([1-9][0-9]{0,6})"'
        + re.escape(xml[tag.end(1) + 1 : tag.end()])
        + "".join([rf'(?:<c r="{letters}\1"{style}{_IN_CELL})?+' for letters, style, _ in cells])
    )
    if not pattern.fullmatch(xml):
        return
    known = _templates[_tag(xml)]
    if len(known) == _MOST_ALIKE:
        known.clear()
    stated = [int(number) for _, _, number in cells if number]
    styles = tuple([int(number or 0) for _, _, number in cells])
    known.append(_Template(pattern, columns, styles, frozenset(stated)))


@remembered(512)
def _shape(xml: str) -> _Shape | None:
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
        return _Shape(numbers[0], numbers[-1], (), (), (), "s", (), frozenset()) if place == len(xml) else None
    written, letters, digits, styles, kinds, values = zip(*cells, strict=True)
    columns = tuple(map(column_number, letters))
    if "".join(written) != xml[place:] or set(digits) != {str(numbers[-1])} or columns != tuple(sorted(set(columns))):
        return None
    columns, letters = tuple(compress(columns, values)), tuple(compress(letters, values))
    styles, kinds = tuple(compress(styles, values)), tuple(map(_KINDS.__getitem__, compress(kinds, values)))
    number_styles = {style for style, kind in zip(styles, kinds, strict=True) if kind == "n"} - {""}
    return _Shape(
        first=numbers[0],
        number=numbers[-1],
        columns=columns,
        addresses=tuple([name + digits[0] for name in letters]),
        kinds=kinds,
        kind=kinds[0] if len(set(kinds)) == 1 else "",
        styles=styles,
        stated_styles=frozenset(map(int, number_styles)),
    )


def _cells(shape: _Shape, values: list[str], texts: Texts) -> Cells | None:
    """Return the cells for the values of a row, or None where a value is not as usual."""
    try:
        if shape.kind == "s":
            return [_text(value, texts) for value in values]
        if shape.kind == "n":
            return list(map(float, values)) if _are_numbers(values) else None
        typed = list(zip(shape.kinds, values, strict=True))
        texts_of_formulas = [value for kind, value in typed if kind == "str"]
        if not all(value and "_x" not in value and not _MARKUP.search(value) for value in texts_of_formulas):
            return None
        if not _are_numbers([value for kind, value in typed if kind == "n"]):
            return None
        return [_text(value, texts) if kind == "s" else float(value) if kind == "n" else value for kind, value in typed]
    except ValueError:
        return None


def _text(number: str, texts: Texts) -> str:
    if not re.fullmatch(_REFERENCE, number):
        raise ValueError(number)
    return texts[int(number) + 1]


def _are_numbers(values: list[str]) -> bool:
    """Return whether all values are written as numbers, or else are no numbers to ``float`` either."""
    digits = "".join(values).replace(".", "")
    return (digits.isascii() and digits.isdecimal()) or bool(_NUMBERS.fullmatch("".join([f"{v} " for v in values])))


def _shown(row: _Shape, styles: Styles) -> dict[str, NumberFormat]:
    """Return by address what the row's numbers are shown as."""
    return {
        address: number_format
        for address, kind, style in zip(row.addresses, row.kinds, row.styles, strict=True)
        if kind == "n" and (number_format := styles.shown.get(int(style or 0)))
    }
