"""What kind of file some bytes are, told from the bytes alone, and which reader takes which.

Whatever a unit sends becomes the same grids: a Word table or a CSV file is a sheet like any other. The name of a file
says nothing: what was saved as .xls may be an .xlsx, a web page or a picture.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from enforcement_reporting.workbook.grid import Grid, OpenedWorkbook
from enforcement_reporting.workbook.package import EXPECTED, Parts, UnreadableWorkbook, refuse_at_sight
from enforcement_reporting.workbook.xlsx import open_xlsx

Source = bytes | Parts  # the parts where the file is a zip
Opener = Callable[[Any], OpenedWorkbook]


class Format(NamedTuple):
    """A kind of file that is read: how its names end, what opens it, and which library does the reading."""

    suffixes: tuple[str, ...]
    open: Opener
    library: str


def _lazily(module: str, name: str) -> Opener:
    """Return an opener whose module, and the library behind it, is imported when the first such file comes."""

    def opened(source: Source) -> OpenedWorkbook:
        opener: Opener = getattr(import_module(f"enforcement_reporting.workbook.{module}"), name)
        return opener(source)

    return opened


FORMATS = {
    "xlsx": Format((".xlsx", ".xlsm"), open_xlsx, "a grammar of our own, or python-calamine"),
    "xls": Format((".xls", ".et"), _lazily("xls", "open_xls"), "xlrd"),
    "xlsb": Format((".xlsb",), _lazily("xlsb", "open_xlsb"), "python-calamine"),
    "ods": Format((".ods",), _lazily("ods", "open_ods"), "expat"),
    "docx": Format((".docx",), _lazily("docx", "open_docx"), "expat"),
    "csv": Format((".csv",), _lazily("delimited", "open_csv"), "csv"),
}
READABLE_SUFFIXES = tuple(suffix for item in FORMATS.values() for suffix in item.suffixes)

# What stands at the beginning of files that units send by mistake.
_NOT_TABLES = {
    b"%PDF": "PDF",
    b"\x89PNG": "图片（PNG）",
    b"\xff\xd8\xff": "图片（JPEG）",
    b"GIF8": "图片（GIF）",
    b"BM": "图片（BMP）",
    b"II*\0": "图片（TIFF）",
    b"MM\0*": "图片（TIFF）",
    b"{\\rtf": "RTF 文档",
    b"Rar!": "压缩包（RAR）",
    b"7z\xbc\xaf": "压缩包（7z）",
    b"\x1f\x8b": "压缩包（gzip）",
}
_BARE_STREAM = b"\x09\x08"  # some programs write an .xls without the container around it
_COMPOUND_FILE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def open_workbook(content: bytes) -> OpenedWorkbook:
    """Return what there is to read in the bytes of a file of any kind in ``FORMATS``.

    Raises UnreadableWorkbook where the bytes are of no such kind, are encrypted or damaged, or exceed the bounds;
    memory stays within a small multiple of the bounds whatever the bytes say.
    """
    source = _source(content)
    kind = _format_of(source)
    try:
        return FORMATS[kind].open(source)
    except BaseException as error:
        error.add_note(f"while reading .{kind} with {FORMATS[kind].library}")  # for whoever reads the trace
        raise


def read_grids(content: bytes) -> list[Grid]:
    """Return the visible sheets of a file; see open_workbook."""
    return open_workbook(content).grids


def format_of(content: bytes) -> str:
    """Return which of ``FORMATS`` the bytes are; whether they are sound is for its reader to say.

    Raises UnreadableWorkbook, which says what they are instead.
    """
    return _format_of(_source(content))


def _source(content: bytes) -> Source:
    """Return the parts of a zip, or the bytes of anything else."""
    refuse_at_sight(content)
    return Parts(content) if content.startswith(b"PK") else content


def _format_of(source: Source) -> str:
    if isinstance(source, Parts):
        return _format_of_zip(source)
    if source.startswith((_COMPOUND_FILE, _BARE_STREAM)):
        return "xls"
    for begins, name in _NOT_TABLES.items():
        if source.startswith(begins):
            raise UnreadableWorkbook(f"文件是{name}，不是可以采集的表格。{EXPECTED}", f"begins with {begins!r}")
    begin = source[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if begin.startswith(b"<"):
        name = "网页（HTML）" if b"<html" in begin or b"<table" in begin else "XML"
        raise UnreadableWorkbook(
            f"文件的内容是{name}，不是工作簿。请用表格软件打开并另存为 .xlsx 后再报。", "begins with a tag"
        )
    return "csv"


def _format_of_zip(parts: Parts) -> str:
    if "xl/workbook.xml" in parts:
        return "xlsx"
    if "xl/workbook.bin" in parts:
        return "xlsb"
    if any(name.startswith("word/document") and name.endswith(".xml") for name in parts.names):
        return "docx"
    if "content.xml" in parts and "mimetype" in parts:
        return "ods"
    if "ppt/presentation.xml" in parts:
        raise UnreadableWorkbook(f"文件是演示文稿（PPT），不是可以采集的表格。{EXPECTED}", "a presentation")
    return "xlsx"
