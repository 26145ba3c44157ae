"""Templates: for every unit that owes a form the workbook it fills in, made from the catalog and the expectations."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from enforcement_reporting.catalog import Catalog, Form, Unit, load_catalog, resolve
from enforcement_reporting.findings import Severity
from enforcement_reporting.periods import Period
from enforcement_reporting.quality.declared import PartWhole, Rate, declared_suites
from enforcement_reporting.quality.rules import load_suites
from enforcement_reporting.workbook import layout, template
from enforcement_reporting.workbook.template import Guide, Row, Template

_NOT_IN_FILE_NAMES = re.compile(r'[\\/:*?"<>|\s]+')
_LONGEST_TITLE = 50
_OF_TOTAL_ROWS = ("total_row", "overall_rate")
_OF_MANY_PERIODS = ("last_years_value", "copied", "jump", "zero_run")


class TemplateError(ValueError):
    """There is no such template; the message says why."""


def write_templates(
    definitions: Path, folder: Path, form: str, period: str, unit: str | None = None, *, consolidated: bool = False
) -> Iterator[Path]:
    """Write the templates asked for into ``folder`` one after another and yield their paths; see ``templates``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in templates(definitions, form, period, unit, consolidated=consolidated):
        path = folder / name
        path.write_bytes(content.content())
        yield path


def templates(
    definitions: Path, form: str, period: str, unit: str | None = None, *, consolidated: bool = False
) -> Iterator[tuple[str, Template]]:
    """Yield (file name, template) of a form for a period: of each unit that owes it, or of one.

    ``consolidated`` gives one table of all these units instead, with the total row where the form has one. Form, period
    and unit are asked for by their ids or in words.

    Raises NotDeclared and TemplateError.
    """
    catalog = load_catalog(definitions)
    declared = catalog.form_asked(form)
    if declared.bulletin:
        raise TemplateError(f"form {declared.form_id} is a bulletin: nobody fills it in")
    wanted = declared.period_asked(period)
    version = declared.version_of(wanted).form
    owing = catalog.expected_units(declared) if unit is None else [catalog.unit_asked(unit, declared)]
    units = [item for item in owing if item.is_in_force(wanted)]
    if unit is not None and not units:
        raise TemplateError(f"unit: {unit!r} is not in force in {wanted.name}")
    if consolidated and not version.unit_labels:
        raise TemplateError(f"form {declared.form_id} has no column of units: there is no table of all of them")
    if consolidated and unit is not None:
        raise TemplateError("a table of all units is not one unit's: expected either a unit or consolidated")
    guide = _guide(definitions, catalog, version, wanted, for_all=consolidated)
    for some in [units] if consolidated else [[item] for item in units]:
        yield _template(catalog, version, wanted, some, guide, consolidated)


def _template(
    catalog: Catalog, form: Form, period: Period, units: list[Unit], guide: Guide, for_all: bool
) -> tuple[str, Template]:
    authority = catalog.authority_by_id[form.authority_id]
    whose = authority.name if for_all else units[0].name
    due = {kind: form.due_at(kind, period, authority.zone) for kind in dict.fromkeys(unit.kind for unit in units)}
    instants = [(f"{kind} " if len(set(due.values())) > 1 else "", at) for kind, at in due.items() if at]
    group = form.total_row.states if form.total_row else None
    left_out = {unit_id for unit_id, of, _, counted in authority.members_by_group() if of == group and not counted}
    below = {unit_id for unit_id, of, _, _ in authority.members_by_group() if of == group} - left_out
    made = Template(
        form,
        period,
        f"{'汇总单位' if for_all else '填报单位'}：{whose}",
        [Row(unit, unit.unit_id in below) for unit in units],
        list(dict.fromkeys(instants)),
        guide,
        layout.units_of_measure(catalog),
        for_all,
    )
    title = form.title[:_LONGEST_TITLE]
    return _NOT_IN_FILE_NAMES.sub("", f"{title}_{period.name}_{whose}") + ".xlsx", made


def _guide(definitions: Path, catalog: Catalog, form: Form, period: Period, *, for_all: bool) -> Guide:
    """Return what the form's rules of a period say of its columns, and those of them that a template enforces."""
    checks = [
        check
        for suite in load_suites(definitions, catalog)
        if suite.form.form_id == form.form_id
        for check in suite.checks
        if check.lifetime.covers(period.ends_on)
    ]
    statement: dict[str, str] = {}
    by_indicator: dict[str, list[str]] = defaultdict(list)
    for check in checks:
        statement[check.rule_id] = check.statement
        if check.rule_id.endswith(("_truncated", "_zero_base")) or (check.rule_kind in _OF_TOTAL_ROWS and not for_all):
            continue  # a formula does not misprint a rate, and one unit's table has no total row
        if check.rule_kind in _OF_MANY_PERIODS:
            continue  # nothing that a single cell could be filled in by
        for column in dict.fromkeys(check.columns):
            if column.form_id == form.form_id and check.statement not in by_indicator[column.indicator_id]:
                by_indicator[column.indicator_id].append(check.statement)
    limits, rates = [], {}
    declared = (
        rule
        for _, suite in declared_suites(definitions)
        if suite.form == form.form_id
        for rule in suite.rules
        if rule.lifetime.covers(period.ends_on)
    )
    for rule in declared:
        if isinstance(rule, PartWhole) and rule.severity is Severity.ERROR:
            parts, whole = (_own(form, terms) for terms in (rule.parts, rule.whole))
            if parts and whole:
                limits.append(template.PartWhole(parts, whole, statement[f"{form.form_id}.{rule.rule_id}"]))
        elif isinstance(rule, Rate):
            over, under = (_own(form, terms) for terms in (rule.numerator, rule.denominator))
            if over and under:
                rates[resolve(rule.stated, form.form_id)[1]] = template.Rate(rule.scale, over, under)
    return Guide(by_indicator, limits, rates)


def _own(form: Form, references: tuple[str, ...]) -> tuple[str, ...]:
    """Return the indicators of a sum where all are the form's own, or else nothing."""
    resolved = [resolve(reference, form.form_id) for reference in references]
    return tuple(name for _, name in resolved) if all(home == form.form_id for home, _ in resolved) else ()
