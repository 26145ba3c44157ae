"""Excel workbooks: the only place that reads them and writes them.

``read_grids`` opens bytes that nobody vouches for; ``Reader`` finds in them which form, unit and period they hold.
``mark`` gives a workbook back with what was found in it.
"""

from enforcement_reporting.workbook.grid import Grid, UnreadableWorkbook, read_grids
from enforcement_reporting.workbook.recognise import Reader
from enforcement_reporting.workbook.returned import Remark, figures_alone, mark, only_own_rows
from enforcement_reporting.workbook.review_list import Explanation
from enforcement_reporting.workbook.submission import Observation, Observations, ReadSubmission, ReadWorkbook

__all__ = [
    "Explanation",
    "Grid",
    "Observation",
    "Observations",
    "ReadSubmission",
    "ReadWorkbook",
    "Reader",
    "Remark",
    "UnreadableWorkbook",
    "figures_alone",
    "mark",
    "only_own_rows",
    "read_grids",
]
