"""A clerk's workbook as it goes back to him: wrong cells coloured and commented, every finding on a sheet 核对清单.

The workbook's own XML is changed in place. All else in it stays as it was sent: styles, formulas with their saved
results, other sheets, merged cells, validations, conditional formats, names, pictures, charts, shapes, pivot tables,
macros. What does not survive: a digital signature, which no longer fits; the fill, and a light font, of a coloured
cell, until the workbook comes back and is marked anew. A threaded comment on the same cell hides ours, and a
conditional format of the clerk's own outranks the colour.

A workbook of many units is not marked but made anew of what one of them may see (``only_own_rows``): values and looks,
nothing else. A part that was not copied cannot leak.
"""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import xlsxwriter
from lxml import etree
from xlsxwriter.exceptions import XlsxWriterException

from enforcement_reporting.findings import Severity
from enforcement_reporting.texts import plain
from enforcement_reporting.workbook.addresses import column_number
from enforcement_reporting.workbook.cells import Cell
from enforcement_reporting.workbook.grid import Grid, as_text
from enforcement_reporting.workbook.ooxml import (
    CONTENT_TYPE,
    MAIN,
    OFFICE,
    PACKAGE,
    Package,
    SheetCells,
    Styles,
    Workbook,
    addresses,
    child,
    local,
)
from enforcement_reporting.workbook.opening import format_of, open_workbook
from enforcement_reporting.workbook.package import UnreadableWorkbook
from enforcement_reporting.workbook.review_list import COLUMNS, EXPLANATION, FINDING_ID, LIST_SHEET, is_list, printable

SEVERITY_NAMES = {Severity.ERROR: "强制性", Severity.QUESTION: "核实性", Severity.NOTICE: "提示"}
# Light enough for black text and for black-and-white print, and like no colour that palettes offer: known when it
# comes back.
COLOURS = {Severity.ERROR: "FFFFB9B6", Severity.QUESTION: "FFFFDA8E", Severity.NOTICE: "FFC4DDF6"}
_WORST_FIRST = list(SEVERITY_NAMES)

_COMMENT_BEGINS = "【核对】"
_MOST_CELLS, _CELLS_SHOWN = 200, 8  # of one finding, coloured and on the list
_MOST_MERGED = 100_000  # cells in all merged ranges together
_LONGEST = 4_000  # characters in a comment or in a cell of the list
_REFERENCE = re.compile(r"(?:^|、)(.+?)!([A-Z]{1,3}[1-9][0-9]{0,6}(?::[A-Z]{1,3}[1-9][0-9]{0,6})?)(?=、|$)", re.DOTALL)
_VML = (
    '<xml xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"'
    ' xmlns:x="urn:schemas-microsoft-com:office:excel">{}</xml>'
)
_V, _X = "{urn:schemas-microsoft-com:vml}", "{urn:schemas-microsoft-com:office:excel}"


@dataclass(frozen=True)
class Remark:
    """A finding as the clerk reads it. ``cells`` are ``sheet!A1`` joined by 、, those of this workbook.

    ``elsewhere`` says in words what stands in another file; ``decision`` is what was decided on the explanation;
    ``proposals`` say what would mend it.
    """

    finding_id: str
    severity: Severity
    unit: str
    form: str
    period: str
    cells: str
    message: str
    stated: str = ""
    expected: str = ""
    explanation: str = ""
    decision: str = ""
    elsewhere: str = ""
    proposals: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """Return what is wrong and, on lines of their own, what would mend it."""
        return "\n→ ".join((self.message, *self.proposals))

    @property
    def places(self) -> list[tuple[str, str]]:
        """Return (sheet, range) of its cells."""
        return _REFERENCE.findall(self.cells)


@contextmanager
def _what_is_odd_cannot_be_marked() -> Iterator[None]:
    """Make one refusal of whatever in a workbook is not as it must be: readers are more lenient than writers can be."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, etree.LxmlError, XlsxWriterException) as error:
        log = f"cannot be marked: {type(error).__name__}: {error}"
        raise UnreadableWorkbook("无法在原文件上标注。", log) from error


@_what_is_odd_cannot_be_marked()
def mark(content: bytes, remarks: Sequence[Remark], title: str) -> bytes:
    """Return the workbook with its wrong cells coloured and commented, and all remarks on the sheet 核对清单.

    That sheet stands last, so that nothing else moves, and is the one the workbook opens on. What an earlier round
    coloured and commented is undone first. Nothing that is written can act as a formula. Raises UnreadableWorkbook
    where the bytes cannot be changed within the reader's bounds.
    """
    package = Package.open(content)
    workbook = Workbook(package)
    for grid in open_workbook(content).grids:
        if is_list(grid) and grid.name in workbook.sheets and len(workbook.sheets) > 1:
            workbook.remove_sheet(grid.name)
    _uncolour(workbook.styles)
    by_cell: dict[str, dict[str, list[Remark]]] = defaultdict(lambda: defaultdict(list))
    said: dict[str, dict[str, list[Remark]]] = defaultdict(lambda: defaultdict(list))
    for remark in remarks:
        for sheet, reference in remark.places:
            cells = list(addresses(reference, _MOST_CELLS))
            for address in cells if sheet in workbook.sheets else ():
                by_cell[sheet][address].append(remark)
            if cells:
                said[sheet][cells[0]].append(remark)
    for sheet, part in workbook.sheets.items():
        if sheet in by_cell:
            cells_of_sheet = SheetCells(package.tree(part))
            for address, found in by_cell[sheet].items():
                cell = cells_of_sheet.cell(address)
                cell.set("s", str(_coloured(workbook.styles, int(cell.get("s", "0")), _worst(found))))
        _comment(package, part, said.get(sheet, {}))
    names = {name.lower() for name in (item.get("name", "") for item in workbook.listed())}
    free = (name for n in range(2, 100) if (name := f"{LIST_SHEET} ({n})") not in names)
    name = LIST_SHEET if LIST_SHEET not in names else next(free)
    place = workbook.add_sheet(name, _list_xml(remarks, title, workbook.styles, frozenset(workbook.sheets)))
    # The header is printed on each page. Of one scope the names are in the order of their scopes already.
    titles = etree.SubElement(child(workbook.tree, "definedNames"), f"{{{MAIN}}}definedName")
    titles.set("name", "_xlnm.Print_Titles")
    titles.set("localSheetId", str(place))
    titles.text = f"'{name}'!$4:$4"
    workbook.show(place)
    return package.packed()


@_what_is_odd_cannot_be_marked()
def only_own_rows(
    content: bytes,
    own_rows: Mapping[str, Collection[int]],
    first_rows: Mapping[str, int],
    labels: Collection[str],
    others: Collection[str],
) -> bytes:
    """Return a workbook of those sheets, at their addresses, in which only one unit's rows have their values.

    By sheet, ``own_rows`` are the rows of the unit's figures and ``first_rows`` the first in which anybody's stand:
    above it, texts stay that are ``labels`` or hold no number but a date; from it on, other rows are emptied and
    hidden. A row that names one of the ``others`` is emptied wherever it stands. Formulas become their results. Raises
    UnreadableWorkbook where it cannot be sure.
    """
    source = Workbook(Package.open(content))
    relations = source.package.relations(source.path)
    texts = _shared_texts(source.package, [part for kind, part in relations.values() if kind == "sharedStrings"])
    known, strangers = frozenset(map(plain, labels)), [plain(name) for name in others]
    kept = Package(
        {
            "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" ContentType='
            f'"application/vnd.openxmlformats-package.relationships+xml"/></Types>'.encode(),
            "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"/>'.encode(),
        }
    )
    kept.relate("", "officeDocument", "xl/workbook.xml")
    types = kept.tree("[Content_Types].xml")
    override = f"{{{PACKAGE}/content-types}}Override"
    etree.SubElement(types, override, PartName="/xl/workbook.xml", ContentType=f"{CONTENT_TYPE}sheet.main+xml")
    styles = deepcopy(source.styles.tree)
    if any(name in plain(etree.tostring(styles, encoding="unicode")) for name in strangers):
        raise UnreadableWorkbook("无法在原文件上标注。", "a style names another unit")
    _strip(styles)
    part = kept.add("xl/styles.xml", styles, f"{CONTENT_TYPE}styles+xml")
    kept.relate("xl/workbook.xml", "styles", part)
    for kind, theme in relations.values():
        if kind == "theme" and (name := source.package.name(theme)):
            kind_of_theme = "application/vnd.openxmlformats-officedocument.theme+xml"
            colours = _colours_of(source.package.tree(name))
            kept.relate("xl/workbook.xml", "theme", kept.add("xl/theme/theme1.xml", colours, kind_of_theme))
    made = Workbook(kept)
    for item in source.listed():
        name = item.get("name", "")
        if name in own_rows and name in source.sheets:
            tree = source.package.tree(source.sheets[name])
            rows = _own_rows_xml(tree, frozenset(own_rows[name]), first_rows[name], texts, known, strangers)
            made.add_sheet(name, rows)
    return kept.packed()


@_what_is_odd_cannot_be_marked()
def as_xlsx(content: bytes) -> bytes | None:
    """Return a new workbook with all that was read of a file of another kind, at its addresses; None of an .xlsx.

    Values, merged cells and the decimals that were shown; nothing of the file's looks. Nothing in it acts as a formula
    or a link. Raises UnreadableWorkbook where a sheet's name is none that a workbook may have.
    """
    if format_of(content) == "xlsx":
        return None
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": True}
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, options) as book:
        plain_look = book.add_format({"text_wrap": True, "valign": "vcenter"})
        looks = lru_cache(None)(lambda shown: book.add_format({"num_format": shown.code, "valign": "vcenter"}))
        for grid in open_workbook(content).grids:
            page = book.add_worksheet(grid.name)
            for ranges in _apart(grid):
                page.merge_range(*ranges, "", plain_look)
            for row, cells in enumerate(grid.rows):
                for column, cell in enumerate(cells):
                    address = grid.address(row, column)
                    shown = grid.formats.get(address)
                    _write(page, address, grid.errors.get(address, cell), looks(shown) if shown else plain_look)
    return buffer.getvalue()


def _write(page: Any, address: str, cell: Cell, look: Any) -> None:
    if isinstance(cell, bool):
        page.write_boolean(address, cell, look)
    elif isinstance(cell, float):
        page.write_number(address, cell, look)
    elif text := printable(as_text(cell)):
        page.write_string(address, text, look)


def _apart(grid: Grid) -> Iterator[tuple[int, int, int, int]]:
    """Yield first row and column and last row and column of the merged ranges, none of which lies over another."""
    taken: set[tuple[int, int]] = set()
    room = _MOST_MERGED
    for (row, column), (last_row, last_column) in grid.spans.items():
        size = (last_row - row + 1) * (last_column - column + 1)
        room -= size
        if room < 0:
            return
        places = {(r, c) for r in range(row, last_row + 1) for c in range(column, last_column + 1)}
        if size > 1 and not places & taken:
            taken |= places
            yield grid.top + row, grid.left + column, grid.top + last_row, grid.left + last_column


def figures_alone(title: str, unit_line: str, header: Sequence[str], values: Sequence[str], sheet: str) -> bytes:
    """Return a workbook with one sheet that says what one unit reported: labels in row 3, its values in row 4."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(
        buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    ) as book:
        heading = book.add_format({"bold": True, "font_size": 14})
        label = book.add_format(
            {
                "bold": True,
                "border": 1,
                "text_wrap": True,
                "align": "center",
                "valign": "vcenter",
                "bg_color": "#E7E6E6",
            }
        )
        value = book.add_format({"border": 1, "align": "center", "quote_prefix": True})
        page = book.add_worksheet(sheet)
        page.set_column(0, max(len(header) - 1, 0), 14)
        page.set_landscape()
        page.fit_to_pages(1, 0)
        page.write_string(0, 0, printable(title), heading)
        page.write_string(1, 0, printable(unit_line))
        for column, (caption, text) in enumerate(zip(header, values, strict=True)):
            page.write_string(2, column, printable(caption), label)
            if re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,10})?", text):
                page.write_number(3, column, float(text), book.add_format({"border": 1, "align": "center"}))
            else:
                page.write_string(3, column, printable(text)[:_LONGEST], value)
    return buffer.getvalue()


def _worst(remarks: Sequence[Remark]) -> Severity:
    return min((remark.severity for remark in remarks), key=_WORST_FIRST.index)


def _coloured(styles: Styles, number: int, severity: Severity) -> int:
    """Return the style that is another one filled with a severity's colour.

    The colour that it covers is kept in the fill's second colour, which a solid fill does not show.
    """
    style = deepcopy(styles.get("cellXfs", number))
    before = styles.get("fills", int(style.get("fillId", "0"))).find(f"{{{MAIN}}}patternFill")
    covered = before.find(f"{{{MAIN}}}fgColor") if before is not None and before.get("patternType") == "solid" else None
    attributes = {"indexed": "64"} if covered is None else dict(covered.attrib)
    fill = etree.fromstring(
        f'<fill xmlns="{MAIN}"><patternFill patternType="solid"><fgColor rgb="{COLOURS[severity]}"/>'
        f"<bgColor/></patternFill></fill>"
    )
    fill[0][1].attrib.update(attributes)
    style.set("fillId", str(styles.add("fills", fill)))
    style.set("applyFill", "1")
    font = deepcopy(styles.get("fonts", int(style.get("fontId", "0"))))
    for colour in font.findall(f"{{{MAIN}}}color"):
        if colour.get("theme") == "0" or _is_light(colour.get("rgb", "")):  # white on dark would be white on light
            font.remove(colour)
            style.set("fontId", str(styles.add("fonts", font)))
            style.set("applyFont", "1")
    return styles.add("cellXfs", style)


def _is_light(rgb: str) -> bool:
    digits = rgb[-6:]
    if not re.fullmatch("[0-9A-Fa-f]{6}", digits):
        return False
    red, green, blue = (int(digits[n : n + 2], 16) for n in (0, 2, 4))
    return 0.3 * red + 0.6 * green + 0.1 * blue > 160


def _uncolour(styles: Styles) -> None:
    """Give every style that an earlier round coloured its own fill again."""
    ours = set(COLOURS.values())
    for style in child(styles.tree, "cellXfs"):
        pattern = styles.get("fills", int(style.get("fillId", "0"))).find(f"{{{MAIN}}}patternFill")
        colour = pattern.find(f"{{{MAIN}}}fgColor") if pattern is not None else None
        if colour is None or colour.get("rgb", "").upper() not in ours:
            continue
        covered = pattern.find(f"{{{MAIN}}}bgColor")
        if covered is None or covered.get("indexed") in ("64", "65") or covered.get("auto"):
            style.set("fillId", "0")
        else:
            fill = etree.fromstring(
                f'<fill xmlns="{MAIN}"><patternFill patternType="solid"><fgColor/></patternFill></fill>'
            )
            fill[0][0].attrib.update(covered.attrib)
            style.set("fillId", str(styles.add("fills", fill)))
            if (rgb := covered.get("rgb", "")) and not _is_light(rgb):  # the font that was light on it went with it
                font = deepcopy(styles.get("fonts", int(style.get("fontId", "0"))))
                if font.find(f"{{{MAIN}}}color") is None:
                    font.insert(_place_of_colour(font), etree.Element(f"{{{MAIN}}}color", rgb="FFFFFFFF"))
                    style.set("fontId", str(styles.add("fonts", font)))


def _place_of_colour(font: etree._Element) -> int:
    """Return where a font says its colour: in front of its size and its name."""
    behind = ("sz", "u", "vertAlign", "name", "family", "charset", "scheme")
    return next((place for place, item in enumerate(font) if local(item) in behind), len(font))


def _comment(package: Package, sheet: str, said: Mapping[str, Sequence[Remark]]) -> None:
    """Put comments on cells of a sheet, below what stands there already, in the place of those of an earlier round."""
    relations = package.relations(sheet)
    existing = next((part for kind, part in relations.values() if kind == "comments"), None)
    if existing is None and not said:
        return
    if existing is None:
        xml = f'<comments xmlns="{MAIN}"><authors/><commentList/></comments>'
        existing = package.add("xl/commentsR{}.xml", xml, f"{CONTENT_TYPE}comments+xml")
        package.relate(sheet, "comments", existing)
    tree = package.tree(existing)
    authors, listed = tree.find(f"{{{MAIN}}}authors"), tree.find(f"{{{MAIN}}}commentList")
    if authors is None or listed is None:
        raise UnreadableWorkbook("无法在原文件上标注。", f"cannot be marked: {existing} is no list of comments")
    by_cell: dict[str, etree._Element] = {}
    for item in list(listed):
        if _without_ours(item):
            by_cell[item.get("ref", "")] = item
        else:
            listed.remove(item)
    for address, remarks in said.items():
        item = by_cell.get(address)
        if item is None:
            names = [author.text for author in authors]
            if "核对" not in names:
                etree.SubElement(authors, f"{{{MAIN}}}author").text = "核对"
                names.append("核对")
            author = str(names.index("核对"))
            item = by_cell[address] = etree.SubElement(listed, f"{{{MAIN}}}comment", ref=address, authorId=author)
            etree.SubElement(item, f"{{{MAIN}}}text")
        text = item.find(f"{{{MAIN}}}text")
        run = etree.SubElement(text, f"{{{MAIN}}}r")
        properties = etree.SubElement(run, f"{{{MAIN}}}rPr")
        etree.SubElement(properties, f"{{{MAIN}}}sz", val="9")
        etree.SubElement(properties, f"{{{MAIN}}}rFont", val="宋体")
        words = etree.SubElement(run, f"{{{MAIN}}}t")
        words.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
        before = "\n" if len(text) > 1 or _text_of(text) else ""
        words.text = before + _COMMENT_BEGINS + "\n".join(map(_words, remarks))[:_LONGEST]
    _draw(package, sheet, {address: _text_of(item) for address, item in by_cell.items()})


def _words(remark: Remark) -> str:
    """Return what a comment says: the same on all cells of a remark, so what each of them should be is not in it."""
    return printable(f"{SEVERITY_NAMES[remark.severity]}：{remark.words}")


def _text_of(element: etree._Element) -> str:
    return "".join(element.itertext(f"{{{MAIN}}}t"))


def _without_ours(comment: etree._Element) -> bool:
    """Take what we wrote out of a comment; return whether anything is left of it."""
    found = False
    for words in list(comment.iter(f"{{{MAIN}}}t")):
        own, marked, _ = ("", "", "") if found else (words.text or "").partition(_COMMENT_BEGINS)
        if marked or found:
            found = True
            words.text = own.rstrip("\n")
    return not found or bool(_text_of(comment).strip())


def _draw(package: Package, sheet: str, comments: Mapping[str, str]) -> None:
    """Let every comment of a sheet, and no other, have the box in which it is shown."""
    relations, tree = package.relations(sheet), package.tree(sheet)
    legacy = tree.find(f"{{{MAIN}}}legacyDrawing")
    kind, part = relations.get(legacy.get(f"{{{OFFICE}}}id", "") if legacy is not None else "", ("", ""))
    if kind != "vmlDrawing":
        part = package.add("xl/drawings/vmlDrawingR{}.vml", _VML.format(""))
        relation_id = package.relate(sheet, "vmlDrawing", part)
        child(tree, "legacyDrawing").set(f"{{{OFFICE}}}id", relation_id)
        types = package.tree("[Content_Types].xml")
        if not any(item.get("Extension", "").lower() == "vml" for item in types):
            kind_of_part = "application/vnd.openxmlformats-officedocument.vmlDrawing"
            default = etree.Element(f"{{{PACKAGE}/content-types}}Default", Extension="vml", ContentType=kind_of_part)
            types.insert(0, default)
    drawing = package.tree(part)
    wanted = {_place(address): text for address, text in comments.items()}
    for shape in list(drawing.iter(f"{_V}shape")):
        data = shape.find(f"{_X}ClientData")
        if data is None or data.get("ObjectType") != "Note":
            continue
        place = (int(data.findtext(f"{_X}Row") or "-1"), int(data.findtext(f"{_X}Column") or "-1"))
        if wanted.pop(place, None) is None:
            shape.getparent().remove(shape)
    for number, ((row, column), text) in enumerate(wanted.items(), 1):
        lines = min(sum(1 + len(line) // 22 for line in text.split("\n")), 30)
        anchor = f"{column + 1}, 12, {max(row - 1, 0)}, 4, {column + 5}, 20, {max(row - 1, 0) + max(lines, 3) + 1}, 4"
        shape_xml = _VML.format(
            f'<v:shape id="_review{number}" type="#_x0000_t202" fillcolor="#ffffe1" o:insetmode="auto"'
            ' style="position:absolute;width:230pt;height:90pt;z-index:1;visibility:hidden">'
            '<v:fill color2="#ffffe1"/><v:shadow on="t" color="black" obscured="t"/><v:path o:connecttype="none"/>'
            '<v:textbox style="mso-direction-alt:auto"><div style="text-align:left"></div></v:textbox>'
            f'<x:ClientData ObjectType="Note"><x:MoveWithCells/><x:SizeWithCells/><x:Anchor>{anchor}</x:Anchor>'
            f"<x:AutoFill>False</x:AutoFill><x:Row>{row}</x:Row><x:Column>{column}</x:Column></x:ClientData></v:shape>"
        )
        drawing.append(etree.fromstring(shape_xml)[0])
    if not any(item.get("id") == "_x0000_t202" for item in drawing.iter(f"{_V}shapetype")):
        kind_of_shape = (
            '<v:shapetype id="_x0000_t202" coordsize="21600,21600" o:spt="202" path="m,l,21600r21600,l21600,xe">'
            '<v:stroke joinstyle="miter"/><v:path gradientshapeok="t" o:connecttype="rect"/></v:shapetype>'
        )
        drawing.insert(0, etree.fromstring(_VML.format(kind_of_shape))[0])


def _place(address: str) -> tuple[int, int]:
    letters = address.rstrip("0123456789")
    return int(address[len(letters) :]) - 1, column_number(letters) - 1


# The list -----------------------------------------------------------------------------------------------------------

_WIDTHS = dict(zip(COLUMNS, (5, 9, 11, 14, 11, 14, 38, 10, 10, 30, 18, 3), strict=True))
_CENTRED = frozenset({"序号", "严重程度"})
_HOW_TO = {
    Severity.ERROR: "红色为强制性问题：请在原表中改正标红的单元格。",
    Severity.QUESTION: "橙色为核实性问题：数字有误的请改正；无误的，请在本表“说明”栏写明原因。",
    Severity.NOTICE: "蓝色为提示，供核对。",
}
_AT_LAST = "完成后保存，把整个工作簿报回（文件名可改，请勿改动本表其他各栏；点“单元格”一栏可跳到原表）。"


class _ListStyles:
    """The looks of the list, added to a workbook's own styles. All text is text, whatever it begins with."""

    def __init__(self, styles: Styles) -> None:
        def font(more: str) -> int:
            return styles.add("fonts", f'<font>{more}<name val="宋体"/><family val="3"/><charset val="134"/></font>')

        def fill(rgb: str) -> int:
            return styles.add(
                "fills",
                f'<fill><patternFill patternType="solid"><fgColor rgb="{rgb}"/><bgColor indexed="64"/></patternFill>'
                "</fill>",
            )

        line = "".join(
            f'<{side} style="thin"><color rgb="FFA6A6A6"/></{side}>' for side in ("left", "right", "top", "bottom")
        )
        boxed = styles.add("borders", f"<border>{line}<diagonal/></border>")
        normal, bold = font('<sz val="10"/>'), font('<b/><sz val="10"/>')

        def style(
            font_id: int,
            fill_id: int = 0,
            border: int = boxed,
            across: str = "left",
            *,
            down: str = "top",
            locked: bool = True,
        ) -> int:
            return styles.add(
                "cellXfs",
                f'<xf numFmtId="49" fontId="{font_id}" fillId="{fill_id}" borderId="{border}" quotePrefix="1"'
                ' applyNumberFormat="1" applyFont="1" applyFill="1" applyBorder="1" applyAlignment="1"'
                f' applyProtection="1"><alignment horizontal="{across}" vertical="{down}" wrapText="1"/>'
                f'<protection locked="{int(locked)}"/></xf>',
            )

        self.title = style(font('<b/><sz val="16"/>'), border=0, down="center")
        self.hint = style(normal, border=0, down="center")
        self.header = style(
            font('<b/><sz val="10"/><color rgb="FFFFFFFF"/>'), fill("FF44546A"), across="center", down="center"
        )
        self.text, self.centred = style(normal), style(normal, across="center")
        self.link = style(font('<u/><sz val="10"/><color rgb="FF0563C1"/>'))
        self.id = style(font('<sz val="8"/><color rgb="FFA6A6A6"/>'))
        # The list's colours are a shade of their own: those of the cells are undone when the workbook comes back.
        self.severity = {item: style(bold, fill(_shade(COLOURS[item])), across="center") for item in Severity}
        self.owed, self.free = style(normal, fill("FFFFF6DB"), locked=False), style(normal, locked=False)


def _shade(rgb: str) -> str:
    return f"{rgb[:-1]}{int(rgb[-1], 16) ^ 1:X}"


def _list_xml(remarks: Sequence[Remark], title: str, styles: Styles, sheets: Collection[str]) -> str:
    """Return the sheet 核对清单: title, what to do, header in row 4, a row for each remark."""
    looks = _ListStyles(styles)
    present = [severity for severity in _WORST_FIRST if any(remark.severity is severity for remark in remarks)]
    counts = "，".join(
        f"{SEVERITY_NAMES[item]} {sum(remark.severity is item for remark in remarks)} 条" for item in present
    )
    hints = [f"{number}. {text}" for number, text in enumerate([*(_HOW_TO[item] for item in present), _AT_LAST], 1)]
    rows = [
        _row(1, [(title, looks.title)], height=30),
        _row(2, [(f"共 {len(remarks)} 条：{counts}。" if remarks else "没有发现问题。", looks.hint)], height=18),
        _row(3, [("\n".join(hints), looks.hint)], height=15 * len(hints) + 4),
        _row(4, [(name, looks.header) for name in COLUMNS], height=24),
    ]
    links = []
    for number, remark in enumerate(remarks, 1):
        place = next(((sheet, cells) for sheet, cells in remark.places if sheet in sheets), None)
        where = _where(remark)
        texts = (
            *(str(number), SEVERITY_NAMES[remark.severity], remark.unit, remark.form, remark.period, where),
            *(remark.words, remark.stated, remark.expected, remark.explanation, remark.decision, remark.finding_id),
        )
        cells = []
        for name, text in zip(COLUMNS, texts, strict=True):
            look = looks.centred if name in _CENTRED else looks.text
            if name == "严重程度":
                look = looks.severity[remark.severity]
            elif name == "单元格" and place:
                look = looks.link
            elif name == EXPLANATION:
                look = looks.owed if remark.severity is Severity.QUESTION else looks.free
            elif name == FINDING_ID:
                look = looks.id
            cells.append((text, look))
        rows.append(_row(number + 4, cells, height=_height(texts)))
        if place:
            sheet, reference = place
            location = "'" + sheet.replace("'", "''") + f"'!{reference}"
            links.append(f'<hyperlink ref="F{number + 4}" location={quoteattr(location)} display={quoteattr(where)}/>')
    columns = "".join(
        f'<col min="{number}" max="{number}" width="{_WIDTHS[name]}" customWidth="1"'
        f' hidden="{int(name == FINDING_ID)}"/>'
        for number, name in enumerate(COLUMNS, 1)
    )
    hyperlinks = f"<hyperlinks>{''.join(links)}</hyperlinks>" if links else ""
    last = f"K{len(remarks) + 4}"
    merges = "".join(f'<mergeCell ref="A{row}:K{row}"/>' for row in (1, 2, 3))
    # Without a password: it keeps the ids from being typed over, and stands in nobody's way.
    allowed = 'formatCells="0" formatColumns="0" formatRows="0" deleteRows="0" sort="0" autoFilter="0"'
    return (
        f'<worksheet xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheetPr><tabColor rgb="FFC00000"/><pageSetUpPr fitToPage="1"/>'
        f'</sheetPr><dimension ref="A1:L{len(remarks) + 4}"/><sheetViews><sheetView tabSelected="1" showGridLines="0"'
        ' workbookViewId="0"><pane ySplit="4" topLeftCell="A5" activePane="bottomLeft" state="frozen"/>'
        '<selection pane="bottomLeft" activeCell="J5" sqref="J5"/></sheetView></sheetViews>'
        f'<sheetFormatPr defaultRowHeight="15"/><cols>{columns}</cols><sheetData>{"".join(rows)}</sheetData>'
        f'<sheetProtection sheet="1" objects="1" scenarios="1" {allowed}/><autoFilter ref="A4:{last}"/>'
        f'<mergeCells count="3">{merges}</mergeCells>{hyperlinks}'
        '<printOptions horizontalCentered="1"/><pageMargins left="0.4" right="0.4" top="0.5" bottom="0.6" header="0.3"'
        ' footer="0.3"/><pageSetup paperSize="9" orientation="landscape" fitToWidth="1" fitToHeight="0"/>'
        "<headerFooter><oddFooter>&amp;C第 &amp;P 页，共 &amp;N 页</oddFooter></headerFooter></worksheet>"
    )


def _where(remark: Remark) -> str:
    """Return the cells of a remark one below the other: a link is not wrapped everywhere."""
    cells = [f"{sheet}!{reference}" for sheet, reference in remark.places] or [remark.cells]
    more = [f"等 {len(cells)} 处"] if len(cells) > _CELLS_SHOWN else []
    return "、\n".join(filter(None, (*cells[:_CELLS_SHOWN], *more, remark.elsewhere)))


def _row(number: int, cells: Sequence[tuple[str, int]], height: float) -> str:
    filled = "".join(
        f'<c r="{chr(65 + column)}{number}" s="{style}" t="inlineStr"><is><t xml:space="preserve">'
        f"{escape(printable(text)[:_LONGEST])}</t></is></c>"
        if text
        else f'<c r="{chr(65 + column)}{number}" s="{style}"/>'
        for column, (text, style) in enumerate(cells)
    )
    return f'<row r="{number}" ht="{height}" customHeight="1">{filled}</row>'


def _height(texts: Sequence[str]) -> float:
    """Return a height in which the longest text of a row has room, and half as much again to write an explanation."""
    lines = max(
        sum(1 + int(_width(line) / (_WIDTHS[name] - 1.5)) for line in printable(text).split("\n"))
        for name, text in zip(COLUMNS[:-1], texts, strict=False)
    )
    return min(max(lines, 2) * 13.5 + 5, 400)


def _width(text: str) -> float:
    return sum(1.0 if character < "\u2000" else 1.9 for character in text)


# One unit's rows ----------------------------------------------------------------------------------------------------

_DATES = re.compile(
    r"[0-9]{2,4}\s*[年.\-/—–至到]\s*|第?\s*[0-9]{1,2}\s*[月日号周期季旬](?:度|份)?|(?<=月)[0-9]{1,2}|[0-9]{1,2}(?=\s*[—–\-至到~]\s*[0-9]{1,2}\s*月)"
)
_LOOKS = ("sheetFormatPr", "cols", "mergeCells", "printOptions", "pageMargins")


def _shared_texts(package: Package, parts: Sequence[str]) -> list[str]:
    if not parts:
        return []
    items = package.tree(parts[0]).findall(f"{{{MAIN}}}si")
    for item in items:
        for phonetic in item.findall(f"{{{MAIN}}}rPh"):
            item.remove(phonetic)
    return [_text_of(item) for item in items]


def _strip(styles: etree._Element) -> None:
    """Take out of the styles what is not needed for values, and number formats that print a number of their own."""
    for item in list(styles.iter(f"{{{MAIN}}}cellStyle")):
        if item.get("builtinId") == "0":
            item.set("name", "Normal")
        else:
            item.getparent().remove(item)
    for section in styles.findall(f"{{{MAIN}}}cellStyles"):
        section.set("count", str(len(section)))
    for name in ("dxfs", "tableStyles", "extLst"):
        for element in styles.findall(f"{{{MAIN}}}{name}"):
            styles.remove(element)
    for item in styles.iter(f"{{{MAIN}}}numFmt"):
        if re.search(r"\"[^\"]*[1-9][^\"]*\"|\\\\[1-9]", item.get("formatCode", "")):
            item.set("formatCode", "General")


def _colours_of(theme: etree._Element) -> etree._Element:
    """Return a theme with its colours and fonts, and without what it may carry besides."""
    copy = deepcopy(theme)
    for element in list(copy):
        if local(element) != "themeElements":
            copy.remove(element)
    return copy


def _own_rows_xml(
    tree: etree._Element,
    own_rows: Collection[int],
    first_row: int,
    texts: Sequence[str],
    labels: Collection[str],
    strangers: Sequence[str],
) -> str:
    """Return a sheet with nothing in it but one unit's rows and the labels above them."""
    sheet = etree.fromstring(f'<worksheet xmlns="{MAIN}" xmlns:r="{OFFICE}"/>')
    for name in _LOOKS:
        if (found := tree.find(f"{{{MAIN}}}{name}")) is not None:
            sheet.append(deepcopy(found))
    etree.SubElement(child(sheet, "sheetPr"), f"{{{MAIN}}}pageSetUpPr", fitToPage="1")
    child(sheet, "pageSetup").attrib.update(
        {"paperSize": "9", "orientation": "landscape", "fitToWidth": "1", "fitToHeight": "0"}
    )
    data = child(sheet, "sheetData")
    shared = _anchors_of_several_rows(tree, own_rows)
    for number, row in SheetCells(tree):
        kept = etree.SubElement(data, f"{{{MAIN}}}row", r=str(number))
        if number >= first_row and number not in own_rows:
            kept.set("hidden", "1")
            continue
        for name in ("ht", "customHeight", "s", "customFormat"):
            if name in row.attrib:
                kept.set(name, row.get(name))
        said = [(cell, *_value(cell, texts)) for cell in row]
        if number not in own_rows and any(name in plain(text) for _, _, text in said for name in strangers):
            continue
        for cell, kind, text in said:
            copy = etree.SubElement(kept, f"{{{MAIN}}}c", r=cell.get("r"))
            if "s" in cell.attrib:
                copy.set("s", cell.get("s"))
            is_own = number in own_rows and cell.get("r") not in shared
            if not text or not (is_own or (kind == "inlineStr" and _is_label(text, labels))):
                continue
            if kind == "n":
                etree.SubElement(copy, f"{{{MAIN}}}v").text = text
            else:
                copy.set("t", "inlineStr")
                words = etree.SubElement(etree.SubElement(copy, f"{{{MAIN}}}is"), f"{{{MAIN}}}t")
                words.text = printable(text)
                words.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
    return str(etree.tostring(sheet, encoding="unicode"))


def _value(cell: etree._Element, texts: Sequence[str]) -> tuple[str, str]:
    """Return the kind of a cell's value, number or text, and the value."""
    kind, value = cell.get("t", "n"), cell.findtext(f"{{{MAIN}}}v") or ""
    if kind == "s":
        return "inlineStr", texts[int(value)] if value.isdigit() and int(value) < len(texts) else ""
    if kind == "inlineStr":
        return "inlineStr", _text_of(cell)
    return ("n", value) if kind == "n" else ("inlineStr", value)


def _is_label(text: str, labels: Collection[str]) -> bool:
    """Return whether a text above the figures says what they are and holds none itself."""
    return plain(text) in labels or not re.search(r"[0-9]", _DATES.sub("", plain(text)))


def _anchors_of_several_rows(tree: etree._Element, own_rows: Collection[int]) -> set[str]:
    """Return the cells in own rows that are merged with rows of others: what stands there is not one unit's alone."""
    found = set()
    for item in tree.iter(f"{{{MAIN}}}mergeCell"):
        first, _, last = item.get("ref", "").partition(":")
        if last:
            rows = range(_place(first)[0] + 1, _place(last)[0] + 2)
            if len(rows) > 1 and not set(rows) <= set(own_rows):
                found.add(first)
    return found
