"""Number formats: what a number looks like on the sheet, where that changes what was stated (0.761 shown as 76.1%)."""

from __future__ import annotations

import io
import re
from decimal import ROUND_HALF_UP, Decimal

import openpyxl


def shown_percentages(content: bytes) -> dict[tuple[str, str], str]:
    """Return, by (sheet, address), the text of every number that is shown as a percentage."""
    workbook = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    shown = {}
    try:
        for sheet in workbook.worksheets:
            for row in sheet.iter_rows():
                for cell in row:
                    if isinstance(cell.value, int | float) and "%" in (cell.number_format or ""):
                        shown[sheet.title, cell.coordinate] = _percentage(cell.value, cell.number_format)
    finally:
        workbook.close()
    return shown


def _percentage(value: float, number_format: str) -> str:
    """Return a number as its percentage format shows it, rounded half-up as spreadsheets do."""
    decimals = re.search(r"\.(0+)", number_format.split(";")[0])
    places = len(decimals[1]) if decimals else 0
    exact = Decimal(repr(value)) * 100
    return f"{exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)}%"
