"""What a cell says: its state, and the exact number in it.

The text as typed is kept beside the number by the caller; nothing here guesses. Numbers are ``Decimal``; a number that
a spreadsheet stores as binary floating point is read as the shortest decimal that was typed for it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

State = Literal["value", "zero", "blank", "not_applicable", "unreadable"]

# Units of money convert into one another; everything else has to match.
MONEY = {"元": Decimal(1), "千元": Decimal(1_000), "万元": Decimal(10_000), "亿元": Decimal(100_000_000)}

_NUMBER = re.compile(r"([+-]?)(\d{1,18}|\d[\d,]{0,24})?(\.\d{1,10})?(%?)(\D*)")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+")
_DASHES = str.maketrans({"－": "-", "−": "-", "–": "-", "—": "-", "，": ","})


@dataclass(frozen=True)
class Parsed:
    """A cell's state, and for a number its value in the wanted unit of measure and its printed decimals."""

    state: State
    value: Decimal | None = None
    decimals: int | None = None


BLANK = Parsed("blank")
NOT_APPLICABLE = Parsed("not_applicable")
UNREADABLE = Parsed("unreadable")


def parse_text(text: str, unit_of_measure: str, written_in: str, not_applicable: frozenset[str]) -> Parsed:
    """Return what a typed text says.

    Tolerates full-width digits, spaces and line breaks anywhere, well-formed thousands separators, a percent sign
    where percent is wanted, and a unit of measure behind the number. ``written_in`` is the unit the column's header
    states; a value in another unit of money is converted.
    """
    compact = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))
    if not compact:
        return BLANK
    if compact in not_applicable or text.strip() in not_applicable:
        return NOT_APPLICABLE
    match = _NUMBER.fullmatch(compact.translate(_DASHES))
    if match is None:
        return UNREADABLE
    sign, whole, fraction, percent, suffix = match.groups(default="")
    if not whole and not fraction:
        return UNREADABLE
    if "," in whole and not _GROUPED.fullmatch(whole):
        return UNREADABLE
    if percent and unit_of_measure != "%":
        return UNREADABLE
    if suffix:
        if percent or conversion(suffix, unit_of_measure) is None:
            return UNREADABLE
        written_in = suffix
    return parse_number(Decimal(f"{sign}{whole.replace(',', '') or '0'}{fraction}"), unit_of_measure, written_in)


def parse_number(number: Decimal, unit_of_measure: str, written_in: str) -> Parsed:
    """Return a number in the wanted unit of measure; its decimals are those it was written with."""
    factor = conversion(written_in, unit_of_measure)
    if factor is None or not number.is_finite():
        return UNREADABLE
    exponent = number.as_tuple().exponent
    decimals = max(0, -exponent) if isinstance(exponent, int) else 0
    if factor != 1:
        number *= factor
    return Parsed("value" if number else "zero", number, decimals)


def conversion(written_in: str, wanted: str) -> Decimal | None:
    """Return the factor from one unit of measure into another, or None where there is none."""
    if written_in == wanted or not written_in:
        return Decimal(1)
    if written_in in MONEY and wanted in MONEY:
        return MONEY[written_in] / MONEY[wanted]
    return None
