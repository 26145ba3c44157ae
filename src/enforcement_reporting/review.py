"""What goes back to a unit, what it explains, and what is decided on that.

No instant is read from a clock here: when something was decided is an argument.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import fsspec
import psycopg
from psycopg.rows import class_row, namedtuple_row

from enforcement_reporting.catalog import Catalog, Form, load_catalog
from enforcement_reporting.findings import SAYS_WHAT_IS_RIGHT, Severity
from enforcement_reporting.quality import load_suites
from enforcement_reporting.settings import Settings
from enforcement_reporting.texts import plain
from enforcement_reporting.workbook import (
    Remark,
    UnreadableWorkbook,
    as_xlsx,
    figures_alone,
    mark,
    only_own_rows,
    read_grids,
)
from enforcement_reporting.workbook.addresses import column_letters

log = logging.getLogger(__name__)

_CHINA = ZoneInfo("Asia/Shanghai")
# Findings about a row that belongs to nobody the authority knows, in a file of several units.
_OF_OTHER_ROWS = frozenset(("unknown_unit", "row_without_unit", "unit_not_in_force"))


class ReviewError(ValueError):
    """Something that cannot be decided, or a submission that is not there; the message says why."""


@dataclass(frozen=True)
class PendingExplanation:
    """An explanation that waits for a decision, in the words of the one who decides."""

    explanation_id: int
    unit_name: str
    form_title: str
    period_name: str
    message: str
    cells: str
    explanation: str
    file_name: str
    given_at: datetime

    @property
    def subject(self) -> str:
        """Return whose it is, and about which form."""
        return f"{self.unit_name} 《{self.form_title}》 {self.period_name}"

    def lines(self) -> list[str]:
        """Return all that is needed to decide on it, a line each."""
        return [
            f"编号 {self.explanation_id}　{self.subject}",
            f"问题：{self.message}",
            f"单元格：{self.cells or '—'}",
            f"说明：{self.explanation}",
            f"来自：{self.file_name}（{self.given_at.astimezone(_CHINA):%Y-%m-%d %H:%M} 收到）",
        ]

    def markdown(self) -> str:
        """Return the lines as Markdown in which nothing that a unit wrote acts as markup or as a template."""
        return "\n\n".join(re.sub(r"([^\w\s])", _as_itself, line).replace("\n", "  \n") for line in self.lines())


def _as_itself(mark: re.Match[str]) -> str:
    if mark[0] in "{}":
        return {"{": "｛", "}": "｝"}[mark[0]]  # a template would begin with two of them
    return f"\\{mark[0]}" if mark[0].isascii() else mark[0]


@dataclass(frozen=True)
class _Submission:
    submission_id: str
    unit_id: str
    unit_name: str
    is_group: bool
    form_id: str
    form_title: str
    period_id: str
    period_name: str
    file_id: int
    file_sha256: str
    file_name: str
    sheet: str
    outcome: str | None


def returned_workbook(settings: Settings, connection: psycopg.Connection, submission_id: str) -> tuple[str, bytes]:
    """Return the name and the bytes of the workbook that goes back to the unit of a submission.

    It is the file as it was sent, or where that is no .xlsx, a new workbook with the same cells at the same addresses;
    its wrong cells are coloured and commented and the sheet 核对清单 is in it. Of a file with several units in it
    there is no more than this one's rows, unless the unit is a group. Where the file cannot be
    marked, the figures as they were read stand on a sheet of their own. Raises ReviewError where there is no such
    submission.
    """
    submission = _submission(connection, submission_id)
    catalog = load_catalog(settings.definitions)
    form = catalog.form_by_id.get(submission.form_id)
    own_cells = _own_cells(connection, submission)
    remarks = _remarks(settings, connection, catalog, submission)
    is_returned = submission.outcome == "returned"
    subject = f"{submission.unit_name}　{submission.period_name}《{submission.form_title}》"
    title = f"{'退回' if is_returned else '核对'}清单：{subject}"
    stem = PurePosixPath(submission.file_name)
    if stem.suffix.lower() not in (".xlsx", ".xlsm"):
        stem = PurePosixPath(f"{stem.stem}.xlsx")
    try:
        content = _stored(settings, submission.file_sha256)
        if made := as_xlsx(content):
            content, stem = made, stem.with_suffix(".xlsx")
        if form and not submission.is_group and _is_of_several(connection, catalog, form, submission, content):
            content, stem = _own_part(connection, catalog, form, submission, content), stem.with_suffix(".xlsx")
            remarks = [remark for remark in remarks if remark.finding_id not in _of_others(connection, submission)]
        marked = mark(content, remarks, title)
    except (UnreadableWorkbook, OSError) as error:
        log.warning("%s: %s: the list alone is returned", submission.file_name, error)
        content, moved = _figures(catalog, submission, own_cells)
        marked = mark(content, [_moved(remark, moved) for remark in remarks], title)
        stem = stem.with_suffix(".xlsx")
    return f"{'退回' if is_returned else '核实'}-{stem.name}", marked


def pending_explanations(connection: psycopg.Connection, explanation_id: int | None = None) -> list[PendingExplanation]:
    """Return what waits for a decision, the oldest first: explanations of questions that stand; or this one of them."""
    with connection.cursor(row_factory=class_row(PendingExplanation)) as cursor:
        return cursor.execute(
            """
            select a.explanation_id, coalesce(u.unit_name, a.unit_id) as unit_name,
                coalesce(f.form_title, a.form_id) as form_title,
                coalesce(p.period_name, a.period_id) as period_name,
                a.message, a.cells, a.explanation,
                coalesce(i.file_name, '') as file_name, a.given_at
            from quality.answers a
            left join catalog.units u on u.unit_id = a.unit_id
            left join catalog.forms f on f.form_id = a.form_id
            left join catalog.periods p on p.form_id = a.form_id and p.period_id = a.period_id
            left join intake.files i on i.file_id = a.explained_in_file_id
            where a.is_standing and a.explanation_state = 'explained'
                and a.explanation_id = coalesce(%s, a.explanation_id)
            order by a.given_at, a.explanation_id
            """,
            [explanation_id],
        ).fetchall()


def explained_since(connection: psycopg.Connection, instant: datetime) -> bool:
    """Return whether an explanation that nobody has decided on came in a file recorded at an instant or later."""
    row = connection.execute(
        "select exists (select from quality.explanations e join intake.files f on f.file_id = e.file_id"
        " where f.recorded_at >= %s"
        " and not exists (select from quality.decisions d where d.explanation_id = e.explanation_id))",
        [instant],
    ).fetchone()
    return bool(row and row[0])


def decide(
    connection: psycopg.Connection,
    explanation_id: int,
    accept: bool,
    reason: str,
    decided_by: str,
    decided_at: datetime,
) -> None:
    """Record the decision on an explanation; the marts follow at their next build.

    There is one decision on each explanation: raises ReviewError for a second one, for a refusal without a reason, and
    where there is no such explanation.
    """
    reason, decided_by = reason.strip(), decided_by.strip()
    if not accept and not reason:
        raise ReviewError("不采纳须写明理由。")
    if not decided_by:
        raise ReviewError("须写明由谁审核。")
    with connection.transaction():
        known = connection.execute(
            "select form_id, period_id, unit_id from quality.explanations where explanation_id = %s", [explanation_id]
        ).fetchone()
        if known is None:
            raise ReviewError(f"没有编号为 {explanation_id} 的说明。")
        inserted = connection.execute(
            "insert into quality.decisions (explanation_id, is_accepted, reason, decided_by, decided_at)"
            " values (%s, %s, %s, %s, %s) on conflict do nothing",
            [explanation_id, accept, reason, decided_by, decided_at],
        ).rowcount
        if not inserted:
            before = decision_on(connection, explanation_id)
            assert before
            raise ReviewError(f"编号为 {explanation_id} 的说明已由{before.decided_by}审核：{before.words}。")
        connection.execute("insert into intake.touched (form_id, period_id, unit_id) values (%s, %s, %s)", known)
    log.info("explanation %s: %s by %s", explanation_id, "accepted" if accept else "refused", decided_by)


class Decision(NamedTuple):
    """What was decided on an explanation."""

    is_accepted: bool
    reason: str
    decided_by: str
    decided_at: datetime

    @property
    def words(self) -> str:
        """Return the decision as the unit reads it."""
        return ("采纳" if self.is_accepted else "不采纳") + (f"：{self.reason}" if self.reason else "")


def decision_on(connection: psycopg.Connection, explanation_id: int) -> Decision | None:
    """Return the decision on an explanation, or None while it waits."""
    row = connection.execute(
        "select is_accepted, reason, decided_by, decided_at from quality.decisions where explanation_id = %s",
        [explanation_id],
    ).fetchone()
    return Decision(*row) if row else None


def _submission(connection: psycopg.Connection, submission_id: str) -> _Submission:
    with connection.cursor(row_factory=class_row(_Submission)) as cursor:
        found = cursor.execute(
            """
            select s.submission_id, s.unit_id, coalesce(u.unit_name, s.unit_id) as unit_name,
                coalesce(u.is_group, s.row_role = 'total') as is_group, s.form_id,
                coalesce(f.form_title, s.form_id) as form_title, s.period_id,
                coalesce(p.period_name, s.period_id) as period_name,
                s.file_id, s.file_sha256, i.file_name, s.sheet, v.outcome
            from intake.submissions s
            join intake.files i on i.file_id = s.file_id
            left join quality.verdicts v on v.unit_id = s.unit_id and v.submission_id = s.submission_id
            left join catalog.units u on u.unit_id = s.unit_id
            left join catalog.forms f on f.form_id = s.form_id
            left join catalog.periods p on p.form_id = s.form_id and p.period_id = s.period_id
            where s.submission_id = %s
            """,
            [submission_id],
        ).fetchone()
    if found is None:
        raise ReviewError(f"没有编号为 {submission_id} 的报送。")
    return found


def _remarks(
    settings: Settings, connection: psycopg.Connection, catalog: Catalog, submission: _Submission
) -> list[Remark]:
    """Return the findings on a submission, and those on its sheet and its file that concern it, the worst first."""
    with connection.cursor(row_factory=namedtuple_row) as cursor:
        rows: list[Any] = cursor.execute(
            """
            select f.finding_id, f.origin, f.scope, f.rule_id, f.rule_kind, f.severity, f.cells, f.message, f.stated,
                f.expected, f.proposals, a.explanation, a.is_accepted, a.decision_reason, a.decided_by, a.decided_at
            from quality.findings f
            left join quality.answers a on a.finding_id = f.finding_id and a.submission_id = %(submission_id)s
            where f.submission_id = %(submission_id)s
                or (
                    f.file_id = %(file_id)s and f.submission_id is null
                    and (
                        (f.scope = 'sheet' and f.form_id = %(form_id)s and f.sheet = %(sheet)s)
                        or (f.scope = 'file' and coalesce(f.form_id, %(form_id)s) = %(form_id)s)
                    )
                )
            order by array_position(array['error', 'question', 'notice'], f.severity), f.scope <> 'submission',
                length(f.cells), f.cells, f.rule_id, f.finding_id
            """,
            vars(submission),
        ).fetchall()
    placed = _cells_in_this_file(settings, connection, catalog, submission, rows)
    remarks = []
    for row in rows:
        decision = (
            Decision(row.is_accepted, row.decision_reason, row.decided_by, row.decided_at) if row.decided_by else None
        )
        here, elsewhere = placed.get(row.finding_id, (row.cells, ""))
        remarks.append(
            Remark(
                row.finding_id,
                Severity(row.severity),
                submission.unit_name,
                submission.form_title,
                submission.period_name,
                here,
                row.message,
                row.stated,
                row.expected if row.rule_kind in SAYS_WHAT_IS_RIGHT else "",
                row.explanation or "",
                f"{decision.words}（{decision.decided_by}，{decision.decided_at.astimezone(_CHINA):%Y-%m-%d}）"
                if decision
                else "",
                elsewhere,
                tuple(proposal["text"] for proposal in row.proposals),
            )
        )
    return remarks


def _cells_in_this_file(
    settings: Settings, connection: psycopg.Connection, catalog: Catalog, submission: _Submission, rows: Sequence[Any]
) -> dict[str, tuple[str, str]]:
    """Return, by finding across forms, its cells in this file, and in words those that stand in another.

    The cells of a partner's file may have the same addresses as cells here.
    """
    across = [row for row in rows if row.origin == "across_forms"]
    if not across:
        return {}
    suites = load_suites(settings.definitions, catalog)
    columns = {check.rule_id: check.columns for suite in suites for check in suite.checks}
    here = {
        indicator_id: f"{sheet}!{cell}"
        for indicator_id, sheet, cell in connection.execute(
            "select o.indicator_id, o.sheet, o.cell from intake.submissions s"
            " join intake.observations o on o.unit_id = s.unit_id and o.submission_id = s.submission_id"
            " where s.unit_id = %s and s.file_sha256 = %s and s.period_id = %s and s.row_role = 'unit'",
            [submission.unit_id, submission.file_sha256, submission.period_id],
        )
    }
    placed = {}
    for row in across:
        keys = [column.key for column in columns.get(row.rule_id, ()) if column.when == "now"]
        own = [here[key] for key in dict.fromkeys(keys) if key in here]
        forms = dict.fromkeys(key.partition(".")[0] for key in keys if key not in here)
        titles = "、".join(f"《{catalog.form_by_id[form_id].title}》" for form_id in forms)
        placed[row.finding_id] = ("、".join(own), f"{titles}的报送文件" if titles else "")
    return placed


def _own_cells(connection: psycopg.Connection, submission: _Submission) -> dict[str, tuple[str, str]]:
    """Return the cell and the text of each indicator of a submission."""
    return {
        indicator_id: (f"{sheet}!{cell}", text)
        for indicator_id, sheet, cell, text in connection.execute(
            "select indicator_id, sheet, cell, coalesce(stated_text, '')"
            " from intake.observations where unit_id = %s and submission_id = %s",
            [submission.unit_id, submission.submission_id],
        )
    }


def _stored(settings: Settings, sha256: str) -> bytes:
    filesystem, root = fsspec.core.url_to_fs(settings.store)
    content: bytes = filesystem.cat_file(f"{root}/{sha256[:2]}/{sha256}")
    return content


def _is_of_several(
    connection: psycopg.Connection, catalog: Catalog, form: Form, submission: _Submission, content: bytes
) -> bool:
    """Return whether a file holds figures of anybody beside the unit, as far as can be told."""
    row = connection.execute(
        "select exists (select from intake.submissions where file_sha256 = %(file_sha256)s and unit_id <> %(unit_id)s)"
        " or exists (select from quality.findings where file_id = %(file_id)s and rule_kind = any(%(kinds)s))",
        {**vars(submission), "kinds": list(_OF_OTHER_ROWS)},
    ).fetchone()
    if row and row[0]:
        return True
    # A sheet that was not read, or a table that is no form, may name others beside figures.
    others = {plain(name) for name in _names_of_others(catalog, form, submission.unit_id)}
    return any(
        any(isinstance(cell, str) and plain(cell) in others for cell in row)
        and any(isinstance(cell, int | float) for cell in row)
        for grid in read_grids(content)
        for row in grid.rows
    )


def _names_of_others(catalog: Catalog, form: Form, unit_id: str) -> list[str]:
    """Return the names of the authority's other units, but for what is part of this one's own names."""
    units = catalog.authority_by_id[form.authority_id].reporting_units
    own = [plain(name) for unit in units if unit.unit_id == unit_id for name in (unit.name, *unit.aliases)]
    return [
        name
        for unit in units
        if unit.unit_id != unit_id
        for name in (unit.name, *unit.aliases)
        if not any(plain(name) in mine for mine in own)
    ]


def _own_part(
    connection: psycopg.Connection, catalog: Catalog, form: Form, submission: _Submission, content: bytes
) -> bytes:
    """Return what one unit may see of a file that holds others as well."""
    own: dict[str, set[int]] = {}
    first: dict[str, int] = {}
    rows = connection.execute(
        "select s.sheet, s.unit_id = %(unit_id)s and s.row_role = 'unit', substring(o.cell from '[0-9]+')::int"
        " from intake.submissions s"
        " join intake.observations o on o.unit_id = s.unit_id and o.submission_id = s.submission_id"
        " where s.file_sha256 = %(file_sha256)s group by 1, 2, 3"
        " union all select sheet, false, substring(cells from '![A-Z]+([0-9]+)')::int from quality.findings"
        " where file_id = %(file_id)s and rule_kind = any(%(kinds)s) and cells ~ '![A-Z]+[0-9]+'",
        {**vars(submission), "kinds": [*_OF_OTHER_ROWS, "unit_repeated", "row_left_out"]},
    )
    for sheet, is_own, number in rows:
        first[sheet] = min(number, first.get(sheet, number))
        if is_own:
            own.setdefault(sheet, set()).add(number)
    labels: set[str] = set()
    for other in catalog.forms:
        if other.authority_id == form.authority_id:
            labels |= {*other.title_aliases, *other.unit_labels, *other.ignored_labels}
            for version in other.versions:
                labels.add(version.form.title)
                for item in version.form.indicators:
                    labels |= {label for path in (item.label, *item.aliases) for label in path}
                    labels |= {f"{path[-1]}（{item.unit_of_measure}）" for path in (item.label, *item.aliases)}
    return only_own_rows(content, own, first, labels, _names_of_others(catalog, form, submission.unit_id))


def _of_others(connection: psycopg.Connection, submission: _Submission) -> set[str]:
    """Return the findings on the file that are about rows of somebody else."""
    rows = connection.execute(
        "select finding_id from quality.findings where file_id = %s and submission_id is null and scope = 'file'"
        " and (rule_kind = any(%s) or sheet <> %s)",
        [submission.file_id, list(_OF_OTHER_ROWS), submission.sheet],
    )
    return {finding_id for (finding_id,) in rows}


def _figures(
    catalog: Catalog, submission: _Submission, cells: dict[str, tuple[str, str]]
) -> tuple[bytes, dict[str, str]]:
    """Return a workbook of the figures as they were read, and where what stood in a cell stands now."""
    form = catalog.form_by_id.get(submission.form_id)
    captions = {
        f"{submission.form_id}.{item.indicator_id}": f"{item.label_path}（{item.unit_of_measure}）"
        for item in (form.indicators if form else ())
    }
    names = [form.unit_labels[0]] if form and form.unit_labels else []
    listed = [indicator_id for indicator_id in captions if indicator_id in cells]
    listed += sorted(cells.keys() - captions.keys())
    header = [*names, *(captions.get(indicator_id, indicator_id) for indicator_id in listed)]
    values = [*(submission.unit_name for _ in names), *(cells[indicator_id][1] for indicator_id in listed)]
    moved = {
        cells[indicator_id][0]: f"填报数据!{column_letters(number)}4"
        for number, indicator_id in enumerate(listed, len(names))
    }
    title = f"{submission.period_name}{submission.form_title}"
    return figures_alone(title, f"填报单位：{submission.unit_name}", header, values, "填报数据"), moved


def _moved(remark: Remark, moved: dict[str, str]) -> Remark:
    """Return a remark whose cells stand elsewhere now; those that went nowhere are not named."""
    here: Iterable[str] = (moved.get(f"{sheet}!{reference}", "") for sheet, reference in remark.places)
    return replace(remark, cells="、".join(filter(None, here)))
