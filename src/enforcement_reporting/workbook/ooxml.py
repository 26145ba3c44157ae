"""An .xlsx file opened to be changed: its parts, its styles, its sheets. What nobody touches stays byte for byte.

A spreadsheet library that reads a workbook and writes it anew loses whatever it does not know: pictures, shapes, form
controls, lists on other sheets, the saved results of formulas. Here only the parts that change are taken apart.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy

from lxml import etree

from enforcement_reporting.workbook.addresses import column_letters, column_number
from enforcement_reporting.workbook.package import MAX_INFLATED_BYTES, UnreadableWorkbook, open_package

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml."

_ADDRESS = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_STYLES = f"""
<styleSheet xmlns="{MAIN}"><fonts count="1"><font><sz val="11"/><name val="宋体"/></font></fonts>
<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>
<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>
<cellXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellXfs></styleSheet>"""
# What may stand in a sheet, among the styles and in a workbook, in the only order that spreadsheet software takes.
_IN_ORDER = {
    "worksheet": """
        sheetPr dimension sheetViews sheetFormatPr cols sheetData sheetCalcPr sheetProtection protectedRanges scenarios
        autoFilter sortState dataConsolidate customSheetViews mergeCells phoneticPr conditionalFormatting
        dataValidations hyperlinks printOptions pageMargins pageSetup headerFooter rowBreaks colBreaks customProperties
        cellWatches ignoredErrors smartTags drawing legacyDrawing legacyDrawingHF drawingHF picture oleObjects controls
        webPublishItems tableParts extLst
        """,
    "styleSheet": "numFmts fonts fills borders cellStyleXfs cellXfs cellStyles dxfs tableStyles colors extLst",
    "workbook": """
        fileVersion fileSharing workbookPr workbookProtection bookViews sheets functionGroups externalReferences
        definedNames calcPr oleSize customWorkbookViews pivotCaches extLst
        """,
}
_ORDERS = {name: children.split() for name, children in _IN_ORDER.items()}


def child(parent: etree._Element, name: str) -> etree._Element:
    """Return the child of that name, made in its proper place where there is none."""
    namespace = etree.QName(parent).namespace
    found = parent.find(f"{{{namespace}}}{name}")
    if found is None:
        found = etree.Element(f"{{{namespace}}}{name}", nsmap=parent.nsmap)
        order = _ORDERS[etree.QName(parent).localname]
        behind = set(order[order.index(name) + 1 :])
        later = (n for n, item in enumerate(parent) if isinstance(item.tag, str) and local(item) in behind)
        parent.insert(next(later, len(parent)), found)
    return found


def local(element: etree._Element) -> str:
    """Return an element's name without its namespace."""
    return str(etree.QName(element).localname)


class Package:
    """The parts of a workbook by name. ``tree`` opens one to be changed; ``packed`` returns the whole."""

    def __init__(self, parts: Mapping[str, bytes]) -> None:
        self.parts = dict(parts)
        self._names = {name.lower(): name for name in parts}
        self._trees: dict[str, etree._Element] = {}

    @classmethod
    def open(cls, content: bytes) -> Package:
        """Return the parts of a workbook that can be read, inflated within the same bounds as for reading.

        Raises UnreadableWorkbook.
        """
        open_package(content)
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                # No part is inflated beyond the size that the directory states.
                if sum(part.file_size for part in archive.infolist()) > MAX_INFLATED_BYTES:
                    raise _not_editable("all parts together inflate beyond the bounds")
                return cls({part.filename: archive.read(part) for part in archive.infolist() if not part.is_dir()})
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as error:
            raise _not_editable(str(error)) from None

    def name(self, path: str) -> str | None:
        """Return how the zip spells a part's name; upper and lower case are the same."""
        return self._names.get(path.lower())

    def tree(self, path: str) -> etree._Element:
        """Return a part as a tree. What is changed in it is written back."""
        name = self.name(path)
        if name is None:
            raise _not_editable(f"part {path} is missing")
        if name not in self._trees:
            parser = etree.XMLParser(
                resolve_entities=False, no_network=True, load_dtd=False, recover=path.endswith(".vml")
            )
            try:
                tree = etree.fromstring(self.parts[name], parser)
            except (etree.XMLSyntaxError, ValueError) as error:
                raise _not_editable(f"part {path}: {error}") from None
            if tree is None or tree.getroottree().docinfo.internalDTD is not None:
                raise _not_editable(f"part {path} is no XML, or declares entities")
            self._trees[name] = tree
        return self._trees[name]

    def add(self, path: str, xml: str | etree._Element, content_type: str = "") -> str:
        """Add a part under a name that is not taken yet (``path`` has a place for its number); return its name."""
        number = next((n for n in range(1, len(self.parts) + 2) if self.name(path.format(n)) is None), None)
        if number is None:
            raise _not_editable(f"part {path} is there and is not related to anything")
        name = path.format(number)
        self._names[name.lower()] = name
        self._trees[name] = etree.fromstring(xml) if isinstance(xml, str) else xml
        self.parts[name] = b""
        types = self.tree("[Content_Types].xml")
        if content_type:
            etree.SubElement(
                types, f"{{{PACKAGE}/content-types}}Override", PartName=f"/{name}", ContentType=content_type
            )
        return name

    def remove(self, name: str) -> None:
        """Remove a part."""
        del self.parts[name], self._names[name.lower()]
        self._trees.pop(name, None)
        for item in self.tree("[Content_Types].xml"):
            if item.get("PartName", "").lower() == f"/{name}".lower():
                item.getparent().remove(item)

    def relations(self, path: str) -> dict[str, tuple[str, str]]:
        """Return (kind, part) by id of what a part is related to inside the file."""
        rels = self.name(_relations_of(path))
        if rels is None:
            return {}
        folder = posixpath.dirname(path)
        return {
            item.get("Id", ""): (
                item.get("Type", "").rpartition("/")[2],
                posixpath.normpath(posixpath.join("/", folder, item.get("Target", ""))).lstrip("/"),
            )
            for item in self.tree(rels).iter(f"{{{PACKAGE}/relationships}}Relationship")
            if item.get("TargetMode") != "External"
        }

    def relate(self, path: str, kind: str, target: str) -> str:
        """Relate a part to another; return the id."""
        rels = self.name(_relations_of(path))
        if rels is None:
            rels = _relations_of(path)
            self._names[rels.lower()] = rels
            self._trees[rels] = etree.fromstring(f'<Relationships xmlns="{PACKAGE}/relationships"/>')
            self.parts[rels] = b""
        tree = self.tree(rels)
        taken = {item.get("Id") for item in tree}
        relation_id = next(f"rIdR{n}" for n in range(1, len(taken) + 2) if f"rIdR{n}" not in taken)
        attributes = {"Id": relation_id, "Type": f"{OFFICE}/{kind}", "Target": f"/{target}"}
        etree.SubElement(tree, f"{{{PACKAGE}/relationships}}Relationship", attributes)
        return relation_id

    def unrelate(self, path: str, relation_id: str) -> None:
        """Take a relation away."""
        for item in self.tree(_relations_of(path)):
            if item.get("Id") == relation_id:
                item.getparent().remove(item)

    def packed(self) -> bytes:
        """Return the workbook."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in self.parts.items():
                if name in self._trees:
                    data = etree.tostring(self._trees[name], xml_declaration=True, encoding="UTF-8", standalone=True)
                archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)  # no time: the same is the same
        return buffer.getvalue()


class Workbook:
    """The workbook part of a package: which sheets there are, and the styles of them all."""

    def __init__(self, package: Package) -> None:
        self.package = package
        documents = (part for kind, part in package.relations("").values() if kind == "officeDocument")
        self.path = package.name(next(documents, "xl/workbook.xml")) or "xl/workbook.xml"
        self.tree = package.tree(self.path)
        if etree.QName(self.tree).namespace != MAIN:
            raise _not_editable("written as strict Open XML")
        relations = package.relations(self.path)
        self.sheets: dict[str, str] = {}
        for item in self.listed():
            kind, part = relations.get(item.get(f"{{{OFFICE}}}id", ""), ("", ""))
            if kind == "worksheet" and (name := package.name(part)):
                self.sheets[item.get("name", "")] = name
        styles = next((part for kind, part in relations.values() if kind == "styles"), None)
        if styles is None:
            styles = package.add("xl/styles.xml", _STYLES.strip(), f"{CONTENT_TYPE}styles+xml")
            package.relate(self.path, "styles", styles)
        self.styles = Styles(package.tree(styles))

    def listed(self) -> list[etree._Element]:
        """Return the entries of the sheets, of whatever kind, in their order."""
        return list(child(self.tree, "sheets"))

    def add_sheet(self, name: str, xml: str) -> int:
        """Add a sheet behind the others; return its place."""
        part = self.package.add("xl/worksheets/sheetR{}.xml", xml, f"{CONTENT_TYPE}worksheet+xml")
        relation_id = self.package.relate(self.path, "worksheet", part)
        sheets = child(self.tree, "sheets")
        number = max([int(item.get("sheetId", "0")) for item in sheets], default=0) + 1
        attributes = {"name": name, "sheetId": str(number), f"{{{OFFICE}}}id": relation_id}
        etree.SubElement(sheets, f"{{{MAIN}}}sheet", attributes)
        self.sheets[name] = part
        return len(sheets) - 1

    def remove_sheet(self, name: str) -> None:
        """Remove a sheet with all that only it has, and the names that are its own."""
        place, item = next((n, item) for n, item in enumerate(self.listed()) if item.get("name") == name)
        part = self.sheets.pop(name)
        for _, target in self.package.relations(part).values():
            if owned := self.package.name(target):
                self.package.remove(owned)
        if rels := self.package.name(_relations_of(part)):
            self.package.remove(rels)
        self.package.remove(part)
        self.package.unrelate(self.path, item.get(f"{{{OFFICE}}}id", ""))
        item.getparent().remove(item)
        for defined in self.tree.iter(f"{{{MAIN}}}definedName"):
            scope = int(defined.get("localSheetId", "-1"))
            if scope == place:
                defined.getparent().remove(defined)
            elif scope > place:
                defined.set("localSheetId", str(scope - 1))

    def show(self, place: int) -> None:
        """Let the workbook open on a sheet."""
        views = child(self.tree, "bookViews")
        view = views[0] if len(views) else etree.SubElement(views, f"{{{MAIN}}}workbookView")
        view.set("activeTab", str(place))
        view.attrib.pop("firstSheet", None)
        relations = self.package.relations(self.path)
        for number, item in enumerate(self.listed()):
            _, part = relations.get(item.get(f"{{{OFFICE}}}id", ""), ("", ""))
            name = self.package.name(part)
            # Two sheets that are selected would be typed into together.
            if number != place and name and b"tabSelected" in self.package.parts[name]:
                for sheet_view in self.package.tree(part).iter(f"{{{MAIN}}}sheetView"):
                    sheet_view.attrib.pop("tabSelected", None)


class Styles:
    """The styles of a workbook; what is added is added once."""

    def __init__(self, tree: etree._Element) -> None:
        self.tree = tree
        whole = etree.fromstring(_STYLES.strip())
        for section in ("fonts", "fills", "borders", "cellXfs"):
            if not len(child(tree, section)):
                child(tree, section).extend(deepcopy(list(child(whole, section))))
        self._known: dict[tuple[str, bytes], int] = {}

    def add(self, section: str, element: str | etree._Element) -> int:
        """Add a font, fill, border or cell style; return its number."""
        if isinstance(element, str):
            element = etree.fromstring(f'<styleSheet xmlns="{MAIN}">{element}</styleSheet>')[0]
        key = (section, etree.tostring(element, method="c14n"))
        if key not in self._known:
            place = child(self.tree, section)
            place.append(element)
            place.set("count", str(len(place)))
            self._known[key] = len(place) - 1
        return self._known[key]

    def get(self, section: str, number: int) -> etree._Element:
        """Return a font, fill, border or cell style; the first where there is no such number."""
        place = child(self.tree, section)
        return place[number if 0 <= number < len(place) else 0]


class SheetCells:
    """The cells of a sheet by address; one that is not there is made in its place."""

    def __init__(self, tree: etree._Element) -> None:
        self.tree = tree
        self.data = child(tree, "sheetData")
        self._rows: dict[int, etree._Element] = {}
        last = 0
        for row in self.data:
            last = int(row.get("r", last + 1))
            self._rows[last] = row
            row.set("r", str(last))
            column = 0
            for cell in row:
                match = _ADDRESS.fullmatch(cell.get("r", ""))
                column = column_number(match[1]) if match else column + 1
                cell.set("r", f"{column_letters(column - 1)}{last}")
        self._columns = [
            (int(item.get("min", "0")), int(item.get("max", "0")), item.get("style", "0"))
            for item in tree.iter(f"{{{MAIN}}}col")
        ]

    def __iter__(self) -> Iterator[tuple[int, etree._Element]]:
        """Yield the rows by number."""
        return iter(self._rows.items())

    def cell(self, address: str) -> etree._Element:
        """Return a cell."""
        match = _ADDRESS.fullmatch(address)
        assert match
        number, column = int(match[2]), column_number(match[1])
        row = self._rows.get(number)
        if row is None:
            row = etree.Element(f"{{{MAIN}}}row", r=str(number))
            later = (place for place, item in enumerate(self.data) if int(item.get("r")) > number)
            self.data.insert(next(later, len(self.data)), row)
            self._rows[number] = row
        place = len(row)
        for position, item in enumerate(row):
            at = column_number(item.get("r").rstrip("0123456789"))
            if at == column:
                return item
            if at > column:
                place = position
                break
        style = row.get("s") if row.get("customFormat") in ("1", "true") else None
        style = style or next((style for first, last, style in self._columns if first <= column <= last), "0")
        cell = etree.Element(f"{{{MAIN}}}c", r=address, s=style)
        row.insert(place, cell)
        return cell


def addresses(reference: str, limit: int) -> Iterable[str]:
    """Return the cells of a range such as B3:H4, the first ``limit`` of them."""
    first, _, last = reference.partition(":")
    start, end = _ADDRESS.fullmatch(first), _ADDRESS.fullmatch(last or first)
    if not start or not end:
        return []
    rows = range(int(start[2]), min(int(end[2]), int(start[2]) + limit) + 1)
    columns = range(column_number(start[1]), column_number(end[1]) + 1)
    return [f"{column_letters(column - 1)}{row}" for row in rows for column in columns][:limit]


def _relations_of(path: str) -> str:
    folder, file = posixpath.split(path)
    return posixpath.join(folder, "_rels", f"{file}.rels")


def _not_editable(log: str) -> UnreadableWorkbook:
    return UnreadableWorkbook("无法在原文件上标注。", f"cannot be marked: {log}")
