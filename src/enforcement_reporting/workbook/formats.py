"""Number formats: what a number looks like on the sheet, where that changes what was stated (0.761 shown as 76.1%)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple
from xml.etree import ElementTree as ET

from enforcement_reporting.workbook.remembered import remembered

# The formats that are known by number alone.
BUILT_IN = {0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%"}
BUILT_IN |= {37: "#,##0", 38: "#,##0", 39: "#,##0.00", 40: "#,##0.00"}

# Of digits, signs and colour alone: nothing in it that could stand for a day or an hour.
SURELY_A_NUMBER = re.compile(r"General|@|(?:[0#?.,%;()+\-_ ]|\\[()\-+ ]|\[Red\])+")

_DECORATION = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.|_.|\*.')
_FIXED = re.compile(r"[#,]*0+(?:\.(0+))?(%?)")
_TOO_LARGE_TO_SHOW = 1e15


@dataclass(frozen=True)
class NumberFormat:
    """A format with a fixed number of decimals."""

    percent: bool
    decimals: int

    @property
    def code(self) -> str:
        """Return the format as a spreadsheet has it."""
        return "0" + ("." + "0" * self.decimals if self.decimals else "") + "%" * self.percent

    def show(self, number: float) -> str | None:
        """Return a number as the sheet shows it, rounded half-up as spreadsheets do."""
        if not abs(number) < _TOO_LARGE_TO_SHOW:
            return None
        exact = Decimal(f"{number or 0:.15g}") * (100 if self.percent else 1)
        shown = exact.quantize(Decimal(1).scaleb(-self.decimals), ROUND_HALF_UP)
        return f"{shown:f}%" if self.percent else f"{shown:f}"


class Styles(NamedTuple):
    """The cell styles by their number.

    ``shown`` are those whose format fixes the decimals, ``numeric`` those that surely show neither dates nor times.
    """

    shown: dict[int, NumberFormat]
    numeric: frozenset[int]


NO_STYLES = Styles({}, frozenset())


def number_formats(styles: bytes) -> dict[int, NumberFormat]:
    """Return the cell styles, by their number, whose format fixes the decimals that are shown.

    Formats that this module does not understand are left out: their numbers are read as they are stored.
    """
    return read_styles(styles).shown


@remembered(64)
def read_styles(styles: bytes) -> Styles:
    """Return what the styles part of a workbook says of numbers; of a broken one, nothing."""
    try:
        tree = ET.fromstring(styles)  # noqa: S314 (entities were refused)
    except (ET.ParseError, LookupError, ValueError):
        return NO_STYLES
    codes = dict(BUILT_IN)
    cell_styles: list[str] = []
    for section in tree:
        match section.tag.rpartition("}")[2]:
            case "numFmts":
                codes |= {_number(item.get("numFmtId")): item.get("formatCode", "") for item in section}
            case "cellXfs":
                cell_styles = [item.get("numFmtId", "") for item in section]
    used = {style: codes.get(_number(format_id), "") for style, format_id in enumerate(cell_styles)}
    shown = {style: number_format for style, code in used.items() if (number_format := number_format_of(code))}
    return Styles(shown, frozenset(style for style, code in used.items() if SURELY_A_NUMBER.fullmatch(code)))


def number_format_of(code: str) -> NumberFormat | None:
    """Return what a format's code fixes, or None where it fixes no decimals or is not understood."""
    match = _FIXED.fullmatch(_DECORATION.sub("", code.split(";")[0]).strip())
    return NumberFormat(percent=bool(match[2]), decimals=min(len(match[1] or ""), 15)) if match else None


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else -1
