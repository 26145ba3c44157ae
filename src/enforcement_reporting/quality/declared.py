"""The rules under ``expectations/`` as they are declared: the YAML of every kind, and nothing of what it becomes.

A rule over one report is declared with the columns it holds together. What is not impossible but only unlikely, a jump
or a copy, can be no error: such kinds take ``question`` or ``notice``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from enforcement_reporting.catalog import (
    CatalogError,
    Exact,
    Id,
    Lifetime,
    Model,
    Reference,
    Text,
    Whole,
    YesNo,
    read_definition,
)
from enforcement_reporting.findings import Severity

# The one file that is about obligations and not about a form.
TIMELINESS = "timeliness.yaml"

Terms = Annotated[tuple[Reference, ...], Field(min_length=1)]


class DeclaredRule(Model):
    """What every rule has. ``message`` replaces the kind's own; ``why`` cites where the rule comes from.

    It holds for periods that end from ``effective_from`` to ``effective_to``, and where nothing is said for all.
    """

    rule_id: Id
    effective_from: date | None = None
    effective_to: date | None = None
    severity: Severity = Severity.ERROR
    message: Text | None = None
    why: Text | None = None

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> Self:
        if self.lifetime.is_empty:
            raise ValueError(f"effective_from: expected a day not after effective_to ({self.effective_to})")
        return self

    @property
    def lifetime(self) -> Lifetime:
        """Return the days with which the periods end for which it holds."""
        return Lifetime(self.effective_from, self.effective_to)


class PartWhole(DeclaredRule):
    """The parts together do not exceed the whole."""

    kind: Literal["part_whole", "part_whole_across_forms"]
    parts: Terms
    whole: Terms


class Sum(DeclaredRule):
    """The parts add up to the whole."""

    kind: Literal["sum"]
    parts: Terms
    whole: Reference


class AmountCount(DeclaredRule):
    """Where the amount is above zero the count is too; with ``and_back``, the other way round as well."""

    kind: Literal["amount_count"]
    amount: Terms
    count: Terms
    and_back: YesNo = False


class Rate(DeclaredRule):
    """The stated rate is ``scale`` × numerator ÷ denominator, rounded half-up at the decimals printed in its cell.

    A rate that was cut off instead of rounded, and a rate printed as 0 where 0 is divided by 0, are notices. Of a rate
    that a bulletin states, and that is the mean of the ``unit_rates`` instead, a notice says so.
    """

    kind: Literal["rate"]
    stated: Reference
    numerator: Terms
    denominator: Terms
    scale: Whole = 100
    unit_rates: Reference | None = None


class Equal(DeclaredRule):
    """The same fact, reported on two forms for one period, is the same number."""

    kind: Literal["equal_across_forms"]
    left: Reference
    right: Reference


class StatedFigure(DeclaredRule):
    """A figure that a bulletin states is what the units report: the sum of ``of``, at the decimals printed.

    One that was cut off instead of rounded is a notice.
    """

    kind: Literal["stated_figure"]
    stated: Reference
    of: Terms


class Total(DeclaredRule):
    """The printed total row is the sum of the rows of the units printed with it."""

    kind: Literal["total_row"]
    indicators: Literal["all"] | Terms = "all"


class NotApplicable(DeclaredRule):
    """Units of a kind that an indicator does not apply to report nothing in it."""

    kind: Literal["not_applicable"]
    indicators: Terms


class PartitionsAgree(DeclaredRule):
    """Several partitions of one total (by kind, by industry, by who found it) add up to the same."""

    kind: Literal["partitions_agree"]
    partitions: Annotated[tuple[Terms, ...], Field(min_length=2)]


class WholeBase(DeclaredRule):
    """A stated percent change of a count has a whole number as its base: +29.3 % on 55 has none.

    The change may be rounded half-up or cut off at the decimals printed in its cell.
    """

    kind: Literal["whole_base"]
    value: Reference
    change: Reference


class ChangeTriple(DeclaredRule):
    """Value, change and change in percent agree: of the three, any two give the third.

    With a ``base``, value less base is the change; without one, the base is value less change. Amounts that are
    rounded themselves may miss by their last digit: of them it is a question.
    """

    kind: Literal["change_triple"]
    value: Reference
    delta: Reference
    percent: Reference
    base: Reference | None = None


class OverallRate(DeclaredRule):
    """On the printed total row, a rate lies between the smallest and the largest of those printed with it.

    Where a rule ``rate`` on the same column can work the rate out, it says what is wrong, and this one only adds, as a
    notice, that what stands there is the mean of the units' rates.
    """

    kind: Literal["overall_rate"]
    rate: Reference


class NotFalling(DeclaredRule):
    """A cumulative figure is not below that of the period before, within one accumulation window.

    A question: a former figure may have been too high, and its correction explains the fall.
    """

    kind: Literal["not_falling"]
    severity: Severity = Severity.QUESTION
    indicators: Literal["all"] | Terms = "all"


class Accumulates(DeclaredRule):
    """Where a form states both, the cumulative figure is that of the period before plus the period's own."""

    kind: Literal["accumulates"]
    indicators: Literal["all"] | Terms = "all"


class StatedChange(DeclaredRule):
    """A stated change is the one worked out, at the decimals printed in its cell.

    The base is the figure of the period before or of a year ago, as first reported or as known now: a change that fits
    either is right.
    """

    kind: Literal["stated_change"]
    stated: Reference
    of: Reference
    against: Literal["previous", "year_ago"]
    measured_in: Literal["percent", "points", "units"] = "percent"


class Doubt(DeclaredRule):
    """A rule about what is possible and unlikely: it asks, or remarks, and returns nothing."""

    severity: Literal[Severity.QUESTION, Severity.NOTICE] = Severity.QUESTION


class WrongPeriod(Doubt):
    """A rate that a bulletin says of another period is not what this period's figures give, to the last digit."""

    kind: Literal["wrong_period"]
    stated: Reference
    numerator: Terms
    denominator: Terms
    scale: Whole = 100


class LastYearsValue(Doubt):
    """The figures are not those of a year ago, in ``at_least`` of the columns, each of at least ``minimum``.

    A cumulative figure that is what the period before and this one add up to, or that has not grown since, counts for
    nothing here.
    """

    kind: Literal["last_years_value"]
    indicators: Literal["all"] | Terms = "all"
    minimum: Exact = Field(default=Decimal(10), gt=0)
    at_least: Whole = Field(default=3, ge=1)


class Copied(Doubt):
    """The figures are not all those of the period before, where ``at_least`` of them are not zero."""

    kind: Literal["copied"]
    indicators: Literal["all"] | Terms = "all"
    at_least: Whole = Field(default=3, ge=1)


_Periods = Annotated[Whole, Field(ge=2, le=60)]


class Jump(Doubt):
    """A period's own figure is not far from those of the ``periods`` before it.

    Far is more than ``threshold`` times 1.4826 × the median absolute deviation from their median, which is taken to be
    ``spread_percent`` of the median at least, and more than ``minimum``. With fewer than ``minimum_history`` known
    figures nothing is said. Of a cumulative column it is what the figure grew by.
    """

    kind: Literal["jump"]
    indicators: Literal["all"] | Terms = "all"
    periods: _Periods = 12
    minimum_history: _Periods = 6
    threshold: Exact = Field(default=Decimal(5), gt=0)
    spread_percent: Exact = Field(default=Decimal(10), ge=0)
    minimum: Exact = Field(default=Decimal(10), gt=0)

    @model_validator(mode="after")
    def _looks_back_far_enough(self) -> Self:
        if self.minimum_history > self.periods:
            raise ValueError(f"minimum_history: expected at most periods ({self.periods})")
        return self


class ZeroRun(Doubt):
    """Not all of the columns are zero in ``periods`` reports in a row, this one included.

    It is asked once, with the last of them, and again only after a run that something interrupted: whoever explained a
    run of three would otherwise explain it every month. Of a cumulative column it is what the figure grew by.
    """

    kind: Literal["zero_run"]
    indicators: Terms
    periods: _Periods = 3


class NeverFixed(Doubt):
    """Where at least ``minimum`` were found, not none at all was fixed.

    That is said of the figures as they stand; with ``periods``, of so many periods in a row added up.
    """

    kind: Literal["never_fixed"]
    found: Terms
    fixed: Terms
    minimum: Exact = Field(default=Decimal(1), gt=0)
    periods: _Periods | None = None


OverTime = NotFalling | Accumulates | StatedChange | LastYearsValue | Copied | Jump | ZeroRun
Rule = Annotated[
    PartWhole
    | Sum
    | AmountCount
    | Rate
    | Equal
    | StatedFigure
    | WrongPeriod
    | Total
    | NotApplicable
    | PartitionsAgree
    | WholeBase
    | ChangeTriple
    | OverallRate
    | NeverFixed
    | OverTime,
    Field(discriminator="kind"),
]


class SuiteDefinition(Model):
    """A file under ``expectations/``: the rules of one form."""

    form: Id
    rules: tuple[Rule, ...] = Field(min_length=1)


def declared_suites(definitions: Path) -> Iterator[tuple[Path, SuiteDefinition]]:
    """Yield the files of rules under ``definitions``/expectations, each with what it declares.

    Raises CatalogError naming the file and what was expected, for a file that nothing reads as well.
    """
    root = definitions / "expectations"
    if not root.is_dir():
        raise CatalogError(f"{root}: expected a folder with one file of rules per form")
    for path in sorted(root.rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(root).parts) or path.name == TIMELINESS:
            continue
        if path.suffix != ".yaml":
            if path.is_dir() and path.suffix != ".yml":
                continue
            raise CatalogError(f"{path}: not read by anything: expected *.yaml")
        yield path, read_definition(path, SuiteDefinition)
