"""How the figures of a submission are stored, and taken out again: its cells are arrays, in one row.

A layout says which indicators a submission has; its figures follow in the order of their ids. There are few layouts,
and millions of cells. In the text format of COPY an array costs a tenth of what its elements cost one by one. What the
number says itself is not stored beside it: that it is a value, zero or blank, and what was typed where PostgreSQL
prints it so. That leaves the likes of 76.1%, and of cells that do not apply or could not be read; an array of nothing
such is empty.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import repeat
from typing import NamedTuple

import psycopg
from psycopg import sql

from enforcement_reporting.workbook import Observations
from enforcement_reporting.workbook.cells import State
from enforcement_reporting.workbook.measures import Reading

_COLUMNS = (
    *("unit_id", "submission_id", "layout_id", "sheet"),
    *("cell_states", "stated_values", "stated_texts", "decimals", "cells"),
)
_REMEMBERED = 200  # cells of a row; more are put together afresh each time, so that what is kept has a bound
_SPECIAL = re.compile(r'[\\"\x00-\x1f]')
_IN_COPY = {"\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t"}
_IN_TEXT = str.maketrans(_IN_COPY)
_IN_ARRAY = str.maketrans(_IN_COPY | {"\\": r"\\\\", '"': r"\\" + '"'})


class _Layout(NamedTuple):
    """The indicators of a submission in the order of their ids, and where each stood when it was read."""

    layout_id: str
    indicator_ids: list[str]
    places: tuple[int, ...]


@lru_cache(maxsize=1000)
def _layout(indicator_ids: tuple[str, ...]) -> _Layout:
    places = tuple(sorted(range(len(indicator_ids)), key=indicator_ids.__getitem__))
    ordered = [indicator_ids[place] for place in places]
    return _Layout(hashlib.sha256("\0".join(ordered).encode()).hexdigest()[:20], ordered, places)


def readings_of(
    states: Sequence[State | None],
    values: Sequence[Decimal | None],
    texts: Sequence[str | None],
    decimals: Sequence[int | None],
) -> list[Reading]:
    """Return what was read, from the arrays in which it is stored."""
    return [
        Reading(
            state or ("blank" if value is None else "value" if value else "zero"),
            value,
            text or digits,
            places,
            "",
            digits,
        )
        for state, value, text, places in zip(
            states or repeat(None), values, texts or repeat(None), decimals, strict=False
        )
        for digits in ["" if value is None else f"{value:f}"]
    ]


class Stated(NamedTuple):
    """What a submission states."""

    unit_id: str
    submission_id: str
    sheet: str
    observations: Observations


def copy_figures(connection: psycopg.Connection, submissions: Iterable[Stated]) -> None:
    """Write what submissions state.

    Raises a psycopg.IntegrityError where an indicator stands twice in one of them.
    """
    layouts: dict[str, list[str]] = {}
    lines = "".join(_lines(submissions, layouts))
    if layouts:
        # Whoever records the same layouts beside us asks for them in the same order.
        connection.cursor().executemany(
            "insert into intake.layouts (layout_id, indicator_ids) values (%s, %s) on conflict do nothing",
            sorted(layouts.items()),
        )
    with connection.cursor() as cursor, cursor.copy(f"copy intake.figures ({', '.join(_COLUMNS)}) from stdin") as copy:
        copy.write(lines)


def _lines(submissions: Iterable[Stated], layouts: dict[str, list[str]]) -> Iterator[str]:
    """Yield a submission's row as a line of COPY; add its layout to ``layouts``."""
    for unit_id, submission_id, sheet, said in submissions:
        layout = _layout(tuple(said.indicator_ids))
        layouts[layout.layout_id] = layout.indicator_ids
        readings = map(said.readings.__getitem__, layout.places)
        states, _, texts, decimals, _, digits = zip(*readings, strict=True) if layout.places else ((),) * 6
        arrays = (
            _states(states),
            ",".join([number or "NULL" for number in digits] if "" in digits else digits),
            "" if texts == digits else _array(_typed_otherwise(texts, digits)),
            _numbers(decimals),
            _placed(tuple(said.cells), layout.places),
        )
        owner = (unit_id, submission_id, layout.layout_id, sheet.translate(_IN_TEXT))
        yield "\t".join(owner) + "\t{" + "}\t{".join(arrays) + "}\n"


@lru_cache(maxsize=1000)
def _states(states: tuple[State, ...]) -> str:
    """Return the states as the items of an array, none where the numbers say them all."""
    said = [state if state in ("not_applicable", "unreadable") else "NULL" for state in states]
    return "" if set(said) == {"NULL"} else ",".join(said)


def _typed_otherwise(texts: Iterable[str], digits: Iterable[str]) -> list[str]:
    """Return the texts, an empty one where the number says it."""
    return ["" if text == number else text for text, number in zip(texts, digits, strict=True)]


def _array(texts: list[str]) -> str:
    """Return texts as the items of an array, an empty one as NULL."""
    needs_escape = _SPECIAL.search("".join(texts))
    escaped = [text.translate(_IN_ARRAY) for text in texts] if needs_escape else texts
    return ",".join([f'"{text}"' if text else "NULL" for text in escaped])


def _placed(cells: tuple[str, ...], places: tuple[int, ...]) -> str:
    """Return cells as the items of an array, in the order of a layout."""
    return (_remembered if len(cells) <= _REMEMBERED else _in_order)(cells, places)


def _in_order(cells: tuple[str, ...], places: tuple[int, ...]) -> str:
    return _array([cells[place] for place in places])


# In workbooks of one form the same cells are filled.
_remembered = lru_cache(maxsize=1000)(_in_order)


@lru_cache(maxsize=1000)
def _numbers(numbers: tuple[int | None, ...]) -> str:
    return ",".join(["NULL" if number is None else str(number) for number in numbers])


class Figures:
    """SQL for figures by their indicators, from ``intake.figures f`` joined to ``places``, see ``places``."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._place = {key: number for number, key in enumerate(keys, 1)}

    @property
    def places(self) -> str:
        """Return what the common table expression ``places`` says: where in a layout each of the indicators stands.

        It has the layouts with any of them, and must be materialized: there are few layouts and many submissions.
        """
        keys = sql.SQL("array[{}]::text[]").format(sql.SQL(", ").join(map(sql.Literal, self._place))).as_string(None)
        return f"""
            select layout_id, indicator_ids,
                array(
                    select array_position(indicator_ids, wanted.indicator_id)
                    from unnest({keys}) with ordinality as wanted (indicator_id, place)
                    order by wanted.place
                ) as at,
                array(
                    select wanted.indicator_id
                    from unnest({keys}) as wanted (indicator_id)
                    where wanted.indicator_id <> all(indicator_ids)
                ) as missing
            from intake.layouts
            where indicator_ids && {keys}
        """

    def said(self, array: str, key: str) -> str:
        """Return what one of the arrays says of an indicator, NULL where it does not stand in the submission."""
        return f"f.{array}[places.at[{self._place[key]}]]"

    def is_read(self, key: str) -> str:
        """Return whether an indicator stands in the submission and could be read."""
        at, state = f"places.at[{self._place[key]}]", self.said("cell_states", key)
        return f"({at} is not null and {state} is distinct from 'unreadable')"

    def value(self, key: str) -> str:
        """Return the figure."""
        return self.said("stated_values", key)

    def text(self, key: str) -> str:
        """Return the figure as it was typed."""
        return f"coalesce({self.said('stated_texts', key)}, {self.value(key)}::text)"


# The indicators asked for that a submission does not have, or whose cells could not be read. There are none as a rule,
# and to see that takes less than to look for each among those that were read.
CELLS_UNREAD = """
    case
        when places.layout_id is null then null
        when 'unreadable' = any(f.cell_states) then places.missing || array(
            select c.indicator_id
            from unnest(places.indicator_ids, f.cell_states) as c (indicator_id, state)
            where c.state = 'unreadable'
        )
        else places.missing
    end
"""
