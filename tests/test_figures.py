"""Figures in arrays: what is stored is what was read, whatever stands in it and in whatever order."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from enforcement_reporting.settings import Settings
from enforcement_reporting.warehouse import connect
from enforcement_reporting.warehouse.figures import readings_of
from warehouse import Cell, state_figures

# All that is special in an array, in COPY or in both stands among these.
TEXTS = st.one_of(
    st.sampled_from(
        ["NULL", "null", '"', "\\", "\\N", "{}", "a,b", "\\.", "\n", "\t", "\r\n", "'", '\\"', "—", "１２"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
)
NUMBERS = st.one_of(
    st.integers(-(10**30), 10**30).map(Decimal),
    st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12),
    st.sampled_from([Decimal("1E+3"), Decimal("1E-7"), Decimal("0.00"), Decimal("-0"), Decimal("-0.5")]),
)
CELLS = st.one_of(
    st.builds(lambda number, text: Cell("B5", "value" if number else "zero", number, text), NUMBERS, TEXTS),
    st.builds(lambda number: Cell("B5", "value" if number else "zero", number, str(number)), NUMBERS),
    st.builds(Cell, st.just("$C$6"), st.sampled_from(["blank", "not_applicable", "unreadable"]), st.none(), TEXTS),
)


def printed(number: Decimal | None) -> str | None:
    return None if number is None else f"{number:f}" if number else f"{abs(number):f}"


INDICATORS = st.text("abc_.1项", min_size=1, max_size=4).map("f.{}".format)


@given(
    st.lists(st.tuples(TEXTS, st.dictionaries(INDICATORS, CELLS, max_size=6)), min_size=1, max_size=4),
    st.randoms(use_true_random=False),
)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_figures_come_back_as_they_were_read(warehouse: Settings, submissions: list, order) -> None:  # type: ignore[type-arg,no-untyped-def]
    with connect(warehouse) as connection:
        for number, (sheet, cells) in enumerate(submissions):
            in_some_order = order.sample(sorted(cells.items()), len(cells))
            state_figures(connection, "u", f"s{number}", sheet, dict(in_some_order))
        for number, (sheet, cells) in enumerate(submissions):
            rows = connection.execute(
                "select sheet, indicator_id, cell_state, stated_value, stated_text, cell from intake.observations"
                " where unit_id = 'u' and submission_id = %s",
                [f"s{number}"],
            ).fetchall()
            expected = [
                (sheet, name, cell.state, cell.value, cell.text or printed(cell.value), cell.address)
                for name, cell in cells.items()
            ]
            assert sorted(rows, key=str) == sorted(expected, key=str)
        connection.rollback()


def stored(warehouse: Settings, cells: dict[str, Cell]) -> tuple[tuple[Any, ...], list[tuple[Any, ...]]]:
    """Return the arrays in which the cells of a submission are stored, and what a row a cell says of them."""
    with connect(warehouse) as connection:
        state_figures(connection, "u", "s1", "表", cells)
        arrays = connection.execute("select cell_states, stated_values, stated_texts, decimals from intake.figures")
        seen = connection.execute(
            "select cell_state, stated_value, stated_text from intake.observations order by indicator_id"
        )
        return arrays.fetchall()[0], seen.fetchall()


def test_what_a_number_says_itself_is_not_stored_beside_it(warehouse: Settings) -> None:
    cells = {
        "f.a": Cell("B5", "value", Decimal("12.50"), "12.50"),
        "f.b": Cell("C5", "value", Decimal("76.1"), "76.1%"),
        "f.c": Cell("D5", "zero", 0, "0"),
        "f.d": Cell("E5", "not_applicable", None, "—"),
        "f.e": Cell("F5", "blank", None, ""),
        "f.f": Cell("G5", "unreadable", None, "NULL"),
        "f.g": Cell("H5", "value", Decimal("1E+3"), "1E+3"),
    }
    row, seen = stored(warehouse, cells)
    states, _, texts, _ = row
    assert states == [None, None, None, "not_applicable", None, "unreadable", None]
    assert texts == [None, "76.1%", None, "—", None, "NULL", "1E+3"]
    assert seen == [(cell.state, cell.value, cell.text or None) for cell in cells.values()]
    assert [(item.state, item.value, item.text) for item in readings_of(*row)] == [
        (cell.state, cell.value, cell.text) for cell in cells.values()
    ]


def test_an_array_of_nothing_said_otherwise_is_empty(warehouse: Settings) -> None:
    cells = {
        "f.a": Cell("B5", "value", Decimal("12.50"), "12.50"),
        "f.b": Cell("C5", "zero", 0, "0"),
        "f.c": Cell("D5", "blank", None, ""),
    }
    row, seen = stored(warehouse, cells)
    assert (row[0], row[2]) == ([], [])
    assert seen == [("value", Decimal("12.50"), "12.50"), ("zero", 0, "0"), ("blank", None, None)]
    assert [(item.state, item.text) for item in readings_of(*row)] == [("value", "12.50"), ("zero", "0"), ("blank", "")]


def test_figures_of_the_same_indicators_have_one_layout(warehouse: Settings) -> None:
    one, other = Cell("B5", "value", 1, "1"), Cell("C5", "value", 2, "2")
    with connect(warehouse) as connection:
        state_figures(connection, "u", "s1", "表", {"f.b": one, "f.a": other})
        state_figures(connection, "u", "s2", "表", {"f.a": other, "f.b": one})
        state_figures(connection, "u", "s3", "表", {"f.a": one})
        layouts = connection.execute("select indicator_ids from intake.layouts order by 1").fetchall()
        assert layouts == [(["f.a"],), (["f.a", "f.b"],)]
        figures = connection.execute(
            "select stated_values, cells from intake.figures order by submission_id"
        ).fetchall()
        assert figures[:2] == [([2, 1], ["C5", "B5"])] * 2


@pytest.mark.parametrize("is_recorded", [True, False])
def test_two_at_work_record_the_same_layout_once_whatever_becomes_of_the_first(
    warehouse: Settings, is_recorded: bool
) -> None:
    cell = Cell("B5", "value", 1, "1")

    def second() -> None:
        with connect(warehouse) as connection:
            state_figures(connection, "u", "s2", "表", {"f.a": cell})

    with ThreadPoolExecutor() as pool, connect(warehouse) as first, connect(warehouse) as watcher:
        watcher.autocommit = True
        state_figures(first, "u", "s1", "表", {"f.a": cell})
        beside = pool.submit(second)
        waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        while not watcher.execute(waiting).fetchone():
            assert not beside.done()
            time.sleep(0.02)
        if is_recorded:
            first.commit()
        else:
            first.rollback()
        beside.result()
        rows = watcher.execute("select submission_id, indicator_id from intake.observations order by 1").fetchall()
        layouts = watcher.execute("select indicator_ids from intake.layouts").fetchall()
    assert rows == ([("s1", "f.a")] if is_recorded else []) + [("s2", "f.a")]
    assert layouts == [(["f.a"],)]


@pytest.mark.parametrize(
    "change",
    [
        "update intake.layouts set indicator_ids = '{f.b,f.a}'",
        "update intake.layouts set indicator_ids = '{f.a,f.a}'",
        "update intake.figures set cells = '{B5}'",
        "update intake.figures set cell_states = '{null,zero}'",
        "update intake.figures set cell_states = '{unreadable,null}'",
        "update intake.figures set cell_states = '{not_applicable,unreadable}', stated_values = '{null,0}'",
    ],
)
def test_what_arrays_may_not_hold_is_refused(warehouse: Settings, change: str) -> None:
    cell = Cell("B5", "value", 1, "1")
    with connect(warehouse) as connection:
        state_figures(connection, "u", "s1", "表", {"f.a": cell, "f.b": cell})
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute(change.encode())
