"""Synthetic submissions: workbooks for any catalog that say what they are and contradict no declared rule.

The same seed gives the same bytes: what a unit states for a period depends on the seed, the unit and the period and on
nothing else, neither on how many units or periods are asked for nor on the day. Every workbook carries the line
合成数据，仅供演示, on each sheet and in its document properties.

Figures are drawn and then repaired, rule by rule, by raising what is too low, until nothing is too low any more.
Nothing is ever lowered, so that cumulative figures, which start from those of the period before, never fall inside
their window.

GenerationError: no figures were found that the rules allow; the message names the rule.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path
from random import Random
from typing import Literal

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from enforcement_reporting.catalog import Catalog, Form, Indicator, Points, Unit, load_catalog, resolve
from enforcement_reporting.periods import Period
from enforcement_reporting.quality.declared import (
    Accumulates,
    AmountCount,
    ChangeTriple,
    Copied,
    Doubt,
    Equal,
    NeverFixed,
    NotApplicable,
    NotFalling,
    OverallRate,
    PartitionsAgree,
    PartWhole,
    Rate,
    Rule,
    StatedChange,
    Sum,
    Total,
    WholeBase,
    declared_suites,
)
from enforcement_reporting.texts import MONEY
from enforcement_reporting.workbook import layout

SYNTHETIC = "合成数据，仅供演示"

Layout = Literal["unit", "consolidated"]
Figure = Decimal | str | None  # a text is typed as it stands, None is a blank cell

_FIRST_DAY = date(2025, 1, 1)
_ATTEMPTS, _PASSES = 40, 40
_LARGEST = 10**12

# Figures are whole numbers of hundredths while they are worked out.
_HUNDREDTHS = 100


class GenerationError(ValueError):
    """No figures were found that the rules allow, or what was asked for does not exist; the message says which."""


@dataclass
class Submission:
    """What one unit (or, for the row ``total``, a group) states on one form for one period, by indicator."""

    form: Form
    period: Period
    unit_id: str
    name: str
    row_role: Literal["unit", "total"]
    figures: dict[str, Figure]


@dataclass
class Workbook:
    """A workbook that can be written: its sheets are lists of submissions of one form and period each.

    ``units_of_measure`` are those of the catalog: a label that is one of them needs no other behind it.
    """

    file_name: str
    sheets: list[list[Submission]]
    units_of_measure: frozenset[str]

    def content(self) -> bytes:
        """Return the bytes of the .xlsx file."""
        buffer = io.BytesIO()
        book = xlsxwriter.Workbook(buffer, {"in_memory": True})
        book.set_properties(
            {
                "title": SYNTHETIC,
                "subject": SYNTHETIC,
                "comments": SYNTHETIC,
                "keywords": "synthetic",
                "created": layout.CREATED,
            }
        )
        styles = _Styles(book)
        names: set[str] = set()
        for number, submissions in enumerate(self.sheets, 1):
            name = layout.sheet_name(submissions[0].form.title, number, names)
            names.add(name.lower())
            _write_sheet(book.add_worksheet(name), submissions, styles, self.units_of_measure)
        book.close()
        return buffer.getvalue()


def generate(
    definitions: Path,
    out_dir: Path,
    *,
    authority: str,
    forms: Collection[str] | None = None,
    units: int | Collection[str] | None = None,
    periods: int = 1,
    starting: date | None = None,
    seed: int = 1,
    layout: Layout = "unit",
    revise: Callable[[Submission], None] | None = None,
) -> Iterator[Path]:
    """Write workbooks into ``out_dir`` one after another and yield their paths; see ``workbooks``."""
    out_dir.mkdir(parents=True, exist_ok=True)
    for workbook in workbooks(
        definitions,
        authority=authority,
        forms=forms,
        units=units,
        periods=periods,
        starting=starting,
        seed=seed,
        layout=layout,
        revise=revise,
    ):
        path = out_dir / workbook.file_name
        path.write_bytes(workbook.content())
        yield path


def workbooks(
    definitions: Path,
    *,
    authority: str,
    forms: Collection[str] | None = None,
    units: int | Collection[str] | None = None,
    periods: int = 1,
    starting: date | None = None,
    seed: int = 1,
    layout: Layout = "unit",
    revise: Callable[[Submission], None] | None = None,
) -> Iterator[Workbook]:
    """Yield the workbooks of an authority's units, period by period; one period's figures are in memory at a time.

    ``periods`` counts the days on which periods end, from ``starting`` on: a month and a quarter that end together
    are one. ``units`` is a number, the first so many of the catalog, or a collection of ids; without it, all report.
    The layout ``unit`` puts a unit's forms of a period into one workbook; ``consolidated`` puts all units into one
    workbook a period, with the printed total row where the form has one, and leaves forms without a column of units
    as they are. ``revise`` may change a submission before it is written, to plant what a check is to find.

    Raises GenerationError.
    """
    catalog = load_catalog(definitions)
    rules = {suite.form: suite.rules for _, suite in declared_suites(definitions)}
    generator = _Generator(catalog, rules, authority, seed)
    wanted_units = generator.chosen_units(units)
    wanted_forms = generator.chosen_forms(forms)
    first_day = starting or generator.first_day(wanted_forms)
    for due, submissions in generator.run(first_day, periods, wanted_forms, wanted_units):
        kept = [item for item in submissions if item.form.form_id in wanted_forms and item.unit_id in wanted_units]
        for item in kept:
            if revise:
                revise(item)
        yield from _bound(authority, due, kept, layout, generator)


def _bound(
    authority: str, period_id: str, submissions: Sequence[Submission], layout: Layout, generator: _Generator
) -> Iterator[Workbook]:
    """Yield the workbooks that hold the submissions of one period."""
    together: dict[str, list[Submission]] = defaultdict(list)
    apart: dict[str, dict[str, list[Submission]]] = defaultdict(dict)
    for item in submissions:
        if layout == "consolidated" and item.form.unit_labels:
            together[item.form.form_id].append(item)
        else:
            apart[item.unit_id].setdefault(item.form.form_id, []).append(item)
    if together:
        sheets = [[*rows, *generator.total_row(rows)] for rows in together.values()]
        yield Workbook(f"{authority}_{period_id}.xlsx", sheets, generator.units_of_measure)
    for unit_id, by_form in apart.items():
        yield Workbook(f"{unit_id}_{period_id}.xlsx", list(by_form.values()), generator.units_of_measure)


# What the rules ask for, in a form that can be repaired.


_Kind = Literal["at_most", "share", "equal", "needs", "grows_by"]
_References = tuple[tuple[str, str], ...]  # as (form, indicator)
_Relation = tuple[str, _Kind, _References, _References]


@dataclass(frozen=True)
class _Constraint:
    """A relation between two sums of columns: ``left`` at most, or equal to, or not without, ``right``.

    ``share`` is ``at_most`` where no rule demands it. ``grows_by``: what ``right`` has grown by since the period before
    is ``left``.
    """

    rule: str
    kind: _Kind
    left: tuple[int, ...]
    right: tuple[int, ...]

    def raise_what_is_low(self, values: list[int], before: Sequence[int], steps: Sequence[int], random: Random) -> bool:
        """Raise one of the columns that are too low; return whether any was."""
        left = sum(values[column] for column in self.left)
        right = sum(values[column] for column in self.right)
        if self.kind == "grows_by":
            right -= sum(before[column] for column in self.right)
        if self.kind == "needs":
            side, missing = self.right, int(left > 0 and right == 0)
        elif left > right:
            side, missing = self.right, left - right
        elif left < right and self.kind in ("equal", "grows_by"):
            side, missing = self.left, right - left
        else:
            return False
        if missing:
            column = random.choice(side)
            values[column] += -(-missing // steps[column]) * steps[column]
        return bool(missing)


@dataclass(frozen=True)
class _Column:
    """A counted or measured indicator of one of the forms that are due together."""

    form: Form
    indicator: Indicator

    @property
    def step(self) -> int:
        """Return the smallest amount by which it rises, in hundredths."""
        measured = self.indicator.unit_of_measure in MONEY and self.indicator.unit_of_measure != "元"
        return 1 if measured else _HUNDREDTHS

    @property
    def accumulates(self) -> bool:
        """Return whether it starts from the figure of the period before."""
        return self.indicator.measure_kind == "flow" and self.form.figures_of(self.indicator) == "cumulative"


class _Plan:
    """How the figures of one kind of unit are drawn for forms that are due together."""

    def __init__(self, forms: Sequence[Form], rules: Mapping[str, tuple[Rule, ...]], unit_kind: str) -> None:
        self.forms = forms
        counted = [
            _Column(form, item) for form in forms for item in form.indicators if item.measure_kind in ("flow", "stock")
        ]
        self.columns = [column for column in counted if column.indicator.applies(unit_kind)]
        self.index = {
            (column.form.form_id, column.indicator.indicator_id): place for place, column in enumerate(self.columns)
        }
        known = {(column.form.form_id, column.indicator.indicator_id) for column in counted}
        self.constraints: list[_Constraint] = []
        self.always_zero: set[int] = set()
        derived: set[int] = set()
        relations = [
            relation
            for form in forms
            for rule in rules.get(form.form_id, ())
            for relation in _relations(rule, form)
            if all(reference in known for reference in (*relation[2], *relation[3]))
        ]
        relations += [relation for form in forms for relation in _counterparts(form)]
        while self._leave_empty(relations):
            pass
        for rule_id, kind, left, right in relations:
            sides = self._open(left), self._open(right)
            if all(sides):
                self.constraints.append(_Constraint(rule_id, kind, *sides))
                if kind == "grows_by" or (kind == "equal" and len(sides[0]) > 1):
                    derived |= set(sides[1])
        # What a rule takes for a copy of the period before where none of it rises.
        self.copies = [
            (places, rule.at_least)
            for form in forms
            for rule in rules.get(form.form_id, ())
            if isinstance(rule, Copied)
            and (
                places := [
                    place
                    for place, column in enumerate(self.columns)
                    if column.form is form
                    and column.accumulates
                    and (rule.indicators == "all" or column.indicator.indicator_id in rule.indicators)
                ]
            )
        ]
        self.steps = [column.step for column in self.columns]
        self.weights = self._weights(derived)

    def _open(self, references: Iterable[tuple[str, str]]) -> tuple[int, ...]:
        """Return the columns of a side that this kind of unit may fill in."""
        places = (self.index.get(reference) for reference in references)
        return tuple(place for place in places if place is not None and place not in self.always_zero)

    def _leave_empty(self, relations: Iterable[_Relation]) -> bool:
        """Mark the columns that stay zero as nothing can balance them; return whether any was new."""
        before = len(self.always_zero)
        for _, kind, left, right in relations:
            if not self._open(right) and kind != "share":
                self.always_zero |= set(self._open(left))
            if kind in ("equal", "grows_by") and not self._open(left):
                self.always_zero |= set(self._open(right))
        return len(self.always_zero) > before

    def _weights(self, derived: Collection[int]) -> list[int]:
        """Return how large each column's figures are: a whole is larger than its parts, a sum begins at nothing."""
        heights = [0] * len(self.columns)
        for _ in range(4):  # rules may go round in circles
            for constraint in self.constraints:
                highest = max(heights[column] for column in constraint.left)
                if constraint.kind in ("at_most", "share"):
                    for column in constraint.right:
                        heights[column] = min(4, max(heights[column], highest + 1))
                elif constraint.kind == "equal" and len(constraint.left) == 1:
                    both = (*constraint.left, *constraint.right)
                    for column in both:
                        heights[column] = max(heights[other] for other in both)
        return [
            0 if place in derived or place in self.always_zero else 4 << height for place, height in enumerate(heights)
        ]

    def solve(self, before: Sequence[int], size: float, random: Random) -> list[int]:
        """Return figures that break no constraint and, where they accumulate, are not below those ``before``."""
        held: set[int] = set()
        broken: _Constraint | None = None
        values: list[int] = []
        for _ in range(_ATTEMPTS):
            values = [
                before[place] if place in held else self._drawn(place, before[place], size, random)
                for place in range(len(self.columns))
            ]
            broken = self._repair(values, before, random)
            if broken is None:
                if self._stands_still(values, before):
                    continue
                return values
            # It went round in circles: what the rule is about stays as it was.
            held |= {*broken.left, *broken.right}
        if broken is None:  # nothing can rise: all that is left is to say so
            return values
        raise GenerationError(f"rule {broken.rule}: no figures that all rules allow were found")

    def _stands_still(self, values: Sequence[int], before: Sequence[int]) -> bool:
        """Return whether nothing has risen of what a rule takes for a copy then."""
        return any(
            sum(before[place] > 0 for place in places) >= at_least
            and all(values[place] == before[place] for place in places)
            for places, at_least in self.copies
        )

    def _repair(self, values: list[int], before: Sequence[int], random: Random) -> _Constraint | None:
        """Raise what is too low; return None where nothing is any more, or else the constraint broken last."""
        broken = None
        for _ in range(_PASSES):
            broken = None
            for constraint in self.constraints:
                if constraint.raise_what_is_low(values, before, self.steps, random):
                    broken = constraint
            if broken is None or max(values) > _LARGEST:
                break
        return broken

    def _drawn(self, place: int, before: int, size: float, random: Random) -> int:
        column = self.columns[place]
        most = int(self.weights[place] * size)
        if column.indicator.measure_kind == "stock" and most:
            usual = Random(f"{size} {column.form.form_id}.{column.indicator.indicator_id}").randint(most, 3 * most)  # noqa: S311
            return max(0, usual + random.choice((-1, 0, 0, 0, 1))) * _HUNDREDTHS
        drawn = 0 if random.random() < 0.1 else random.randint(0, most * _HUNDREDTHS // column.step) * column.step
        return before + drawn if column.accumulates else drawn


def _relations(rule: Rule, form: Form) -> Iterator[_Relation]:
    """Yield what a rule asks of counted figures. Stated rates, changes and totals are worked out and need no repair."""

    def places(*references: str) -> tuple[tuple[str, str], ...]:
        return tuple(resolve(reference, form.form_id) for reference in references)

    name = f"{form.form_id}.{rule.rule_id}"
    match rule:
        case PartWhole():
            yield name, "at_most", places(*rule.parts), places(*rule.whole)
        case Sum():
            yield name, "equal", places(*rule.parts), places(rule.whole)
        case Equal():
            yield name, "equal", places(rule.left), places(rule.right)
        case AmountCount():
            yield name, "needs", places(*rule.amount), places(*rule.count)
            if rule.and_back:
                yield name, "needs", places(*rule.count), places(*rule.amount)
        case NeverFixed():
            yield name, "needs", places(*rule.found), places(*rule.fixed)
        case Rate() if rule.scale == 100:
            # Nothing forbids a share above 100 %, but it would look like a mistake.
            yield name, "share", places(*rule.numerator), places(*rule.denominator)
        case PartitionsAgree():
            first, *others = rule.partitions
            for other in others:
                yield name, "equal", places(*first), places(*other)
        case Rate() | StatedChange() | WholeBase() | ChangeTriple() | Total() | OverallRate() | NotApplicable():
            pass
        case NotFalling() | Accumulates() | Doubt():
            pass
        case _:
            raise GenerationError(f"rule {name}: it is not known here how to satisfy a rule of kind {rule.kind}")


def _counterparts(form: Form) -> Iterator[_Relation]:
    """Yield what ties the columns that state one thing twice, as cumulative and for the period alone."""
    for item in form.indicators:
        if form.figures_of(item) == "single" and (other := form.counterparts.get(item.indicator_id)):
            name = f"{form.form_id}.{item.indicator_id}: counterpart"
            yield name, "grows_by", ((form.form_id, item.indicator_id),), ((form.form_id, other),)


class _Generator:
    """One authority's figures, period by period."""

    def __init__(self, catalog: Catalog, rules: Mapping[str, tuple[Rule, ...]], authority: str, seed: int) -> None:
        known = sorted({form.authority_id for form in catalog.tables})
        if authority not in known:
            raise GenerationError(f"authority: expected one of {known}, found {authority!r}")
        self.catalog, self._declared, self.seed = catalog, rules, seed
        self.authority = catalog.authority_by_id[authority]
        self.units_of_measure = layout.units_of_measure(catalog)
        self.forms = [form for form in catalog.tables if form.authority_id == authority]
        self._expected = {form.form_id: {unit.unit_id for unit in catalog.expected_units(form)} for form in self.forms}
        self._plans: dict[tuple[tuple[int, ...], str], _Plan] = {}
        self._go_by(rules)
        # By unit and form: where the window began, and the figures of the latest period.
        self._latest: dict[tuple[str, str], tuple[date, dict[str, int]]] = {}
        # By unit and form, of the forms that state changes: the figures of each period.
        self._compared: dict[tuple[str, str], dict[str, dict[str, Figure]]] = defaultdict(dict)

    def _go_by(self, rules: Mapping[str, tuple[Rule, ...]]) -> None:
        """Take rules for those of the periods that are worked out next."""
        self.rules = rules
        self._plans.clear()
        counted = {
            (form.form_id, item.indicator_id)
            for form in self.forms
            for item in form.indicators
            if item.measure_kind in ("flow", "stock")
        }
        relations = [
            relation
            for form in self.forms
            for rule in rules.get(form.form_id, ())
            for relation in _relations(rule, form)
            if relation[1] != "share"
        ]
        # What is asked of figures that are worked out: it holds or it does not.
        self._of_worked_out = [item for item in relations if not counted.issuperset((*item[2], *item[3]))]

    def chosen_units(self, units: int | Collection[str] | None) -> set[str]:
        """Return the ids of the units that report."""
        known = [unit.unit_id for unit in self.authority.reporting_units]
        if units is None:
            return set(known)
        chosen = known[:units] if isinstance(units, int) else list(units)
        if not chosen or (isinstance(units, int) and units > len(known)):
            raise GenerationError(f"units: expected from 1 to {len(known)}, as many as the authority has")
        if strangers := sorted(set(chosen) - set(known)):
            raise GenerationError(f"units: {strangers[0]!r} is no reporting unit of {self.authority.authority_id}")
        return set(chosen)

    def chosen_forms(self, forms: Collection[str] | None) -> set[str]:
        """Return the ids of the forms that are reported."""
        known = {form.form_id for form in self.forms}
        if strangers := sorted(set(forms or ()) - known):
            raise GenerationError(f"forms: {strangers[0]!r} is no form of {self.authority.authority_id}")
        return set(forms) if forms else known

    def first_day(self, forms: Collection[str]) -> date:
        """Return the day from which periods are generated where none is asked for: that on which a campaign began."""
        starts = [form.calendar.starts_on for form in self.forms if form.form_id in forms and form.calendar.starts_on]
        return min(starts, default=_FIRST_DAY)

    def run(
        self, first_day: date, count: int, wanted_forms: Collection[str], wanted_units: Collection[str]
    ) -> Iterator[tuple[str, list[Submission]]]:
        """Yield (period_id, submissions) of each period wanted; those before it in its window are worked out too."""
        for period_id, due in self._timeline(first_day, count, wanted_forms):
            day = due[0][1].ends_on
            rules = {
                form_id: tuple(rule for rule in declared if rule.lifetime.covers(day))
                for form_id, declared in self._declared.items()
            }
            if rules != self.rules:
                self._go_by(rules)
            wanted = any(period.ends_on >= first_day and form.form_id in wanted_forms for form, period in due)
            ranked = any(item.measure_kind in ("rank", "points") for form, _ in due for item in form.indicators)
            submissions: list[Submission] = []
            for unit in self.authority.reporting_units:
                if ranked or unit.unit_id in wanted_units:
                    submissions += self._submissions(unit, due)
            if wanted:
                for form, _ in due:
                    _rank([item for item in submissions if item.form is form], self.rules, self.catalog)
                self._refuse_contradictions(submissions)
                yield period_id, submissions

    def _timeline(
        self, first_day: date, count: int, wanted_forms: Collection[str]
    ) -> list[tuple[str, list[tuple[Form, Period]]]]:
        """Return the periods to work out, in the order in which they end, with the forms that are due for each."""
        reported = {form.form_id: _reported(form) for form in self.forms}
        ends = sorted({p.ends_on for form_id in wanted_forms for p in reported[form_id] if p.ends_on >= first_day})
        if not 1 <= count <= len(ends):
            raise GenerationError(f"periods: expected from 1 to {len(ends)}, as many as end from {first_day} on")
        last_day = ends[count - 1]
        wanted = [
            (form_id, period)
            for form_id in wanted_forms
            for period in reported[form_id]
            if first_day <= period.ends_on <= last_day
        ]
        waiting = {period.period_id for _, period in wanted}
        waiting |= {base for form_id, period in wanted for base in self._bases(form_id, period)}
        by_id: dict[str, list[tuple[Form, Period]]] = {}
        every = defaultdict(list)
        for form in self.forms:
            for period in reported[form.form_id]:
                every[period.period_id].append((form.version_of(period).form, period))
        while waiting:
            period_id = waiting.pop()
            by_id[period_id] = every[period_id]
            earlier = {p.previous_period_id for _, p in every[period_id] if p.previous_period_id and not p.opens_window}
            waiting |= earlier - by_id.keys()
        return sorted(by_id.items(), key=lambda item: (max(period.ends_on for _, period in item[1]), item[0]))

    def _refuse_contradictions(self, submissions: Sequence[Submission]) -> None:
        """Raise GenerationError where figures that are worked out break a rule: they cannot be repaired."""
        if not self._of_worked_out:
            return
        by_unit: dict[str, dict[tuple[str, str], Figure]] = defaultdict(dict)
        for item in submissions:
            by_unit[item.unit_id].update({(item.form.form_id, name): value for name, value in item.figures.items()})
        for figures in by_unit.values():
            for rule, kind, *sides in self._of_worked_out:
                stated = [[figures.get(reference) for reference in side] for side in sides]
                left, right = (sum((v for v in side if isinstance(v, Decimal)), Decimal(0)) for side in stated)
                known = all(any(isinstance(value, Decimal) for value in side) for side in stated)
                broken = {"at_most": left > right, "equal": left != right, "needs": left > 0 and not right}[kind]
                if known and broken:
                    raise GenerationError(f"rule {rule}: it is about figures that are worked out, and they break it")

    def _bases(self, form_id: str, period: Period) -> Iterator[str]:
        """Yield the periods with which a form compares one: the stated changes are worked out from their figures."""
        for rule in self.rules.get(form_id, ()):
            if isinstance(rule, StatedChange) and (base := _base(rule, period)):
                yield base

    def _submissions(self, unit: Unit, due: Sequence[tuple[Form, Period]]) -> list[Submission]:
        """Return what a unit states on the forms that it owes for a period."""
        owed = [
            (form, period)
            for form, period in due
            if unit.unit_id in self._expected[form.form_id] and unit.is_in_force(period)
        ]
        if not owed:
            return []
        plan = self._plan([form for form, _ in owed], unit.kind)
        before: dict[str, dict[str, int]] = {}
        for form, period in owed:
            window, figures = self._latest.get((unit.unit_id, form.form_id), (None, {}))
            before[form.form_id] = figures if window == period.accumulates_from else {}
        size = 0.5 + 2 * Random(f"{self.seed} {unit.unit_id}").random()  # noqa: S311 - nothing secret depends on it
        random = Random(f"{self.seed} {unit.unit_id} {owed[0][1].period_id}")  # noqa: S311
        at_most = [before[c.form.form_id].get(c.indicator.indicator_id, 0) for c in plan.columns]
        values = plan.solve(at_most, size, random)
        stated: dict[str, dict[str, int]] = {form.form_id: {} for form, _ in owed}
        for column, value in zip(plan.columns, values, strict=True):
            stated[column.form.form_id][column.indicator.indicator_id] = value
        submissions = []
        for form, period in owed:
            self._latest[unit.unit_id, form.form_id] = period.accumulates_from, stated[form.form_id]
            shown: dict[str, Figure] = {item.indicator_id: None for item in form.indicators}
            shown.update((name, Decimal(value) / _HUNDREDTHS) for name, value in stated[form.form_id].items())
            submissions.append(Submission(form, period, unit.unit_id, unit.name, "unit", shown))
        self._work_out_rates(submissions)
        for item in submissions:
            self._work_out_changes(item)
        return submissions

    def _plan(self, forms: Sequence[Form], unit_kind: str) -> _Plan:
        key = tuple(map(id, forms)), unit_kind  # each version of a form is one object
        if key not in self._plans:
            self._plans[key] = _Plan(forms, self.rules, unit_kind)
        return self._plans[key]

    def _work_out_rates(self, submissions: Sequence[Submission]) -> None:
        """Fill in the stated rates of what one unit, or a total row, states for one period."""
        figures = {(item.form.form_id, name): value for item in submissions for name, value in item.figures.items()}
        for item in submissions:
            for rule in self.rules.get(item.form.form_id, ()):
                if isinstance(rule, Rate):
                    over, under = (
                        [figures.get(resolve(reference, item.form.form_id)) for reference in terms]
                        for terms in (rule.numerator, rule.denominator)
                    )
                    marks = item.form.not_applicable_marks
                    item.figures[resolve(rule.stated, item.form.form_id)[1]] = _rate(over, under, rule.scale, marks)

    def _work_out_changes(self, item: Submission) -> None:
        """Fill in the stated changes of a unit, against what it stated before."""
        rules = [rule for rule in self.rules.get(item.form.form_id, ()) if isinstance(rule, StatedChange)]
        if not rules:
            self._work_out_other_changes(item)
            return
        stated = self._compared[item.unit_id, item.form.form_id]
        stated[item.period.period_id] = item.figures
        for rule in rules:
            _, of = resolve(rule.of, item.form.form_id)
            value, base = item.figures[of], stated.get(_base(rule, item.period) or "", {}).get(of)
            figure: Figure = None
            if isinstance(value, Decimal) and isinstance(base, Decimal):
                share = [abs(base)] if rule.measured_in == "percent" else [Decimal(1)]
                scale = 100 if rule.measured_in == "percent" else 1
                figure = _rate([value - base], share, scale, item.form.not_applicable_marks)
            item.figures[resolve(rule.stated, item.form.form_id)[1]] = figure
        self._work_out_other_changes(item)

    def _work_out_other_changes(self, item: Submission) -> None:
        """Fill in the changes of a unit that are compared with nothing: against a base that is stated, or drawn."""
        marks = item.form.not_applicable_marks
        for rule in self.rules.get(item.form.form_id, ()):
            if not isinstance(rule, WholeBase | ChangeTriple):
                continue
            _, of = resolve(rule.value, item.form.form_id)
            _, percent = resolve(rule.percent if isinstance(rule, ChangeTriple) else rule.change, item.form.form_id)
            value = item.figures[of]
            if not isinstance(value, Decimal) or item.figures[percent] is not None:
                continue
            drawn = Random(f"{self.seed} {item.unit_id} {item.period.period_id} {item.form.form_id}.{percent}")  # noqa: S311
            base: Figure = Decimal(drawn.randint(int(value) // 2, 2 * int(value) + 10))
            if isinstance(rule, ChangeTriple):
                _, delta = resolve(rule.delta, item.form.form_id)
                if rule.base:
                    base = item.figures[resolve(rule.base, item.form.form_id)[1]]
                elif isinstance(known := item.figures[delta], Decimal):
                    base = value - known
                item.figures[delta] = value - base if isinstance(base, Decimal) else None
            if isinstance(base, Decimal):
                item.figures[percent] = _rate([value - base], [abs(base)], 100, marks)

    def total_row(self, rows: Sequence[Submission]) -> Iterator[Submission]:
        """Yield the printed total row of a consolidated table, where its form has one."""
        form, period = rows[0].form, rows[0].period
        if form.total_row is None:
            return
        group = next(unit for unit in self.authority.units.tree() if unit.unit_id == form.total_row.states)
        below = {unit.unit_id for unit in group.tree()}
        figures: dict[str, Figure] = {}
        for item in form.indicators:
            stated = [row.figures[item.indicator_id] for row in rows if row.unit_id in below]
            added = sum((value for value in stated if isinstance(value, Decimal)), Decimal(0))
            figures[item.indicator_id] = added if item.measure_kind in ("flow", "stock") else None
        total = Submission(form, period, group.unit_id, form.total_row.labels[0], "total", figures)
        self._work_out_rates([total])
        yield total


def _reported(form: Form) -> list[Period]:
    """Return the periods for which a form is reported."""
    periods = form.calendar.calendar().periods()
    return [period for period in periods if period.reported_as == period.period_id]


def _base(rule: StatedChange, period: Period) -> str | None:
    """Return the period with which a stated change compares."""
    return period.previous_period_id if rule.against == "previous" else period.year_ago_period_id


def _rate(over: Sequence[Figure], under: Sequence[Figure], scale: int, marks: Sequence[str]) -> Figure:
    """Return a rate as it is printed: rounded half-up, a mark where there is nothing to divide by, blank if unknown."""
    terms = [*over, *under]
    if not all(isinstance(term, Decimal) for term in terms):
        return None
    numerator, denominator = (
        sum((term for term in side if isinstance(term, Decimal)), Decimal(0)) for side in (over, under)
    )
    if not denominator:
        return marks[0] if marks else None
    with localcontext(prec=60):
        return (scale * numerator / denominator).quantize(Decimal(1).scaleb(-layout.RATE_DECIMALS), ROUND_HALF_UP)


def _rank(submissions: Sequence[Submission], rules: Mapping[str, tuple[Rule, ...]], catalog: Catalog) -> None:
    """Fill in the ranks and points that units state of themselves, by the figure in the same group of labels.

    Points are those of the form's scoreboard. What is the sum of points is added up, and a rank that stands beside no
    figure is taken to be the rank by that sum.
    """
    if not submissions:
        return
    form = submissions[0].form
    alone: list[Indicator] = []
    for indicator in form.indicators:
        if indicator.measure_kind not in ("rank", "points"):
            continue
        beside = [
            item.indicator_id
            for item in form.indicators
            if item.measure_kind == "flow" and item.label[:-1] == indicator.label[:-1] and len(item.label) > 1
        ]
        if not beside:
            alone.append(indicator)
            continue
        points = next(
            (
                item.points
                for scoreboard in catalog.scoreboards
                for item in scoreboard.items
                if item.indicator and resolve(item.indicator, scoreboard.form) == (form.form_id, beside[0])
            ),
            Points(top=Decimal(len(submissions))),
        )
        for row, rank in zip(submissions, _ranks(submissions, beside[0]), strict=True):
            earned = max(points.bottom, points.top - points.step * (rank - 1))
            row.figures[indicator.indicator_id] = Decimal(rank) if indicator.measure_kind == "rank" else earned
    sums = {rule.whole: rule.parts for rule in rules.get(form.form_id, ()) if isinstance(rule, Sum)}
    for indicator in alone:
        for item in submissions:
            parts = [item.figures.get(part) for part in sums.get(indicator.indicator_id, ())]
            if parts:
                added = sum((part for part in parts if isinstance(part, Decimal)), Decimal(0))
                item.figures[indicator.indicator_id] = added
    totals = [item.indicator_id for item in alone if item.measure_kind == "points"]
    for indicator in alone:
        if indicator.measure_kind == "rank" and len(totals) == 1:
            for item, rank in zip(submissions, _ranks(submissions, totals[0]), strict=True):
                item.figures[indicator.indicator_id] = Decimal(rank)


def _ranks(submissions: Sequence[Submission], subject: str) -> list[int]:
    """Return each submission's rank: 1 + the number of those strictly higher."""
    figures = [figure if isinstance(figure := item.figures[subject], Decimal) else Decimal(0) for item in submissions]
    falling = sorted(figures, reverse=True)
    first: dict[Decimal, int] = {}
    for place, figure in enumerate(falling, 1):
        first.setdefault(figure, place)
    return [first[figure] for figure in figures]


# Writing.


class _Styles:
    """The cell formats of one workbook."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        boxed = {"border": 1, "align": "center", "valign": "vcenter"}
        self.synthetic: Format = book.add_format({"bold": True, "font_color": "#C00000"})
        self.title: Format = book.add_format({"bold": True, "font_size": 16, "align": "center"})
        self.line: Format = book.add_format({"align": "left"})
        self.heading: Format = book.add_format({**boxed, "bold": True, "text_wrap": True})
        self.cell: Format = book.add_format(boxed)
        self.rate: Format = book.add_format({**boxed, "num_format": layout.RATE_FORMAT})


def _write_sheet(
    sheet: Worksheet, submissions: Sequence[Submission], styles: _Styles, units_of_measure: frozenset[str]
) -> None:
    """Write one table: the lines above it, its header from the label paths, and a row a submission."""
    form, period = submissions[0].form, submissions[0].period
    headings = layout.headings(form, units_of_measure)
    last_column = len(headings) - 1
    lines = [(SYNTHETIC, styles.synthetic), (form.title, styles.title)]
    if len({item.unit_id for item in submissions}) == 1:
        lines.append((f"填报单位：{submissions[0].name}", styles.line))
    try:
        lines.append((f"统计期：{layout.period_words(form.calendar.calendar(), period)}", styles.line))
    except ValueError as error:
        raise GenerationError(str(error)) from None
    for row, (text, style) in enumerate(lines):
        # Every merged cell is written as a blank one: only what is centred is merged.
        layout.merge(sheet, row, 0, row, last_column if style is styles.title else 0, text, style)
    top = len(lines)
    depth = max(map(len, headings))
    layout.write_headings(sheet, headings, top, styles.heading)
    sheet.set_column(0, last_column, 14)
    sheet.freeze_panes(top + depth, 1 if form.unit_labels else 0)
    column = 1 if form.unit_labels else 0
    for row, item in enumerate(submissions, top + depth):
        if form.unit_labels:
            sheet.write_string(row, 0, item.name, styles.cell)
        for place, indicator in enumerate(form.indicators, column):
            figure = item.figures[indicator.indicator_id]
            if figure is None:
                sheet.write_blank(row, place, None, styles.cell)
            elif isinstance(figure, str):
                sheet.write_string(row, place, figure, styles.cell)
            else:
                style = styles.rate if indicator.measure_kind == "rate" else styles.cell
                sheet.write_number(row, place, float(figure), style)
