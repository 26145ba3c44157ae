"""The rules under ``expectations/``: their YAML, and what each becomes in SQL.

A rule is declared once per form and compiled into checks. A check is a condition in SQL over the wide row of a
submission (one column per indicator), true where nothing is wrong, together with what to say where it is false.
Blank is not zero: a sum or a rate that is blank is not wrong, and blank parts of a sum count as nothing. A cell that
could not be read is not blank either: a rule that needs it says nothing.

A rule may hold for some time only. It has to, where it is about an indicator that the form has for some time only; one
about all indicators is about each as long as the form has it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from enforcement_reporting.catalog import (
    ALWAYS,
    Catalog,
    CatalogError,
    Form,
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


class _Rule(Model):
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


class PartWhole(_Rule):
    """The parts together do not exceed the whole."""

    kind: Literal["part_whole", "part_whole_across_forms"]
    parts: Terms
    whole: Terms


class Sum(_Rule):
    """The parts add up to the whole."""

    kind: Literal["sum"]
    parts: Terms
    whole: Reference


class AmountCount(_Rule):
    """Where the amount is above zero the count is too; with ``and_back``, the other way round as well."""

    kind: Literal["amount_count"]
    amount: Terms
    count: Terms
    and_back: YesNo = False


class Rate(_Rule):
    """The stated rate is ``scale`` × numerator ÷ denominator, rounded half-up at the decimals printed in its cell.

    A rate that was cut off instead of rounded, and a rate printed as 0 where 0 is divided by 0, are notices.
    """

    kind: Literal["rate"]
    stated: Reference
    numerator: Terms
    denominator: Terms
    scale: Whole = 100


class Equal(_Rule):
    """The same fact, reported on two forms for one period, is the same number."""

    kind: Literal["equal_across_forms"]
    left: Reference
    right: Reference


class Total(_Rule):
    """The printed total row is the sum of the rows of the units printed with it."""

    kind: Literal["total_row"]
    indicators: Literal["all"] | Terms = "all"


class NotApplicable(_Rule):
    """Units of a kind that an indicator does not apply to report nothing in it."""

    kind: Literal["not_applicable"]
    indicators: Terms


class NotFalling(_Rule):
    """A cumulative figure is not below that of the period before, within one accumulation window.

    A question: a former figure may have been too high, and its correction explains the fall.
    """

    kind: Literal["not_falling"]
    severity: Severity = Severity.QUESTION
    indicators: Literal["all"] | Terms = "all"


class Accumulates(_Rule):
    """Where a form states both, the cumulative figure is that of the period before plus the period's own."""

    kind: Literal["accumulates"]
    indicators: Literal["all"] | Terms = "all"


class StatedChange(_Rule):
    """A stated change is the one worked out, at the decimals printed in its cell.

    The base is the figure of the period before or of a year ago, as first reported or as known now: a change that fits
    either is right.
    """

    kind: Literal["stated_change"]
    stated: Reference
    of: Reference
    against: Literal["previous", "year_ago"]
    measured_in: Literal["percent", "points", "units"] = "percent"


Rule = Annotated[
    PartWhole | Sum | AmountCount | Rate | Equal | Total | NotApplicable | NotFalling | Accumulates | StatedChange,
    Field(discriminator="kind"),
]


class SuiteDefinition(Model):
    """A file under ``expectations/``: the rules of one form."""

    form: Id
    rules: tuple[Rule, ...] = Field(min_length=1)


When = Literal["now", "previous", "year_ago", "previous_first", "year_ago_first"]


@dataclass(frozen=True, order=True)
class Source:
    """The submission a figure stands in: of which form, and of which period as seen from the one that is checked.

    ``previous_first`` and ``year_ago_first`` are what was first reported for that period.
    """

    form_id: str
    when: When = "now"

    def column(self, name: str) -> Column:
        """Return a column of this source."""
        return Column(self.form_id, name, self.when)


@dataclass(frozen=True, order=True)
class Column:
    """An indicator as seen from a suite: ``form_id.indicator_id``, of this period or another."""

    form_id: str
    indicator_id: str
    when: When = "now"

    @property
    def source(self) -> Source:
        """Return the submission the column stands in."""
        return Source(self.form_id, self.when)

    @property
    def key(self) -> str:
        """Return the indicator's id in the warehouse."""
        return f"{self.form_id}.{self.indicator_id}"


@dataclass(frozen=True)
class Check:
    """One condition of a rule. ``condition``, ``stated`` and ``expected`` are SQL over the wide row.

    The condition is true for every period that ends outside ``lifetime``.
    ``message`` is a template for people; ``{…}`` in it names a key of ``values``, which are SQL as well.
    """

    rule_id: str
    rule_kind: str
    severity: Severity
    columns: tuple[Column, ...]
    condition: str
    stated: str
    expected: str
    message: str
    values: dict[str, str]
    lifetime: Lifetime = ALWAYS

    @property
    def statement(self) -> str:
        """Return what the check says where it fails, with ○ in the places of values."""
        return re.sub(r"\{(\w+)\}", lambda name: _text_of_literal(self.values[name[1]]) or "○", self.message)


Reach = Literal["form", "across_forms", "across_periods"]


@dataclass(frozen=True)
class Suite:
    """The checks on one form that have one reach, and the columns their wide row needs.

    Checks within the form come first: only a partner without errors of its own is held against another.
    """

    form: Form
    reach: Reach
    checks: tuple[Check, ...]

    @property
    def name(self) -> str:
        """Return the suite's name."""
        return self.form.form_id if self.reach == "form" else f"{self.form.form_id}__{self.reach}"

    @property
    def subject(self) -> str:
        """Return the form that stays unchecked where a rule cannot be evaluated."""
        return self.form.form_id

    def columns_of(self, check: Check) -> list[str]:
        """Return the columns of the wide row that a check looks at."""
        return [column_name(column, self.form.form_id) for column in check.columns]

    @property
    def columns(self) -> list[Column]:
        """Return the indicators that the checks look at."""
        return list(dict.fromkeys(column for check in self.checks for column in check.columns))

    @property
    def stated_rates(self) -> list[Column]:
        """Return the rates whose printed text and decimals the checks need."""
        kinds = ("rate", "stated_change")
        return list(dict.fromkeys(check.columns[0] for check in self.checks if check.rule_kind in kinds))

    @property
    def wide_table(self) -> str:
        """Return the name of the table that holds the form's wide rows while they are checked."""
        return f"wide__{self.form.form_id}"[:63]

    @property
    def partners(self) -> list[Source]:
        """Return the other submissions of the same unit that the suite looks at."""
        return sorted({column.source for column in self.columns} - {Source(self.form.form_id)})

    @property
    def sha256(self) -> str:
        """Return a digest of what the suite checks; it changes when a rule, or what a rule refers to, does."""
        return hashlib.sha256(repr(self.checks).encode()).hexdigest()


MESSAGES = {
    "part_whole": "{parts}（{stated}）不应大于{whole}（{expected}）。",
    "part_whole_across_forms": "{parts}（{stated}）不应大于{whole}（{expected}）。",
    "sum": "{whole}应等于{parts}之和：填报 {stated}，各项相加为 {expected}。",
    "amount_count": "{amount}为 {stated}，但{count}为 {found}，两者矛盾。",
    "amount_count_back": "{count}为 {stated}，但{amount}为 {found}，两者矛盾。",
    "rate": "{subject}填报 {stated}，按{numerator}÷{denominator}计算应为 {expected}。",
    "rate_truncated": "{subject}填报 {stated}，是截去尾数所得；四舍五入应为 {expected}。",
    "rate_zero_base": "{subject}填报 {stated}，但{denominator}为 0，无从计算，应填“—”。",
    "equal_across_forms": "{left}（{stated}）与{right}（{expected}）应当一致。",
    "total_row": "{total}行的“{subject}”为 {stated}，所列 {count} 个单位相加为 {expected}，相差 {difference}。",
    "not_applicable": "“{subject}”不由{kind}填报，但填了 {stated}。",
    "not_falling": "“{subject}”累计 {stated}，比{previous_period}的 {expected} 还少：请核对，或说明下降的原因。",
    "accumulates": "“{subject}”累计 {stated}，{previous_period}累计 {before} 加本期 {single} 却为 {expected}，不符。",
    "stated_change": "{subject}填报 {stated}，按本期 {value}、{base_period} {base} 计算应为 {expected}。",
}


def load_suites(definitions: Path, catalog: Catalog) -> tuple[Suite, ...]:
    """Return the suites declared under ``definitions``/expectations: of each form, and of each across forms.

    Raises CatalogError naming the file, the rule and what was expected.
    """
    suites: list[Suite] = []
    seen: dict[str, Path] = {}
    for path, declared in declared_suites(definitions):
        for rule in declared.rules:
            if re.search("[{}]", re.sub(r"\{\w+\}", "", rule.message or "")):
                raise CatalogError(f"{path}: rule {rule.rule_id}: message: expected every brace to enclose a name")
        form = catalog.form_by_id.get(declared.form)
        if form is None:
            raise CatalogError(f"{path}: form: expected a form of the catalog, found {declared.form!r}")
        if form.form_id in seen:
            raise CatalogError(f"{path}: the rules of form {form.form_id} are in {seen[form.form_id]} already")
        seen[form.form_id] = path
        suites.extend(_Compiler(catalog, form, path).suites(declared))
    return tuple(suites)


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


def column_name(column: Column, form_id: str, suffix: str = "") -> str:
    """Return the wide row's column for an indicator: its short id, or ``form__indicator`` where it is another form's.

    That of another period carries which one behind it: ``indicator__previous``.
    Names beyond the database's 63 bytes are cut and made unique again by a digest.
    """
    name = column.indicator_id if column.form_id == form_id else f"{column.form_id}__{column.indicator_id}"
    if column.when != "now":
        name += f"__{column.when}"
    if len(name + suffix) > 63:
        name = f"{name[:40]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return name + suffix


class _Compiler:
    """Turns the rules of one form into checks."""

    def __init__(self, catalog: Catalog, form: Form, path: Path) -> None:
        self.catalog, self.form, self.path = catalog, form, path

    def suites(self, declared: SuiteDefinition) -> Iterator[Suite]:
        checks: list[Check] = []
        for rule in declared.rules:
            try:
                checks.extend(check for check in self._checks(rule) if not check.lifetime.is_empty)
            except (ValueError, KeyError) as error:
                raise CatalogError(f"{self.path}: rule {rule.rule_id}: {error}") from None
        repeated = {check.rule_id for check in checks if sum(other.rule_id == check.rule_id for other in checks) > 1}
        if repeated:
            raise CatalogError(f"{self.path}: rule_id {min(repeated)} is declared twice")
        for reach in get_args(Reach):
            if of_reach := tuple(check for check in checks if self._reach(check) == reach):
                yield Suite(self.form, reach, of_reach)

    def _reach(self, check: Check) -> Reach:
        if any(column.when != "now" for column in check.columns):
            return "across_periods"
        return "form" if {column.form_id for column in check.columns} == {self.form.form_id} else "across_forms"

    def _checks(self, rule: Rule) -> Iterator[Check]:
        match rule:
            case PartWhole():
                parts, whole = self._resolve(rule.parts), self._resolve(rule.whole)
                part_sum, whole_sum = self._sum(parts), self._sum(whole, blank_is_nothing=False)
                yield self._check(
                    rule,
                    rule.kind,
                    (*parts, *whole),
                    f"coalesce({part_sum} <= {whole_sum}, true)",
                    self._shown(part_sum),
                    self._shown(whole_sum),
                    {"parts": self._names(parts), "whole": self._names(whole)},
                )
            case Sum():
                parts, (whole_column,) = self._resolve(rule.parts), self._resolve([rule.whole])
                part_sum, whole_sum = self._sum(parts), self._column(whole_column)
                any_part = " or ".join(f"{self._column(part)} is not null" for part in parts)
                yield self._check(
                    rule,
                    rule.kind,
                    (whole_column, *parts),
                    f"coalesce({whole_sum} = {part_sum}, true) or not ({any_part})",
                    self._shown(whole_sum),
                    self._shown(part_sum),
                    {"parts": self._names(parts), "whole": self._names([whole_column])},
                )
            case AmountCount():
                yield from self._amount_and_count(rule)
            case Rate():
                yield from self._rate(rule)
            case Equal():
                (left,), (right,) = self._resolve([rule.left]), self._resolve([rule.right])
                yield self._check(
                    rule,
                    rule.kind,
                    (left, right),
                    f"coalesce({self._column(left)} = {self._column(right)}, true)",
                    self._shown(self._column(left)),
                    self._shown(self._column(right)),
                    {"left": self._names([left]), "right": self._names([right])},
                )
            case Total():
                yield from self._total(rule)
            case NotApplicable():
                for column in self._resolve(rule.indicators):
                    yield self._not_applicable(rule, column)
            case NotFalling():
                yield from self._not_falling(rule)
            case Accumulates():
                yield from self._accumulates(rule)
            case StatedChange():
                yield self._stated_change(rule)

    def _amount_and_count(self, rule: AmountCount) -> Iterator[Check]:
        amount, count = self._resolve(rule.amount), self._resolve(rule.count)
        sums = {"amount": self._sum(amount), "count": self._sum(count)}
        names = {"amount": self._names(amount), "count": self._names(count)}
        for subject, other, suffix in (("amount", "count", ""), ("count", "amount", "_back")):
            if suffix and not rule.and_back:
                continue
            yield self._check(
                rule,
                rule.kind,
                (*amount, *count),
                f"not (coalesce({sums[subject]}, 0) > 0 and coalesce({sums[other]}, 0) = 0)",
                self._shown(sums[subject]),
                "'> 0'" if suffix else "'0'",
                {**names, "found": self._shown(sums[other])},
                suffix=suffix,
            )

    def _rate(self, rule: Rate) -> Iterator[Check]:
        (subject,) = self._resolve([rule.stated])
        if subject.form_id != self.form.form_id:
            raise ValueError(f"stated: expected an indicator of form {self.form.form_id}")
        numerator, denominator = self._resolve(rule.numerator), self._resolve(rule.denominator)
        over = self._sum(numerator, blank_is_nothing=False)
        under = self._sum(denominator, blank_is_nothing=False)
        stated = self._column(subject)
        decimals = _quote(column_name(subject, self.form.form_id, "__decimals"))
        typed = _quote(column_name(subject, self.form.form_id, "__text"))
        exact = f"({rule.scale} * {over} / nullif({under}, 0))"
        right = f"(round({exact}, {decimals}) = {stated})"
        cut_off = f"(trunc({exact}, {decimals}) = {stated})"
        empty = f"({under} = 0 and {over} = 0 and {stated} = 0)"
        columns = (subject, *numerator, *denominator)
        names = {
            "subject": self._names([subject]),
            "numerator": self._names(numerator),
            "denominator": self._names(denominator),
        }
        rounded = f"coalesce(round({exact}, {decimals})::text || {self._percent_sign(typed)}, '—')"
        unknown = f"{stated} is null or {over} is null or {under} is null"
        conditions = (
            ("", rule.severity, f"{unknown} or coalesce({right} or {cut_off}, {empty})"),
            ("_truncated", Severity.NOTICE, f"not coalesce({cut_off} and not {right}, false)"),
            ("_zero_base", Severity.NOTICE, f"not coalesce({empty}, false)"),
        )
        for suffix, severity, condition in conditions:
            expected = "'—'" if suffix == "_zero_base" else rounded
            yield self._check(
                rule, rule.kind, columns, condition, typed, expected, names, suffix=suffix, severity=severity
            )

    def _total(self, rule: Total) -> Iterator[Check]:
        if self.form.total_row is None:
            raise ValueError(f"form {self.form.form_id} declares no total_row")
        if rule.indicators == "all":
            wanted = [item.indicator_id for item in self.form.indicators if item.measure_kind in ("flow", "stock")]
        else:
            wanted = list(rule.indicators)
        for column in self._resolve(wanted):
            printed = self._column(column)
            added = _quote(column_name(column, self.form.form_id, "__sum"))
            yield self._check(
                rule,
                rule.kind,
                (column,),
                f"row_role <> 'total' or rows_left_out > 0 or coalesce({printed} = {added}, true)",
                self._shown(printed),
                self._shown(added),
                {
                    "subject": self._names([column]),
                    "total": _literal(self.form.total_row.labels[0]),
                    "count": "rows_summed::text",
                    "difference": self._shown(f"{printed} - {added}"),
                },
                rule_id=f"{rule.rule_id}_{column.indicator_id}" if len(wanted) > 1 else rule.rule_id,
            )

    def _not_applicable(self, rule: NotApplicable, column: Column) -> Check:
        indicator = next(item for item in self.form.indicators if item.indicator_id == column.indicator_id)
        if column.form_id != self.form.form_id or not indicator.applies_to:
            raise ValueError(f"{column.key}: expected an indicator of this form that declares applies_to")
        kinds = ", ".join(_literal(kind) for kind in indicator.applies_to)
        value = self._column(column)
        return self._check(
            rule,
            rule.kind,
            (column,),
            f"row_role = 'total' or unit_kind in ({kinds}) or coalesce({value}, 0) = 0",
            self._shown(value),
            "'不填'",
            {"subject": self._names([column]), "kind": "unit_kind"},
            rule_id=f"{rule.rule_id}_{column.indicator_id}" if len(rule.indicators) > 1 else rule.rule_id,
        )

    def _not_falling(self, rule: NotFalling) -> Iterator[Check]:
        wanted = self._cumulative(rule.indicators)
        if not wanted:
            raise ValueError(f"indicators: form {self.form.form_id} has no cumulative flows")
        for column in wanted:
            before = replace(column, when="previous")
            yield self._check(
                rule,
                rule.kind,
                (column, before),
                f"opens_window or coalesce({self._column(column)} >= {self._column(before)}, true)",
                self._shown(self._column(column)),
                self._shown(self._column(before)),
                {"subject": self._names([column]), "previous_period": "previous_period_name"},
                rule_id=f"{rule.rule_id}_{column.indicator_id}" if len(wanted) > 1 else rule.rule_id,
            )

    def _accumulates(self, rule: Accumulates) -> Iterator[Check]:
        stated_both = self.form.counterparts
        wanted = [column for column in self._cumulative(rule.indicators) if column.indicator_id in stated_both]
        if not wanted or (rule.indicators != "all" and len(wanted) < len(rule.indicators)):
            raise ValueError("indicators: expected cumulative flows that have a counterpart of the period alone")
        for column in wanted:
            single, before = Column(column.form_id, stated_both[column.indicator_id]), replace(column, when="previous")
            names = (self._column(column), self._column(single), self._column(before))
            cumulative, alone, earlier = names
            yield self._check(
                rule,
                rule.kind,
                (column, single, before),
                f"case when opens_window then coalesce({cumulative} = {alone}, true)"
                f" else coalesce({cumulative} = {earlier} + {alone}, true) end",
                self._shown(cumulative),
                self._shown(f"case when opens_window then {alone} else {earlier} + {alone} end"),
                {
                    "subject": self._names([column]),
                    "previous_period": "case when opens_window then '起算日' else previous_period_name end",
                    "before": self._shown(f"case when opens_window then 0 else {earlier} end"),
                    "single": self._shown(alone),
                },
                rule_id=f"{rule.rule_id}_{column.indicator_id}" if len(wanted) > 1 else rule.rule_id,
                needs_partners=False,
            )

    def _stated_change(self, rule: StatedChange) -> Check:
        (subject,), (column,) = self._resolve([rule.stated]), self._resolve([rule.of])
        if {subject.form_id, column.form_id} != {self.form.form_id}:
            raise ValueError(f"stated, of: expected indicators of form {self.form.form_id}")
        now_known = replace(column, when=rule.against)
        first_known = replace(column, when="previous_first" if rule.against == "previous" else "year_ago_first")
        stated, value = self._column(subject), self._column(column)
        decimals = _quote(column_name(subject, self.form.form_id, "__decimals"))
        typed = _quote(column_name(subject, self.form.form_id, "__text"))

        def change(base: str) -> str:
            if rule.measured_in == "percent":
                return f"(100 * ({value} - {base}) / nullif(abs({base}), 0))"
            return f"({value} - {base})"

        changes = [change(self._column(base)) for base in (now_known, first_known)]
        right = " or ".join(
            f"round({exact}, {decimals}) = {stated} or trunc({exact}, {decimals}) = {stated}" for exact in changes
        )
        unknown = " or ".join(f"{name} is null" for name in (stated, value, self._column(now_known), changes[0]))
        return self._check(
            rule,
            rule.kind,
            (subject, column, now_known, first_known),
            f"{unknown} or coalesce({right}, false)",
            typed,
            f"coalesce(round({changes[0]}, {decimals})::text || {self._percent_sign(typed)}, '—')",
            {
                "subject": self._names([subject]),
                "value": self._shown(value),
                "base": self._shown(self._column(now_known)),
                "base_period": f"{rule.against}_period_name",
            },
        )

    def _cumulative(self, references: Literal["all"] | Sequence[str]) -> tuple[Column, ...]:
        """Return the cumulative flows among the indicators named, or all the form has."""
        flows = {
            item.indicator_id
            for item in self.form.indicators
            if item.measure_kind == "flow" and self.form.figures_of(item) == "cumulative"
        }
        if references == "all":
            return tuple(
                Column(self.form.form_id, item.indicator_id)
                for item in self.form.indicators
                if item.indicator_id in flows
            )
        columns = self._resolve(references)
        for column in columns:
            if column.form_id != self.form.form_id or column.indicator_id not in flows:
                raise ValueError(f"{column.key}: expected a cumulative flow of form {self.form.form_id}")
        return columns

    def _check(
        self,
        rule: Rule,
        kind: str,
        columns: Sequence[Column],
        condition: str,
        stated: str,
        expected: str,
        values: dict[str, str],
        *,
        suffix: str = "",
        severity: Severity | None = None,
        rule_id: str | None = None,
        needs_partners: bool = True,
    ) -> Check:
        message = MESSAGES[kind + suffix] if suffix or not rule.message else rule.message
        known = {**values, "stated": stated, "expected": expected, "unit": "unit_name", "period": "period_name"}
        for column in columns:
            known.setdefault(column.indicator_id, self._shown(self._column(column)))
        lifetime = self._lifetime(rule, columns)
        outside = [f"ends_on {sign} '{day}' or " for sign, day in zip("<>", lifetime, strict=True) if day]
        for name in re.findall(r"\{(\w+)\}", message):
            if name not in known:
                raise ValueError(f"message: {{{name}}} is not known here; known: {sorted(known)}")
        return Check(
            rule_id=f"{self.form.form_id}.{rule_id or rule.rule_id}{suffix}",
            rule_kind=kind,
            severity=severity or rule.severity,
            columns=tuple(dict.fromkeys(columns)),
            condition=f"{''.join(outside)}not ({self._were_read(columns, needs_partners)}) or ({condition})",
            stated=stated,
            expected=expected,
            message=message,
            values=known,
            lifetime=lifetime,
        )

    def _lifetime(self, rule: Rule, columns: Iterable[Column]) -> Lifetime:
        """Return when a rule about columns holds; raise ValueError where one of them is not there all that time."""
        lifetime = rule.lifetime
        for column in columns:
            there = self.catalog.form_by_id[column.form_id].lifetimes[column.indicator_id]
            both = lifetime.within(there)
            if both != lifetime and getattr(rule, "indicators", None) != "all":
                raise ValueError(
                    f"{column.key}: the form has it only {there}: expected effective_from and effective_to within that"
                )
            lifetime = both
        return lifetime

    def _resolve(self, references: Iterable[str]) -> tuple[Column, ...]:
        return tuple(Column(*self.catalog.check_reference(reference, self.form.form_id)) for reference in references)

    def _column(self, column: Column) -> str:
        return _quote(column_name(column, self.form.form_id))

    def _sum(self, columns: Sequence[Column], *, blank_is_nothing: bool = True) -> str:
        """Return the sum of columns in SQL: NULL if all are blank, or, where blanks count, if any is."""
        names = [self._column(column) for column in columns]
        if len(names) == 1:
            return names[0]
        if not blank_is_nothing:
            return f"({' + '.join(names)})"
        added = " + ".join(f"coalesce({name}, 0)" for name in names)
        return f"(case when coalesce({', '.join(names)}) is not null then {added} end)"

    def _were_read(self, columns: Sequence[Column], needs_partners: bool) -> str:
        """Return a condition: every column's cell was read. A cell that was not is neither blank nor zero.

        Without ``needs_partners``, where there is no other submission, or none that matters at the beginning of a
        window, its cells need not have been read either.
        """
        home, by_source = self.form.form_id, {column.source: list[str]() for column in columns}
        for column in columns:
            by_source[column.source].append(_literal(column.key))
        conditions = []
        for source, keys in by_source.items():
            read = f"{_quote(column_name(source.column('cells_read'), home))} @> array[{', '.join(keys)}]"
            if needs_partners or source == Source(home):
                conditions.append(f"coalesce({read}, false)")
            else:
                conditions.append(f"(opens_window or coalesce({read}, true))")
        return " and ".join(conditions)

    def _names(self, columns: Sequence[Column]) -> str:
        """Return the captions of columns as an SQL literal; columns of another form carry its title."""
        captions = []
        for column in columns:
            form = self.catalog.form_by_id[column.form_id]
            caption = next(item.caption for item in form.indicators if item.indicator_id == column.indicator_id)
            captions.append(caption if form is self.form else f"《{form.title}》{caption}")
        return _literal("＋".join(captions))

    @staticmethod
    def _percent_sign(typed: str) -> str:
        """Return the sign that the text of a cell ends with, or nothing."""
        return f"case when {typed} like '%\\%' then '%' else '' end"

    @staticmethod
    def _shown(expression: str) -> str:
        return f"coalesce(trim_scale({expression})::text, '空白')"


def _quote(name: str) -> str:
    return f'"{name}"'


def _text_of_literal(expression: str) -> str:
    """Return the text of an SQL literal, or nothing where the expression is not just one."""
    match = re.fullmatch(r"'((?:[^']|'')*)'", expression)
    return match[1].replace("''", "'") if match else ""


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
