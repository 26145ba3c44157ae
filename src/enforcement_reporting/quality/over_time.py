"""The rules that look at other periods, as they become checks: the one before, the one a year ago, and many at once.

A *period's own* figure is what stands in a column of the period alone; of a cumulative column it is what the figure
grew by since the period before, and unknown where that is missing. What many periods say together is laid out in the
wide row by ``past``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from enforcement_reporting.quality.declared import (
    Accumulates,
    Copied,
    Jump,
    LastYearsValue,
    NeverFixed,
    NotFalling,
    OverTime,
    StatedChange,
    ZeroRun,
)

if TYPE_CHECKING:
    from enforcement_reporting.quality.rules import Check, Column, Compiler, Past


def checks_over_time(c: Compiler, rule: OverTime) -> Iterator[Check]:
    """Yield what a rule that looks at other periods is compiled to. Raises ValueError where it cannot be."""
    match rule:
        case NotFalling():
            yield from _not_falling(c, rule)
        case Accumulates():
            yield from _accumulates(c, rule)
        case StatedChange():
            yield _stated_change(c, rule)
        case LastYearsValue():
            yield _last_years_value(c, rule)
        case Copied():
            yield _copied(c, rule)
        case Jump():
            yield from _jump(c, rule)
        case ZeroRun():
            yield _zero_run(c, rule)


def _not_falling(c: Compiler, rule: NotFalling) -> Iterator[Check]:
    wanted = _cumulative(c, rule.indicators)
    if not wanted:
        raise ValueError(f"indicators: form {c.form.form_id} has no cumulative flows")
    for column in wanted:
        before = replace(column, when="previous")
        yield c.check(
            rule,
            rule.kind,
            (column, before),
            f"opens_window or coalesce({c.column(column)} >= {c.column(before)}, true)",
            c.shown(c.column(column)),
            c.shown(c.column(before)),
            {"subject": c.names([column]), "previous_period": "previous_period_name"},
            rule_id=f"{rule.rule_id}_{column.indicator_id}" if len(wanted) > 1 else rule.rule_id,
        )


def _accumulates(c: Compiler, rule: Accumulates) -> Iterator[Check]:
    stated_both = c.form.counterparts
    wanted = [column for column in _cumulative(c, rule.indicators) if column.indicator_id in stated_both]
    if not wanted or (rule.indicators != "all" and len(wanted) < len(rule.indicators)):
        raise ValueError("indicators: expected cumulative flows that have a counterpart of the period alone")
    for column in wanted:
        single = replace(column, indicator_id=stated_both[column.indicator_id])
        before = replace(column, when="previous")
        names = (c.column(column), c.column(single), c.column(before))
        cumulative, alone, earlier = names
        yield c.check(
            rule,
            rule.kind,
            (column, single, before),
            f"case when opens_window then coalesce({cumulative} = {alone}, true)"
            f" else coalesce({cumulative} = {earlier} + {alone}, true) end",
            c.shown(cumulative),
            c.shown(f"case when opens_window then {alone} else {earlier} + {alone} end"),
            {
                "subject": c.names([column]),
                "previous_period": "case when opens_window then '起算日' else previous_period_name end",
                "before": c.shown(f"case when opens_window then 0 else {earlier} end"),
                "single": c.shown(alone),
            },
            rule_id=f"{rule.rule_id}_{column.indicator_id}" if len(wanted) > 1 else rule.rule_id,
            needs_partners=False,
        )


def _stated_change(c: Compiler, rule: StatedChange) -> Check:
    (subject,), (column,) = c.resolve([rule.stated]), c.resolve([rule.of])
    if {subject.form_id, column.form_id} != {c.form.form_id}:
        raise ValueError(f"stated, of: expected indicators of form {c.form.form_id}")
    now_known = replace(column, when=rule.against)
    first_known = replace(column, when="previous_first" if rule.against == "previous" else "year_ago_first")
    stated, value = c.column(subject), c.column(column)
    decimals = c.decimals(subject)
    typed = c.typed(subject)

    def change(base: str) -> str:
        if rule.measured_in == "percent":
            return f"(100 * ({value} - {base}) / nullif(abs({base}), 0))"
        return f"({value} - {base})"

    changes = [change(c.column(base)) for base in (now_known, first_known)]
    right = " or ".join(
        f"round({exact}, {decimals}) = {stated} or trunc({exact}, {decimals}) = {stated}" for exact in changes
    )
    unknown = " or ".join(f"{name} is null" for name in (stated, value, c.column(now_known), changes[0]))
    return c.check(
        rule,
        rule.kind,
        (subject, column, now_known, first_known),
        f"{unknown} or coalesce({right}, false)",
        typed,
        f"coalesce(round({changes[0]}, {decimals})::text || {c.percent_sign(typed)}, '—')",
        {
            "subject": c.names([subject]),
            "value": c.shown(value),
            "base": c.shown(c.column(now_known)),
            "base_period": f"{rule.against}_period_name",
        },
        printed=(subject,),
    )


def _last_years_value(c: Compiler, rule: LastYearsValue) -> Check:
    columns = _flows(c, rule.indicators, rule.at_least)
    used: list[Column] = []
    same: list[str] = []
    for column in columns:
        year_ago = replace(column, when="year_ago")
        value = c.column(column)
        used += [column, year_ago]
        equal = f"coalesce({value} = {c.column(year_ago)} and {value} >= {rule.minimum:f}, false)"
        if _is_cumulative(c, column):
            before = replace(column, when="previous")
            used.append(before)
            grown = f"{value} = {c.column(before)}"
            if counterpart := c.form.counterparts.get(column.indicator_id):
                single = c.own(counterpart)
                used.append(single)
                grown += f" or {value} = {c.column(before)} + {c.column(single)}"
            equal = f"({equal} and not coalesce(not opens_window and ({grown}), false))"
        same.append(equal)
    said = " || ".join(
        f"case when {equal} then {c.names([column])} || ' ' || {c.shown(c.column(column))} || '，' else '' end"
        for column, equal in zip(columns, same, strict=True)
    )
    return c.check(
        rule,
        rule.kind,
        used,
        f"{_how_many(same)} < {rule.at_least}",
        said,
        "'与去年不同'",
        {"which": said, "year_ago_period": "year_ago_period_name"},
        needs_partners=False,
    )


def _copied(c: Compiler, rule: Copied) -> Check:
    columns = _flows(c, rule.indicators, rule.at_least)
    before = [replace(column, when="previous") for column in columns]
    same = []
    for column, earlier in zip(columns, before, strict=True):
        one, other = c.column(column), c.column(earlier)
        same.append(f"coalesce({one} = {other}, {one} is null and {other} is null)")
    filled = _how_many([f"coalesce({c.column(column)} <> 0, false)" for column in columns])
    return c.check(
        rule,
        rule.kind,
        (*columns, *before),
        f"{filled} < {rule.at_least} or not ({' and '.join(same)})",
        " || '、' || ".join(c.shown(c.column(column)) for column in columns),
        "'与上期不同'",
        {"count": f"'{len(columns)}'", "previous_period": "previous_period_name"},
    )


def _jump(c: Compiler, rule: Jump) -> Iterator[Check]:
    columns = _flows(c, rule.indicators)
    if rule.indicators == "all":  # what a column of the period alone says need not be derived
        columns = tuple(column for column in columns if not (_is_cumulative(c, column) and _has_counterpart(c, column)))
    for column in columns:
        figure, used = _of_the_period(c, column)
        past = (
            c.past(column, "known", rule.periods),
            c.past(column, "median", rule.periods),
            c.past(column, "deviation", rule.periods),
        )
        known, median, deviation = map(c.past_column, past)
        off = f"abs({figure} - {median})"
        spread = f"greatest(1.4826 * {deviation}, {rule.spread_percent / 100:f} * abs({median}))"
        yield c.check(
            rule,
            rule.kind,
            used,
            f"not coalesce({known} >= {rule.minimum_history} and {off} >= {rule.minimum:f}"
            f" and {off} > {rule.threshold:f} * {spread}, false)",
            c.shown(figure),
            c.shown(median),
            {
                "subject": c.names([column]),
                "known": f"{known}::text",
                "difference": c.shown(off),
                "beyond": f"coalesce('是平常波动的 ' || round({off} / nullif({spread}, 0), 1)::text || ' 倍',"
                " '而此前各期几乎没有变化')",
            },
            rule_id=f"{rule.rule_id}_{column.indicator_id}" if len(columns) > 1 else rule.rule_id,
            needs_partners=False,
            past=past,
        )


def _zero_run(c: Compiler, rule: ZeroRun) -> Check:
    columns = _flows(c, rule.indicators)
    used: list[Column] = []
    past: list[Past] = []
    zero, zero_earlier = [], []
    for column in columns:
        figure, needed = _of_the_period(c, column)
        run, earlier = c.past(column, "zeros", rule.periods - 1), c.past(column, "at", rule.periods)
        used += needed
        past += [run, earlier]
        zero.append(f"{figure} = 0 and {c.past_column(run)} = {rule.periods - 1}")
        zero_earlier.append(f"{c.past_column(earlier)} = 0")
    return c.check(
        rule,
        rule.kind,
        used,
        f"not coalesce({' and '.join(zero)}, false) or coalesce({' and '.join(zero_earlier)}, false)",
        "'0'",
        "'> 0'",
        {"subject": c.names(columns, joined_by="、"), "count": f"'{rule.periods}'"},
        needs_partners=False,
        past=tuple(past),
    )


def never_fixed(c: Compiler, rule: NeverFixed) -> Check:
    """Return the check of a rule that compares what was found with what was fixed, over one period or several."""
    used: list[Column] = []
    past: list[Past] = []
    sums, known = [], []
    for terms in (rule.found, rule.fixed):
        columns = c.resolve(terms) if rule.periods is None else _flows(c, terms)
        if rule.periods is None:
            used += columns
            sums.append(c.sum_of(columns, blank_is_nothing=False))
            continue
        added = []
        for column in columns:
            figure, needed = _of_the_period(c, column)
            total, reported = c.past(column, "total", rule.periods - 1), c.past(column, "known", rule.periods - 1)
            used += needed
            past += [total, reported]
            known.append(f"{c.past_column(reported)} = {rule.periods - 1}")
            added += [figure, c.past_column(total)]
        sums.append(f"({' + '.join(added)})")
    found, fixed = sums
    return c.check(
        rule,
        rule.kind,
        used,
        f"row_role = 'total' or not coalesce({' and '.join([*known, f'{found} >= {rule.minimum:f}', f'{fixed} = 0'])},"
        " false)",
        c.shown(fixed),
        "'> 0'",
        {
            "found": c.names(c.resolve(rule.found)),
            "fixed": c.names(c.resolve(rule.fixed)),
            "how_many": c.shown(found),
            "when": "''" if rule.periods is None else f"'连续 {rule.periods} 期'",
            "none": "'却为 0'" if rule.periods is None else "'却一直为 0'",
        },
        needs_partners=rule.periods is None,
        past=tuple(past),
    )


def _of_the_period(c: Compiler, column: Column) -> tuple[str, tuple[Column, ...]]:
    """Return the period's own figure of a column in SQL, and the columns it is worked out from."""
    if not _is_cumulative(c, column):
        return c.column(column), (column,)
    before = replace(column, when="previous")
    figure = f"(case when opens_window then {c.column(column)} else {c.column(column)} - {c.column(before)} end)"
    return figure, (column, before)


def _how_many(conditions: Sequence[str]) -> str:
    """Return in SQL how many of conditions hold."""
    return f"({' + '.join(f'case when {condition} then 1 else 0 end' for condition in conditions)})"


def _is_cumulative(c: Compiler, column: Column) -> bool:
    return c.form.figures_of(c.indicator(column)) == "cumulative"


def _has_counterpart(c: Compiler, column: Column) -> bool:
    return column.indicator_id in c.form.counterparts


def _flows(c: Compiler, references: Literal["all"] | Sequence[str], at_least: int = 1) -> tuple[Column, ...]:
    """Return the flows of the form among the indicators named, which all must be, or all the form has."""
    flows = {item.indicator_id for item in c.form.indicators if item.measure_kind == "flow"}
    if references == "all":
        columns = tuple(c.own(item.indicator_id) for item in c.form.indicators if item.indicator_id in flows)
    else:
        columns = c.resolve(references)
    for column in columns:
        if column.form_id != c.form.form_id or column.indicator_id not in flows:
            raise ValueError(f"{column.key}: expected a flow of form {c.form.form_id}")
    if len(columns) < at_least:
        raise ValueError(f"indicators: expected at least {at_least} flows, found {len(columns)}")
    return columns


def _cumulative(c: Compiler, references: Literal["all"] | Sequence[str]) -> tuple[Column, ...]:
    """Return the cumulative flows among the indicators named, or all the form has."""
    flows = {
        item.indicator_id
        for item in c.form.indicators
        if item.measure_kind == "flow" and c.form.figures_of(item) == "cumulative"
    }
    if references == "all":
        return tuple(c.own(item.indicator_id) for item in c.form.indicators if item.indicator_id in flows)
    columns = c.resolve(references)
    for column in columns:
        if column.form_id != c.form.form_id or column.indicator_id not in flows:
            raise ValueError(f"{column.key}: expected a cumulative flow of form {c.form.form_id}")
    return columns
