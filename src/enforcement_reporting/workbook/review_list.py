"""The sheet 核对清单 that goes out with a workbook and comes back with explanations: how it is laid out and read.

Each row carries the id of its finding, so that an explanation is recognised wherever its row, its sheet and its file
have been moved to. The sheet is known by its name and its header together: one of the two alone may be the clerk's own.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from enforcement_reporting.texts import plain
from enforcement_reporting.workbook.grid import Grid, as_text

LIST_SHEET = "核对清单"
EXPLANATION, FINDING_ID = "说明", "问题编号（请勿改动）"
COLUMNS = (
    "序号",
    "严重程度",
    "单位",
    "报表",
    "期",
    "单元格",
    "问题",
    "填报值",
    "应为",
    EXPLANATION,
    "审核意见",
    FINDING_ID,
)

MAX_EXPLANATION = 1_000  # characters
MAX_EXPLANATIONS = 2_000  # of one workbook
_SEARCH_ROWS = 50
_ID = re.compile(r"[0-9a-f]{20}")
# What XML refuses, what turns the direction of a line, and what cannot be stored.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


class Explanation(NamedTuple):
    """What a unit wrote about a finding, and where it stands: ``sheet!address``."""

    finding_id: str
    text: str
    cell: str


def is_list(grid: Grid) -> bool:
    """Return whether a sheet is the list of findings that was sent out with a workbook."""
    return _header(grid) is not None


def explanations_in(grid: Grid) -> list[Explanation]:
    """Return the explanations on the list; of two for one finding the first that is not blank."""
    header = _header(grid)
    if header is None:
        return []
    row_of_header, explanation, finding_id = header
    found: dict[str, Explanation] = {}
    for number in range(row_of_header + 1, len(grid.rows)):
        row = grid.rows[number]
        known = plain(as_text(row[finding_id])) if finding_id < len(row) else ""
        text = printable(as_text(row[explanation])).strip() if explanation < len(row) else ""
        if text and _ID.fullmatch(known) and len(found) < MAX_EXPLANATIONS:
            cell = f"{grid.name}!{grid.address(number, explanation)}"
            found.setdefault(known, Explanation(known, text[:MAX_EXPLANATION], cell))
    return list(found.values())


def printable(text: str) -> str:
    """Return a text without the characters that XML refuses or that nobody sees."""
    return _UNPRINTABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _header(grid: Grid) -> tuple[int, int, int] | None:
    """Return the row of the header, and in which columns explanations and ids stand."""
    if not grid.name.strip().startswith(LIST_SHEET):
        return None
    for number, row in enumerate(grid.rows[:_SEARCH_ROWS]):
        labels = [plain(cell) if isinstance(cell, str) and len(cell) < _SEARCH_ROWS else "" for cell in row]
        if plain(EXPLANATION) in labels and plain(FINDING_ID) in labels:
            return number, labels.index(plain(EXPLANATION)), labels.index(plain(FINDING_ID))
    return None
