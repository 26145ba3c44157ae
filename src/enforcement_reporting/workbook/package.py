"""The parts of an .xlsx file, taken out of a zip that nobody vouches for, within fixed bounds.

A workbook is hostile until it is read. Only the parts that hold sheets, texts and number formats are taken, found as
the file's own relationships say; they are inflated here and counted, and read from here or packed anew for the general
reader, so that what was checked is what is read.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from xml.etree import ElementTree as ET

from enforcement_reporting.workbook.container import Container
from enforcement_reporting.workbook.mark import NAME as MARK
from enforcement_reporting.workbook.mark import NOTES
from enforcement_reporting.workbook.remembered import remembered

MAX_FILE_BYTES = 30_000_000
MAX_INFLATED_BYTES = 40_000_000
MAX_STRUCTURE_BYTES = 4_000_000  # of the parts that are read as a tree: workbook, relationships, number formats
MAX_PARTS = 2_000
MAX_SHEETS = 100

_COMPOUND_FILE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_Listed = tuple[str, str, str, str]  # a sheet: its name, the id of its relationship, its state, its mark
_CENTRAL_ENTRY = b"PK\x01\x02"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

_DAMAGED = "文件不完整或已损坏，无法读取。请用表格软件打开并另存为 .xlsx 后再报。"
_ABNORMAL = "文件的内部结构异常，拒绝读取。请用表格软件打开并另存为 .xlsx 后再报。"
_NO_WORKBOOK = "文件不是 Excel 工作簿（.xlsx）。请另存为 .xlsx 后再报。"


class UnreadableWorkbook(Exception):  # noqa: N818 (it is the file that is so named)
    """A file that cannot be read as a workbook. ``reason`` is for the clerk, ``str()`` for the log."""

    def __init__(self, reason: str, log: str) -> None:
        super().__init__(log)
        self.reason = reason


@dataclass
class Sheet:
    """A worksheet that people see, as its XML, with the mark of the template it comes from, if any."""

    name: str
    xml: bytes
    mark: str = ""


@dataclass
class Package:
    """What there is to read in a workbook. Sheets hidden from people are named and not read."""

    sheets: list[Sheet]
    hidden: list[str]
    shared_strings: bytes
    styles: bytes
    has_macros: bool


def open_package(content: bytes) -> Package:
    """Return the parts of an .xlsx or .xlsm file that matter.

    Raises UnreadableWorkbook where the bytes are no workbook, are encrypted or damaged, or exceed the bounds.
    """
    parts = _Parts(content)
    workbook_path, listed = _workbook(parts)
    folder, file = posixpath.split(workbook_path)
    relations = parts.relations(f"{folder}/_rels/{file}.rels", folder)
    if len(listed) > MAX_SHEETS:
        raise UnreadableWorkbook(
            f"工作簿有 {len(listed)} 张工作表，超过 {MAX_SHEETS} 张的上限。请只保留填报的工作表。",
            f"{len(listed)} sheets, at most {MAX_SHEETS} are read",
        )
    shared_strings, styles = b"", b""
    for kind, path in relations.values():
        if kind == "sharedStrings" and not shared_strings:
            shared_strings = parts.xml(path)
        elif kind == "styles" and not styles:
            styles = parts.xml(path, MAX_STRUCTURE_BYTES)
    sheets, hidden = [], []
    for name, relation_id, state, mark in listed:
        if mark == NOTES:
            continue
        kind, path = relations.get(relation_id, ("", ""))
        if not kind:
            raise UnreadableWorkbook(_DAMAGED, f"sheet {name}: no relationship {relation_id!r}")
        if kind != "worksheet":
            continue  # charts, dialogs and macro sheets hold no table
        if state != "visible":
            hidden.append(name)
        else:
            sheets.append(Sheet(name, parts.xml(path), mark))
    return Package(sheets, hidden, shared_strings, styles, parts.has_macros)


def packed(package: Package) -> io.BytesIO:
    """Return a workbook of the package's parts and nothing else, its sheets in their order.

    The sheets have numbers for names: two of one name would be one to the reader.
    """
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    targets = [f"worksheets/sheet{number}.xml" for number in range(len(package.sheets))]
    parts: dict[str, bytes] = {f"xl/{target}": sheet.xml for target, sheet in zip(targets, package.sheets, strict=True)}
    links = [("worksheet", target) for target in targets]
    if package.shared_strings:
        parts["xl/sharedStrings.xml"] = package.shared_strings
        links.append(("sharedStrings", "sharedStrings.xml"))
    if package.styles:
        parts["xl/styles.xml"] = package.styles
        links.append(("styles", "styles.xml"))

    def related(pairs: list[tuple[str, str]]) -> str:
        rows = (f'<Relationship Id="r{n}" Type="{office}/{kind}" Target="{to}"/>' for n, (kind, to) in enumerate(pairs))
        return f"{relations}{''.join(rows)}</Relationships>"

    rows = (f'<sheet name="{n}" sheetId="{n + 1}" r:id="r{n}"/>' for n in range(len(package.sheets)))
    workbook = f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{"".join(rows)}</sheets></workbook>'
    parts["_rels/.rels"] = related([("officeDocument", "xl/workbook.xml")]).encode()
    parts["xl/workbook.xml"] = workbook.encode()
    parts["xl/_rels/workbook.xml.rels"] = related(links).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    buffer.seek(0)
    return buffer


class _Parts:
    """The files in the zip by name, whose upper and lower case are the same to spreadsheet software."""

    def __init__(self, content: bytes) -> None:
        _refuse_at_sight(content)
        self._content = content
        self._room = MAX_INFLATED_BYTES
        self._container = Container.open(content)
        names = self._container.names if self._container else self._archive.namelist()
        self._names = {name.lower(): name for name in names}
        if len(self._names) < len(names):
            twice = next(name for name, count in Counter(map(str.lower, names)).items() if count > 1)
            raise UnreadableWorkbook(_ABNORMAL, f"part {twice} is there twice")
        self.has_macros = any(name.endswith("vbaproject.bin") for name in self._names)

    def __contains__(self, path: str) -> bool:
        return path.lower() in self._names

    def xml(self, path: str, limit: int = MAX_INFLATED_BYTES) -> bytes:
        """Return a part's XML, in UTF-8 and free of entities, inflating no more than there is room for."""
        name = self._names.get(path.lower())
        if name is None:
            raise UnreadableWorkbook(_DAMAGED, f"part {path} is missing")
        room = min(limit, self._room)
        xml = None
        if self._container:
            xml = self._container.read(name, room, is_structure=limit == MAX_STRUCTURE_BYTES)
        if xml is None:
            xml = self._read(name, path, room)
        if len(xml) > room:
            raise UnreadableWorkbook(
                f"文件解压后超过 {MAX_INFLATED_BYTES // 1_000_000} MB，拒绝读取。请删去多余的行列后再报。",
                f"part {path} inflates beyond {room} bytes",
            )
        self._room -= len(xml)
        if b"\0" in xml[:4] or xml.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise UnreadableWorkbook(_ABNORMAL, f"part {path} is not in UTF-8")
        if b"!" in xml and (b"<!DOCTYPE" in xml or b"<!ENTITY" in xml):  # looking for one byte is ten times faster
            raise UnreadableWorkbook(_ABNORMAL, f"part {path} declares XML entities")
        return xml

    def _read(self, name: str, path: str, room: int) -> bytes:
        """Return a part, or one byte more of it than there is room for, however the zip is laid out."""
        part = self._archive.getinfo(name)
        if part.flag_bits & 1:
            raise UnreadableWorkbook("文件已加密，无法读取。请取消密码后再报。", f"part {path} is encrypted")
        if part.compress_type not in _METHODS:
            raise UnreadableWorkbook(_ABNORMAL, f"part {path} is compressed by method {part.compress_type}")
        try:
            with self._archive.open(part) as stream:
                return stream.read(room + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as error:
            raise UnreadableWorkbook(_DAMAGED, f"part {path}: {error}") from None

    @cached_property
    def _archive(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(io.BytesIO(self._content))
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
            hint = "文件不完整" if self._content.startswith(b"PK") else "文件不是 Excel 工作簿"
            raise UnreadableWorkbook(
                f"{hint}，无法读取。请用表格软件打开并另存为 .xlsx 后再报。", f"not a zip: {error}"
            ) from None

    def relations(self, path: str, folder: str) -> dict[str, tuple[str, str]]:
        """Return (kind, path of the target) by id; targets outside the file are left out."""
        return _relations(self.xml(path, MAX_STRUCTURE_BYTES), path, folder)

    def root(self, path: str) -> tuple[str, list[_Listed]]:
        """Return the kind of the document in a part, and its sheets."""
        return _root(self.xml(path, MAX_STRUCTURE_BYTES), path)


def _refuse_at_sight(content: bytes) -> None:
    """Refuse what need not be opened to be known as no workbook."""
    if not content:
        raise UnreadableWorkbook("文件是空的（0 字节）。", "empty file")
    if len(content) > MAX_FILE_BYTES:
        size = -(-len(content) // 1_000_000)
        limit = MAX_FILE_BYTES // 1_000_000
        raise UnreadableWorkbook(f"文件有 {size} MB，超过 {limit} MB 的上限。", f"{size} MB, too large")
    if content.startswith(_COMPOUND_FILE):
        if _ENCRYPTED in content:
            raise UnreadableWorkbook("文件设有打开密码，无法读取。请取消密码后再报。", "encrypted workbook")
        raise UnreadableWorkbook(
            "文件是旧的 .xls 格式（或 .doc）。请另存为 .xlsx 后再报。", "a compound file (.xls or other), not .xlsx"
        )
    entries = content.count(_CENTRAL_ENTRY)
    if entries > MAX_PARTS:
        raise UnreadableWorkbook(_ABNORMAL, f"about {entries} parts, at most {MAX_PARTS}")


def _workbook(parts: _Parts) -> tuple[str, list[_Listed]]:
    """Return where the workbook part is, and the sheets that it lists."""
    if "_rels/.rels" in parts:
        for kind, path in parts.relations("_rels/.rels", "").values():
            if kind == "officeDocument" and path in parts:
                tag, listed = parts.root(path)
                if tag != "workbook":
                    raise UnreadableWorkbook(_NO_WORKBOOK, f"a document of kind {tag}, no workbook")
                return path, listed
    if "xl/workbook.xml" not in parts:
        raise UnreadableWorkbook(_NO_WORKBOOK, "a zip without a workbook part")
    return "xl/workbook.xml", parts.root("xl/workbook.xml")[1]


@remembered(256)
def _relations(xml: bytes, path: str, folder: str) -> dict[str, tuple[str, str]]:
    return {
        relation.get("Id", ""): (
            relation.get("Type", "").rpartition("/")[2],
            posixpath.normpath(posixpath.join("/", folder, relation.get("Target", ""))).lstrip("/"),
        )
        for relation in _tree(xml, path)
        if relation.get("TargetMode") != "External"
    }


@remembered(256)
def _root(xml: bytes, path: str) -> tuple[str, list[_Listed]]:
    tree = _tree(xml, path)
    marks = {
        element.get("localSheetId"): (element.text or "").strip('"')
        for element in tree.iter()
        if _local(element.tag) == "definedName" and element.get("name") == MARK
    }
    listed = [
        (
            element.get("name", ""),
            next((value for key, value in element.items() if _local(key) == "id"), ""),
            element.get("state", "visible"),
            marks.get(str(number), ""),
        )
        for number, element in enumerate(item for item in tree.iter() if _local(item.tag) == "sheet")
    ]
    return _local(tree.tag), listed


def _tree(xml: bytes, path: str) -> ET.Element:
    """Return a small part as a tree."""
    try:
        return ET.fromstring(xml)  # noqa: S314 (entities were refused)
    except (ET.ParseError, LookupError, ValueError) as error:
        raise UnreadableWorkbook(_DAMAGED, f"part {path}: {error}") from None


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
