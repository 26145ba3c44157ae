"""The catalog: what is reported, by whom and when, read from YAML and checked before anything runs on it.

    catalog/landing.yaml                     where submissions arrive, and under which policy
    catalog/mail/*.j2                        what a mail to a unit looks like
    catalog/<authority>/authority.yaml       the authority and the tree of its units
    catalog/<authority>/forms/<form>.yaml    a form with its calendar, its deadlines and its indicators
    catalog/<authority>/metrics.yaml         rates, shares, per-capita figures
    catalog/<authority>/scoreboards.yaml     what is ranked, and how points are given
    catalog/<authority>/notices.yaml         when units are written to, and by whom
    catalog/<authority>/mail/*.j2            templates of its own, in the place of those of the same name

Ids that stand alone in the warehouse are unique over the whole catalog: units, forms, metrics, scoreboards. An
indicator is known there as ``form.indicator``; inside its form the short name is enough.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import chain, pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from enforcement_reporting.periods import FIRST_YEAR, LAST_YEAR, Calendar, CalendarKind, ListedPeriod, Period
from enforcement_reporting.phrases import places_in
from enforcement_reporting.texts import MONEY, joined, plain, split_unit
from enforcement_reporting.workdays import day_of_month_after, is_working_day, nth_working_day_after


def _no_separator(name: str) -> str:
    if "__" in name or name.endswith("_"):
        raise ValueError("expected single underscores inside the id: two part a form from its indicator")
    return name


Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$"), AfterValidator(_no_separator)]
Reference = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$")]
PeriodId = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z_-]{0,62}$")]
Whole = Annotated[int, Strict()]
# Quoted in YAML: 17:30 without quotation marks is a number there, 1050.
HourOfDay = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
YesNo = Annotated[bool, Strict()]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
MeasureKind = Literal["flow", "stock", "rate", "rank", "points"]
Policy = Literal["collect", "archive"]
Figures = Literal["cumulative", "single"]
Basis = Literal["stated", "cumulative", "single"]
Exact = Annotated[Decimal, BeforeValidator(lambda value: str(value) if isinstance(value, float | int) else value)]

# The columns that a submission's wide row has besides its indicators.
FIXED_COLUMNS = frozenset(
    {
        *("submission_id", "unit_id", "unit_name", "unit_kind", "period_id", "period_name", "ends_on", "row_role"),
        "received_at",
        *("cells_unread", "rows_summed", "rows_left_out", "opens_window", "previous_period_id", "year_ago_period_id"),
        *("previous_period_name", "year_ago_period_name"),
    }
)


# Where the templates of mails stand, in the catalog and in an authority's own part of it.
MAIL, MAIL_TEMPLATES = "mail", ("subject.txt.j2", "body.txt.j2", "body.html.j2")


class CatalogError(ValueError):
    """A definition that cannot be used; the message names file, key and what was expected."""


class NotDeclared(ValueError):  # noqa: N818 (it is what was asked for that is so named)
    """What somebody asked for, by id or by name, is not in the catalog; the message says what was expected."""


class Model(BaseModel):
    """A definition: unknown keys are refused, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Unit(Model):
    """A unit that reports, or, where it has ``members``, a group that is rolled up and does not report itself.

    ``within`` names a unit whose figures hold this one's already (a zone inside a district): a group that has both
    counts them once.
    """

    unit_id: Id
    name: Text
    kind: Text
    aliases: tuple[Text, ...] = ()
    valid_from: date | None = None
    valid_to: date | None = None
    within: Id | None = None
    members: tuple[Unit, ...] = ()

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> Self:
        if self.valid_from and self.valid_to and self.valid_from > self.valid_to:
            raise ValueError(f"valid_from: expected a day not after valid_to ({self.valid_to})")
        return self

    def is_in_force(self, period: Period) -> bool:
        """Return whether the unit exists in some part of a period."""
        return (self.valid_from or date.min) <= period.ends_on and (self.valid_to or date.max) >= period.starts_on

    def tree(self) -> Iterator[Unit]:
        """Yield this unit and everything below it, in the order of the catalog."""
        yield self
        for member in self.members:
            yield from member.tree()


class UnitGroup(Model):
    """A group beside the tree: the units named, and those of the kinds named."""

    group_id: Id
    name: Text
    units: tuple[Id, ...] = ()
    kinds: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _has_members(self) -> Self:
        if not self.units and not self.kinds:
            raise ValueError("expected units or kinds: a group of nothing has no figures")
        return self


class Grouping(Model):
    """A way of grouping units beside the tree: by kind, by industry, by any list; its groups are rolled up likewise."""

    name: Text
    groups: tuple[UnitGroup, ...] = Field(min_length=1)


class Points(Model):
    """Points by rank: ``top`` for the first, ``step`` less for each further rank, never below ``bottom``."""

    top: Exact
    step: Exact = Field(default=Decimal(1), ge=0)
    bottom: Exact = Decimal(0)


ReportingMeasure = Literal[
    "on_time_rate",
    "first_pass_rate",
    "submissions_per_obligation",
    "late",
    "missing",
    "working_days_late",
    "errors",
    "questions",
    "unanswered_questions",
]


class ReportingItem(Model):
    """One thing by which it is ranked how units report: a column of the mart fct_reporting_quality.

    A unit that owed fewer than ``minimum_obligations`` reports in the month is not ranked. ``weight`` multiplies the
    points in the total.
    """

    item_id: Id
    name: Text
    measure: ReportingMeasure
    better: Literal["higher", "lower"] = "higher"
    minimum_obligations: Whole | None = Field(default=None, ge=1)
    weight: Exact = Field(default=Decimal(1), gt=0)
    points: Points

    @model_validator(mode="after")
    def _not_the_total(self) -> Self:
        if self.item_id == "total":
            raise ValueError("item_id total is taken: it names the sum of the items' points")
        return self


class ReportingScoreboard(Model):
    """What units are ranked by for how they report, month by month, as a Scoreboard ranks by what they report."""

    name: Text
    unit_kinds: tuple[Text, ...] = ()
    excluded_units: tuple[Id, ...] = ()
    ties: Literal["gap", "dense"] = "gap"
    items: tuple[ReportingItem, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _unique_items(self) -> Self:
        _refuse_repeats("item_id", [item.item_id for item in self.items])
        return self


class Authority(Model):
    """An authority that collects reports, with the one group that stands for all its units."""

    authority_id: Id
    name: Text
    units: Unit
    groupings: tuple[Grouping, ...] = ()
    time_zone: Text = "Asia/Shanghai"
    reporting_quality: ReportingScoreboard | None = None

    @field_validator("time_zone")
    @classmethod
    def _known_time_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("expected a time zone such as Asia/Shanghai") from None
        return value

    @property
    def zone(self) -> ZoneInfo:
        """Return the time zone that its deadlines are meant in."""
        return ZoneInfo(self.time_zone)

    @property
    def units_ranked_by_reporting(self) -> list[Unit]:
        """Return the units on the scoreboard of reporting quality, none where none is declared."""
        board = self.reporting_quality
        return [
            unit
            for unit in (self.reporting_units if board else ())
            if board
            and unit.unit_id not in board.excluded_units
            and (not board.unit_kinds or unit.kind in board.unit_kinds)
        ]

    @model_validator(mode="after")
    def _reporting_of_known_units(self) -> Self:
        if board := self.reporting_quality:
            for key, named, known in (
                ("unit_kinds", board.unit_kinds, {unit.kind for unit in self.reporting_units}),
                ("excluded_units", board.excluded_units, {unit.unit_id for unit in self.reporting_units}),
            ):
                if unknown := sorted(set(named) - known):
                    raise ValueError(f"reporting_quality.{key}: {unknown[0]!r} is not known; known: {sorted(known)}")
        return self

    @model_validator(mode="after")
    def _groups_of_known_units(self) -> Self:
        reporting = {unit.unit_id for unit in self.reporting_units}
        kinds = {unit.kind for unit in self.reporting_units}
        groups = [group for grouping in self.groupings for group in grouping.groups]
        _refuse_repeats("unit_id", [*(unit.unit_id for unit in self.units.tree()), *(g.group_id for g in groups)])
        named = [unit_id for group in groups for unit_id in group.units]
        named += [unit.within for unit in self.units.tree() if unit.within]
        if unknown := sorted(set(named) - reporting):
            raise ValueError(f"within, groupings.groups.units: {unknown[0]!r}: expected a unit that reports")
        if unknown := sorted({kind for group in groups for kind in group.kinds} - kinds):
            raise ValueError(f"groupings.groups.kinds: no unit is of kind {unknown[0]!r}; known: {sorted(kinds)}")
        within = {unit.unit_id: unit.within for unit in self.units.tree() if unit.within}
        for unit_id in within:
            above, holders = within[unit_id], {unit_id}
            while above not in holders and above in within:
                holders.add(above)
                above = within[above]
            if above in holders:
                raise ValueError(f"within: {unit_id} lies within itself")
        return self

    def members_by_group(self) -> Iterator[tuple[str, str, int, bool]]:
        """Yield (unit, group, depth, whether the group's sums count it) for every unit and all it belongs to.

        Every unit belongs to itself at depth 0. One that lies within another of the same group is not counted there.
        """
        within = {unit.unit_id: unit.within for unit in self.units.tree() if unit.within}
        members: dict[str, dict[str, int]] = {}

        def walk(unit: Unit, above: tuple[str, ...]) -> None:
            for depth, group_id in enumerate((unit.unit_id, *above)):
                members.setdefault(group_id, {})[unit.unit_id] = depth
            for member in unit.members:
                walk(member, (unit.unit_id, *above))

        walk(self.units, ())
        for grouping in self.groupings:
            for group in grouping.groups:
                members[group.group_id] = {group.group_id: 0} | {
                    unit.unit_id: 1
                    for unit in self.reporting_units
                    if unit.unit_id in group.units or unit.kind in group.kinds
                }
        for group_id, depths in members.items():
            for unit_id, depth in depths.items():
                holder = within.get(unit_id)
                while depth and holder and holder not in depths:
                    holder = within.get(holder)
                yield unit_id, group_id, depth, not (depth and holder)

    @model_validator(mode="after")
    def _unique_units(self) -> Self:
        units = list(self.units.tree())
        _refuse_repeats("unit_id", [unit.unit_id for unit in units])
        names = [(name, unit.unit_id) for unit in units for name in (unit.name, *unit.aliases)]
        _refuse_repeats("unit name or alias", [name for name, _ in names])
        _refuse_likeness("unit name or alias", [(name, plain(name), owner) for name, owner in names])
        return self

    @property
    def reporting_units(self) -> list[Unit]:
        """Return the units that report, in the order of the catalog."""
        return [unit for unit in self.units.tree() if not unit.members]


class EarlierLabel(Model):
    """What the header of an indicator said up to and including a day."""

    until: date
    label: tuple[Text, ...] = Field(min_length=1)


class EarlierTitle(Model):
    """What a form was called up to and including a day."""

    until: date
    title: Text


class Indicator(Model):
    """One column of a form, found by its label path: the texts of its header cells from top to bottom.

    ``measure_kind``: a flow adds up over time, a stock does not; rate, rank and points are figures the authority
    worked out itself and that are therefore checked and never used. ``figures`` says whether the column's flow is
    cumulative (累计) or of the period alone (本期), where it is not as the form's; ``counterpart`` names the column
    that states the same thing the other way.

    The form has the column from ``effective_from`` to ``effective_to``, and where nothing is said always. One that
    ``replaces`` others takes up where they end, the day before it begins, and goes on with the sum of them.
    """

    indicator_id: Id
    label: tuple[Text, ...] = Field(min_length=1)
    earlier_labels: tuple[EarlierLabel, ...] = ()
    effective_from: date | None = None
    effective_to: date | None = None
    replaces: tuple[Id, ...] = ()
    aliases: tuple[tuple[Text, ...], ...] = ()
    name: Text | None = None
    unit_of_measure: Text
    measure_kind: MeasureKind = "flow"
    figures: Figures | None = None
    counterpart: Id | None = None
    applies_to: tuple[Text, ...] = ()
    optional: YesNo = False
    counting_rule: Text | None = None
    counting_rule_source: Text | None = None

    @field_validator("indicator_id")
    @classmethod
    def _not_a_fixed_column(cls, value: str) -> str:
        if value in FIXED_COLUMNS:
            raise ValueError(f"{value} is taken: it names a column that every row has")
        return value

    def applies(self, unit_kind: str) -> bool:
        """Return whether units of a kind report the indicator."""
        return not self.applies_to or unit_kind in self.applies_to

    def label_on(self, day: date) -> tuple[str, ...]:
        """Return what its header says on a day."""
        return next((item.label for item in self.earlier_labels if day <= item.until), self.label)

    @property
    def label_path(self) -> str:
        """Return the label path in one line, as it is shown to people."""
        return " / ".join(self.label)

    @property
    def caption(self) -> str:
        """Return the name shown to people: the declared one, or the label path joined."""
        return self.name or "·".join(self.label)


M = TypeVar("M", bound=Model)


class ListedPeriodDefinition(Model):
    """A period of a calendar that is a plain list."""

    period_id: PeriodId
    name: Text
    starts_on: date
    ends_on: date
    accumulates_from: date | None = None
    year_ago: PeriodId | None = None


class CalendarDefinition(Model):
    """Which periods a form knows.

    ``starts_on`` and ``issues`` (the cut-off days) are a campaign's, ``periods`` a list's; ``month_starts_on: 25``
    makes a month run from the 25th to the 24th. ``summaries`` are coarser periods that are not reported themselves.
    """

    kind: CalendarKind
    starts_on: date | None = None
    counted_from: date | None = None
    issues: tuple[date, ...] = ()
    month_starts_on: Whole = 1
    periods: tuple[ListedPeriodDefinition, ...] = ()
    summaries: tuple[CalendarKind, ...] = ()

    @model_validator(mode="after")
    def _makes_a_calendar(self) -> Self:
        self.calendar()
        return self

    def calendar(self) -> Calendar:
        """Return the calendar itself."""
        return Calendar(
            kind=self.kind,
            starts_on=self.starts_on,
            counted_from=self.counted_from,
            issues=self.issues,
            month_starts_on=self.month_starts_on,
            listed=tuple(ListedPeriod(**dict(period)) for period in self.periods),
            summaries=self.summaries,
        )


class TotalRow(Model):
    """The printed total row of a consolidated table: a statement about a group of units, never a unit."""

    labels: tuple[Text, ...] = Field(min_length=1)
    states: Id


class Deadline(Model):
    """Until when a form is due, counted from the last day of its period; exactly one way of counting is declared.

    ``working_day``: the n-th working day after it, 0 for the day itself or the working day next after it; ``day``: that
    day of a later month (``months_later``), the last one where a month is shorter; ``days_after``: so many days later;
    ``dates``: a day for each period by itself, and no deadline for those not named. ``postponed`` moves a day that is
    no working day to the next that is. ``unit_kinds`` says whom it is for: without, all kinds no other deadline names.
    So a city has counties report to it by one day, and reports itself by a later one.
    """

    unit_kinds: tuple[Text, ...] = ()
    working_day: Whole | None = Field(default=None, ge=0, le=60)
    day: Whole | None = Field(default=None, ge=1, le=31)
    months_later: Whole = Field(default=1, ge=0, le=12)
    days_after: Whole | None = Field(default=None, ge=0, le=365)
    dates: dict[PeriodId, date] = {}
    postponed: YesNo = False
    at: HourOfDay

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [self.working_day is not None, self.day is not None, self.days_after is not None, bool(self.dates)]
        if sum(ways) != 1:
            raise ValueError("expected exactly one of working_day, day, days_after and dates")
        if "months_later" in self.model_fields_set and self.day is None:
            raise ValueError("months_later: expected only beside day")
        return self

    def due_on(self, period: Period) -> date | None:
        """Return the day on which a period is due, None where it has no deadline."""
        if self.working_day is not None:
            return nth_working_day_after(period.ends_on, self.working_day)
        if self.day is not None:
            day = day_of_month_after(period.ends_on, self.months_later, self.day)
        elif self.days_after is not None:
            day = period.ends_on + timedelta(self.days_after)
        elif (declared := self.dates.get(period.period_id)) is not None:
            day = declared
        else:
            return None
        return nth_working_day_after(day, 1) if self.postponed and not is_working_day(day) else day

    def due_at(self, day: date, zone: ZoneInfo) -> datetime:
        """Return the instant up to which a report of that day is on time."""
        return datetime.combine(day, time.fromisoformat(self.at), zone)


class BulletinPhrase(Model):
    """How a bulletin says figures, see the module ``phrases``; ``states`` are figures that it says without a number."""

    text: Text
    states: dict[Id, Exact] = {}


def _as_phrase(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else value


class Bulletin(Model):
    """What makes a form of the figures that a bulletin states in its sentences.

    They are statements about ``speaks_of``, or about the units that a phrase names, to be checked against what the
    units report: a group's figures are held against the sums of its units, and nobody owes the form. Where
    ``speaks_of`` is a unit that reports, there is nobody else to report them, and they are its figures.
    """

    speaks_of: Id
    phrases: tuple[Annotated[BulletinPhrase, BeforeValidator(_as_phrase)], ...] = ()


class Lifetime(NamedTuple):
    """From which day to which something holds, both included; None: ever since, and without end."""

    first: date | None = None
    last: date | None = None

    def covers(self, day: date) -> bool:
        """Return whether a day is one of them."""
        return (self.first or date.min) <= day <= (self.last or date.max)

    @property
    def is_empty(self) -> bool:
        """Return whether it ends before it begins."""
        return (self.first or date.min) > (self.last or date.max)

    def within(self, other: Lifetime) -> Lifetime:
        """Return the days that are another's too."""
        first = max(filter(None, (self.first, other.first)), default=None)
        return Lifetime(first, min(filter(None, (self.last, other.last)), default=None))

    def __str__(self) -> str:
        return f"from {self.first or 'the beginning'} to {self.last or 'the end'}"


ALWAYS = Lifetime()


class Version(NamedTuple):
    """A form as it stands for some time: without what it did not have then, and with the texts of that time."""

    form: Form
    lifetime: Lifetime


class Form(Model):
    """A form: how it is recognised, which periods it knows, and its indicators.

    Either ``unit_labels`` names the header of the column in which units stand, one row each, or the sheet carries a
    single unit, named in a line such as 填报单位：….

    What is declared to be due is owed, period by period, from ``owed_from`` on and until ``owed_to``: of every period
    that ends on one of these days. Nobody is reminded of a form without deadlines.

    What is declared is the form at all times: its indicators are all it ever had. What it is at one time, a workbook
    for instance, is one of its ``versions``.
    """

    form_id: Id
    authority_id: Id
    title: Text
    title_aliases: tuple[Text, ...] = ()
    earlier_titles: tuple[EarlierTitle, ...] = ()
    source: Text | None = None
    calendar: CalendarDefinition
    figures: Figures
    unit_labels: tuple[Text, ...] = ()
    reported_by: tuple[Text, ...] = ()
    deadlines: tuple[Deadline, ...] = ()
    owed_from: date | None = None
    owed_to: date | None = None
    total_row: TotalRow | None = None
    bulletin: Bulletin | None = None
    ignored_labels: tuple[Text, ...] = ("序号", "备注")
    not_applicable_marks: tuple[Text, ...] = ("—", "——", "-", "/", "不适用")
    indicators: tuple[Indicator, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _unique_indicators(self) -> Self:
        _refuse_repeats("indicator_id", [indicator.indicator_id for indicator in self.indicators])
        if self.first_days:
            self._check_succession()
            for version in self.versions:
                version.form._check_labels(f" ({version.lifetime})")
        else:
            self._check_labels("")
        if bool(self.deadlines) != (self.owed_from is not None):
            raise ValueError("deadlines and owed_from: expected both or neither")
        if self.owed_to and (self.owed_from is None or self.owed_to < self.owed_from):
            raise ValueError("owed_to: expected a day not before owed_from")
        _refuse_repeats("deadlines.unit_kinds", [kind for item in self.deadlines for kind in item.unit_kinds or ["*"]])
        if self.total_row and not self.unit_labels:
            raise ValueError("total_row needs unit_labels: a sheet of one unit has no total row")
        self._check_bulletin()
        by_id = {item.indicator_id: item for item in self.indicators}
        _refuse_repeats("counterpart", [item.counterpart for item in self.indicators if item.counterpart])
        for item in self.indicators:
            if (item.figures or item.counterpart) and item.measure_kind != "flow":
                raise ValueError(f"{item.indicator_id}: only a flow is cumulative or of one period")
            if item.counterpart:
                other = by_id.get(item.counterpart)
                if other is None or other.measure_kind != "flow" or other.counterpart not in (None, item.indicator_id):
                    raise ValueError(f"{item.indicator_id}: counterpart: expected a flow of this form")
                if self.figures_of(item) == self.figures_of(other):
                    raise ValueError(
                        f"{item.indicator_id}: counterpart: expected one of the two cumulative and the other single"
                    )
        return self

    def _check_bulletin(self) -> None:
        """Refuse a bulletin that is a table too, and phrases that cannot be read or speak of nothing of the form."""
        if self.bulletin is None:
            return
        if self.unit_labels or self.deadlines or self.reported_by:
            raise ValueError(
                "bulletin: a bulletin is no table and owed by nobody: no unit_labels, deadlines, reported_by"
            )
        known = {item.indicator_id for item in self.indicators}
        for phrase in self.bulletin.phrases:
            places = places_in(phrase.text)
            named = [place.indicator_id for place in places if place.indicator_id] + list(phrase.states)
            if not named:
                raise ValueError(f"bulletin.phrases: {phrase.text!r}: expected a figure in it, or in states")
            if unknown := sorted(set(named) - known):
                raise ValueError(f"bulletin.phrases: {phrase.text!r}: this form has no indicator {unknown[0]!r}")
            one_each = [place.indicator_id for place in places if place.kind == "figure"] + list(phrase.states)
            _refuse_repeats(f"bulletin.phrases: {phrase.text!r}: indicator", one_each)

    def _check_labels(self, when: str) -> None:
        """Refuse labels that cannot be told apart on one sheet."""
        labels = [(path, item.indicator_id) for item in self.indicators for path in (item.label, *item.aliases)]
        _refuse_repeats(f"label{when}", [path for path, _ in labels])
        units = frozenset({item.unit_of_measure for item in self.indicators} | set(MONEY))
        _refuse_likeness(
            f"label{when}",
            [(" / ".join(path), joined(split_unit(step, units)[0] for step in path), owner) for path, owner in labels],
        )

    def _check_succession(self) -> None:
        """Refuse indicators that end before they begin, or that go on with what cannot be added up to them."""
        by_id = {item.indicator_id: item for item in self.indicators}
        _refuse_repeats("replaces", [other for item in self.indicators for other in item.replaces])
        for item in self.indicators:
            for other in item.replaces:
                old = by_id.get(other)
                if old is None or item.effective_from is None:
                    wanted = "effective_from, the day from which it does" if old else "indicators of this form"
                    raise ValueError(f"{item.indicator_id}: replaces {other}: expected {wanted}")
                ended = item.effective_from - timedelta(1)
                if old.effective_to not in (None, ended):
                    raise ValueError(f"{other}: effective_to: expected {ended}, as {item.indicator_id} replaces it")
                if item.measure_kind not in ("flow", "stock"):
                    raise ValueError(f"{item.indicator_id}: replaces: only flows and stocks go on under another id")
                for key in ("measure_kind", "unit_of_measure"):
                    if getattr(old, key) != getattr(item, key):
                        raise ValueError(f"{item.indicator_id}: replaces {other}: expected the same {key}")
                if self.figures_of(old) != self.figures_of(item):
                    raise ValueError(f"{item.indicator_id}: replaces {other}: expected the same figures")
        for item in self.indicators:
            lifetime = self.lifetimes[item.indicator_id]
            last = lifetime.last
            if lifetime.is_empty:
                raise ValueError(f"{item.indicator_id}: effective_from: expected a day not after its last one, {last}")
            days = [earlier.until for earlier in item.earlier_labels]
            if any(one >= other for one, other in pairwise([*days, last or date.max])):
                raise ValueError(f"{item.indicator_id}: earlier_labels: expected each until later than the one before")
        days = [earlier.until for earlier in self.earlier_titles]
        if any(one >= other for one, other in pairwise(days)):
            raise ValueError("earlier_titles: expected each until later than the one before")
        for version in self.versions:
            if not version.form.indicators:
                raise ValueError(f"indicators: the form has none {version.lifetime}")

    @cached_property
    def lifetimes(self) -> dict[str, Lifetime]:
        """Return from when to when the form has each indicator."""
        replaced_on = {
            other: item.effective_from - timedelta(1)
            for item in self.indicators
            if item.effective_from
            for other in item.replaces
        }
        return {
            item.indicator_id: Lifetime(item.effective_from, item.effective_to or replaced_on.get(item.indicator_id))
            for item in self.indicators
        }

    @cached_property
    def first_days(self) -> list[date]:
        """Return the days on which the form changed."""
        lifetimes = self.lifetimes.values()
        last_days = [life.last for life in lifetimes if life.last]
        last_days += [earlier.until for item in self.indicators for earlier in item.earlier_labels]
        last_days += [earlier.until for earlier in self.earlier_titles]
        return sorted({life.first for life in lifetimes if life.first} | {day + timedelta(1) for day in last_days})

    @property
    def versions(self) -> tuple[Version, ...]:
        """Return what the form is at one time after another, the oldest first: itself, where it never changed."""
        return self._versions if self.first_days else (Version(self, ALWAYS),)

    @cached_property
    def _versions(self) -> tuple[Version, ...]:
        bounds = [None, *self.first_days, None]
        return tuple(
            Version(self._as_on(first or date.min), Lifetime(first, after and after - timedelta(1)))
            for first, after in pairwise(bounds)
        )

    def _as_on(self, day: date) -> Form:
        """Return the form as it stands on a day."""
        present = [item for item in self.indicators if self.lifetimes[item.indicator_id].covers(day)]
        ids = {item.indicator_id for item in present}
        always: dict[str, Any] = {"effective_from": None, "effective_to": None, "replaces": (), "earlier_labels": ()}
        indicators = tuple(
            item.model_copy(
                update={
                    **always,
                    "label": item.label_on(day),
                    "counterpart": item.counterpart if item.counterpart in ids else None,
                }
            )
            for item in present
        )
        title = next((earlier.title for earlier in self.earlier_titles if day <= earlier.until), self.title)
        return Form.model_construct(**{**dict(self), "title": title, "earlier_titles": (), "indicators": indicators})

    def version_of(self, period: Period) -> Version:
        """Return the version by which a period is reported: the one in force on its last day.

        That is when the form is filled in; the first day says nothing where many periods count from the same one.
        """
        return next(
            version for version in reversed(self.versions) if (version.lifetime.first or date.min) <= period.ends_on
        )

    def period_asked(self, asked: str) -> Period:
        """Return the reported period of an id, or of words such as 2025年9月; or raise NotDeclared."""
        calendar = self.calendar.calendar()
        found = next((item for item in calendar.periods() if item.period_id == asked), None)
        found = found or calendar.recognise([asked]).period
        if found is None or found.reported_as != found.period_id:
            example = next(item for item in reversed(calendar.periods()) if item.reported_as == item.period_id)
            raise NotDeclared(
                f"period: {asked!r} is no period that form {self.form_id} is reported for; one is {example.period_id}"
            )
        return found

    def stood_for(self, indicator_id: str, version: Version) -> tuple[str, ...]:
        """Return the indicators of a version that add up to an indicator: itself, or what it has replaced since.

        None at all where that version counted something else.
        """
        if indicator_id in version.form.indicator_ids:
            return (indicator_id,)
        replaced = next(item.replaces for item in self.indicators if item.indicator_id == indicator_id)
        parts = [self.stood_for(other, version) for other in replaced]
        return tuple(chain.from_iterable(parts)) if all(parts) else ()

    def deadline_of(self, unit_kind: str) -> Deadline | None:
        """Return the deadline of units of a kind."""
        general = [item for item in self.deadlines if not item.unit_kinds]
        named = [item for item in self.deadlines if unit_kind in item.unit_kinds]
        return next(iter([*named, *general]), None)

    def due_at(self, unit_kind: str, period: Period, zone: ZoneInfo) -> datetime | None:
        """Return until when units of a kind owe a period, None where it is not owed or has no deadline."""
        if self.owed_from is None or not self.owed_from <= period.ends_on <= (self.owed_to or date.max):
            return None
        deadline = self.deadline_of(unit_kind)
        day = deadline.due_on(period) if deadline else None
        return deadline.due_at(day, zone) if deadline and day else None

    def figures_of(self, indicator: Indicator) -> Figures:
        """Return whether an indicator's flow is stated as cumulative or for the period alone."""
        return indicator.figures or self.figures

    @cached_property
    def counterparts(self) -> dict[str, str]:
        """Return, both ways, the indicators that state the same thing as cumulative and for the period alone."""
        pairs = [(item.indicator_id, item.counterpart) for item in self.indicators if item.counterpart]
        return dict(pairs) | {other: one for one, other in pairs}

    @cached_property
    def indicator_ids(self) -> frozenset[str]:
        """Return the short ids of the form's indicators."""
        return frozenset(indicator.indicator_id for indicator in self.indicators)


class Metric(Model):
    """A figure derived from indicators: ``scale`` × sum of numerator ÷ sum of denominator (1 where none is given).

    A group's value is worked out from its units' sums, never from their values. Rates are given in percent by
    ``scale: 100``. ``decimals`` is for printing; the warehouse keeps the exact value. ``against_schedule`` sets a
    completion beside the share of the year that has passed (时序进度).
    """

    metric_id: Id
    name: Text
    form: Id
    unit_of_measure: Text
    numerator: tuple[Reference, ...] = Field(min_length=1)
    denominator: tuple[Reference, ...] = ()
    scale: Whole = 1
    decimals: Whole = Field(default=2, ge=0, le=10)
    against_schedule: YesNo = False

    @model_validator(mode="after")
    def _schedule_in_percent(self) -> Self:
        if self.against_schedule and self.unit_of_measure != "%":
            raise ValueError("against_schedule: expected a metric in %, to be set beside the share of the year passed")
        return self

    def terms(self) -> Iterator[tuple[str, str, str]]:
        """Yield (role, form_id, indicator_id) of everything the metric is computed from."""
        for role, references in (("numerator", self.numerator), ("denominator", self.denominator)):
            for reference in references:
                yield (role, *resolve(reference, self.form))


class ScoreboardItem(Model):
    """One thing that is ranked: an indicator of the scoreboard's form, or a metric.

    ``basis``: what is ranked is the figure as stated, the cumulative one or that of the period alone. A unit whose
    denominator is below ``minimum_denominator`` is not ranked: 1 of 1 is no achievement. ``weight`` multiplies the
    points in the total.
    """

    item_id: Id
    name: Text
    indicator: Reference | None = None
    metric: Id | None = None
    basis: Basis = "stated"
    better: Literal["higher", "lower"] = "higher"
    minimum_denominator: Exact | None = None
    weight: Exact = Field(default=Decimal(1), gt=0)
    points: Points

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        if (self.indicator is None) == (self.metric is None):
            raise ValueError("expected either indicator or metric, and not both")
        if self.minimum_denominator is not None and self.metric is None:
            raise ValueError("minimum_denominator: expected a metric, an indicator has no denominator")
        if self.item_id == "total":
            raise ValueError("item_id total is taken: it names the sum of the items' points")
        return self


class Scoreboard(Model):
    """What is ranked by what: rank = 1 + number of units strictly better; the total of points is ranked likewise.

    ``ties``: after two firsts comes the third (``gap``: 1, 1, 3) or, where so declared, the second (``dense``).
    """

    scoreboard_id: Id
    name: Text
    form: Id
    unit_kinds: tuple[Text, ...] = ()
    excluded_units: tuple[Id, ...] = ()
    ties: Literal["gap", "dense"] = "gap"
    items: tuple[ScoreboardItem, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _unique_items(self) -> Self:
        _refuse_repeats("item_id", [item.item_id for item in self.items])
        return self


class LandingPlace(Model):
    """A place where submissions arrive.

    ``collect``: an error returns the submission, and its figures stay out of the marts. ``archive``: published
    material is taken as printed, and the findings stand beside it. ``path`` is relative to the landing root unless
    it is a URL.

    ``received`` says when a file was: when it came to lie there, or, for submissions that are brought in later, at
    the instant that the first folder below the place names, such as ``2023-09-12T1730+0800``, or ``2023-09-12`` for
    noon of that day in China.
    """

    place_id: Id
    path: Text
    policy: Policy
    received: Literal["on_arrival", "in_path"] = "on_arrival"


class Landing(Model):
    """All landing places."""

    places: tuple[LandingPlace, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _unique_places(self) -> Self:
        _refuse_repeats("place_id", [place.place_id for place in self.places])
        return self


class Metrics(Model):
    """The file metrics.yaml."""

    metrics: tuple[Metric, ...]


class Scoreboards(Model):
    """The file scoreboards.yaml."""

    scoreboards: tuple[Scoreboard, ...]


class Sender(Model):
    """Who writes to the units, and whom they may ask."""

    name: Text
    address: Annotated[str, StringConstraints(pattern=r"^[^@\s<>\",;:]+@[^@\s<>\",;:]+$")]
    ask: Text
    how_to_send: Text


class NoticePolicy(Model):
    """When units are written to: the file notices.yaml.

    Days are working days. A unit gets one mail a day, from ``daily_at`` on, and beside it at once what is ``urgent``;
    nothing goes out on other days or outside ``working_hours``. A missed deadline is repeated every
    ``repeat_every_days``, ``repeat_at_most`` times; from ``escalate_after_days`` on the unit's superior is told. What
    became due or was received more than ``looking_back_days`` (calendar days) ago is nobody's news any more. More than
    ``missing_reports_a_year`` reports missing in a calendar year are too many; the marts say so.
    """

    sender: Sender
    daily_at: HourOfDay
    working_hours: tuple[HourOfDay, HourOfDay]
    remind_days_before: Whole | None = Field(default=1, ge=0, le=30)
    repeat_every_days: Whole = Field(default=2, ge=1, le=60)
    repeat_at_most: Whole = Field(default=3, ge=0, le=30)
    escalate_after_days: Whole | None = Field(default=3, ge=0, le=90)
    looking_back_days: Whole = Field(default=30, ge=1, le=366)
    urgent: tuple[Literal["returned", "questioned", "accepted", "refused"], ...] = ("returned",)
    missing_reports_a_year: Whole | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _within_hours(self) -> Self:
        opens, closes = self.working_hours
        if not opens <= self.daily_at < closes:
            raise ValueError("daily_at: expected an hour within working_hours, which begin before they end")
        return self


class Catalog(Model):
    """Everything that was declared, checked against itself."""

    authorities: tuple[Authority, ...]
    forms: tuple[Form, ...]
    metrics: tuple[Metric, ...]
    scoreboards: tuple[Scoreboard, ...]
    landing: Landing
    notices: dict[Id, NoticePolicy] = {}

    @cached_property
    def sha256(self) -> str:
        """Return a digest of what reaches the warehouse: it does not change with a comment or a landing place."""
        loaded = f"{FIRST_YEAR} {LAST_YEAR} {sorted(self.missing_reports_a_year.items())} "
        return hashlib.sha256((loaded + self.model_dump_json(exclude={"landing", "notices"})).encode()).hexdigest()

    @property
    def missing_reports_a_year(self) -> dict[str, int]:
        """Return, by authority, how many missing reports a unit may have in a year, where that is declared."""
        return {
            authority_id: policy.missing_reports_a_year
            for authority_id, policy in self.notices.items()
            if policy.missing_reports_a_year is not None
        }

    @property
    def tables(self) -> list[Form]:
        """Return the forms that units fill in: all but bulletins."""
        return [form for form in self.forms if not form.bulletin]

    @cached_property
    def form_by_id(self) -> dict[str, Form]:
        """Return the forms by id."""
        return {form.form_id: form for form in self.forms}

    @cached_property
    def authority_by_id(self) -> dict[str, Authority]:
        """Return the authorities by id."""
        return {authority.authority_id: authority for authority in self.authorities}

    def form_asked(self, asked: str) -> Form:
        """Return the form of an id, or of one of its titles; or raise NotDeclared."""
        found = [form for form in self.forms if asked in (form.form_id, form.title, *form.title_aliases)]
        if len(found) != 1:
            raise NotDeclared(f"form: expected one of {sorted(self.form_by_id)}, found {asked!r}")
        return found[0]

    def unit_asked(self, asked: str, form: Form | None = None) -> Unit:
        """Return the unit of an id or a name, among those that owe a form or all of them; or raise NotDeclared."""
        some = self.expected_units(form) if form else [u for item in self.authorities for u in item.reporting_units]
        found = [unit for unit in some if asked in (unit.unit_id, unit.name, *unit.aliases)]
        if not found:
            raise NotDeclared(f"unit: {asked!r} " + (f"does not owe form {form.form_id}" if form else "is no unit"))
        if len(found) > 1:
            raise NotDeclared(f"unit: {asked!r} is the name of {', '.join(unit.unit_id for unit in found)}: say which")
        return found[0]

    def expected_units(self, form: Form) -> list[Unit]:
        """Return the units that owe ``form``; a bulletin is owed by nobody but the unit whose own figures it states."""
        units = self.authority_by_id[form.authority_id].reporting_units
        if form.bulletin:
            return [unit for unit in units if unit.unit_id == form.bulletin.speaks_of]
        return [unit for unit in units if not form.reported_by or unit.kind in form.reported_by]

    def check_reference(self, reference: str, home_form: str) -> tuple[str, str]:
        """Return (form_id, indicator_id) of an indicator that exists; raise ValueError saying what does not."""
        form_id, indicator_id = resolve(reference, home_form)
        form = self.form_by_id.get(form_id)
        if form is None:
            raise ValueError(f"{reference}: expected a form of the catalog, found {form_id!r}")
        if indicator_id not in form.indicator_ids:
            raise ValueError(f"{reference}: form {form_id} has no indicator {indicator_id!r}")
        return form_id, indicator_id


def resolve(reference: str, home_form: str) -> tuple[str, str]:
    """Return (form_id, indicator_id) of ``form.indicator``, or of ``indicator`` in its home form."""
    form_id, _, indicator_id = reference.rpartition(".")
    return form_id or home_form, indicator_id


def load_catalog(definitions: Path) -> Catalog:
    """Return the catalog under ``definitions``/catalog.

    Raises CatalogError naming the file, the key and what was expected there.
    """
    root = definitions / "catalog"
    if not root.is_dir():
        raise CatalogError(f"{root}: expected a folder with landing.yaml and one folder per authority")
    authorities: list[Authority] = []
    forms: list[Form] = []
    metrics: list[Metric] = []
    scoreboards: list[Scoreboard] = []
    notices: dict[str, NoticePolicy] = {}
    origin: dict[tuple[str, str], Path] = {}

    def declare(kind: str, name: str, path: Path) -> None:
        if other := origin.get((kind, name)):
            raise CatalogError(f"{path}: {kind} {name} is declared in {other} already")
        origin[kind, name] = path

    refuse_strays(root, ["landing.yaml"], folders=["<authority>"])
    for folder in sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")):
        if folder.name == MAIL:
            refuse_strays(folder, MAIL_TEMPLATES)
            continue
        known = ["authority.yaml", "metrics.yaml", "scoreboards.yaml", "notices.yaml"]
        refuse_strays(folder, known, folders=["forms", MAIL])
        if (folder / "forms").is_dir():
            refuse_strays(folder / "forms", None)
        if (folder / MAIL).is_dir():
            refuse_strays(folder / MAIL, MAIL_TEMPLATES)
        authority = read_definition(folder / "authority.yaml", Authority)
        authorities.append(authority)
        declare("authority_id", authority.authority_id, folder / "authority.yaml")
        for unit in authority.units.tree():
            declare("unit_id", unit.unit_id, folder / "authority.yaml")
        for grouping in authority.groupings:
            for group in grouping.groups:
                declare("unit_id", group.group_id, folder / "authority.yaml")
        for path in sorted((folder / "forms").glob("[!.]*.yaml")):
            form = read_definition(path, Form)
            if form.authority_id != authority.authority_id:
                raise CatalogError(f"{path}: authority_id: expected {authority.authority_id}, as the folder's")
            declare("form_id", form.form_id, path)
            forms.append(form)
        if (path := folder / "metrics.yaml").exists():
            for metric in read_definition(path, Metrics).metrics:
                declare("metric_id", metric.metric_id, path)
                metrics.append(metric)
        if (path := folder / "scoreboards.yaml").exists():
            for scoreboard in read_definition(path, Scoreboards).scoreboards:
                declare("scoreboard_id", scoreboard.scoreboard_id, path)
                scoreboards.append(scoreboard)
        if (path := folder / "notices.yaml").exists():
            notices[authority.authority_id] = read_definition(path, NoticePolicy)
    if not authorities:
        raise CatalogError(f"{root}: expected one folder per authority, found none")
    catalog = Catalog(
        authorities=tuple(authorities),
        forms=tuple(forms),
        metrics=tuple(metrics),
        scoreboards=tuple(scoreboards),
        notices=notices,
        landing=read_definition(root / "landing.yaml", Landing),
    )
    _check_references(catalog, origin)
    return catalog


def read_definition(path: Path, model: type[M]) -> M:
    """Return the definition in a YAML file; raise CatalogError naming file, key and what was expected."""
    try:
        content: Any = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except FileNotFoundError:
        raise CatalogError(f"{path}: expected this file ({model.__name__.lower()})") from None
    except OSError as error:
        raise CatalogError(f"{path}: expected a file that can be read: {error.strerror}") from None
    except RecursionError:
        raise CatalogError(f"{path}: not readable as YAML: nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: 2025-13-45 looks like a date and is none
        raise CatalogError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from None
    try:
        return model.model_validate(content)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            key = ".".join(str(part) for part in problem["loc"]) or "(top level)"
            found = "" if problem["type"] == "missing" else f" (found {problem['input']!r:.80})"
            lines.append(f"{path}: {key}: {problem['msg'].removeprefix('Value error, ')}{found}")
        raise CatalogError("\n".join(lines)) from None


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads YAML as SafeLoader does, but refuses a key that stands twice in one mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} stands twice in one mapping", key.start_mark
                    )
                seen.add(key.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def refuse_strays(folder: Path, names: Collection[str] | None, folders: Collection[str] = ()) -> None:
    """Raise CatalogError where a folder holds a file or folder that nothing reads; hidden ones are passed over.

    ``names`` are the files expected there, None any that ends in .yaml; ``folders`` the folders, ``<…>`` for any name.
    """
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir() and path.suffix not in (".yaml", ".yml"):
            known = any(name.startswith("<") or path.name == name for name in folders)
        else:
            known = path.suffix == ".yaml" if names is None else path.name in names
        if not known:
            expected = [*(sorted(names) if names is not None else ["*.yaml"]), *(f"{name}/" for name in folders)]
            raise CatalogError(f"{path}: not read by anything: expected {', '.join(expected)}")


def _check_references(catalog: Catalog, origin: dict[tuple[str, str], Path]) -> None:
    """Refuse references to what does not exist."""
    metric_ids = {metric.metric_id for metric in catalog.metrics}
    unit_kinds = {
        authority.authority_id: {unit.kind for unit in authority.units.tree()} for authority in catalog.authorities
    }
    for form in catalog.forms:
        path = origin["form_id", form.form_id]
        kinds = unit_kinds[form.authority_id]
        wanted = {*form.reported_by, *(kind for indicator in form.indicators for kind in indicator.applies_to)}
        if unknown := sorted(wanted - kinds):
            raise CatalogError(f"{path}: no unit of this authority is of kind {unknown[0]}; known: {sorted(kinds)}")
        groups = {unit.unit_id for unit in catalog.authority_by_id[form.authority_id].units.tree() if unit.members}
        if form.total_row and form.total_row.states not in groups:
            raise CatalogError(f"{path}: total_row.states: expected one of the groups {sorted(groups)}")
        known = {unit.unit_id for unit in catalog.authority_by_id[form.authority_id].units.tree()}
        if form.bulletin and form.bulletin.speaks_of not in known:
            raise CatalogError(f"{path}: bulletin.speaks_of: expected a unit of the authority, one of {sorted(known)}")
        _check_holders(catalog, form, path)
        _check_deadlines(catalog, form, path)
    for metric in catalog.metrics:
        path = origin["metric_id", metric.metric_id]
        _known_form(catalog, metric.form, path, metric.metric_id)
        for reference in (*metric.numerator, *metric.denominator):
            _checked(catalog, reference, metric.form, path, metric.metric_id)
    for scoreboard in catalog.scoreboards:
        path = origin["scoreboard_id", scoreboard.scoreboard_id]
        form = _known_form(catalog, scoreboard.form, path, scoreboard.scoreboard_id)
        unit_ids = {unit.unit_id for unit in catalog.authority_by_id[form.authority_id].units.tree()}
        for key, named, known in (
            ("unit_kinds", scoreboard.unit_kinds, unit_kinds[form.authority_id]),
            ("excluded_units", scoreboard.excluded_units, unit_ids),
        ):
            if unknown := sorted(set(named) - known):
                raise CatalogError(
                    f"{path}: {scoreboard.scoreboard_id}.{key}: {unknown[0]!r} is not known to authority"
                    f" {form.authority_id}; known: {sorted(known)}"
                )
        for item in scoreboard.items:
            key = f"{scoreboard.scoreboard_id}.{item.item_id}"
            if item.indicator:
                _checked(catalog, item.indicator, scoreboard.form, path, key)
            elif item.metric not in metric_ids:
                raise CatalogError(f"{path}: {key}.metric: no metric {item.metric!r} is declared")


def _check_holders(catalog: Catalog, form: Form, path: Path) -> None:
    """Refuse a unit inside another that need not report what the inner one does: its figures would count nowhere."""
    by_id = {unit.unit_id: unit for unit in catalog.expected_units(form)}
    for unit in by_id.values():
        if not unit.within:
            continue
        holder = by_id.get(unit.within)
        if holder is None:
            raise CatalogError(f"{path}: {unit.unit_id} lies within {unit.within}, which does not owe this form")
        for item in form.indicators:
            if unit.kind in item.applies_to and holder.kind not in item.applies_to:
                raise CatalogError(
                    f"{path}: {item.indicator_id}.applies_to: {unit.unit_id} lies within {holder.unit_id}, to which"
                    " this does not apply"
                )
        ends, holder_ends = unit.valid_to or date.max, holder.valid_to or date.max
        if (holder.valid_from or date.min) > (unit.valid_from or date.min) or holder_ends < ends:
            raise CatalogError(
                f"{path}: {unit.unit_id} lies within {holder.unit_id}, which is not in force all the time it is"
            )


def _check_deadlines(catalog: Catalog, form: Form, path: Path) -> None:
    """Refuse deadlines for nobody, and a unit that owes a form until no one knows when."""
    kinds = {unit.kind for unit in catalog.expected_units(form)}
    if unknown := sorted({kind for item in form.deadlines for kind in item.unit_kinds} - kinds):
        raise CatalogError(f"{path}: deadlines.unit_kinds: no unit of kind {unknown[0]!r} owes this form")
    if form.deadlines and (without := sorted(kind for kind in kinds if form.deadline_of(kind) is None)):
        raise CatalogError(f"{path}: deadlines: expected one for units of kind {without[0]!r} too")
    periods = {period.period_id for period in form.calendar.calendar().periods()}
    named = {period_id for item in form.deadlines for period_id in item.dates}
    if unknown := sorted(named - periods):
        raise CatalogError(f"{path}: deadlines.dates: {unknown[0]!r} is no period of this form's calendar")


def _known_form(catalog: Catalog, form_id: str, path: Path, key: str) -> Form:
    form = catalog.form_by_id.get(form_id)
    if form is None:
        raise CatalogError(f"{path}: {key}.form: expected a form of the catalog, found {form_id!r}")
    return form


def _checked(catalog: Catalog, reference: str, home_form: str, path: Path, key: str) -> None:
    try:
        catalog.check_reference(reference, home_form)
    except ValueError as error:
        raise CatalogError(f"{path}: {key}: {error}") from None


def _refuse_repeats(what: str, values: list[Any]) -> None:
    repeated = [value for value, count in Counter(values).items() if count > 1]
    if repeated:
        raise ValueError(f"{what} {repeated[0]!r} is declared twice")


def _refuse_likeness(what: str, values: Iterable[tuple[str, str, str]]) -> None:
    """Refuse texts, given with what they are compared by and whose they are, that cannot be told apart in reading."""
    first: dict[str, tuple[str, str]] = {}
    for text, compared, owner in values:
        other, other_owner = first.setdefault(compared, (text, owner))
        if owner != other_owner:
            raise ValueError(f"{what} {text!r} ({owner}) reads the same as {other!r} ({other_owner})")
