"""What is read of a workbook: the figures that units state in it, and what was wrong while reading."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import starmap
from typing import NamedTuple, overload

from enforcement_reporting.findings import ReadingFinding
from enforcement_reporting.periods import Period
from enforcement_reporting.workbook.cells import State
from enforcement_reporting.workbook.measures import Reading
from enforcement_reporting.workbook.review_list import Explanation


class Observation(NamedTuple):
    """One indicator of one submission: the text as typed, its cell, and the exact number in it if there is one."""

    indicator_id: str
    state: State
    value: Decimal | None
    text: str
    decimals: int | None
    cell: str


class Observations(Sequence[Observation]):
    """The observations of one submission, in columns: there are millions, and each is made only when asked for."""

    __slots__ = ("cells", "indicator_ids", "readings")

    def __init__(self, indicator_ids: Sequence[str], readings: Sequence[Reading], cells: Sequence[str]) -> None:
        self.indicator_ids, self.readings, self.cells = indicator_ids, readings, cells

    def __len__(self) -> int:
        return len(self.readings)

    @overload
    def __getitem__(self, index: int) -> Observation: ...
    @overload
    def __getitem__(self, index: slice) -> list[Observation]: ...
    def __getitem__(self, index: int | slice) -> Observation | list[Observation]:
        return list(self)[index]

    def __iter__(self) -> Iterator[Observation]:
        states, values, texts, decimals, *_ = zip(*self.readings, strict=True) if self.readings else ((),) * 4
        columns = (self.indicator_ids, states, values, texts, decimals, self.cells)
        return starmap(Observation, zip(*columns, strict=True))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Observations) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


@dataclass
class ReadSubmission:
    """One unit's figures on one form for one period.

    ``row_role`` is 'total' for a printed total row, and for what a bulletin states about units that report. ``said``
    are the sentences, by indicator, in which a bulletin states the figures, empty where it does so in a list.
    """

    form_id: str
    unit_id: str
    period: Period
    row_role: str
    sheet: str
    observations: Observations
    findings: list[ReadingFinding] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)


class Unbound(NamedTuple):
    """Figures in a bulletin that nothing declared speaks of: their sentence and where it stands."""

    sheet: str
    cell: str
    sentence: str
    figures: tuple[str, ...]


@dataclass
class ReadWorkbook:
    """All that was found in a workbook. ``sheet_findings`` maps (sheet, form) to what concerns all its rows."""

    submissions: list[ReadSubmission] = field(default_factory=list)
    file_findings: list[ReadingFinding] = field(default_factory=list)
    sheet_findings: dict[tuple[str, str], list[ReadingFinding]] = field(default_factory=lambda: defaultdict(list))
    explanations: list[Explanation] = field(default_factory=list)
    unbound: list[Unbound] = field(default_factory=list)
