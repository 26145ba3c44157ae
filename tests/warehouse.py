"""Submissions put into the warehouse without a workbook."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

import psycopg

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
