"""What would mend a sum, a rate or an equation that does not hold: the smallest explanations that the figures bear out.

A mend changes one cell, or exchanges two, so that the rule holds and no rule is broken that held before. That alone
proves nothing, as any cell may be off by the whole difference. A mend is proposed where it ends other findings as well,
or where there is a reason to believe in it (``KINDS``) that is not luck:

- Of all differences with as many digits, no more than one in twenty would find a reason of that kind on this sheet. So
  nothing is made of a difference below ten: there is always a unit that reports it, and a last digit off by it.
- A figure that repeats another one has digits enough for that to be telling, and is the only one that does.
- A finding that half of the change would end as well, such as a count that need only be above zero, tells nothing.
- Two cells are exchanged only where that ends another finding, as it does on the other column's total.
- A kind that fits more than ``MOST`` places says nothing; where it fits two or three, they are named as a choice.

Of these, what ends most findings displaces the rest. They are ranked by how few cells they change, then in the order of
``KINDS``. All is exact, and the same figures always give the same proposals. What is found on a unit's own row never
names another unit, nor what it reports.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import cached_property
from itertools import chain, pairwise
from typing import Any, Literal, NamedTuple

from enforcement_reporting.findings import Severity
from enforcement_reporting.quality.conditions import worked_out
from enforcement_reporting.quality.rules import Check, column_name
from enforcement_reporting.workbook.addresses import column_letters, column_number

MOST = 3  # proposals of a finding, and places that one of them names
_ONE_IN = 20
_ZERO = Decimal(0)

_EQUATIONS = ("sum", "total_row", "equal_across_forms", "accumulates")
MENDABLE = (*_EQUATIONS, "rate")

Kind = Literal[
    "swapped_digits",
    "magnitude",
    "sign",
    "twice",
    "overlap",
    "left_out",
    "added_twice",
    "overall_rate",
    "mean_of_rates",
    "inverted",
    "other_term",
    "not_updated",
    "as_before",
    "exchanged",
    "other_row",
    "neighbour",
    "digit_count",
    "one_digit",
    "other_findings",
]
# The more a reason accounts for, the earlier it stands; the last is that other findings end as well.
KINDS: dict[Kind, str] = {
    "swapped_digits": "可能是两个数字颠倒：",
    "magnitude": "可能差了 {times} 倍（小数点或计量单位）：",
    "sign": "可能是正负号有误：",
    "twice": "恰为各项之和的两倍，可能把小计或合计也加了进去：",
    "overlap": "差额恰为{other}（已含在{within}内），可能重复计算：",
    "left_out": "差额恰为{other}，可能漏加：",
    "added_twice": "差额恰为{other}，可能加了两次：",
    "overall_rate": "所填恰为本表各单位合计的比率，可能错行：",
    "mean_of_rates": "所填恰为各单位比率的平均数，应以合计数计算：",
    "inverted": "可能是分子分母颠倒：",
    "other_term": "所填恰为用“{other}”计算的结果，可能用错了一栏：",
    "not_updated": "所填与上期相同，可能尚未更新：",
    "as_before": "改后与上期所报相同：",
    "exchanged": "可能是相邻两栏互换：",
    "other_row": "所填与本表另一行的比率相同，可能错行：",
    "neighbour": "所填与相邻的 {other}相同，可能重复填写：",
    "digit_count": "可能是多填或漏填一位数字：",
    "one_digit": "只差一位数字，可能误填：",
    "other_findings": "",
}
# A number as people type it: without zeros in front, and with something on either side of its point.
_TYPED = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?")
_LEFT_AND_RIGHT = ((-1, 0), (1, 0))
_RANK = {kind: number for number, kind in enumerate(KINDS)}


class Figure(NamedTuple):
    """A cell that can hold a number: where it stands (``sheet!A1``), of which column, the number and the text in it.

    ``before`` is what stood there last period. ``is_own`` is false where the cell is in the unit's other form.
    """

    cell: str
    caption: str
    value: Decimal | None
    text: str = ""
    before: Decimal | None = None
    is_rate: bool = False
    is_own: bool = True


@dataclass(frozen=True)
class Row:
    """A row of a sheet, its figures by the columns of the wide row, and that row as the rules' conditions look at it.

    ``is_counted`` is false where the figures of the unit ``within`` hold this one's, for the total as well.
    """

    name: str
    is_total: bool
    wide: Mapping[str, Any]
    figures: Mapping[str, Figure]
    is_counted: bool = True
    within: str = ""


class Change(NamedTuple):
    """What a cell says, and what it would have to say."""

    cell: str
    stated: str
    needed: str


class Proposal(NamedTuple):
    """What would mend a finding: changes to make together, or, where ``is_choice``, one of which would do."""

    kind: Kind
    changes: tuple[Change, ...]
    is_choice: bool
    text: str

    def as_json(self) -> dict[str, Any]:
        """Return it as it is stored and printed."""
        changes = [{"cell": item.cell, "from": item.stated, "to": item.needed} for item in self.changes]
        return {"kind": self.kind, "changes": changes, "is_choice": self.is_choice, "text": self.text}


class _Place(NamedTuple):
    """A cell, by the number of its row and its column in the wide row."""

    row: int
    column: str


_Changes = tuple[tuple[_Place, Decimal], ...]
_Words = tuple[tuple[str, str], ...]
_Possible = tuple[Decimal, Kind, _Changes, _Words]  # how much of a gap a mend accounts for, and the mend


class _Mend(NamedTuple):
    """What cells would have to say, and the words that the reason has places for."""

    kind: Kind
    changes: _Changes
    words: _Words = ()


class _Equation(NamedTuple):
    """A stated figure and the parts that should come to it; ``gap`` is how much more it is."""

    stated: _Place
    parts: dict[_Place, None]
    gap: Decimal

    @property
    def cells(self) -> tuple[_Place, ...]:
        """Return the cells that are in it."""
        return (self.stated, *self.parts)

    def accounted_for(self, place: _Place, less: Decimal) -> Decimal:
        """Return how much of the gap goes where a cell is so much less."""
        return less if place == self.stated else -less if place in self.parts else _ZERO


class Rules:
    """The rules of a form as its sheets are held against them, with the columns they look at; notices are none."""

    def __init__(self, form_id: str, checks: Iterable[Check]) -> None:
        self.checks = {check.rule_id: check for check in checks if check.severity is not Severity.NOTICE}
        self.columns: dict[str, list[str]] = {}
        self.divided_by: dict[str, list[str]] = {}
        self.sums: dict[str, str] = {}  # of the rows that are printed with a total, by column
        self._about: dict[str, list[Check]] = {}
        for check in self.checks.values():
            self.columns[check.rule_id] = [column_name(column, form_id) for column in check.columns]
            self.divided_by[check.rule_id] = [column_name(column, form_id) for column in check.divided_by]
            for column, name in zip(check.columns, self.columns[check.rule_id], strict=True):
                self._about.setdefault(name, []).append(check)
                if check.rule_kind == "total_row":
                    self.sums[name] = column_name(column, form_id, "__sum")

    def about(self, columns: Iterable[str]) -> Iterable[Check]:
        """Return the rules that look at any of the columns."""
        return {check.rule_id: check for name in columns for check in self._about.get(name, ())}.values()


class Sheet:
    """The rows that are printed together for one form and one period, with the rules that hold in them or do not."""

    def __init__(self, rules: Rules, rows: Sequence[Row]) -> None:
        self.rows = rows
        self._rules = rules
        self._is_broken: dict[tuple[int, str], bool] = {}
        self._broken: dict[int, dict[str, Check]] = {}

    def proposals(self, number: int, rule_id: str) -> list[Proposal]:
        """Return what would mend a rule that the row of that number breaks, the best first: none, or up to three."""
        check = self._rules.checks.get(rule_id)
        if check is None or check.rule_kind not in MENDABLE or not self.is_broken(number, check):
            return []
        return _Search(self, number, check).proposals()

    def is_broken(self, number: int, check: Check) -> bool:
        """Return whether a row breaks a rule."""
        key = number, check.rule_id
        if key not in self._is_broken:
            self._is_broken[key] = worked_out(check.condition)(self.rows[number].wide) is False
        return self._is_broken[key]

    def broken(self, number: int) -> dict[str, Check]:
        """Return the rules that a row breaks, by their ids."""
        if number not in self._broken:
            checks = self._rules.checks.items()
            self._broken[number] = {rule_id: check for rule_id, check in checks if self.is_broken(number, check)}
        return self._broken[number]

    def broken_equations(self, number: int) -> Iterator[_Equation]:
        """Yield the equations that do not hold in a row."""
        for check in self._rules.checks.values():
            is_broken = check.rule_kind in _EQUATIONS and self.is_broken(number, check)
            if is_broken and (equation := self.equation(number, check)) is not None:
                yield equation

    def effect(self, changes: Iterable[tuple[_Place, Decimal]]) -> tuple[set[tuple[int, str]], set[tuple[int, str]]]:
        """Return the findings, by row and rule, that changes put an end to, and those that they make."""
        after: dict[int, dict[str, Any]] = {}
        looked_at: dict[int, set[str]] = {}
        for place, value in changes:
            row = self.rows[place.row]
            after.setdefault(place.row, dict(row.wide))[place.column] = value
            looked_at.setdefault(place.row, set()).add(place.column)
            added = self._rules.sums.get(place.column, "")
            for total in self.totals if added and row.is_counted and not row.is_total else ():
                wide = after.setdefault(total, dict(self.rows[total].wide))
                if wide.get(added) is not None:
                    wide[added] += value - self.value(place)
                    looked_at.setdefault(total, set()).add(place.column)
        ended, made = set[tuple[int, str]](), set[tuple[int, str]]()
        for at, columns in looked_at.items():
            for check in self._rules.about(columns):
                holds = worked_out(check.condition)(after[at]) is not False
                if holds == self.is_broken(at, check):
                    (ended if holds else made).add((at, check.rule_id))
        return ended, made

    @property
    def totals(self) -> list[int]:
        """Return the numbers of the printed total rows."""
        return [number for number, row in enumerate(self.rows) if row.is_total]

    @property
    def counted(self) -> list[int]:
        """Return the numbers of the rows that a total adds up."""
        return [number for number, row in enumerate(self.rows) if row.is_counted and not row.is_total]

    def figure(self, place: _Place) -> Figure:
        """Return what stands in a cell."""
        return self.rows[place.row].figures[place.column]

    def value(self, place: _Place) -> Decimal:
        """Return the number in a cell; a blank one counts as nothing."""
        return self.figure(place).value or _ZERO

    @cached_property
    def _at(self) -> dict[str, _Place]:
        """Return the cells of the sheet by their addresses."""
        return {
            figure.cell: _Place(number, column)
            for number, row in enumerate(self.rows)
            for column, figure in row.figures.items()
            if figure.is_own
        }

    def beside(self, place: _Place, directions: Sequence[tuple[int, int]]) -> Iterator[_Place]:
        """Yield the cells of the sheet that lie next to one, so many columns to the right and rows down."""
        figure = self.figure(place)
        sheet, _, address = figure.cell.rpartition("!")
        letters = address.rstrip("0123456789")
        for right, down in directions if figure.is_own else ():
            column = column_letters(column_number(letters) - 1 + right) if column_number(letters) + right else ""
            found = self._at.get(f"{sheet}!{column}{int(address[len(letters) :]) + down}")
            if found:
                yield found

    def terms(self, check: Check) -> tuple[list[str], list[str]]:
        """Return the columns of a rate's numerator and of its denominator."""
        under = self._rules.divided_by[check.rule_id]
        return [name for name in self._rules.columns[check.rule_id][1:] if name not in under], under

    def stated_in(self, number: int, check: Check) -> _Place:
        """Return the cell that states what a rule works out."""
        return _Place(number, self._rules.columns[check.rule_id][0])

    def equation(self, number: int, check: Check) -> _Equation | None:
        """Return the equation that a broken rule is about, where it is one."""
        row, stated = self.rows[number], self.stated_in(number, check)
        if check.rule_kind not in _EQUATIONS or stated.column not in row.figures:
            return None
        if check.rule_kind == "total_row":
            parts = [_Place(at, stated.column) for at in self.counted]
            expected = row.wide[self._rules.sums[stated.column]]
        else:
            added = self._rules.columns[check.rule_id][1:]
            if check.rule_kind == "accumulates":  # what was reported last period is not for this one to change
                parts = [_Place(number, added[0])]
                added = added[:1] if row.wide["opens_window"] else added
            else:
                parts = [_Place(number, name) for name in added]
            expected = sum((row.wide[name] or _ZERO for name in added), _ZERO)
        known = dict.fromkeys(place for place in parts if place.column in self.rows[place.row].figures)
        return _Equation(stated, known, row.wide[stated.column] - expected)


@dataclass(frozen=True)
class _Search:
    """The search for what would mend one finding: a rule that a row of a sheet breaks."""

    sheet: Sheet
    number: int
    check: Check

    @property
    def row(self) -> Row:
        return self.sheet.rows[self.number]

    def proposals(self) -> list[Proposal]:
        """Return the proposals, the best first."""
        fitting: dict[Kind, dict[_Mend, int]] = {}
        for mend in self._likely():
            ended, made = self.sheet.effect(mend.changes)
            if made or (self.number, self.check.rule_id) not in ended:
                continue
            others = ended - {(self.number, self.check.rule_id)}
            if others:
                others -= self.sheet.effect(self._halved(mend.changes))[0]
            if others or mend.kind not in ("exchanged", "other_findings"):
                fitting.setdefault(mend.kind, {})[mend] = len(others)
        most = max((others for found in fitting.values() for others in found.values()), default=0)
        proposals = []
        said = set[_Changes]()
        for kind in sorted(fitting, key=lambda kind: (len(next(iter(fitting[kind])).changes), _RANK[kind])):
            mends = [mend for mend, others in fitting[kind].items() if others == most]
            changes = dict.fromkeys(mend.changes for mend in mends)
            if 0 < len(mends) <= (1 if kind == "exchanged" else MOST) and said.isdisjoint(changes):
                said |= changes.keys()
                proposals.append(self._proposal(mends, list(changes), most))
        return proposals[:MOST]

    def _halved(self, changes: Iterable[tuple[_Place, Decimal]]) -> list[tuple[_Place, Decimal]]:
        return [(place, (self.sheet.value(place) + value) * Decimal("0.5")) for place, value in changes]

    # What may be wrong -----------------------------------------------------------------------------------------------

    def _likely(self) -> Iterator[_Mend]:
        """Yield the mends that there is a reason for, whatever else they would do."""
        equation = self.sheet.equation(self.number, self.check)
        if equation is not None:
            possible = chain(self._retyped(equation), self._miscounted(equation), self._moved(equation))
            yield from _not_by_luck(equation.gap, _decimals(map(self.sheet.value, equation.cells)), possible)
            yield from self._repeated(equation)
            yield from self._consistent(equation)
            return
        yield from self._rates()
        at = [self.number, *(self.sheet.totals if self.row.is_counted and not self.row.is_total else ())]
        for number in at:
            for equation in self.sheet.broken_equations(number):
                yield from (mend for mend in self._consistent(equation) if mend.changes[0][0].row == self.number)

    def _retyped(self, equation: _Equation) -> Iterator[_Possible]:
        """Yield slips of the hand in every cell."""
        for place in equation.cells:
            value = self.sheet.value(place)
            for kind, mended, times in _variants(value, (1, 4), one_digit=place == equation.stated):
                accounted = equation.accounted_for(place, value - mended)
                yield accounted, kind, ((place, mended),), (("times", times),)

    def _miscounted(self, equation: _Equation) -> Iterator[_Possible]:
        """Yield the stated figures in which something was counted twice or not at all."""
        stated = self.sheet.value(equation.stated)
        right = stated - equation.gap

        def too_much(by: Decimal, kind: Kind, **words: str) -> Iterator[_Possible]:
            if stated >= by:
                yield by, kind, ((equation.stated, stated - by),), tuple(words.items())

        if len(equation.parts) > 1:
            yield from too_much(right, "twice")
            for place in equation.parts:
                yield from too_much(-self.sheet.value(place), "left_out", other=self._figure_of(place))
                yield from too_much(self.sheet.value(place), "added_twice", other=self._figure_of(place))
        if self.row.is_total:
            for number, row in enumerate(self.sheet.rows):
                place = _Place(number, equation.stated.column)
                if row.within and not row.is_counted and place.column in row.figures:
                    words = {"other": self._figure_of(place), "within": row.within}
                    yield from too_much(self.sheet.value(place), "overlap", **words)

    def _moved(self, equation: _Equation) -> Iterator[_Possible]:
        """Yield what cells said last period, and cells that are exchanged with the one beside them."""
        for place in equation.cells:
            before, value = self.sheet.figure(place).before, self.sheet.value(place)
            if before is not None and before >= 0:
                yield equation.accounted_for(place, value - before), "as_before", ((place, before),), ()
            for beside in self.sheet.beside(place, _LEFT_AND_RIGHT):
                other = self.sheet.value(beside)
                if beside.row == place.row and not self.sheet.figure(beside).is_rate:
                    less = equation.accounted_for(place, value - other) + equation.accounted_for(beside, other - value)
                    yield less, "exchanged", ((place, other), (beside, value)), ()

    def _repeated(self, equation: _Equation) -> Iterator[_Mend]:
        """Yield the cell that says what it said last period, and the one that says what a cell beside it does.

        That would account for any gap: so no other cell of the equation may do the same.
        """
        sheet, cells = self.sheet, equation.cells
        known = [place for place in equation.parts if sheet.figure(place).before is not None]
        same = [place for place in cells if sheet.figure(place).before == sheet.value(place)]
        if equation.stated in same:
            same = [equation.stated]
        elif len(known) < MOST:
            same = []
        if len(same) == 1 and _telling_digits(sheet.value(same[0])) >= 2:
            yield from self._change(same[0], _needed(sheet, equation, same[0]), "not_updated")
        pairs: dict[frozenset[_Place], list[_Mend]] = {}
        around = (*_LEFT_AND_RIGHT, (0, -1), (0, 1)) if self.row.is_total else _LEFT_AND_RIGHT
        for place in cells:
            for beside in sheet.beside(place, around):
                if sheet.value(beside) == sheet.value(place) and _telling_digits(sheet.value(place)) >= 3:
                    mends = self._change(
                        place, _needed(sheet, equation, place), "neighbour", other=self._address(beside, both=True)
                    )
                    pairs.setdefault(frozenset((place, beside)), []).extend(mends)
        if len(pairs) == 1:
            yield from next(iter(pairs.values()))

    def _consistent(self, equation: _Equation) -> Iterator[_Mend]:
        """Yield the changes of single cells of rows in which something else is wrong as well."""
        for place in equation.cells:
            if place.row == self.number or self.sheet.broken(place.row):
                yield from self._change(place, _needed(self.sheet, equation, place), "other_findings")

    def _rates(self) -> Iterator[_Mend]:
        """Yield what may have been printed in the place of the right rate."""
        stated = self.sheet.stated_in(self.number, self.check)
        typed, right = self.row.wide[stated.column], _number(worked_out(self.check.expected)(self.row.wide))
        if right is not None and stated.column in self.row.figures:
            yield from _not_by_luck(typed - right, _decimals((typed, right)), self._misprinted(stated, typed, right))

    def _misprinted(self, stated: _Place, typed: Decimal, right: Decimal) -> Iterator[_Possible]:
        """Yield slips of the hand in a rate, and other rates that could have been printed in its place."""
        for kind, mended, times in _variants(typed, (1, 2), one_digit=True):
            yield typed - mended, kind, ((stated, mended),), (("times", times),)
        if right >= 0 and _telling_digits(typed) >= 2:
            for kind, printed, words in self._other_rates(stated.column, typed, right):
                yield printed - right, kind, ((stated, right),), words

    def _other_rates(self, stated: str, typed: Decimal, right: Decimal) -> Iterator[tuple[Kind, Decimal, _Words]]:
        """Yield the rates that could have been mistaken for the right one, with what the reason says of them."""
        wide, (over, under) = self.row.wide, self.sheet.terms(self.check)

        def rate(changed: Mapping[str, Any]) -> Decimal | None:
            return _number(worked_out(self.check.expected)({**wide, **changed}))

        others = [row for row in self.sheet.rows if row is not self.row and not row.is_total]
        rates = [value for row in others if (value := row.wide.get(stated)) is not None]
        yield from (("other_row", value, ()) for value in rates)
        if self.row.is_total and len(rates) > 1:
            with localcontext(prec=100):
                mean = (sum(rates, _ZERO) / len(rates)).quantize(right, ROUND_HALF_UP)
            yield "mean_of_rates", mean, ()
        counted = [self.sheet.rows[number].wide for number in self.sheet.counted]
        if not self.row.is_total and len(counted) > 1:
            sums = {name: sum((row[name] or _ZERO for row in counted), _ZERO) for name in (*over, *under)}
            if (printed := rate(sums)) is not None:
                yield "overall_rate", printed, ()
        if (before := self.row.figures[stated].before) is not None:
            yield "not_updated", before, ()
        if len(over) != 1 or len(under) != 1:
            return
        if (printed := rate({over[0]: wide[under[0]], under[0]: wide[over[0]]})) is not None:
            yield "inverted", printed, ()
        instead = [
            (term, figure.value, figure.caption)
            for name, figure in self.row.figures.items()
            if name not in (stated, *over, *under) and figure.value is not None and not figure.is_rate
            for term in (*over, *under)
        ]
        rounding = Decimal(1).scaleb(-min(_decimals((typed, right)), 12))  # of a rate in print, or of its quotient

        def may_be_it(term: str, value: Decimal) -> bool:
            """Return whether the rate comes to what was typed, but for rounding, in proportion to the right one."""
            more, less = (value, wide[term]) if term in over else (wide[term], value)
            return bool(abs(right * more - typed * less) <= rounding * (abs(more) + abs(less)))

        if any(may_be_it(term, value) for term, value, _ in instead):
            for term, value, caption in instead:
                if (printed := rate({term: value})) is not None:
                    yield "other_term", printed, (("other", caption),)

    def _change(self, place: _Place, value: Decimal, kind: Kind, **words: str) -> Iterator[_Mend]:
        """Yield the change of one cell, unless it is none or its figure would be below zero."""
        if value >= 0 and value != self.sheet.value(place):
            yield _Mend(kind, ((place, value),), tuple(words.items()))

    # What is said of it ----------------------------------------------------------------------------------------------

    def _proposal(self, mends: Sequence[_Mend], choices: Sequence[_Changes], others: int) -> Proposal:
        """Return the mends of one kind, that end as many other findings, as a proposal."""
        words: dict[str, dict[str, None]] = {}
        for mend in mends:
            for name, said in mend.words:
                words.setdefault(name, {})[said] = None
        kind = mends[0].kind
        reason = KINDS[kind].format(**{name: "或".join(said) for name, said in words.items()})
        if kind == "exchanged":
            what = "与".join(f" {self._figure_of(place)} " for place, _ in choices[0]) + "对调"
        else:
            what = "，或".join(
                f" {self._address(place)}由 {self._text(place)} 改为 {self._needed_text(place, value)}"
                for ((place, value),) in choices
            )
        also = f"，另有 {others} 处问题也随之消除" if others else ""
        changes = [
            Change(self.sheet.figure(place).cell, self._text(place), self._needed_text(place, value))
            for choice in choices
            for place, value in choice
        ]
        return Proposal(kind, tuple(changes), len(choices) > 1, f"{reason}若将{what}，则相符{also}。")

    def _address(self, place: _Place, *, both: bool = False) -> str:
        """Return a cell in words: its address with whose it is, and on a unit's own row of which column."""
        figure, row = self.sheet.figure(place), self.sheet.rows[place.row]
        cell = figure.cell.rpartition("!")[2]
        if not self.row.is_total:
            return f"{cell}（{figure.caption}）" if place.row == self.number else cell
        return f"{cell}（{row.name}{f'“{figure.caption}”' if both else ''}）"

    def _figure_of(self, place: _Place) -> str:
        return f"{self._address(place)}的 {self._text(place)}"

    def _text(self, place: _Place) -> str:
        figure = self.sheet.figure(place)
        return "空白" if figure.value is None else figure.text if figure.is_rate else _shown(figure.value)

    def _needed_text(self, place: _Place, value: Decimal) -> str:
        if self.check.rule_kind == "rate" and place == self.sheet.stated_in(self.number, self.check):
            return str(worked_out(self.check.expected)(self.row.wide))
        return _shown(value)


def _needed(sheet: Sheet, equation: _Equation, place: _Place) -> Decimal:
    """Return what a cell would have to say for an equation to hold."""
    return sheet.value(place) + (-equation.gap if place == equation.stated else equation.gap)


def _not_by_luck(gap: Decimal, decimals: int, possible: Iterable[_Possible]) -> Iterator[_Mend]:
    """Yield the mends that account for a gap, of those kinds that account for few gaps with as many digits."""
    digits = gap.adjusted() + decimals + 1  # of the gap, counted in units of the last decimal
    if digits < 2:
        return
    least = Decimal(1).scaleb(gap.adjusted())
    few, most = 2 * 9 * 10 ** (digits - 1) // _ONE_IN, 10 * least
    alike: dict[Kind, set[Decimal]] = {}
    found = []
    for accounted, kind, changes, words in possible:
        if least <= abs(accounted) < most:
            alike.setdefault(kind, set()).add(accounted)
            if accounted == gap:
                found.append(_Mend(kind, changes, words))
    yield from (mend for mend in found if len(alike[mend.kind]) <= few)


def _variants(value: Decimal, powers: Sequence[int], *, one_digit: bool) -> Iterator[tuple[Kind, Decimal, str]]:
    """Yield what may have been meant by a number that was typed, with how it was mistaken and by how many times."""
    if value < 0:
        yield "sign", -value, ""
    if value <= 0:
        return
    for power in powers:
        yield "magnitude", value.scaleb(power), str(10**power)
        yield "magnitude", value.scaleb(-power), str(10**power)
    for kind, text in _slips(_shown(value), one_digit=one_digit):
        if _TYPED.fullmatch(text):
            yield kind, Decimal(text), ""


def _slips(typed: str, *, one_digit: bool) -> Iterator[tuple[Kind, str]]:
    """Yield what differs from a number as typed by a slip of the hand."""
    places = [number for number, sign in enumerate(typed) if sign != "."]
    for left, right in pairwise(places):
        swapped = list(typed)
        swapped[left], swapped[right] = typed[right], typed[left]
        yield "swapped_digits", "".join(swapped)
    for number in places:
        before, after = typed[:number], typed[number + 1 :]
        yield "digit_count", before + after
        if one_digit:
            yield from (("one_digit", before + digit + after) for digit in "0123456789")
    for number in range(len(typed) + 1):
        before, after = typed[:number], typed[number:]
        yield from (("digit_count", before + digit + after) for digit in "0123456789")


def _number(text: Any) -> Decimal | None:
    """Return the number in the text of a rate, None where it is a dash."""
    return Decimal(text.rstrip("%")) if isinstance(text, str) and text.rstrip("%")[-1:].isdigit() else None


def _shown(value: Decimal) -> str:
    return f"{value.normalize():f}" if value else "0"


def _telling_digits(value: Decimal) -> int:
    """Return how many digits a number has without the zeros at its end."""
    return len(value.normalize().as_tuple().digits) if value else 0


def _decimals(values: Iterable[Decimal]) -> int:
    """Return how many decimals the numbers have, but for zeros at their end."""
    exponents = [exponent for value in values if isinstance(exponent := value.normalize().as_tuple().exponent, int)]
    return -min(0, *exponents)
