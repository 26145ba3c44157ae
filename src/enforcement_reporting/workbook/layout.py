"""How a form is laid out on a sheet that is written: header cells from label paths, and the words for its period."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import datetime

from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from enforcement_reporting.catalog import Catalog, Form, Indicator
from enforcement_reporting.periods import Calendar, Period
from enforcement_reporting.texts import MONEY, split_unit

CREATED = datetime(2000, 1, 1)  # noqa: DTZ001 - one date for all, so that equal content gives equal bytes

# A rate that is worked out is printed with so many decimals.
RATE_DECIMALS = 2
RATE_FORMAT = f"0.{'0' * RATE_DECIMALS}"

_NOT_IN_SHEET_NAMES = re.compile(r"[\[\]:*?/\\']")
_LONGEST_SHEET_NAME = 31


def units_of_measure(catalog: Catalog) -> frozenset[str]:
    """Return the units of measure of a catalog: a label that is one of them needs no other behind it."""
    return frozenset({item.unit_of_measure for form in catalog.forms for item in form.indicators} | set(MONEY))


def headings(form: Form, units: frozenset[str]) -> list[tuple[str, ...]]:
    """Return the header cells of each column from top to bottom; the column of units, if any, is the first."""
    unit_column: list[tuple[str, ...]] = [(form.unit_labels[0],)] if form.unit_labels else []
    return [*unit_column, *(_heading(indicator, units) for indicator in form.indicators)]


def _heading(indicator: Indicator, units: frozenset[str]) -> tuple[str, ...]:
    """Return the header cells of a column; the lowest states the unit of measure."""
    *above, label = indicator.label
    plain_label, unit = split_unit(label, units)
    if not unit and plain_label not in units:
        label = f"{label}（{indicator.unit_of_measure}）"
    return (*above, label)


def write_headings(sheet: Worksheet, paths: Sequence[tuple[str, ...]], top: int, style: Format) -> list[int]:
    """Write the header cells from column A on; return the row in which each column's lowest label stands.

    A label that neighbours share is merged over them, one with nothing below it reaches down.
    """
    bottom = top + max(map(len, paths)) - 1
    lowest = [0] * len(paths)

    def write(first: int, last: int, level: int) -> None:
        column, row = first, top + level
        while column <= last:
            path, end = paths[column], column
            if len(path) > level + 1:
                while (
                    end < last and len(paths[end + 1]) > level + 1 and paths[end + 1][: level + 1] == path[: level + 1]
                ):
                    end += 1
                merge(sheet, row, column, row, end, path[level], style)
                write(column, end, level + 1)
            else:
                lowest[column] = row
                merge(sheet, row, column, bottom, column, path[level], style)
            column = end + 1

    write(0, len(paths) - 1, 0)
    return lowest


def merge(sheet: Worksheet, top: int, left: int, bottom: int, right: int, text: str, style: Format) -> None:
    """Write a text into a range of cells that become one."""
    if (top, left) == (bottom, right):
        sheet.write_string(top, left, text, style)
    else:
        sheet.merge_range(top, left, bottom, right, text, style)


def period_words(calendar: Calendar, period: Period) -> str:
    """Return how a sheet names a period, in words that are read back as this very period.

    Raises ValueError where there are none.
    """
    first, last = (f"{day.year}年{day.month}月{day.day}日" for day in (period.starts_on, period.ends_on))
    for text in (period.name, f"{first}—{last}"):
        if calendar.recognise([text]).period == period:
            return text
    raise ValueError(f"period {period.period_id}: there are no words that are read back as {period.name}")


def sheet_name(title: str, number: int, taken: Collection[str]) -> str:
    """Return a name that a sheet may have and none has yet: the title as far as that is one."""
    name = _NOT_IN_SHEET_NAMES.sub("", title)[:_LONGEST_SHEET_NAME]
    return name if name and name.lower() not in taken else f"表{number}"
