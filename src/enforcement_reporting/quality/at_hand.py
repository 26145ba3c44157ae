"""The rules on workbooks that are at hand, without a warehouse: what the check there would find, as far as it can be.

The conditions and messages are those that the database evaluates, over the same wide rows. Rules within a form are all
checked, total rows included, and rules across forms where the other form is at hand too; what looks at other periods is
not, and is named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from enforcement_reporting.catalog import Catalog, Unit, UnitGroup
from enforcement_reporting.findings import LEFT_OUT, ReadingFinding, Severity
from enforcement_reporting.quality.conditions import worked_out
from enforcement_reporting.quality.rules import Check, Source, Suite, column_name
from enforcement_reporting.workbook import Observation, ReadSubmission, ReadWorkbook

_READ = "cells_read"
_OF_MANY = ("not_falling", "accumulates")


@dataclass(frozen=True)
class RuleFinding:
    """A rule that a submission breaks, in the words the warehouse has for it."""

    rule_id: str
    severity: Severity
    cells: str
    stated: str | None
    expected: str | None
    message: str


@dataclass
class Submission:
    """A submission at hand with the workbook it stands in, and what the rules find in it."""

    read: ReadSubmission
    workbook: ReadWorkbook
    findings: list[RuleFinding] = field(default_factory=list)

    @property
    def by_indicator(self) -> dict[str, Observation]:
        """Return its observations by the indicator's id."""
        return {item.indicator_id: item for item in self.read.observations}

    @property
    def has_error(self) -> bool:
        """Return whether it has an error of its own, or stands on a sheet that has: then it is held against nobody."""
        on_sheet = self.workbook.sheet_findings.get((self.read.sheet, self.read.form_id), [])
        own: list[ReadingFinding | RuleFinding] = [*on_sheet, *self.read.findings, *self.findings]
        return any(finding.severity is Severity.ERROR for finding in own)


@dataclass
class NotChecked:
    """Rules that could not be checked: those that look at other periods, and those at forms that are not at hand."""

    across_periods: list[str] = field(default_factory=list)
    across_forms: list[str] = field(default_factory=list)


def check_at_hand(
    catalog: Catalog, suites: Sequence[Suite], workbooks: Iterable[ReadWorkbook]
) -> tuple[list[Submission], NotChecked]:
    """Return the submissions in the workbooks, each with what the rules find, and the rules that were not checked.

    Of two submissions for one period the one that comes later counts for other forms, as one received later does.
    """
    submissions = [Submission(item, workbook) for workbook in workbooks for item in workbook.submissions]
    units: dict[str, Unit | UnitGroup] = {
        unit.unit_id: unit for authority in catalog.authorities for unit in authority.units.tree()
    }
    counted = {
        (group, unit)
        for authority in catalog.authorities
        for unit, group, _, is_counted in authority.members_by_group()
        if is_counted
    }
    skipped = NotChecked()
    held: dict[tuple[str, str, str], Submission] = {}
    for suite in sorted(suites, key=lambda suite: suite.reach != "form"):
        due = [item for item in submissions if item.read.form_id == suite.form.form_id]
        if suite.reach == "across_periods":
            ends = {item.read.period.ends_on for item in due}
            skipped.across_periods += _rules_of(
                check for check in suite.checks if any(map(check.lifetime.covers, ends))
            )
            continue
        if suite.reach == "across_forms" and not held:
            held = {_key(item): item for item in submissions if item.read.row_role == "unit" and not item.has_error}
        for item in due:
            partners = {source: held.get(_key(item, source.form_id)) for source in suite.partners}
            if item.read.row_role != "unit":
                partners = dict.fromkeys(partners)
            row = _wide_row(suite, item, partners, units[item.read.unit_id])
            if suite.reach == "form" and item.read.row_role == "total":
                row |= _sums(suite, item, submissions, counted)
            for check in suite.checks:
                if not check.lifetime.covers(item.read.period.ends_on):
                    continue
                needed = partners.keys() & {column.source for column in check.columns}
                if item.read.row_role == "unit" and any(partners[source] is None for source in needed):
                    skipped.across_forms += _rules_of([check])
                if worked_out(check.condition)(row) is False:
                    item.findings.append(_finding(check, item, partners, row))
    skipped.across_forms = list(dict.fromkeys(skipped.across_forms))
    return submissions, skipped


def _key(item: Submission, form_id: str | None = None) -> tuple[str, str, str]:
    return form_id or item.read.form_id, item.read.unit_id, item.read.period.period_id


def _rules_of(checks: Iterable[Check]) -> list[str]:
    """Return the rules that checks were compiled from: one about many cumulative figures is one."""
    return list(
        dict.fromkeys(
            check.rule_id.removesuffix(f"_{check.columns[0].indicator_id}" if check.rule_kind in _OF_MANY else "")
            for check in checks
        )
    )


def _wide_row(
    suite: Suite, item: Submission, partners: Mapping[Source, Submission | None], unit: Any
) -> dict[str, Any]:
    """Return what the database lays out in the wide row of a submission."""
    home, period = suite.form.form_id, item.read.period
    row: dict[str, Any] = {
        "unit_name": unit.name,
        "unit_kind": unit.kind,
        "row_role": item.read.row_role,
        "period_name": period.name,
        "ends_on": period.ends_on.isoformat(),
        "opens_window": period.opens_window,
        "rows_summed": None,
        "rows_left_out": None,
    }
    for source, submission in {Source(home): item, **partners}.items():
        observations = submission.by_indicator if submission else {}
        read = frozenset(name for name, said in observations.items() if said.state != "unreadable")
        row[column_name(source.column(_READ), home)] = read or None
        for column in suite.columns:
            if column.source == source:
                said = observations.get(column.key)
                row[column_name(column, home)] = said.value if said else None
    for column in suite.stated_rates:
        said = item.by_indicator.get(column.key)
        decimals = None if said is None or said.decimals is None else Decimal(said.decimals)
        row[column_name(column, home, "__decimals")] = decimals
        row[column_name(column, home, "__text")] = (said.text or None) if said else None
    for column in suite.columns:
        row[column_name(column, home, "__sum")] = None
    return row


def _sums(
    suite: Suite, total: Submission, submissions: Sequence[Submission], counted: set[tuple[str, str]]
) -> dict[str, Any]:
    """Return the columns of a printed total row that say what the rows printed with it come to."""
    said = total.read
    rows = [
        item
        for item in submissions
        if item.workbook is total.workbook
        and (item.read.form_id, item.read.sheet, item.read.period) == (said.form_id, said.sheet, said.period)
        and item.read.row_role == "unit"
        and (said.unit_id, item.read.unit_id) in counted
    ]
    if not rows:
        return {}
    found = [*total.workbook.file_findings, *(f for some in total.workbook.sheet_findings.values() for f in some)]
    found += [finding for item in total.workbook.submissions for finding in item.findings]
    left_out = sum(finding.kind in LEFT_OUT and finding.sheet == said.sheet for finding in found)
    sums: dict[str, Any] = {"rows_summed": Decimal(len(rows)), "rows_left_out": Decimal(left_out)}
    for column in suite.columns:
        cells = [cell for item in rows if (cell := item.by_indicator.get(column.key))]
        added = sum((cell.value for cell in cells if cell.value is not None), Decimal(0))
        unread = any(cell.state == "unreadable" for cell in cells)
        sums[column_name(column, suite.form.form_id, "__sum")] = None if unread else added
    return sums


def _finding(
    check: Check, item: Submission, partners: Mapping[Source, Submission | None], row: Mapping[str, Any]
) -> RuleFinding:
    """Return what a broken check says, with the cells of both forms."""
    home = Source(item.read.form_id)
    cells = []
    for column in check.columns:
        submission = item if column.source == home else partners.get(column.source)
        if submission and (said := submission.by_indicator.get(column.key)):
            cells.append(f"{submission.read.sheet}!{said.cell}")
    said_of = {name: worked_out(expression) for name, expression in check.values.items()}
    message = re.sub(r"\{(\w+)\}", lambda name: str(said_of[name[1]](row) or ""), check.message)
    stated, expected = worked_out(check.stated)(row), worked_out(check.expected)(row)
    return RuleFinding(check.rule_id, check.severity, "、".join(cells), stated, expected, message)
