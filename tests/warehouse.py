"""Submissions put into the warehouse without a workbook."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

import psycopg

from enforcement_reporting.settings import Settings
from enforcement_reporting.warehouse import connect
from enforcement_reporting.warehouse.figures import Stated, copy_figures
from enforcement_reporting.workbook import Observations
from enforcement_reporting.workbook.measures import reading_of


class Cell(NamedTuple):
    """A cell of a submission: its address, what kind of thing stands in it, the number and the text."""

    address: str
    state: str
    value: Decimal | int | None
    text: str


def state_figures(
    connection: psycopg.Connection, unit_id: str, submission_id: str, sheet: str, cells: Mapping[str, Cell]
) -> None:
    """Put the cells of a submission into the warehouse, by their indicators, as the intake does."""
    readings = [
        reading_of(cell.state, None if cell.value is None else Decimal(cell.value), cell.text, 0)  # type: ignore[arg-type]
        for cell in cells.values()
    ]
    figures = Observations(list(cells), readings, [cell.address for cell in cells.values()])
    copy_figures(connection, [Stated(unit_id, submission_id, sheet, figures)])


def does_not_apply(
    settings: Settings, indicator_id: str, *, unit_id: str | None = None, period_id: str | None = None
) -> None:
    """Let the cells of an indicator, of one unit or in one period, be such that do not apply."""
    with connect(settings) as connection:
        connection.execute(
            """
            update intake.figures f
            set cell_states = coalesce(nullif(cell_states, '{}'), array_fill(null::text, array[cardinality(cells)])),
                stated_texts = coalesce(nullif(stated_texts, '{}'), array_fill(null::text, array[cardinality(cells)]))
            """
        )
        connection.execute(
            """
            with places as (
                select f.submission_id, array_position(l.indicator_ids, %(indicator_id)s) as place
                from intake.figures f
                join intake.layouts l on l.layout_id = f.layout_id
                join intake.submissions s on s.submission_id = f.submission_id
                where s.unit_id = coalesce(%(unit_id)s, s.unit_id)
                    and s.period_id = coalesce(%(period_id)s, s.period_id)
            )
            update intake.figures f
            set cell_states[place] = 'not_applicable', stated_values[place] = null, stated_texts[place] = '—'
            from places
            where places.submission_id = f.submission_id and place is not null
            """,
            {"indicator_id": indicator_id, "unit_id": unit_id, "period_id": period_id},
        )
