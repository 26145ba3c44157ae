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
from typing import NamedTuple
from xml.etree import ElementTree as ET

from enforcement_reporting.workbook.container import Container, Packed
from enforcement_reporting.workbook.remembered import LONGEST, Lookup
from enforcement_reporting.workbook.template_mark import NAME as MARK
from enforcement_reporting.workbook.template_mark import NOTES

MAX_FILE_BYTES = 30_000_000
MAX_INFLATED_BYTES = 40_000_000
MAX_STRUCTURE_BYTES = 4_000_000  # of the parts that are read as a tree: workbook, relationships, number formats
MAX_PARTS = 2_000
MAX_SHEETS = 100

_CENTRAL_ENTRY = b"PK\x01\x02"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

_DAMAGED = "文件不完整或已损坏，无法读取。请用表格软件打开并另存为 .xlsx 后再报。"
_ABNORMAL = "文件的内部结构异常，拒绝读取。请用表格软件打开并另存为 .xlsx 后再报。"
_NO_WORKBOOK = "文件不是 Excel 工作簿（.xlsx）。请另存为 .xlsx 后再报。"


# What is read, in the words of whoever is to send it.
EXPECTED = "请报送 Excel（.xlsx、.xls）、WPS（.et）、.ods、.csv 或含表格的 Word（.docx）文件。"


class UnreadableWorkbook(Exception):  # noqa: N818 (it is the file that is so named)
    """A file that cannot be read as a workbook. ``reason`` is for the clerk, ``str()`` for the log."""

    def __init__(self, reason: str, log: str) -> None:
        super().__init__(log)
        self.reason = reason


class ReaderFailed(UnreadableWorkbook):
    """A file over which a reader broke that nobody expected to break: the file is left out, the fault is ours."""

    def __init__(self, error: BaseException) -> None:
        super().__init__("读取文件时发生意外错误，已记录。请另存为 .xlsx 后再报。", f"{type(error).__name__}: {error}")


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


class _Listed(NamedTuple):
    """A sheet as the workbook lists it: with the id of its relationship, its state and its mark."""

    name: str
    relation_id: str
    state: str
    mark: str


class _Outline(NamedTuple):
    """Where in a zip the parts are that hold cells, as its structure says; ``room`` is what that came to in bytes.

    A sheet is its name, its part and its mark. The part that states the marks belongs to the structure.
    """

    sheets: list[tuple[str, str, str]]
    hidden: list[str]
    shared_strings: list[str]
    styles: bytes
    room: int


def open_package(source: bytes | Parts) -> Package:
    """Return the parts of an .xlsx or .xlsm file that matter, given its bytes or all its parts.

    Raises UnreadableWorkbook where the bytes are no workbook, are encrypted or damaged, or exceed the bounds.
    """
    parts = source if isinstance(source, Parts) else Parts(source)
    outline = parts.known_outline()
    if outline is None:
        outline = _outline(parts)
        parts.remember(outline)
    shared_strings = b""
    for path in outline.shared_strings:
        shared_strings = shared_strings or parts.xml(path)
    sheets = [Sheet(name, parts.xml(path), mark) for name, path, mark in outline.sheets]
    return Package(sheets, outline.hidden, shared_strings, outline.styles, parts.has_macros)


def _outline(parts: Parts) -> _Outline:
    workbook_path, listed = _workbook(parts)
    folder, file = posixpath.split(workbook_path)
    relations = parts.relations(f"{folder}/_rels/{file}.rels", folder)
    if len(listed) > MAX_SHEETS:
        raise UnreadableWorkbook(
            f"工作簿有 {len(listed)} 张工作表，超过 {MAX_SHEETS} 张的上限。请只保留填报的工作表。",
            f"{len(listed)} sheets, at most {MAX_SHEETS} are read",
        )
    shared_strings = [path for kind, path in relations.values() if kind == "sharedStrings"]
    styles = b""
    for kind, path in relations.values():
        if kind == "styles" and not styles:
            styles = parts.structure(path)
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
            sheets.append((name, path, mark))
    return _Outline(sheets, hidden, shared_strings, styles, MAX_INFLATED_BYTES - parts.room)


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


# By the names of all parts: the structure as it lies in the zip, byte by byte, with what it says.
_outlines: Lookup[tuple[str, ...], list[tuple[dict[str, Packed | None], _Outline]]] = Lookup(32, lambda _: [])
_MOST_OUTLINES = 8


class Parts:
    """The files in the zip by name, whose upper and lower case are the same to spreadsheet software.

    ``room`` is how many bytes may still be inflated.
    """

    def __init__(self, content: bytes) -> None:
        refuse_at_sight(content)
        self._content = content
        self.room = MAX_INFLATED_BYTES
        self._structure: list[str] = []
        self._container = Container.open(content, MAX_PARTS)
        if self._container is None:
            _refuse_many_parts(content)
        names = self._container.names if self._container else self._archive.namelist()
        self._names = {name.lower(): name for name in names}
        if len(self._names) < len(names):
            twice = next(name for name, count in Counter(map(str.lower, names)).items() if count > 1)
            raise UnreadableWorkbook(_ABNORMAL, f"part {twice} is there twice")
        self.has_macros = any(name.endswith("vbaproject.bin") for name in self._names)

    @property
    def names(self) -> frozenset[str]:
        """Return the names of all parts, in lower case."""
        return frozenset(self._names)

    def known_outline(self) -> _Outline | None:
        """Return what was made of another zip with the same structure, or None where there was none."""
        if self._container:
            for structure, outline in _outlines.get(tuple(self._container.names), ()):
                if [*map(self._container.packed, structure)] == [*structure.values()]:
                    self.room -= outline.room
                    return outline
        return None

    def remember(self, outline: _Outline) -> None:
        """Keep what was made of the structure, where it is not too large to be kept."""
        if not self._container:
            return
        structure = {name: self._container.packed(name) for name in self._structure}
        sizes = [
            *map(len, self._names),
            *(max(packed[2], len(packed[3])) for packed in structure.values() if packed),
        ]
        if None not in structure.values() and sum(sizes) <= LONGEST:
            known = _outlines[tuple(self._container.names)]
            if len(known) == _MOST_OUTLINES:
                known.clear()
            known.append((structure, outline))

    def __contains__(self, path: str) -> bool:
        return path.lower() in self._names

    def structure(self, path: str) -> bytes:
        """Return the XML of a part that says what the others are or how they look."""
        xml = self.xml(path, MAX_STRUCTURE_BYTES)
        self._structure.append(self._names[path.lower()])
        return xml

    def xml(self, path: str, limit: int = MAX_INFLATED_BYTES) -> bytes:
        """Return a part's XML, in UTF-8 and free of entities, inflating no more than there is room for."""
        xml = self.data(path, limit)
        if xml[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in xml[:4]:
            raise UnreadableWorkbook(_ABNORMAL, f"part {path} is not in UTF-8")
        if b"!" in xml and (b"<!DOCTYPE" in xml or b"<!ENTITY" in xml):  # looking for one byte is ten times faster
            raise UnreadableWorkbook(_ABNORMAL, f"part {path} declares XML entities")
        return xml

    def data(self, path: str, limit: int = MAX_INFLATED_BYTES) -> bytes:
        """Return a part, inflating no more than there is room for."""
        name = self._names.get(path.lower())
        if name is None:
            raise UnreadableWorkbook(_DAMAGED, f"part {path} is missing")
        room = min(limit, self.room)
        data = self._container.read(name, room) if self._container else None
        if data is None:
            data = self._read(name, path, room)
        if len(data) > room:
            raise UnreadableWorkbook(
                f"文件解压后超过 {MAX_INFLATED_BYTES // 1_000_000} MB，拒绝读取。请删去多余的行列后再报。",
                f"part {path} inflates beyond {room} bytes",
            )
        self.room -= len(data)
        return data

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
        return {
            relation.get("Id", ""): (
                relation.get("Type", "").rpartition("/")[2],
                posixpath.normpath(posixpath.join("/", folder, relation.get("Target", ""))).lstrip("/"),
            )
            for relation in _tree(self.structure(path), path)
            if relation.get("TargetMode") != "External"
        }

    def root(self, path: str) -> tuple[str, list[_Listed]]:
        """Return the kind of the document in a part, and its sheets."""
        tree = _tree(self.structure(path), path)
        marks = {
            element.get("localSheetId"): (element.text or "").strip('"')
            for element in tree.iter()
            if _local(element.tag) == "definedName" and element.get("name") == MARK
        }
        listed = [
            _Listed(
                element.get("name", ""),
                next((value for key, value in element.items() if _local(key) == "id"), ""),
                element.get("state", "visible"),
                marks.get(str(number), ""),
            )
            for number, element in enumerate(item for item in tree.iter() if _local(item.tag) == "sheet")
        ]
        return _local(tree.tag), listed


def refuse_at_sight(content: bytes) -> None:
    """Refuse what need not be opened to be known as no workbook."""
    if not content:
        raise UnreadableWorkbook("文件是空的（0 字节）。", "empty file")
    if len(content) > MAX_FILE_BYTES:
        raise too_many_bytes(len(content))


def too_many_bytes(size: int) -> UnreadableWorkbook:
    """Return what refuses a file of a size beyond the bound; nothing of it need have been read."""
    limit, stated = MAX_FILE_BYTES // 1_000_000, -(-size // 1_000_000)
    return UnreadableWorkbook(f"文件有 {stated} MB，超过 {limit} MB 的上限。", f"{size} bytes, too large")


def _refuse_many_parts(content: bytes) -> None:
    """Refuse what ``zipfile`` would take long to list."""
    entries = content.count(_CENTRAL_ENTRY)
    if entries > MAX_PARTS:
        raise UnreadableWorkbook(_ABNORMAL, f"about {entries} parts, at most {MAX_PARTS}")


def _workbook(parts: Parts) -> tuple[str, list[_Listed]]:
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


def _tree(xml: bytes, path: str) -> ET.Element:
    """Return a small part as a tree."""
    try:
        return ET.fromstring(xml)  # noqa: S314 (entities were refused)
    except (ET.ParseError, LookupError, ValueError) as error:
        raise UnreadableWorkbook(_DAMAGED, f"part {path}: {error}") from None


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
