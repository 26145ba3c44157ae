"""What the marts must say of units that report by the month, worked out the long way from what was sent.

Plain arithmetic, a figure at a time: no SQL, nothing kept from one figure to the next. It knows the forms ``f`` and
``s`` of ``test_time``, one of which states what accumulates since January and the other each month for itself, and the
plan of a year, and follows ``docs/``, not the models.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Protocol

BASES = ("stated", "cumulative", "single")
Figures = dict[str, Fraction | None]  # by basis

ACCUMULATING = {"f.checks", "f.cases"}
STOCKS = {"f.staff"}
INDICATORS = {"f": ("f.checks", "f.cases", "f.staff"), "s": ("s.visits", "s.found")}
METRICS = {
    "f": {"case_rate": ("f.cases", "f.checks"), "completion": ("f.checks", "plan.checks")},
    "s": {"hit_rate": ("s.found", "s.visits")},
}
# z is within c: where c counts, z does not.
GROUPS = {
    "everyone": "abcd",
    "east": "ab",
    "west": "c",
    "towns": "abc",
    "parks": "c",
    "pilots": "az",
}


class Report(Protocol):
    """What was sent, and what came of it; the day it was received in ISO format."""

    unit: str
    form: str
    period: str
    received: str
    outcome: str | None
    cells: dict[str, int | None]


@dataclass(frozen=True)
class Period:
    """A month or a quarter, by its first and its last month."""

    year: int
    first: int
    last: int

    @property
    def period_id(self) -> str:
        """Return its id as the marts have it."""
        return f"{self.year}-{self.last:02}" if self.first == self.last else f"{self.year}-Q{self.last // 3}"

    @property
    def months(self) -> list[str]:
        """Return the ids of its months."""
        return [month_id(self.year, month) for month in range(self.first, self.last + 1)]

    @property
    def since_january(self) -> list[str]:
        """Return the ids of the months in which it accumulates."""
        return [month_id(self.year, month) for month in range(1, self.last + 1)]

    def shifted(self, months: int) -> Period:
        """Return the period so many months later."""
        length = self.last - self.first
        year, month = divmod(self.year * 12 + self.first - 1 + months, 12)
        return Period(year, month + 1, month + 1 + length)

    @property
    def compared(self) -> dict[str, Period]:
        """Return the periods it is compared with: a year before, and the one before."""
        return {"同比": self.shifted(-12), "环比": self.shifted(self.first - self.last - 1)}


def month_id(year: int, month: int) -> str:
    """Return the id of a month."""
    return f"{year}-{month:02}"


@dataclass(frozen=True)
class Model:
    """What is known of the reports, until the end of a day where one is given."""

    reports: tuple[Report, ...]
    until: str = "9999"

    @cached_property
    def standing(self) -> Mapping[tuple[str, str, str], Report]:
        """Return the report that stands for each unit, form and month: the last one that was accepted."""
        known = [report for report in self.reports if report.outcome == "accepted" and report.received <= self.until]
        return {
            (report.unit, report.form, report.period): report
            for report in sorted(known, key=lambda report: report.received)
        }

    def cell(self, unit: str, indicator: str, month: str) -> Fraction | None:
        """Return what stands in a cell, None where it is blank or nothing was reported."""
        form, _, name = indicator.partition(".")
        report = self.standing.get((unit, form, month))
        value = report.cells[name] if report else None
        return None if value is None else Fraction(value)

    def of_unit(self, unit: str, indicator: str, period: Period) -> Figures | None:
        """Return a unit's figures; None where it reported nothing for the period."""
        form = indicator.partition(".")[0]
        if form == "plan":
            return dict.fromkeys(BASES, self.cell(unit, indicator, str(period.year)))
        if (unit, form, period.months[-1]) not in self.standing:
            return None
        own = self.cell(unit, indicator, period.months[-1])
        if indicator in STOCKS:
            return {"stated": own, "cumulative": None, "single": None}
        if indicator not in ACCUMULATING:
            single, whole = (
                added([self.cell(unit, indicator, month) for month in months])
                for months in (period.months, period.since_january)
            )
            return {"stated": single, "cumulative": whole, "single": single}
        before = Fraction(0)
        if period.first > 1:
            before = self.cell(unit, indicator, month_id(period.year, period.first - 1))
        single = None if own is None or before is None else own - before
        return {"stated": own, "cumulative": own, "single": single}

    def of_group(self, group: str, indicator: str, period: Period) -> tuple[Figures, dict[str, int]]:
        """Return the sums over a group's units, None of none, and over how many each is."""
        members = [figures for unit in GROUPS[group] if (figures := self.of_unit(unit, indicator, period))]
        known = {basis: [figures[basis] for figures in members if figures[basis] is not None] for basis in BASES}
        return (
            {basis: added(of_units) if of_units else None for basis, of_units in known.items()},
            {basis: len(of_units) for basis, of_units in known.items()},
        )

    def of_metric(
        self, units: Iterable[str], metric: tuple[str, str], period: Period
    ) -> tuple[Figures, dict[str, int]]:
        """Return the percentages over those units that have both terms, and over how many each is."""
        rates: Figures = {}
        counts = {}
        for basis in BASES:
            pairs = [
                (over[basis], under[basis])
                for unit in units
                if (over := self.of_unit(unit, metric[0], period)) and (under := self.of_unit(unit, metric[1], period))
                if over[basis] is not None and under[basis] is not None
            ]
            over_all, under_all = (added([pair[side] for pair in pairs]) for side in (0, 1))
            rates[basis] = 100 * over_all / under_all if over_all is not None and under_all else None
            counts[basis] = len(pairs)
        return rates, counts

    def figures(self, who: str, measure: str, period: Period) -> Figures:
        """Return the figures of a unit's or group's indicator or metric; all None where there are none."""
        for metrics in METRICS.values():
            if measure in metrics:
                return self.of_metric(GROUPS.get(who, who), metrics[measure], period)[0]
        if who in GROUPS:
            return self.of_group(who, measure, period)[0]
        return self.of_unit(who, measure, period) or dict.fromkeys(BASES)


def added(values: list[Fraction | None]) -> Fraction | None:
    """Return a sum, None where one of the values is not known."""
    return None if any(value is None for value in values) else sum(values, Fraction(0))  # type: ignore[arg-type]
