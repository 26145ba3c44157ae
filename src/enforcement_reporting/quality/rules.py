"""What each declared rule becomes in SQL: the checks of a form, and the columns their wide row needs.

A rule is declared once per form; ``over_time`` compiles those that look at other periods. A check is a condition in SQL
over the wide row of a submission (one column per indicator), true where nothing is wrong, together with what to say
where it is false. Blank is not zero: a sum or a rate that is blank is not wrong, and blank parts of a sum count as
nothing. A cell that could not be read is not blank either: a rule that needs it says nothing.

A rule may hold for some time only. It has to, where it is about an indicator that the form has for some time only; one
about all indicators is about each as long as the form has it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from enforcement_reporting.catalog import ALWAYS, Catalog, CatalogError, Form, Indicator, Lifetime
from enforcement_reporting.findings import Severity
from enforcement_reporting.quality import over_time
from enforcement_reporting.quality.declared import (
    AmountCount,
    ChangeTriple,
    Equal,
    NeverFixed,
    NotApplicable,
    OverallRate,
    PartitionsAgree,
    PartWhole,
    Rate,
    Rule,
    StatedFigure,
    SuiteDefinition,
    Sum,
    Total,
    WholeBase,
    WrongPeriod,
    declared_suites,
)
from enforcement_reporting.texts import MONEY

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


PastFigure = Literal["known", "zeros", "total", "median", "deviation", "at"]


@dataclass(frozen=True, order=True)
class Past:
    """What the ``periods`` before the one that is checked say together of a column; what is unknown counts for nothing.

    ``known`` is how many figures are known, ``zeros`` how many are zero, ``total`` their sum, ``median`` their median
    and ``deviation`` the median of what they are off it; ``at`` is the figure so many periods ago.
    """

    column: Column
    what: PastFigure
    periods: int
    is_cumulative: bool

    def name(self, form_id: str) -> str:
        """Return the wide row's column for it."""
        return column_name(self.column, form_id, f"__{self.what}_{self.periods}")


@dataclass(frozen=True)
class Check:
    """One condition of a rule. ``condition``, ``stated`` and ``expected`` are SQL over the wide row.

    ``declared`` is the rule it was compiled from, ``rule_id`` its own. The condition is true for every period that ends
    outside ``lifetime``. ``message`` is a template for people; ``{…}`` in it names a key of ``values``, which are SQL
    as well.
    """

    declared: str
    rule_id: str
    rule_kind: str
    severity: Severity
    columns: tuple[Column, ...]
    condition: str
    stated: str
    expected: str
    message: str
    values: dict[str, str]
    printed: tuple[Column, ...] = ()  # of these the text and the decimals printed in the cell are needed
    spread: tuple[Column, ...] = ()  # of these what the rows printed with a total row have at least, at most, how often
    past: tuple[Past, ...] = ()
    divided_by: tuple[Column, ...] = ()  # of the columns, a rate's denominator
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
        return list(dict.fromkeys(column for check in self.checks for column in check.printed))

    @property
    def spread(self) -> list[Column]:
        """Return the rates of a printed total row that are held against those of the rows printed with it."""
        return list(dict.fromkeys(column for check in self.checks for column in check.spread))

    @property
    def past(self) -> list[Past]:
        """Return what the checks ask of earlier periods."""
        return sorted({past for check in self.checks for past in check.past})

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
    "rate_mean": "{subject} {stated} 是各单位{unit_rates}的平均数；总体比率应按合计数计算，为 {expected}。",
    "wrong_period": "{subject}写为 {stated}，与本期按{numerator}÷{denominator}计算的相同：所写的期是否有误？请核对。",
    "stated_figure": "{subject}写为 {stated}，按各单位报送的{of}应为 {expected}。",
    "stated_figure_truncated": "{subject}写为 {stated}，是截去尾数所得；四舍五入应为 {expected}。",
    "total_row": "{total}行的“{subject}”为 {stated}，所列 {count} 个单位相加为 {expected}，相差 {difference}。",
    "not_applicable": "“{subject}”不由{kind}填报，但填了 {stated}。",
    "whole_base": "{value_name} {value} 与{subject} {stated} 不能同时成立："
    "基数为 {less} 时是 {from_less}，为 {more} 时是 {from_more}。",
    "change_triple": "{subject}填报 {stated}，按{value_name} {value} 减{base_name} {base} 应为 {expected}。",
    "change_triple_percent": "{subject}填报 {stated}，按{value_name} {value}、基数 {base} 计算应为 {expected}。",
    "overall_rate": "{total}行的“{subject}”为 {stated}，不在所列 {count} 个单位的 {least} 至 {most} 之间。",
    "overall_rate_mean": "{total}行的“{subject}” {stated} 是所列 {count} 个单位比率的平均数；"
    "总体比率应按合计数计算，为 {expected}。",
    "last_years_value": "与{year_ago_period}的数完全相同：{which}是否误填了去年的数？请核对，或说明。",
    "copied": "所列 {count} 项与{previous_period}的全部相同：是否误报了上期的数？请核对，或说明。",
    "jump": "“{subject}”本期 {stated}，前 {known} 期的中位数为 {expected}，相差 {difference}，"
    "{beyond}：请核对，或说明原因。",
    "zero_run": "{subject}连续 {count} 期均为 0：请核对是否漏报，或说明原因。",
    "never_fixed": "{when}{found}共 {how_many}，{fixed}{none}：请核对是否漏报整改，或说明原因。",
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
        suites.extend(Compiler(catalog, form, path).suites(declared))
    return tuple(suites)


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


class Compiler:
    """Turns the rules of one form into checks."""

    def __init__(self, catalog: Catalog, form: Form, path: Path) -> None:
        self.catalog, self.form, self.path = catalog, form, path

    def suites(self, declared: SuiteDefinition) -> Iterator[Suite]:
        """Yield the suites of the form, one a reach. Raises CatalogError naming the rule that cannot be compiled."""
        checks: list[Check] = []
        self._rates = {rule.stated: rule for rule in declared.rules if isinstance(rule, Rate)}
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
        if check.past or any(column.when != "now" for column in check.columns):
            return "across_periods"
        return "form" if {column.form_id for column in check.columns} == {self.form.form_id} else "across_forms"

    def _checks(self, rule: Rule) -> Iterator[Check]:
        match rule:
            case PartWhole():
                parts, whole = self.resolve(rule.parts), self.resolve(rule.whole)
                part_sum, whole_sum = self.sum_of(parts), self.sum_of(whole, blank_is_nothing=False)
                yield self.check(
                    rule,
                    rule.kind,
                    (*parts, *whole),
                    f"coalesce({part_sum} <= {whole_sum}, true)",
                    self.shown(part_sum),
                    self.shown(whole_sum),
                    {"parts": self.names(parts), "whole": self.names(whole)},
                )
            case Sum():
                parts, (whole_column,) = self.resolve(rule.parts), self.resolve([rule.whole])
                part_sum, whole_sum = self.sum_of(parts), self.column(whole_column)
                any_part = " or ".join(f"{self.column(part)} is not null" for part in parts)
                yield self.check(
                    rule,
                    rule.kind,
                    (whole_column, *parts),
                    f"coalesce({whole_sum} = {part_sum}, true) or not ({any_part})",
                    self.shown(whole_sum),
                    self.shown(part_sum),
                    {"parts": self.names(parts), "whole": self.names([whole_column])},
                )
            case AmountCount():
                yield from self._amount_and_count(rule)
            case Rate():
                yield from self._rate(rule)
            case Equal():
                (left,), (right,) = self.resolve([rule.left]), self.resolve([rule.right])
                yield self.check(
                    rule,
                    rule.kind,
                    (left, right),
                    f"coalesce({self.column(left)} = {self.column(right)}, true)",
                    self.shown(self.column(left)),
                    self.shown(self.column(right)),
                    {"left": self.names([left]), "right": self.names([right])},
                )
            case StatedFigure():
                yield from self._stated_figure(rule)
            case WrongPeriod():
                yield self._wrong_period(rule)
            case Total():
                yield from self._total(rule)
            case NotApplicable():
                for column in self.resolve(rule.indicators):
                    yield self._not_applicable(rule, column)
            case PartitionsAgree():
                yield self._partitions_agree(rule)
            case WholeBase():
                yield self._whole_base(rule)
            case ChangeTriple():
                yield from self._change_triple(rule)
            case OverallRate():
                yield from self._overall_rate(rule)
            case NeverFixed():
                yield over_time.never_fixed(self, rule)
            case _:
                yield from over_time.checks_over_time(self, rule)

    def _amount_and_count(self, rule: AmountCount) -> Iterator[Check]:
        amount, count = self.resolve(rule.amount), self.resolve(rule.count)
        sums = {"amount": self.sum_of(amount), "count": self.sum_of(count)}
        names = {"amount": self.names(amount), "count": self.names(count)}
        for subject, other, suffix in (("amount", "count", ""), ("count", "amount", "_back")):
            if suffix and not rule.and_back:
                continue
            yield self.check(
                rule,
                rule.kind,
                (*amount, *count),
                f"not (coalesce({sums[subject]}, 0) > 0 and coalesce({sums[other]}, 0) = 0)",
                self.shown(sums[subject]),
                "'> 0'" if suffix else "'0'",
                {**names, "found": self.shown(sums[other])},
                suffix=suffix,
            )

    def _rate(self, rule: Rate) -> Iterator[Check]:
        (subject,) = self.resolve([rule.stated])
        if subject.form_id != self.form.form_id:
            raise ValueError(f"stated: expected an indicator of form {self.form.form_id}")
        numerator, denominator = self.resolve(rule.numerator), self.resolve(rule.denominator)
        over = self.sum_of(numerator, blank_is_nothing=False)
        under = self.sum_of(denominator, blank_is_nothing=False)
        stated = self.column(subject)
        decimals, typed = self.decimals(subject), self.typed(subject)
        exact = f"({rule.scale} * {over} / nullif({under}, 0))"
        right = f"(round({exact}, {decimals}) = {stated})"
        cut_off = f"(trunc({exact}, {decimals}) = {stated})"
        empty = f"({under} = 0 and {over} = 0 and {stated} = 0)"
        columns = (subject, *numerator, *denominator)
        names = {
            "subject": self.names([subject]),
            "numerator": self.names(numerator, in_brackets=True),
            "denominator": self.names(denominator, in_brackets=True),
        }
        rounded = f"coalesce(round({exact}, {decimals})::text || {self.percent_sign(typed)}, '—')"
        unknown = f"{stated} is null or {over} is null or {under} is null"
        conditions = (
            ("", rule.severity, f"{unknown} or coalesce({right} or {cut_off}, {empty})"),
            ("_truncated", Severity.NOTICE, f"not coalesce({cut_off} and not {right}, false)"),
            ("_zero_base", Severity.NOTICE, f"not coalesce({empty}, false)"),
        )
        for suffix, severity, condition in conditions:
            expected = "'—'" if suffix == "_zero_base" else rounded
            yield self.check(
                *(rule, rule.kind, columns, condition, typed, expected, names),
                suffix=suffix,
                severity=severity,
                printed=(subject,),
                divided_by=denominator,
            )
        if rule.unit_rates:
            yield self._mean_of_rates(rule, columns, f"({right} or {cut_off})", rounded)

    def _mean_of_rates(self, rule: Rate, columns: Sequence[Column], is_right: str, rounded: str) -> Check:
        """Return what tells that a bulletin states the mean of its units' rates: that is what rates come to there."""
        if not self.form.bulletin:
            raise ValueError(f"unit_rates: form {self.form.form_id} is no bulletin")
        subject, *terms = columns
        (rates,) = self.resolve([rule.unit_rates or ""])
        if rates.form_id == self.form.form_id or self.indicator(rates).measure_kind != "rate":
            raise ValueError("unit_rates: expected a rate of a form that units report")
        mean, stated, decimals = self.column(rates), self.column(subject), self.decimals(subject)
        is_mean = f"(round({mean}, {decimals}) = {stated} or trunc({mean}, {decimals}) = {stated})"
        return self.check(
            *(rule, rule.kind, (subject, rates, *terms), f"not coalesce({is_mean} and not {is_right}, false)"),
            self.typed(subject),
            rounded,
            {"subject": self.names([subject]), "unit_rates": self.names([rates])},
            suffix="_mean",
            severity=Severity.NOTICE,
            printed=(subject,),
        )

    def _wrong_period(self, rule: WrongPeriod) -> Check:
        (subject,) = self.resolve([rule.stated])
        if not self.form.bulletin or subject.form_id != self.form.form_id:
            raise ValueError(f"stated: expected an indicator of a bulletin, of form {self.form.form_id}")
        numerator, denominator = self.resolve(rule.numerator), self.resolve(rule.denominator)
        over, under = (self.sum_of(terms, blank_is_nothing=False) for terms in (numerator, denominator))
        exact = f"round({rule.scale} * {over} / nullif({under}, 0), {self.decimals(subject)})"
        return self.check(
            *(rule, rule.kind, (subject, *numerator, *denominator)),
            f"coalesce({exact} <> {self.column(subject)}, true)",
            self.typed(subject),
            "'—'",
            {
                "subject": self.names([subject]),
                "numerator": self.names(numerator, in_brackets=True),
                "denominator": self.names(denominator, in_brackets=True),
            },
            printed=(subject,),
        )

    def _stated_figure(self, rule: StatedFigure) -> Iterator[Check]:
        if not self.form.bulletin:
            raise ValueError(f"form {self.form.form_id} is no bulletin")
        (subject,), of = self.resolve([rule.stated]), self.resolve(rule.of)
        if subject.form_id != self.form.form_id:
            raise ValueError(f"stated: expected an indicator of form {self.form.form_id}")
        stated, exact = self.column(subject), self.sum_of(of)
        decimals, typed = self.decimals(subject), self.typed(subject)
        right = f"(round({exact}, {decimals}) = {stated})"
        cut_off = f"(trunc({exact}, {decimals}) = {stated})"
        names = {"subject": self.names([subject]), "of": self.names(of)}
        expected = f"round({exact}, {decimals})::text || {self.percent_sign(typed)}"
        for suffix, severity, condition in (
            ("", rule.severity, f"coalesce({right} or {cut_off}, true)"),
            ("_truncated", Severity.NOTICE, f"not coalesce({cut_off} and not {right}, false)"),
        ):
            yield self.check(
                *(rule, rule.kind, (subject, *of), condition, typed, expected, names),
                suffix=suffix,
                severity=severity,
                printed=(subject,),
            )

    def _total(self, rule: Total) -> Iterator[Check]:
        if self.form.total_row is None:
            raise ValueError(f"form {self.form.form_id} declares no total_row")
        if rule.indicators == "all":
            wanted = [item.indicator_id for item in self.form.indicators if item.measure_kind in ("flow", "stock")]
        else:
            wanted = list(rule.indicators)
        for column in self.resolve(wanted):
            printed = self.column(column)
            added = quote(column_name(column, self.form.form_id, "__sum"))
            yield self.check(
                rule,
                rule.kind,
                (column,),
                f"row_role <> 'total' or rows_left_out > 0 or coalesce({printed} = {added}, true)",
                self.shown(printed),
                self.shown(added),
                {
                    "subject": self.names([column]),
                    "total": literal(self.form.total_row.labels[0]),
                    "count": "rows_summed::text",
                    "difference": self.shown(f"{printed} - {added}"),
                },
                rule_id=f"{rule.rule_id}_{column.indicator_id}" if len(wanted) > 1 else rule.rule_id,
            )

    def _partitions_agree(self, rule: PartitionsAgree) -> Check:
        partitions = [self.resolve(parts) for parts in rule.partitions]
        sums = [self.sum_of(parts) for parts in partitions]
        first, *others = sums
        equal = " and ".join(f"{first} = {other}" for other in others)
        values = {f"sum_{number}": self.shown(added) for number, added in enumerate(sums, 1)}
        values |= {f"parts_{number}": self.names(parts) for number, parts in enumerate(partitions, 1)}
        said = "，".join(f"{{parts_{number}}}为 {{sum_{number}}}" for number in range(1, len(sums) + 1))
        differing = "".join(f" when {first} <> {other} then {self.shown(other)}" for other in others)
        return self.check(
            rule,
            rule.kind,
            [column for parts in partitions for column in parts],
            f"coalesce({equal}, true)",
            self.shown(first),
            f"case{differing} end",
            values,
            message=f"同一总数的几种分法应当相等：{said}。",
        )

    def _whole_base(self, rule: WholeBase) -> Check:
        (column,), (subject,) = self.resolve([rule.value]), self.resolve([rule.change])
        if {column.form_id, subject.form_id} != {self.form.form_id}:
            raise ValueError(f"value, change: expected indicators of form {self.form.form_id}")
        if self.is_measured(column):
            raise ValueError(f"value: expected a count, {column.key} is an amount of money")
        value, stated, decimals, typed = (
            self.column(column),
            self.column(subject),
            self.decimals(subject),
            self.typed(subject),
        )
        # The bases that fit lie next to one another around value ÷ (1 + change): if one is whole, one of two is.
        less = f"trunc(100 * {value} / nullif(100 + {stated}, 0), 0)"
        bases = (less, f"({less} + 1)")
        changes = [f"(100 * ({value} - {base}) / nullif({base}, 0))" for base in bases]
        fits = " or ".join(
            f"coalesce(round({exact}, {decimals}) = {stated} or trunc({exact}, {decimals}) = {stated}, false)"
            for exact in changes
        )
        shown = [f"coalesce(round({exact}, {decimals})::text || {self.percent_sign(typed)}, '—')" for exact in changes]
        from_less, from_more = changes
        is_nearer = f"abs({from_less} - {stated}) <= abs({from_more} - {stated})"
        return self.check(
            rule,
            rule.kind,
            (subject, column),
            # What fell by all of it fits any base that is large enough.
            f"{value} is null or {stated} is null or {decimals} is null or {value} <> trunc({value}, 0) or {value} < 0"
            f" or {value} = 0 and {stated} = 0 or {stated} = -100 or {stated} > -100 and ({fits})",
            typed,
            f"case when {is_nearer} then {shown[0]} else {shown[1]} end",
            {
                "subject": self.names([subject]),
                "value_name": self.names([column]),
                "value": self.shown(value),
                "less": self.shown(bases[0]),
                "more": self.shown(bases[1]),
                "from_less": shown[0],
                "from_more": shown[1],
            },
            printed=(subject,),
        )

    def _change_triple(self, rule: ChangeTriple) -> Iterator[Check]:
        references = [rule.value, rule.delta, rule.percent, *([rule.base] if rule.base else [])]
        columns = self.resolve(references)
        if {column.form_id for column in columns} != {self.form.form_id}:
            raise ValueError(f"value, delta, percent, base: expected indicators of form {self.form.form_id}")
        value_column, delta_column, percent_column, *base_columns = columns
        value, delta, percent = map(self.column, columns[:3])
        is_measured = self.is_measured(value_column)
        severity = Severity.QUESTION if is_measured and rule.severity is Severity.ERROR else rule.severity
        names = {"value_name": self.names([value_column]), "value": self.shown(value)}
        if base_columns:
            base = self.column(base_columns[0])
            decimals = self.decimals(delta_column)
            exact = f"{value} - {base} = {delta}"
            rounded = f"trunc(({value} - {base} - {delta}) / 2, {decimals}) = 0"  # off by the last digit at most
            yield self.check(
                rule,
                rule.kind,
                (delta_column, value_column, *base_columns),
                f"coalesce({rounded if is_measured else exact}, true)",
                self.typed(delta_column),
                self.shown(f"{value} - {base}"),
                {
                    **names,
                    "subject": self.names([delta_column]),
                    "base_name": self.names(base_columns),
                    "base": self.shown(base),
                },
                severity=severity,
                printed=(delta_column,),
            )
        else:
            base = f"({value} - {delta})"
        decimals, typed = self.decimals(percent_column), self.typed(percent_column)
        change = f"(100 * ({value} - {base}) / nullif(abs({base}), 0))"
        right = f"round({change}, {decimals}) = {percent} or trunc({change}, {decimals}) = {percent}"
        yield self.check(
            rule,
            rule.kind,
            (percent_column, value_column, *(base_columns or [delta_column])),
            f"coalesce({right}, true)",
            typed,
            f"coalesce(round({change}, {decimals})::text || {self.percent_sign(typed)}, '—')",
            {**names, "subject": self.names([percent_column]), "base": self.shown(base)},
            suffix="_percent",
            severity=severity,
            printed=(percent_column,),
        )

    def _overall_rate(self, rule: OverallRate) -> Iterator[Check]:
        if self.form.total_row is None:
            raise ValueError(f"form {self.form.form_id} declares no total_row")
        (subject,) = self.resolve([rule.rate])
        if subject.form_id != self.form.form_id or self.indicator(subject).measure_kind != "rate":
            raise ValueError(f"rate: expected a rate of form {self.form.form_id}")
        stated, decimals, typed = self.column(subject), self.decimals(subject), self.typed(subject)
        added, least, most, count = (
            quote(column_name(subject, self.form.form_id, suffix)) for suffix in ("__sum", "__min", "__max", "__count")
        )
        elsewhere = "row_role <> 'total' or rows_left_out > 0"
        values = {
            "subject": self.names([subject]),
            "total": literal(self.form.total_row.labels[0]),
            "count": f"{count}::text",
            "least": self.shown(least),
            "most": self.shown(most),
        }
        known = "false"
        if sibling := self._rates.get(rule.rate):
            numerator, denominator = self.resolve(sibling.numerator), self.resolve(sibling.denominator)
            columns = (subject, *numerator, *denominator)
            if {column.form_id for column in columns} == {self.form.form_id}:
                over = self.sum_of(numerator, blank_is_nothing=False)
                under = self.sum_of(denominator, blank_is_nothing=False)
                known = f"({over} is not null and {under} is not null)"
                exact = f"({sibling.scale} * {over} / nullif({under}, 0))"
                mean = f"({added} / nullif({count}, 0))"
                right, is_mean = (
                    f"(round({figure}, {decimals}) = {stated} or trunc({figure}, {decimals}) = {stated})"
                    for figure in (exact, mean)
                )
                yield self.check(
                    rule,
                    rule.kind,
                    columns,
                    f"{elsewhere} or not coalesce(not {right} and {is_mean} and {least} < {most}, false)",
                    typed,
                    f"coalesce(round({exact}, {decimals})::text || {self.percent_sign(typed)}, '—')",
                    values,
                    suffix="_mean",
                    severity=Severity.NOTICE,
                    printed=(subject,),
                    spread=(subject,),
                )
        yield self.check(
            rule,
            rule.kind,
            (subject,) if known == "false" else columns,
            f"{elsewhere} or {known} or coalesce({stated} >= trunc({least}, {decimals})"
            f" and {stated} <= round({most}, {decimals}), true)",
            typed,
            f"{self.shown(least)} || '～' || {self.shown(most)}",
            values,
            printed=(subject,),
            spread=(subject,),
        )

    def _not_applicable(self, rule: NotApplicable, column: Column) -> Check:
        indicator = next(item for item in self.form.indicators if item.indicator_id == column.indicator_id)
        if column.form_id != self.form.form_id or not indicator.applies_to:
            raise ValueError(f"{column.key}: expected an indicator of this form that declares applies_to")
        kinds = ", ".join(literal(kind) for kind in indicator.applies_to)
        value = self.column(column)
        return self.check(
            rule,
            rule.kind,
            (column,),
            f"row_role = 'total' or unit_kind in ({kinds}) or coalesce({value}, 0) = 0",
            self.shown(value),
            "'不填'",
            {"subject": self.names([column]), "kind": "unit_kind"},
            rule_id=f"{rule.rule_id}_{column.indicator_id}" if len(rule.indicators) > 1 else rule.rule_id,
        )

    def check(
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
        message: str | None = None,
        needs_partners: bool = True,
        printed: tuple[Column, ...] = (),
        spread: tuple[Column, ...] = (),
        past: tuple[Past, ...] = (),
        divided_by: tuple[Column, ...] = (),
    ) -> Check:
        """Return a check; one with a ``suffix`` says something of its own, whatever message the rule declares."""
        severity = severity or rule.severity
        message = rule.message if rule.message and not suffix else message or MESSAGES[kind + suffix]
        if severity is Severity.QUESTION and not rule.message and "请" not in message:
            message = f"{message.removesuffix('。')}：请核对，或说明原因。"
        known = {**values, "stated": stated, "expected": expected, "unit": "unit_name", "period": "period_name"}
        for column in columns:
            known.setdefault(column.indicator_id, self.shown(self.column(column)))
        lifetime = self._lifetime(rule, columns)
        outside = [f"ends_on {sign} '{day}' or " for sign, day in zip("<>", lifetime, strict=True) if day]
        for name in re.findall(r"\{(\w+)\}", message):
            if name not in known:
                raise ValueError(f"message: {{{name}}} is not known here; known: {sorted(known)}")
        return Check(
            declared=f"{self.form.form_id}.{rule.rule_id}",
            rule_id=f"{self.form.form_id}.{rule_id or rule.rule_id}{suffix}",
            rule_kind=kind,
            severity=severity,
            columns=tuple(dict.fromkeys(columns)),
            condition=f"{''.join(outside)}not ({self._were_read(columns, needs_partners)}) or ({condition})",
            stated=stated,
            expected=expected,
            message=message,
            values=known,
            printed=printed,
            spread=spread,
            past=past,
            divided_by=divided_by,
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

    def resolve(self, references: Iterable[str]) -> tuple[Column, ...]:
        """Return the columns of references. Raises ValueError naming one that does not exist."""
        return tuple(Column(*self.catalog.check_reference(reference, self.form.form_id)) for reference in references)

    def own(self, indicator_id: str) -> Column:
        """Return a column of the form itself."""
        return Column(self.form.form_id, indicator_id)

    def indicator(self, column: Column) -> Indicator:
        """Return the indicator of a column."""
        form = self.catalog.form_by_id[column.form_id]
        return next(item for item in form.indicators if item.indicator_id == column.indicator_id)

    def is_measured(self, column: Column) -> bool:
        """Return whether a column holds amounts, which are rounded, and not whole numbers."""
        return self.indicator(column).unit_of_measure in MONEY

    def column(self, column: Column) -> str:
        """Return a column of the wide row in SQL."""
        return quote(column_name(column, self.form.form_id))

    def decimals(self, column: Column) -> str:
        """Return in SQL how many decimals are printed in a cell."""
        return quote(column_name(column, self.form.form_id, "__decimals"))

    def typed(self, column: Column) -> str:
        """Return the text of a cell in SQL."""
        return quote(column_name(column, self.form.form_id, "__text"))

    def past(self, column: Column, what: PastFigure, periods: int) -> Past:
        """Return what earlier periods say of a column of the form."""
        return Past(column, what, periods, self.form.figures_of(self.indicator(column)) == "cumulative")

    def past_column(self, past: Past) -> str:
        """Return what earlier periods say in SQL."""
        return quote(past.name(self.form.form_id))

    def sum_of(self, columns: Sequence[Column], *, blank_is_nothing: bool = True) -> str:
        """Return the sum of columns in SQL: NULL if all are blank, or, where blanks count, if any is."""
        names = [self.column(column) for column in columns]
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
            by_source[column.source].append(literal(column.key))
        conditions = []
        for source, keys in by_source.items():
            unread = quote(column_name(source.column("cells_unread"), home))
            read = f"not ({unread} && array[{', '.join(keys)}])"
            if needs_partners or source == Source(home):
                conditions.append(f"coalesce({read}, false)")
            else:
                conditions.append(f"(opens_window or coalesce({read}, true))")
        return " and ".join(conditions)

    def names(self, columns: Sequence[Column], *, joined_by: str = "＋", in_brackets: bool = False) -> str:
        """Return the captions of columns, joined, as an SQL literal; columns of another form carry its title.

        With ``in_brackets`` several of them stand in brackets, as the terms of a fraction.
        """
        captions = []
        for column in columns:
            form = self.catalog.form_by_id[column.form_id]
            caption = next(item.caption for item in form.indicators if item.indicator_id == column.indicator_id)
            captions.append(caption if form is self.form else f"《{form.title}》{caption}")
        added = joined_by.join(captions)
        return literal(f"（{added}）" if in_brackets and len(captions) > 1 else added)

    @staticmethod
    def percent_sign(typed: str) -> str:
        """Return the sign that the text of a cell ends with, or nothing."""
        return f"case when {typed} like '%\\%' then '%' else '' end"

    @staticmethod
    def shown(expression: str) -> str:
        """Return a figure as people read it, in SQL."""
        return f"coalesce(trim_scale({expression})::text, '空白')"


def quote(name: str) -> str:
    """Return a column's name in SQL."""
    return f'"{name}"'


def _text_of_literal(expression: str) -> str:
    """Return the text of an SQL literal, or nothing where the expression is not just one."""
    match = re.fullmatch(r"'((?:[^']|'')*)'", expression)
    return match[1].replace("''", "'") if match else ""


def literal(text: str) -> str:
    """Return a text in SQL."""
    return "'" + text.replace("'", "''") + "'"
