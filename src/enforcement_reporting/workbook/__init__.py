"""Excel workbooks: the only place that reads them and writes them.

``read_grids`` opens bytes that nobody vouches for; ``Reader`` finds in them which form, unit and period they hold.
"""

from enforcement_reporting.workbook.grid import Grid, UnreadableWorkbook, read_grids
from enforcement_reporting.workbook.recognise import Reader
from enforcement_reporting.workbook.submission import Observation, Observations, ReadSubmission, ReadWorkbook

__all__ = [
    "Grid",
    "Observation",
    "Observations",
    "ReadSubmission",
    "ReadWorkbook",
    "Reader",
    "UnreadableWorkbook",
    "read_grids",
]
