"""Workbooks built in test code: a sheet is a list of rows, and what a cell is made of can be said exactly.

A cell is None (nothing there), a number, a text, a bool, or one of the classes below.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


@dataclass(frozen=True)
class Formatted:
    """A number with a number format."""

    number: float
    code: str


@dataclass(frozen=True)
class Formula:
    """A formula with the result that was saved for it, if any."""

    code: str
    result: float | str | None = None


@dataclass(frozen=True)
class Error:
    """An error value."""

    value: str


Value = None | bool | int | float | str | Formatted | Formula | Error
Rows = Sequence[Sequence[Value]]


@dataclass
class Sheet:
    """One sheet. ``merges`` are ranges such as A1:C1; ``state`` is visible, hidden or veryHidden."""

    rows: Rows
    merges: Sequence[str] = ()
    name: str = "Sheet1"
    state: str = "visible"


def workbook(*sheets: Sheet | Rows, parts: Mapping[str, bytes] | None = None) -> bytes:
    """Return an .xlsx file; ``parts`` are added to its zip, in the place of those of the same name."""
    codes: list[str] = []
    named = [sheet if isinstance(sheet, Sheet) else Sheet(sheet, name=f"Sheet{n}") for n, sheet in enumerate(sheets, 1)]
    files = {
        f"xl/worksheets/sheet{number}.xml": sheet_xml(sheet, codes).encode() for number, sheet in enumerate(named, 1)
    }
    files["xl/workbook.xml"] = workbook_xml([(sheet.name, sheet.state) for sheet in named]).encode()
    targets = [("worksheet", f"worksheets/sheet{number}.xml") for number in range(1, len(named) + 1)]
    files["xl/_rels/workbook.xml.rels"] = relations(*targets, ("styles", "styles.xml")).encode()
    files["xl/styles.xml"] = styles_xml(codes).encode()
    files["_rels/.rels"] = relations(("officeDocument", "xl/workbook.xml")).encode()
    files["[Content_Types].xml"] = f'<Types xmlns="{PACKAGE}/content-types"/>'.encode()
    return zipped(files | dict(parts or {}))


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Return a zip of the files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def sheet_xml(sheet: Sheet, codes: list[str]) -> str:
    """Return a sheet's XML; number formats are appended to ``codes``."""
    rows = []
    for number, row in enumerate(sheet.rows, 1):
        cells = "".join(_cell(f"{letters(column)}{number}", value, codes) for column, value in enumerate(row))
        rows.append(f'<row r="{number}">{cells}</row>' if cells else "")
    merges = "".join(f'<mergeCell ref="{merge}"/>' for merge in sheet.merges)
    return around("".join(rows), f"<mergeCells>{merges}</mergeCells>" if merges else "")


def around(rows: str, after: str = "") -> str:
    """Return a sheet's XML around its rows."""
    return f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData>{after}</worksheet>'


def workbook_xml(sheets: Sequence[tuple[str, str]]) -> str:
    """Return the part that lists the sheets as (name, state)."""
    listed = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{n}" state="{state}" r:id="r{n}"/>'
        for n, (name, state) in enumerate(sheets, 1)
    )
    return f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{listed}</sheets></workbook>'


def relations(*targets: tuple[str, str]) -> str:
    """Return a relationships part for (kind, target) pairs, with the ids r1, r2, …."""
    rows = "".join(
        f'<Relationship Id="r{n}" Type="{OFFICE}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(targets, 1)
    )
    return f'<Relationships xmlns="{PACKAGE}/relationships">{rows}</Relationships>'


def styles_xml(codes: Sequence[str]) -> str:
    """Return a styles part: style 0 is General, style n the n-th format code."""
    formats = "".join(f'<numFmt numFmtId="{200 + n}" formatCode={quoteattr(code)}/>' for n, code in enumerate(codes))
    styles = "".join(f'<xf numFmtId="{200 + n}"/>' for n in range(len(codes)))
    return (
        f'<styleSheet xmlns="{MAIN}"><numFmts>{formats}</numFmts>'
        f'<cellXfs><xf numFmtId="0"/>{styles}</cellXfs></styleSheet>'
    )


def letters(column: int) -> str:
    """Return the letters of a column counted from 0."""
    return chr(65 + column) if column < 26 else letters(column // 26 - 1) + letters(column % 26)


def _cell(address: str, value: Value, codes: list[str]) -> str:
    match value:
        case None:
            return ""
        case bool():
            return f'<c r="{address}" t="b"><v>{int(value)}</v></c>'
        case int() | float():
            return f'<c r="{address}"><v>{value!r}</v></c>'
        case str():
            return f'<c r="{address}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
        case Formatted(number, code):
            if code not in codes:
                codes.append(code)
            return f'<c r="{address}" s="{codes.index(code) + 1}"><v>{number!r}</v></c>'
        case Formula(code, None):
            return f'<c r="{address}"><f>{escape(code)}</f></c>'
        case Formula(code, str(result)):
            return f'<c r="{address}" t="str"><f>{escape(code)}</f><v>{escape(result)}</v></c>'
        case Formula(code, result):
            return f'<c r="{address}"><f>{escape(code)}</f><v>{result!r}</v></c>'
        case Error(text):
            return f'<c r="{address}" t="e"><v>{text}</v></c>'
