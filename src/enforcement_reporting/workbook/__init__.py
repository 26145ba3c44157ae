"""Excel workbooks: the only place that reads them and writes them.

``read_grids`` opens bytes that nobody vouches for; ``Reader`` finds in them which form, unit and period they hold.
``mark`` gives a workbook back with what was found in it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from enforcement_reporting.workbook.grid import Grid
from enforcement_reporting.workbook.opening import read_grids
from enforcement_reporting.workbook.package import UnreadableWorkbook
from enforcement_reporting.workbook.recognise import Reader
from enforcement_reporting.workbook.review_list import Explanation
from enforcement_reporting.workbook.submission import Observation, Observations, ReadSubmission, ReadWorkbook, Unbound

if TYPE_CHECKING:
    from enforcement_reporting.workbook.returned import Remark, as_xlsx, figures_alone, mark, only_own_rows

__all__ = [
    "Explanation",
    "Grid",
    "Observation",
    "Observations",
    "ReadSubmission",
    "ReadWorkbook",
    "Reader",
    "Remark",
    "Unbound",
    "UnreadableWorkbook",
    "as_xlsx",
    "figures_alone",
    "mark",
    "only_own_rows",
    "read_grids",
]

# Imported when they are asked for: they bring what writes workbooks with them, which reading does not need.
_RETURNED = ("Remark", "as_xlsx", "figures_alone", "mark", "only_own_rows")


def __getattr__(name: str) -> Any:
    if name in _RETURNED:
        return getattr(import_module(f"{__name__}.returned"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
