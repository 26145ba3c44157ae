"""What a cell says as a figure of one indicator: the number in it, and whether that can have been counted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property, lru_cache, partial
from typing import NamedTuple, Protocol

from enforcement_reporting.workbook.cells import Cell, Parsed, State, parse_stored, parse_text
from enforcement_reporting.workbook.formats import NumberFormat
from enforcement_reporting.workbook.grid import as_text
from enforcement_reporting.workbook.remembered import Lookup

# Units in which things are measured and not counted: money, shares, ratios (件/人), lengths, weights, times, 万人.
_MEASURED = re.compile(
    r"[元%‰/]|倍|[十百千万亿]\S|吨|克|公斤|斤$|米|公里|里$|亩|公顷|升|小时|学时|课时|分钟|[天日月年]$|度$|分$|百分点"
)


_SMALL, _LARGE = 0.001, 1e15  # in between, a number is written without an exponent


class Reading(NamedTuple):
    """A cell's state and number, its text as typed, and the kind of finding that it is worth, if any.

    ``digits`` is the number as a database prints it, empty where there is none: the same text mostly.
    """

    state: State
    value: Decimal | None
    text: str
    decimals: int | None
    oddity: str
    digits: str


def reading_of(state: State, value: Decimal | None, text: str, decimals: int | None, oddity: str = "") -> Reading:
    """Return what a cell says, its number in digits as well."""
    digits = "" if value is None else f"{value or value.copy_abs():f}"  # there is no -0
    return Reading(state, value, text, decimals, oddity, text if text == digits else digits)


BLANK_CELL = reading_of("blank", None, "", None)
TYPED = reading_of("unreadable", None, "", None, "typed")  # a text that is still to be read


class _Stored(Lookup[Cell, Reading]):
    """Readings by the number in a cell. A text says nothing as a number; it is TYPED, and not remembered."""

    def __missing__(self, cell: Cell) -> Reading:
        if isinstance(cell, str) and cell:
            return TYPED
        return super().__missing__(cell)


@dataclass(eq=False)  # the same object for the same measure, see measure_of
class Measure:
    """What the figures of a column are: the unit of measure wanted and the one they are written in.

    ``is_count``: a flow or a stock, that is neither below zero nor, where units are counted, a fraction.
    """

    unit_of_measure: str
    written_in: str
    not_applicable: frozenset[str]
    is_count: bool
    may_be_fraction: bool

    @cached_property
    def numbers(self) -> Measure:
        """Return the measure by which numbers are read: without conversion, all of one kind are read alike."""
        if self.written_in not in ("", self.unit_of_measure):
            return self
        unit_of_measure = "元" if self.may_be_fraction else ""
        return measure_of(unit_of_measure, "", frozenset(), self.is_count)

    @cached_property
    def stored(self) -> _Stored:
        """What numbers say as they are stored, whatever is shown."""
        return self.numbers.stored if self.numbers is not self else _Stored(8192, partial(_read_stored, measure=self))


@lru_cache(maxsize=1024)
def measure_of(unit_of_measure: str, written_in: str, not_applicable: frozenset[str], is_count: bool) -> Measure:
    """Return the one measure of this kind."""
    may_be_fraction = not is_count or bool(_MEASURED.search(unit_of_measure))
    return Measure(unit_of_measure, written_in, not_applicable, is_count, may_be_fraction)


def read_number(number: float, measure: Measure, shown_as: NumberFormat | None = None) -> Reading:
    """Return what a cell says that holds a number, shown in a format with fixed decimals or in none such."""
    if shown_as and (shown_as.percent or not measure.is_count):
        return _read_shown(number, measure, shown_as)
    return measure.stored[number]


@lru_cache(maxsize=8192)
def _read_shown(number: float, measure: Measure, shown_as: NumberFormat) -> Reading:
    """Return what the sheet shows, which is what was stated: 76.1%, not the 0.761 behind it."""
    shown = shown_as.show(number)
    return measure.stored[number] if shown is None else read_typed(shown, measure)


def _read_stored(number: Cell, measure: Measure) -> Reading:
    if not isinstance(number, float):
        return BLANK_CELL
    if measure.written_in or not _SMALL < number < _LARGE:
        text = as_text(number)
        return _reading(text, parse_stored(text, measure.unit_of_measure, measure.written_in), measure)
    text = f"{number:.15g}"
    decimals = len(text.partition(".")[2])
    oddity = "fractional_count" if decimals and not measure.may_be_fraction else ""
    return Reading("value", Decimal(text), text, decimals, oddity, text)


@lru_cache(maxsize=4096)
def read_typed(text: str, measure: Measure) -> Reading:
    """Return what a cell says that holds a text."""
    return _reading(
        text, parse_text(text, measure.unit_of_measure, measure.written_in, measure.not_applicable), measure
    )


class _Number(Protocol):
    @property
    def value(self) -> Decimal | None: ...
    @property
    def decimals(self) -> int | None: ...


def agree(one: _Number, other: _Number) -> bool:
    """Return whether two figures are the same, or one is the other rounded."""
    if one.value is None or other.value is None:
        return one.value is other.value
    step = Decimal(1).scaleb(-min(one.decimals or 0, other.decimals or 0))
    return one.value.quantize(step, ROUND_HALF_UP) == other.value.quantize(step, ROUND_HALF_UP)


def unreadable(text: str) -> Reading:
    """Return what a cell says that holds neither a number nor a text, but an error or a day."""
    return reading_of("unreadable", None, text, None, "unreadable_cell")


def _reading(text: str, parsed: Parsed, measure: Measure) -> Reading:
    oddity = ""
    if parsed.state == "unreadable":
        oddity = "unreadable_cell"
    elif parsed.value is not None and measure.is_count:
        if parsed.value < 0:
            oddity = "negative_value"
        elif parsed.value % 1 and not measure.may_be_fraction:
            oddity = "fractional_count"
    return reading_of(parsed.state, parsed.value, text, parsed.decimals, oddity)
