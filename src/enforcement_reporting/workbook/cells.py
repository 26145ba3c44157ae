"""What a cell says: its state, and the exact number in it.

The text as typed is kept beside the number by the caller; nothing here guesses. Numbers are ``Decimal``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Context, Decimal
from functools import lru_cache
from typing import Literal, NamedTuple

from enforcement_reporting.texts import MONEY

Cell = str | int | float | bool | date | datetime | time | timedelta  # as read, '' where blank
State = Literal["value", "zero", "blank", "not_applicable", "unreadable"]

_LIMIT = Decimal(10) ** 18
_EXACT = Context(prec=60)
_NUMBER = re.compile(
    r"([+-]?)\s*([0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,3}(?: [0-9]{3})+|[0-9]{1,18})?(\.[0-9]{1,15})?\s*(%?)([^0-9]*)"
)

# Full-width forms become ASCII, spaces and dashes of every kind become one kind, characters without width vanish.
# What only resembles a digit (①, ²) stays as it is: a footnote mark is no part of the number before it.
_AS_TYPED: dict[int, str | None] = {
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys(
        map(ord, "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f"), " "
    ),
    **dict.fromkeys(map(ord, "\u205f\u3000\t"), " "),
    **dict.fromkeys(map(ord, "\uff0d\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2500\u2501\u30fc"), "-"),
    **dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\0"), None),
}


class Parsed(NamedTuple):
    """A cell's state, and for a number its value in the wanted unit of measure and its printed decimals.

    ``decimals`` counts in the wanted unit of measure too: 12.5 万元 wanted in 元 is printed to the thousand, -3.
    """

    state: State
    value: Decimal | None = None
    decimals: int | None = None


BLANK = Parsed("blank")
NOT_APPLICABLE = Parsed("not_applicable")
UNREADABLE = Parsed("unreadable")


@lru_cache(maxsize=8192)
def parse_text(text: str, unit_of_measure: str, written_in: str, not_applicable: frozenset[str]) -> Parsed:
    """Return what a typed text says.

    Tolerates full-width digits, spaces and line breaks around the number, thousands separated by commas or spaces, a
    percent sign where percent is wanted, and a unit of measure behind the number. Digits parted in any other way are
    two numbers, and two numbers are unreadable. ``written_in`` is the unit the column's header states; a value in
    another unit of money is converted.
    """
    typed = text.translate(_AS_TYPED).strip()
    if not typed:
        return BLANK
    if _mark(typed) in _marks(not_applicable):
        return NOT_APPLICABLE
    match = _NUMBER.fullmatch(typed)
    if match is None:
        return UNREADABLE
    sign, whole, fraction, percent, suffix = match.groups(default="")
    if not whole and not fraction:
        return UNREADABLE
    if percent and unit_of_measure != "%":
        return UNREADABLE
    if suffix := re.sub(r"\s", "", suffix):
        if percent or power_of_ten(suffix, unit_of_measure) is None:
            return UNREADABLE
        written_in = suffix
    digits = re.sub("[, ]", "", whole)
    number = Decimal(f"{sign}{digits or '0'}{fraction}")
    return _converted(number, max(0, len(fraction) - 1), unit_of_measure, written_in)


def parse_stored(digits: str, unit_of_measure: str, written_in: str) -> Parsed:
    """Return what a cell says that holds a number and not a text, given its digits."""
    decimals = len(digits.partition(".")[2])
    return _converted(Decimal(digits), decimals, unit_of_measure, written_in)


def parse_number(number: Decimal, unit_of_measure: str, written_in: str) -> Parsed:
    """Return a number in the wanted unit of measure; its decimals are those it was written with."""
    exponent = number.as_tuple().exponent
    return _converted(number, max(0, -exponent) if isinstance(exponent, int) else 0, unit_of_measure, written_in)


def _converted(number: Decimal, decimals: int, unit_of_measure: str, written_in: str) -> Parsed:
    power = power_of_ten(written_in, unit_of_measure)
    if power is None or not number.is_finite() or not -_LIMIT < number < _LIMIT:
        return UNREADABLE
    if not number:
        return Parsed("zero", Decimal(0), decimals - power)
    if power:
        number = number.scaleb(power, _EXACT)
    if decimals <= power and number == number.to_integral_value(context=_EXACT):
        number = number.quantize(Decimal(1), context=_EXACT)
    return Parsed("value", number, decimals - power)


def power_of_ten(written_in: str, wanted: str) -> int | None:
    """Return the power of ten that turns one unit of measure into another, or None where there is none."""
    if written_in == wanted or not written_in:
        return 0
    if written_in in MONEY and wanted in MONEY:
        return MONEY[written_in] - MONEY[wanted]
    return None


@lru_cache(maxsize=256)
def _marks(marks: Iterable[str]) -> frozenset[str]:
    return frozenset(_mark(mark.translate(_AS_TYPED)) for mark in marks)


def _mark(typed: str) -> str:
    """Return a mark for comparison; a dash may be drawn with one stroke or several."""
    return re.sub("-+", "-", re.sub(r"\s", "", typed))
