"""The rules on workbooks that are at hand, without a warehouse: what the check there would find, as far as it can be.

The conditions and messages are those that the database evaluates, over the same wide rows. Rules within a form are all
checked, total rows included, and rules across forms where the other form is at hand too; what looks at other periods is
not, and is named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple

from enforcement_reporting.catalog import Catalog, Form, Unit, UnitGroup
from enforcement_reporting.findings import LEFT_OUT, ReadingFinding, Severity
from enforcement_reporting.quality.conditions import divided, worked_out
from enforcement_reporting.quality.mending import MENDABLE, Figure, Proposal, Row, Rules, Sheet
from enforcement_reporting.quality.rules import Check, Column, Source, Suite, column_name
from enforcement_reporting.workbook import Observations, ReadSubmission, ReadWorkbook
from enforcement_reporting.workbook.measures import Reading, reading_of

_UNREAD = "cells_unread"
_OF_ROWS = ("sum", "min", "max", "count")


@dataclass(frozen=True)
class RuleFinding:
    """A rule that a submission breaks, in the words the warehouse has for it.

    ``sentences`` are those of a bulletin in which the figures stand.
    """

    rule_id: str
    severity: Severity
    cells: str
    stated: str | None
    expected: str | None
    message: str
    sentences: tuple[str, ...] = ()
    proposals: tuple[Proposal, ...] = ()


@dataclass
class Submission:
    """A submission at hand with the workbook it stands in, and what the rules find in it."""

    read: ReadSubmission
    workbook: ReadWorkbook
    findings: list[RuleFinding] = field(default_factory=list)

    @cached_property
    def by_indicator(self) -> dict[str, Reading]:
        """Return what its cells say by the indicator's id."""
        observations = self.read.observations
        return dict(zip(observations.indicator_ids, observations.readings, strict=True))

    @cached_property
    def cells(self) -> dict[str, str]:
        """Return its cells by the indicator's id."""
        return dict(zip(self.read.observations.indicator_ids, self.read.observations.cells, strict=True))

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


# What is known of a form, a unit and a period besides what is at hand: figures by indicator, or None.
Known = Callable[[str, str, str], Mapping[str, Decimal | None] | None]


def nothing_known(_form_id: str, _unit_id: str, _period_id: str) -> None:
    """Know nothing besides what is at hand."""


def check_at_hand(
    catalog: Catalog,
    suites: Sequence[Suite],
    workbooks: Iterable[ReadWorkbook],
    *,
    as_printed: bool = False,
    known: Known = nothing_known,
) -> tuple[list[Submission], NotChecked]:
    """Return the submissions in the workbooks, each with what the rules find, and the rules that were not checked.

    Of two submissions for one period the one that comes later counts for other forms, as one received later does.
    ``as_printed``: other forms and bulletins are held against submissions with errors of their own too. Where not all
    units that a bulletin speaks of are at hand, ``known`` may know their figures.
    """
    submissions = [Submission(item, workbook) for workbook in workbooks for item in workbook.submissions]
    sheets = Sheets(catalog, suites)
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
            held = {
                _key(item): item
                for item in submissions
                if item.read.row_role == "unit" and (as_printed or not item.has_error)
            }
        wide_row = _WideRow(suite.form.form_id, [suite])
        for item in due:
            partners = {source: held.get(_key(item, source.form_id)) for source in suite.partners}
            if suite.form.bulletin:
                rolled_up = {
                    source: _rolled_up(catalog, source, item, held, sheets.counted, known) for source in partners
                }
                partners = rolled_up
            elif item.read.row_role != "unit":
                partners = dict.fromkeys(partners)
            row = wide_row.of(item, partners, sheets.units[item.read.unit_id])
            if suite.reach == "form" and item.read.row_role == "total":
                row |= _sums(suite, item, submissions, sheets.counted)
            for check in suite.checks:
                if not check.lifetime.covers(item.read.period.ends_on):
                    continue
                needed = partners.keys() & {column.source for column in check.columns}
                stands_alone = item.read.row_role != "unit" and not suite.form.bulletin
                missing = any(
                    partners[source] is None
                    or (suite.form.bulletin and _lacks_figure(item, partners[source], check, source))
                    for source in needed
                )
                if not stands_alone and missing:
                    skipped.across_forms += _rules_of([check])
                if worked_out(check.condition)(row) is False:
                    item.findings.append(_finding(check, item, partners, row))
    skipped.across_forms = list(dict.fromkeys(skipped.across_forms))
    kinds = {check.rule_id: check.rule_kind for suite in suites for check in suite.checks}
    tables = {form.form_id for form in catalog.tables}  # sentences have no neighbours
    for together in printed_together(item for item in submissions if item.read.form_id in tables):
        if any(kinds[finding.rule_id] in MENDABLE for item in together for finding in item.findings):
            sheet = sheets.sheet(together, lambda item, source: _at_hand(held, item, source))
            for number, item in enumerate(together):
                item.findings = [
                    replace(finding, proposals=tuple(sheet.proposals(number, finding.rule_id)))
                    for finding in item.findings
                ]
    return submissions, skipped


def _rolled_up(
    catalog: Catalog,
    source: Source,
    item: Submission,
    held: Mapping[tuple[str, str, str], Submission],
    counted: Container[tuple[str, str]],
    known: Known,
) -> Submission | None:
    """Return what the units report together that a bulletin speaks of, as a submission; None where none has.

    Counts and amounts are added; of rates, which have no sum, it is the mean. A figure that not all of them report that
    owe it is not in it.
    """
    read, form = item.read, catalog.form_by_id[source.form_id]
    units = [
        unit
        for unit in catalog.expected_units(form)
        if (read.unit_id, unit.unit_id) in counted and unit.is_in_force(read.period)
    ]
    reports = [held.get((source.form_id, unit.unit_id, read.period.period_id)) for unit in units]
    elsewhere = [
        {} if report else known(source.form_id, unit.unit_id, read.period.period_id) or {}
        for unit, report in zip(units, reports, strict=True)
    ]
    if not any(reports) and not any(elsewhere):
        return None
    sums: dict[str, Decimal | None] = {}
    for indicator in form.indicators:
        key = f"{form.form_id}.{indicator.indicator_id}"
        owed: list[tuple[bool, Decimal | None]] = []  # whether it can be read, and its value
        for unit, report, figures in zip(units, reports, elsewhere, strict=True):
            if not indicator.applies(unit.kind):
                continue
            cell = report.by_indicator.get(key) if report else None
            is_read = cell.state != "unreadable" if cell else key in figures
            owed.append((is_read, cell.value if cell else figures.get(key)))
        if all(is_read for is_read, _ in owed):
            values = [value for _, value in owed if value is not None]
            added = sum(values, Decimal(0))
            if indicator.measure_kind not in ("flow", "stock") and values:
                added = divided(added, Decimal(len(values)))
            sums[key] = added if values else None
    readings = [reading_of("blank" if value is None else "value", value, "", None) for value in sums.values()]
    observations = Observations(list(sums), readings, [""] * len(sums))
    together = ReadSubmission(form.form_id, read.unit_id, read.period, "total", "", observations)
    return Submission(together, item.workbook)


def _lacks_figure(item: Submission, together: Submission | None, check: Check, source: Source) -> bool:
    """Return whether a bulletin states what a rule is about, and not all units report that owe it."""
    stated, known = item.by_indicator, together.by_indicator if together else {}
    if check.severity is Severity.NOTICE:  # it only remarks on what another check of its rule is about
        return False
    own = [column for column in check.columns if column.source == Source(item.read.form_id)]
    theirs = [column for column in check.columns if column.source == source]
    return all(column.key in stated for column in own) and any(column.key not in known for column in theirs)


def _at_hand(held: Mapping[tuple[str, str, str], Submission], item: Submission, source: Source) -> Submission | None:
    return held.get(_key(item, source.form_id)) if source.when == "now" else None


def printed_together(submissions: Iterable[Submission]) -> Iterator[list[Submission]]:
    """Yield the submissions of each sheet: of one form and one period, in one workbook."""
    sheets: dict[tuple[Any, ...], list[Submission]] = {}
    for item in submissions:
        read = item.read
        key = (id(item.workbook), read.sheet, read.form_id, read.period.period_id)
        sheets.setdefault(key, []).append(item)
    yield from sheets.values()


class Sheets:
    """What the rows of a sheet have to be known with, so that it can be said what would mend them."""

    def __init__(self, catalog: Catalog, suites: Sequence[Suite]) -> None:
        self._catalog, self._suites = catalog, suites
        self.units: dict[str, Unit | UnitGroup] = {
            unit.unit_id: unit for authority in catalog.authorities for unit in authority.units.tree()
        }
        # By group and unit, whether the group's sums count it.
        self.counted = {
            (group, unit)
            for authority in catalog.authorities
            for unit, group, _, is_counted in authority.members_by_group()
            if is_counted
        }
        self._layouts: dict[str, _Layout] = {}  # by form

    def sheet(
        self, together: Sequence[Submission], partner_of: Callable[[Submission, Source], Submission | None]
    ) -> Sheet:
        """Return the submissions of one sheet, in their order, as a sheet that knows what would mend them.

        ``partner_of`` finds a unit's submission of another form or of the period before, as far as there is one.
        """
        layout = self._layout(together[0].read.form_id)
        total_row = layout.form.total_row
        total = next((item.read.unit_id for item in together if item.read.row_role == "total"), "")
        rows = []
        for item in together:
            read, unit = item.read, self.units[item.read.unit_id]
            is_total = read.row_role == "total"
            found = {source: partner_of(item, source) for source in layout.looked_up}
            partners = {} if is_total else found
            wide = layout.wide_row.of(item, partners, unit)
            figures = _figures(item, layout.headings, found[layout.previous])
            for source, headings in layout.headings_of_partners:
                if partner := partners.get(source):
                    figures |= _figures(partner, headings)
            for suite in layout.suites if is_total else ():
                if suite.reach == "form":
                    wide |= _sums(suite, item, together, self.counted)
            within = getattr(unit, "within", None)
            rows.append(
                Row(
                    name=f"{total_row.labels[0]}行" if is_total and total_row else unit.name,
                    is_total=is_total,
                    wide=wide,
                    figures=figures,
                    is_counted=(total, read.unit_id) in self.counted if total else not within,
                    within=self.units[within].name if within else "",
                )
            )
        return Sheet(layout.rules, rows)

    def looked_up(self, form_id: str) -> list[Source]:
        """Return where the rows of a form are looked up as well: other forms that its rules name, the period before."""
        return self._layout(form_id).looked_up

    def _layout(self, form_id: str) -> _Layout:
        if form_id not in self._layouts:
            self._layouts[form_id] = _Layout(self._catalog, self._catalog.form_by_id[form_id], self._suites)
        return self._layouts[form_id]


class _Heading(NamedTuple):
    """What the figures of an indicator have in common; ``column`` is that of the wide row."""

    column: str
    caption: str
    is_rate: bool
    is_own: bool


class _Layout:
    """What all sheets of a form have in common."""

    def __init__(self, catalog: Catalog, form: Form, suites: Iterable[Suite]) -> None:
        self.form = form
        self.suites = [suite for suite in suites if suite.form is form]
        self.wide_row = _WideRow(form.form_id, self.suites)
        # What a unit reported over many periods is not laid out here: it is no reason to change a cell either.
        checks = [check for suite in self.suites for check in suite.checks if not check.past]
        self.rules = Rules(form.form_id, checks)
        self.headings = _headings(form, form)
        self.headings_of_partners: list[tuple[Source, dict[str, _Heading]]] = []
        self.previous = Source(form.form_id, "previous")
        partners = [source for suite in self.suites for source in suite.partners]
        of_the_time = (source for source in partners if source.when in ("now", "previous"))
        self.looked_up = list(dict.fromkeys((self.previous, *of_the_time)))
        for suite in self.suites:
            for source in suite.partners:
                if source.when == "now":
                    headings = _headings(catalog.form_by_id[source.form_id], form)
                    figures = {column.key for column in suite.columns if column.source == source}
                    self.headings_of_partners.append((source, {key: headings[key] for key in figures}))


def _headings(form: Form, home: Form) -> dict[str, _Heading]:
    """Return what is known of a form's indicators, by their ids, as seen from a sheet of form ``home``."""
    title = "" if form is home else f"《{form.title}》"
    return {
        f"{form.form_id}.{indicator.indicator_id}": _Heading(
            column=column_name(Column(form.form_id, indicator.indicator_id), home.form_id),
            caption=title + indicator.caption,
            is_rate=indicator.measure_kind not in ("flow", "stock"),
            is_own=form is home,
        )
        for indicator in form.indicators
    }


def _figures(item: Submission, headings: Mapping[str, _Heading], before: Submission | None = None) -> dict[str, Figure]:
    """Return the cells of a submission that stand under headings and can hold numbers."""
    last = before.by_indicator if before else {}
    sheet, said, figures = item.read.sheet, item.read.observations, {}
    for key, (state, value, text, *_), cell in zip(said.indicator_ids, said.readings, said.cells, strict=True):
        heading = headings.get(key)
        if heading and state not in ("not_applicable", "unreadable"):
            column, caption, is_rate, is_own = heading
            stood = last[key].value if key in last else None
            figures[column] = Figure(f"{sheet}!{cell}", caption, value, text, stood, is_rate, is_own)
    return figures


def _key(item: Submission, form_id: str | None = None) -> tuple[str, str, str]:
    return form_id or item.read.form_id, item.read.unit_id, item.read.period.period_id


def _rules_of(checks: Iterable[Check]) -> list[str]:
    """Return the rules that checks were compiled from."""
    return list(dict.fromkeys(check.declared for check in checks))


class _WideRow:
    """What the database lays out for suites of a form in the wide row of a submission, with its names put together."""

    def __init__(self, form_id: str, suites: Sequence[Suite]) -> None:
        def name(column: Column, suffix: str = "") -> str:
            return column_name(column, form_id, suffix)

        columns = [column for suite in suites for column in suite.columns]
        self._home = Source(form_id)
        sources = dict.fromkeys((self._home, *(source for suite in suites for source in suite.partners)))
        self._unread = {source: name(source.column(_UNREAD)) for source in sources}
        self._columns = {
            source: {column.key: name(column) for column in columns if column.source == source} for source in sources
        }
        self._printed = {
            column.key: (name(column, "__decimals"), name(column, "__text"))
            for suite in suites
            for column in suite.stated_rates
        }
        self._of_rows = dict.fromkeys(name(column, f"__{of}") for column in columns for of in _OF_ROWS)

    def of(self, item: Submission, partners: Mapping[Source, Submission | None], unit: Any) -> dict[str, Any]:
        """Return the wide row of a submission."""
        period = item.read.period
        row: dict[str, Any] = {
            "unit_name": unit.name,
            "unit_kind": unit.kind,
            "row_role": item.read.row_role,
            "period_name": period.name,
            "ends_on": period.ends_on.isoformat(),
            "opens_window": period.opens_window,
            "rows_summed": None,
            "rows_left_out": None,
            **self._of_rows,
        }
        for source, columns in self._columns.items():
            submission = item if source == self._home else partners.get(source)
            observations = submission.by_indicator if submission else {}
            read = {name for name, said in observations.items() if said.state != "unreadable"}
            row[self._unread[source]] = frozenset(columns.keys() - read) if submission else None
            for key, name in columns.items():
                said = observations.get(key)
                row[name] = said.value if said else None
        for key, (decimals, text) in self._printed.items():
            said = item.by_indicator.get(key)
            row[decimals] = None if said is None or said.decimals is None else Decimal(said.decimals)
            row[text] = (said.text or None) if said else None
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
        if any(cell.state == "unreadable" for cell in cells):
            continue
        values = [cell.value for cell in cells if cell.value is not None]
        figures = sum(values, Decimal(0)), min(values, default=None), max(values, default=None), Decimal(len(values))
        for of, figure in zip(_OF_ROWS, figures, strict=True):
            sums[column_name(column, suite.form.form_id, f"__{of}")] = figure
    return sums


def _finding(
    check: Check, item: Submission, partners: Mapping[Source, Submission | None], row: Mapping[str, Any]
) -> RuleFinding:
    """Return what a broken check says, with the cells of both forms."""
    home = Source(item.read.form_id)
    cells = []
    for column in check.columns:
        submission = item if column.source == home else partners.get(column.source)
        if submission and (cell := submission.cells.get(column.key)):
            cells.append(f"{submission.read.sheet}!{cell}")
    said_of = {name: worked_out(expression) for name, expression in check.values.items()}
    message = re.sub(r"\{(\w+)\}", lambda name: str(said_of[name[1]](row) or ""), check.message)
    stated, expected = worked_out(check.stated)(row), worked_out(check.expected)(row)
    sentences = [sentence for column in check.columns if (sentence := item.read.said.get(column.key))]
    return RuleFinding(
        check.rule_id, check.severity, "、".join(cells), stated, expected, message, tuple(dict.fromkeys(sentences))
    )
