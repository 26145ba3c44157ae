"""What people read at the end of a run: outcomes, findings and key figures, from the marts.

Headings are English, for the engineer at the terminal; names and messages are those of the forms.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy import bindparam, text

from enforcement_reporting.catalog import load_catalog
from enforcement_reporting.deadlines import Look
from enforcement_reporting.intake import Received
from enforcement_reporting.settings import Settings
from enforcement_reporting.warehouse import engine

_WORST_FIRST = "case severity when 'error' then 1 when 'question' then 2 else 3 end"
SEVERITIES = {"error": "red", "question": "yellow", "notice": "dim"}
FINDINGS_SHOWN, MAILS_SHOWN = 50, 20
UNITS_SHOWN, EXAMPLES_NAMED = 15, 5
EXIT_CLEAN, EXIT_FINDINGS, EXIT_UNREADABLE = 0, 1, 2


def print_summary(settings: Settings, since: datetime | None = None, console: Console | None = None) -> None:
    """Print what is in the warehouse; with ``since``, first what the files recorded from then on came to."""
    console = console or _console()
    if since is not None:
        _print_received(settings, since, console)
    console.rule("What the marts hold")
    _print_authorities(settings, console)
    _print_kinds_of_findings(settings, console)
    _print_findings(settings, console)
    _print_key_figures(settings, console)
    _print_months(settings, console)
    _print_rankings(settings, console)
    _print_reporting_quality(settings, console)
    _print_mails(settings, console)
    docs = settings.state / "data_docs" / "index.html"
    if docs.exists():
        console.print(f"Data Docs of the last check: {docs}", soft_wrap=True)


def print_outcomes(settings: Settings, received: Sequence[Received]) -> int:
    """Print what became of each file with its findings; return the exit status that fits the worst of them."""
    console = _console()
    worst = EXIT_CLEAN
    for file in received:
        console.print(f"[bold]{escape(file.file_name)}[/bold]: {file.outcome}", soft_wrap=True)
        (known,) = _rows(
            _read(
                settings,
                # A duplicate fared as the file did whose bytes it repeats.
                """
                select f.reason, coalesce(max(t.file_id), f.file_id) as file_id
                from marts.fct_files f
                left join marts.fct_files t
                    on f.outcome = 'duplicate' and t.file_sha256 = f.file_sha256 and t.outcome = 'taken_in'
                where f.file_id = :file_id group by f.file_id, f.reason
                """,
                file_id=file.file_id,
            )
        )
        if known.reason:
            console.print(f"  {escape(known.reason)}", soft_wrap=True)
        _print_submissions(settings, known.file_id, console)
        found = _print_file_findings(settings, known.file_id, console)
        if file.outcome == "unreadable":
            worst = EXIT_UNREADABLE
        elif found:
            worst = max(worst, EXIT_FINDINGS)
    return worst


def print_looks(looks: Sequence[Look], console: Console | None = None) -> None:
    """Print what looks at the obligations called for: each mail with what it is about, and why others wait."""
    console = console or _console()
    drafts = [(look, draft) for look in looks for draft in look.drafts]
    if drafts:
        table = _table("at", "to", "about", "subject", "attached", title="Mails")
        for look, draft in drafts:
            table.add_row(
                f"{look.at:%Y-%m-%d %H:%M}",
                escape(draft.to_unit),
                "、".join(dict.fromkeys(item.kind for item in draft.items)),
                escape(draft.subject),
                escape("、".join(item.workbook for item in draft.items if item.workbook)),
            )
        console.print(table)
    for authority_id, looked in groupby(looks, key=lambda look: look.authority_id):
        *_, last = looked
        line = f"{authority_id}: {last.missing} missing, {last.late} late of what became due lately"
        if last.kept_back:
            line += f"; nothing goes out: {last.kept_back}"
        console.print(escape(line))
        if last.unaddressed:
            console.print(escape(f"  nobody is known to write to in: {', '.join(last.unaddressed)}"))


def print_outbox(settings: Settings, everything: bool, console: Console | None = None) -> None:
    """Print what is in the outbox, what needs a person first; to whom in a unit it goes is not shown."""
    console = console or _console()
    mails = _read(
        settings,
        """
        select d.state, m.mail_id, u.unit_name, m.subject,
            to_char(m.planned_at at time zone a.time_zone, 'YYYY-MM-DD HH24:MI') as planned, d.attempts,
            case
                when d.state = 'queued' then to_char(d.next_attempt_at at time zone a.time_zone, 'YYYY-MM-DD HH24:MI')
            end as next, d.answer
        from mail.mails m
        join mail.deliveries d on d.mail_id = m.mail_id
        join catalog.authorities a on a.authority_id = m.authority_id
        join catalog.units u on u.unit_id = m.to_unit_id
        where :everything or d.state not in ('sent', 'withdrawn')
        order by array_position(array['unknown', 'refused', 'handing_over', 'sending', 'queued'], d.state), m.mail_id
        """,
        everything=everything,
    )
    if not len(mails):
        console.print("Nothing waits in the outbox.")
        return
    table = _table("state", "mail", "to", "subject", "planned", "attempts", "next attempt", "answer")
    for row in _rows(mails):
        table.add_row(*(escape(str(value if value is not None else "")) for value in row))
    console.print(table)


def print_obligations(
    settings: Settings,
    at: datetime,
    unit: str | None,
    form: str | None,
    days: int,
    everything: bool,
    console: Console | None = None,
) -> None:
    """Print the obligations that are due within so many days of an instant, those in trouble first.

    Only those of a unit, a form: by id or in words. Raises NotDeclared where there is none such.
    """
    console = console or _console()
    catalog = load_catalog(settings.definitions)
    declared = catalog.form_asked(form) if form else None
    owed = _read(
        settings,
        """
        select o.status, u.unit_name, f.form_title, p.period_name,
            to_char(o.due_at at time zone a.time_zone, 'YYYY-MM-DD HH24:MI') as due,
            to_char(o.first_received_at at time zone a.time_zone, 'YYYY-MM-DD HH24:MI') as received,
            o.working_days_late, o.latest_outcome, o.extension_reason, o.has_ever_reported
        from deadlines.obligations_as_of(:at, :due_from, :due_to) o
        join catalog.authorities a on a.authority_id = o.authority_id
        join catalog.units u on u.unit_id = o.unit_id
        join catalog.forms f on f.form_id = o.form_id
        join catalog.periods p on p.form_id = o.form_id and p.period_id = o.period_id
        where o.unit_id = coalesce(:unit_id, o.unit_id) and o.form_id = coalesce(:form_id, o.form_id)
            and (:everything or o.status <> 'on_time')
        order by array_position(array['missing', 'late', 'extended', 'not_due', 'on_time'], o.status),
            o.working_days_late desc, o.due_at, u.sort_no, f.sort_no
        """,
        at=at,
        due_from=at - timedelta(days=days),
        due_to=at + timedelta(days=days),
        unit_id=catalog.unit_asked(unit, declared).unit_id if unit else None,
        form_id=declared.form_id if declared else None,
        everything=everything,
    )
    if not len(owed):
        console.print("Nothing is owed that has not come in time.")
        return
    table = _table("status", "unit", "form", "period", "due", "first received", "days late", "outcome", "note")
    for row in _rows(owed):
        notes = [f"extended: {row.extension_reason}"] if row.extension_reason else []
        notes += [] if row.has_ever_reported else ["has never reported this form"]
        table.add_row(
            row.status,
            *(escape(text or "") for text in (row.unit_name, row.form_title, row.period_name, row.due, row.received)),
            str(row.working_days_late or ""),
            row.latest_outcome or "",
            escape("; ".join(notes)),
        )
    console.print(table)


def print_impact(settings: Settings, submission_id: str, console: Console | None = None) -> None:
    """Print every figure that a submission moved when it came to stand; raise ValueError where there is none."""
    console = console or _console()
    known = _read(
        settings,
        """
        select unit_name, form_title, period_name, revision, outcome, known_from from marts.fct_submissions
        where submission_id = :submission_id
        """,
        submission_id=submission_id,
    )
    if not len(known):
        raise ValueError(f"no submission {submission_id!r}: fct_submissions lists them")
    (row,) = _rows(known)
    console.print(
        escape(f"{row.unit_name} 《{row.form_title}》 {row.period_name}, revision {row.revision}: {row.outcome}")
    )
    if row.known_from is None:
        console.print("It never stood, and moved nothing.")
        return
    moved = _read(
        settings,
        """
        select i.kind, u.unit_name, p.period_name,
            coalesce(
                n.indicator_name, m.metric_name, b.scoreboard_name || '·' || coalesce(t.item_name, '总得分'),
                i.subject_id
            ) as subject,
            i.basis, i.value_before, i.value_after
        from marts.impact_of(:submission_id) i
        left join marts.dim_unit u on u.unit_id = i.unit_id
        left join marts.dim_period p on p.form_id = i.form_id and p.period_id = i.period_id
        left join marts.dim_indicator n on n.indicator_id = i.subject_id
        left join marts.dim_metric m on m.metric_id = i.subject_id
        left join catalog.scoreboards b on i.kind = '名次' and b.scoreboard_id = split_part(i.subject_id, '.', 1)
        left join catalog.scoreboard_items t
            on t.scoreboard_id = b.scoreboard_id and t.item_id = split_part(i.subject_id, '.', 2)
        order by p.ends_on, i.period_id, i.is_group desc, u.sort_no, i.kind desc, i.subject_id, i.basis
        """,
        submission_id=submission_id,
    )
    table = _table("period", "unit", "figure", "kind", "before", "after", title=f"Moved on {row.known_from:%Y-%m-%d}")
    for figure in _rows(moved):
        table.add_row(
            *(escape(text or "") for text in (figure.period_name, figure.unit_name, figure.subject)),
            figure.kind if figure.kind == figure.basis else f"{figure.kind}·{figure.basis}",
            _plain(_rounded(figure.value_before, 4)),
            _plain(_rounded(figure.value_after, 4)),
        )
    console.print(table)
    console.print(f"{len(moved)} figures moved.")


def reporting_quality_paragraph(settings: Settings, authority_id: str, month: str) -> str:
    """Return the paragraph 报送质量 of a bulletin on what was due in a month such as 2023-09.

    Its figures are those of the marts; what went wrong is named unit by unit, a few of each kind. Where nothing had
    fallen due by the last look there is one sentence that says so. Raises ValueError for what is no month.
    """
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
        raise ValueError(f"expected a month such as 2023-09, found {month!r}")
    year, number = map(int, month.split("-"))
    asked = {"authority_id": authority_id, "year": year, "month": month}
    whole = _read(
        settings,
        """
        select q.* from marts.fct_reporting_quality q
        join marts.dim_unit u on u.unit_id = q.unit_id and u.parent_unit_id is null
        where q.authority_id = :authority_id and q.year = :year and q.month = :month
        """,
        **asked,
    )
    title = f"{year}年{number}月"
    if not len(whole) or not whole.iloc[0]["owed"]:
        return f"{title}，没有到期的应报。"
    (all_units,) = _rows(whole)
    sentences = [_on_time_sentence(title, all_units)]
    if all_units.reported:
        sentences.append(_accepted_sentence(all_units))
    sentences.append(_faults_sentence(_faults(settings, **asked), all_units))
    over = _read(
        settings,
        """
        select q.unit_name, q.missing_in_year, q.missing_reports_a_year from marts.fct_reporting_quality q
        join marts.dim_unit u on u.unit_id = q.unit_id
        where q.authority_id = :authority_id and q.year = :year and q.month = :month and q.is_over_threshold
        order by q.missing_in_year desc, u.sort_no
        """,
        **asked,
    )
    if len(over):
        named = _enumerated([f"{row.unit_name}（{row.missing_in_year}次）" for row in _rows(over)], "、")
        sentences.append(f"今年以来未报超过{over.iloc[0]['missing_reports_a_year']}次的有{named}。")
    return "".join(sentences)


def _on_time_sentence(title: str, row: Any) -> str:
    text = f"{title}，应报{row.owed}次，按时报送{row.on_time}次，按时报送率{row.on_time_rate_text}%"
    if row.late:
        text += f"；迟报{row.late}次，平均迟报{_plain(_rounded(row.average_working_days_late, 2))}个工作日"
    if row.missing:
        text += f"；至今未报{row.missing}次"
    if row.extended:
        text += f"；另有{row.extended}次经批准延期，尚未到期"
    return text + "。"


def _accepted_sentence(row: Any) -> str:
    text = f"已报送的{row.reported}次应报共收到报送{row.submissions}次"
    if row.first_checked:
        text += f"，一次通过{row.first_passed}次，一次通过率{row.first_pass_rate_text}%"
    if row.unanswered_questions:
        text += f"；尚有{row.unanswered_questions}个核实性问题没有说明"
    return text + "。"


def _faults_sentence(faults: pd.DataFrame, whole: Any) -> str:
    """Return what went wrong, by kind, in the words of the bulletins; a sentence too where nothing did."""
    kinds: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
        ("late", "不及时", lambda row: f"{row.unit_name}{row.period}迟报{row.working_days_late}个工作日"),
        ("missing", "不及时", lambda row: f"{row.unit_name}{row.period}至今未报"),
        ("returned", "不准确", lambda row: f"{row.unit_name}{row.period}数据有误被退回"),
        ("revised", "反复修改", lambda row: f"{row.unit_name}{row.period}先后报送{row.submissions}次"),
    )
    problems: dict[str, None] = {}
    examples = []
    for kind, problem, said in kinds:
        rows = [row for row in _rows(faults) if row.kind == kind]
        if rows:
            problems[problem] = None
            examples.append(_enumerated([said(row) for row in rows], "，"))
    if not examples:
        return "各单位均按时报送" + ("，数据一次通过。" if whole.first_passed == whole.owed else "。")
    return f"报送失误仍有发生，存在数据{'、'.join(problems)}等问题。如，{'；'.join(examples)}。"


def _faults(settings: Settings, **asked: Any) -> pd.DataFrame:
    """Return what went wrong with what was due in a month, one row an obligation and kind, in the catalog's order."""
    faults = _read(
        settings,
        """
        with due as (
            select o.*, u.sort_no, f.sort_no as form_no,
                (
                    select count(distinct a.form_id) from marts.fct_obligations a
                    where a.authority_id = :authority_id and a.year = :year and a.month = :month
                ) as forms
            from marts.fct_obligations o
            join marts.dim_unit u on u.unit_id = o.unit_id
            join marts.dim_form f on f.form_id = o.form_id
            where o.authority_id = :authority_id and o.year = :year and o.month = :month
        ),
        kinds as (
            select 'late' as kind, d.* from due d where d.status = 'late'
            union all select 'missing', d.* from due d where d.status = 'missing'
            union all select 'returned', d.* from due d where not d.is_first_pass
            union all select 'revised', d.* from due d where d.submissions > 1
        )
        select kind, unit_name, form_title, period_name, working_days_late, submissions, forms from kinds
        order by declared_due_at, form_no, period_id, sort_no
        """,
        **asked,
    )
    # An issue of a campaign is called by what stands in brackets at the end: （0912期）.
    periods = [match[1] if (match := re.search(r"（([^（）]+)）$", name)) else name for name in faults["period_name"]]
    forms = [
        f"《{title}》" if count > 1 else "" for title, count in zip(faults["form_title"], faults["forms"], strict=True)
    ]
    return faults.assign(period=[form + period for form, period in zip(forms, periods, strict=True)])


def _enumerated(texts: Sequence[str], separator: str) -> str:
    """Return the first few texts, and how many there are where that is not all."""
    if len(texts) <= EXAMPLES_NAMED:
        return separator.join(texts)
    return f"{separator.join(texts[:EXAMPLES_NAMED])}等{len(texts)}次"


def _print_reporting_quality(settings: Settings, console: Console) -> None:
    """Print how the units of each authority reported what fell due in its last month with obligations."""
    months = _read(
        settings,
        "select authority_id, authority_name, max(month) as month from marts.fct_obligations group by 1, 2 order by 1",
    )
    for last in _rows(months):
        quality = _read(
            settings,
            """
            select q.*, r.rank from marts.fct_reporting_quality q
            join marts.dim_unit u on u.unit_id = q.unit_id
            left join marts.reporting_quality_ranking r
                on r.unit_id = q.unit_id and r.year = q.year and r.month = q.month and r.item_id = 'total'
            where q.authority_id = :authority_id and q.year = :year and q.month = :month
                and (
                    u.parent_unit_id is null
                    or not q.is_group and (q.late + q.missing > 0 or q.submissions > q.first_passed)
                )
            order by q.is_group desc, q.late + q.missing desc, q.submissions - q.first_passed desc, u.sort_no
            """,
            authority_id=last.authority_id,
            year=int(last.month[:4]),
            month=last.month,
        )
        headers = (
            "unit",
            "owed",
            "on time",
            "late",
            "missing",
            "on time %",
            "days late",
            "first pass %",
            "sent",
            "rank",
        )
        table = _table(*headers, title=f"Reporting quality: {last.authority_name} {last.month}")
        for row in _rows(quality.head(1 + UNITS_SHOWN)):
            table.add_row(
                escape(row.unit_name),
                *(str(number) for number in (row.owed, row.on_time, row.late, row.missing)),
                row.on_time_rate_text,
                str(row.working_days_late),
                row.first_pass_rate_text,
                str(row.submissions),
                _plain(row.rank),
            )
        console.print(table)
        if (left := len(quality) - 1 - UNITS_SHOWN) > 0:
            console.print(f"… and {left} more units: export fct_reporting_quality --where month={last.month}")
        console.print(escape(reporting_quality_paragraph(settings, last.authority_id, last.month)), soft_wrap=True)


def _print_file_findings(settings: Settings, file_id: int, console: Console) -> int:
    """Print a file's findings, the worst first; return how many there are."""
    findings = _read(
        settings,
        f"""
        select severity, unit_name, cells, message, coalesce(proposals, '') as proposals
        from marts.fct_findings where file_id = :file_id
        order by {_WORST_FIRST}, form_id, unit_id, length(cells), cells
        """,
        file_id=file_id,
    )
    for row in _rows(findings.head(FINDINGS_SHOWN)):
        where = escape(" ".join(part for part in (row.unit_name, row.cells) if part))
        style = SEVERITIES[row.severity]
        console.print(f"  [{style}]{row.severity}[/] {where} {escape(row.message)}", soft_wrap=True)
        for proposal in row.proposals.splitlines():
            console.print(f"      → {escape(proposal)}", soft_wrap=True)
    if len(findings) > FINDINGS_SHOWN:
        console.print(f"  … and {len(findings) - FINDINGS_SHOWN} more: export fct_findings --where file_id={file_id}")
    return len(findings)


def _print_submissions(settings: Settings, file_id: int, console: Console) -> None:
    """Print a file's submissions, one line for the units that fared alike."""
    submissions = _read(
        settings,
        """
        select s.form_title, s.period_name, s.revision, s.outcome, s.unit_name
        from marts.fct_submissions s left join marts.dim_unit u on u.unit_id = s.unit_id
        where s.file_id = :file_id and s.row_role = 'unit' order by s.form_id, s.outcome, s.revision, u.sort_no
        """,
        file_id=file_id,
    )
    alike = ["form_title", "period_name", "outcome", "revision"]
    for (form, period, outcome, revision), group in submissions.groupby(alike, sort=False):
        names = list(group["unit_name"])
        units = "、".join(names[:3]) + (f" … {len(names)} units" if len(names) > 3 else "")
        line = f"  《{form}》 {period}: {outcome}, revision {revision}: {units}"
        console.print(escape(line), soft_wrap=True)


def _print_received(settings: Settings, since: datetime, console: Console) -> None:
    console.rule("This run")
    files = _read(
        settings,
        """
        select f.file_name, f.outcome, f.submissions, f.reason
        from marts.fct_files f join intake.files i on i.file_id = f.file_id
        where i.recorded_at >= :since order by f.received_at, f.file_name
        """,
        since=since,
    )
    if not len(files):
        console.print("No file was received.")
        return
    table = _table("file", "outcome", "submissions", "reason")
    for row in _rows(files):
        table.add_row(escape(row.file_name), row.outcome, str(row.submissions), escape(row.reason or ""))
    console.print(table)
    counts = files["outcome"].value_counts()
    if set(counts.index) == {"duplicate"}:
        console.print(f"All {len(files)} files had been taken in before: nothing was done twice.")


def _print_authorities(settings: Settings, console: Console) -> None:
    # A left join from the authorities: one that has sent nothing shows up with zeros.
    overview = _read(
        settings,
        """
        with authorities as (select distinct authority_id, authority_name from marts.dim_unit),
        submissions as (
            select f.authority_id, count(*) as submissions, count(distinct s.form_id) as forms,
                count(*) filter (where s.outcome = 'returned') as returned
            from marts.fct_submissions s join marts.dim_form f on f.form_id = s.form_id group by 1
        ),
        figures as (
            select f.authority_id, count(*) as figures
            from marts.fct_indicator_values v join marts.dim_form f on f.form_id = v.form_id group by 1
        ),
        findings as (
            select authority_id, count(*) filter (where severity = 'error') as errors,
                count(*) filter (where severity = 'question') as questions,
                count(*) filter (where severity = 'notice') as notices
            from marts.fct_findings group by 1
        )
        select a.authority_name, s.forms, s.submissions, s.returned, v.figures, f.errors, f.questions, f.notices
        from authorities a
        left join submissions s on s.authority_id = a.authority_id
        left join figures v on v.authority_id = a.authority_id
        left join findings f on f.authority_id = a.authority_id
        order by a.authority_name
        """,
    )
    table = _table("authority", *(str(column) for column in overview.columns[1:]))
    for column in table.columns[1:]:
        column.justify = "right"
    for row in _rows(overview):
        table.add_row(escape(row[0]), *("0" if pd.isna(value) else str(int(value)) for value in row[1:]))
    console.print(table)


def _print_kinds_of_findings(settings: Settings, console: Console) -> None:
    kinds = _read(
        settings,
        """
        select authority_name, rule_kind, count(*) filter (where severity = 'error') as errors,
            count(*) filter (where severity = 'question') as questions,
            count(*) filter (where severity = 'notice') as notices
        from marts.fct_findings
        group by 1, 2
        order by authority_name nulls first, errors desc, questions desc, notices desc, rule_kind
        """,
    )
    if not len(kinds):
        return
    table = _table("authority", "kind", "errors", "questions", "notices", title="Findings by kind")
    for column in table.columns[2:]:
        column.justify = "right"
    for row in _rows(kinds):
        table.add_row(escape(row[0] or "—"), row[1], *(str(value) if value else "" for value in row[2:]))
    console.print(table)


def _print_findings(settings: Settings, console: Console) -> None:
    findings = _read(
        settings,
        f"""
        select severity, unit_name, cells, message, coalesce(proposals, '') as proposals from marts.fct_findings
        order by {_WORST_FIRST}, authority_id, form_id, unit_id
        """,
    )
    shown = findings[findings["severity"] != "notice"].head(FINDINGS_SHOWN)
    if not len(findings):
        console.print("No findings.")
        return
    table = _table("severity", "unit", "cells", "finding", title="Findings")
    for row in _rows(shown):
        style = SEVERITIES[row.severity]
        said = "\n→ ".join([row.message, *row.proposals.splitlines()])
        cells = _within_sheets(row.cells)
        table.add_row(f"[{style}]{row.severity}", escape(row.unit_name or ""), escape(cells), escape(said))
    console.print(table)
    if left := len(findings) - len(shown):
        console.print(f"… and {left} more, notices among them: enforcement-reporting export fct_findings")


def _within_sheets(cells: str) -> str:
    """Return cells with the name of a sheet only where another begins: 1.6!F3、C3、1.5!D2."""
    said, last = [], ""
    for cell in dict.fromkeys(cells.split("、")):
        sheet, separator, address = cell.rpartition("!")
        said.append(address if separator and sheet == last else cell)
        last = sheet
    return "、".join(said)


def _print_key_figures(settings: Settings, console: Console) -> None:
    figures = _read(
        settings,
        """
        select u.authority_name, v.period_name, v.metric_name, v.numerator, v.denominator, v.value_text,
            v.unit_of_measure, v.reported_units, v.expected_units, v.is_complete
        from marts.fct_metric_values v
        join marts.dim_unit u on u.unit_id = v.unit_id
        where u.parent_unit_id is null
            and v.period_id = (
                select p.period_id from marts.dim_period p
                where p.form_id = v.form_id and p.reported_as = p.period_id order by p.ends_on desc limit 1
            )
        order by u.sort_no, v.form_id, v.metric_id
        """,
    )
    if not len(figures):
        return
    table = _table("authority", "period", "metric", "from", "value", "units", title="Key figures (ratios of sums)")
    for row in _rows(figures):
        source = _plain(row.numerator)
        if row.denominator is not None:
            source += f" / {_plain(row.denominator)}"
        unit = "" if row.unit_of_measure == "%" else row.unit_of_measure
        units = f"{row.reported_units}/{row.expected_units}" + ("" if row.is_complete else " incomplete")
        table.add_row(
            escape(row.authority_name),
            escape(row.period_name),
            escape(row.metric_name),
            source,
            escape(f"{row.value_text or '—'}{unit}"),
            units,
        )
    console.print(table)


def _print_months(settings: Settings, console: Console) -> None:
    """Print month by month the metrics of each authority that has reported more than two periods of a form."""
    months = _read(
        settings,
        """
        with series as (
            select c.*, u.authority_name, p.period_name, p.ends_on, p.period_kind,
                count(*) over (partition by c.unit_id, c.form_id, c.measure_id, p.period_kind) as periods
            from marts.fct_comparisons c
            join marts.dim_unit u on u.unit_id = c.unit_id and u.parent_unit_id is null
            join marts.dim_period p on p.form_id = c.form_id and p.period_id = c.period_id
            where c.measure = 'metric' and c.basis = 'single' and c.comparison = '环比'
        )
        select s.authority_name, s.measure_name, s.unit_of_measure, s.period_name, s.value, t.cumulative_value,
            s.change_text, s.reported_units, s.expected_units
        from series s
        join marts.fct_metric_values t
            on t.unit_id = s.unit_id and t.form_id = s.form_id and t.period_id = s.period_id
            and t.metric_id = s.measure_id
        where s.period_kind = 'month' and s.periods > 2
        order by s.form_id, s.measure_id, s.ends_on
        """,
    )
    for authority, rows in months.groupby("authority_name", sort=False):
        table = _table("metric", "month", "本期", "累计", "环比", "units", title=f"Month by month: {authority}")
        for row in _rows(rows):
            unit = "%" if row.unit_of_measure == "%" else ""
            incomplete = "" if row.reported_units == row.expected_units else " incomplete"
            table.add_row(
                escape(row.measure_name),
                escape(row.period_name),
                *(f"{_plain(_rounded(value, 2))}{unit if value is not None else ''}" for value in row[4:6]),
                row.change_text,
                f"{row.reported_units}/{row.expected_units}{incomplete}",
            )
        console.print(table)


def _print_mails(settings: Settings, console: Console) -> None:
    """Print the mails written last; to whom in the unit they went is nobody's business here."""
    mails = _read(
        settings,
        """
        select to_char(m.planned_at at time zone a.time_zone, 'YYYY-MM-DD HH24:MI') as planned, u.unit_name, m.subject,
            (
                select string_agg(t.file_name, '、' order by t.file_name) from mail.attachments t
                where t.mail_id = m.mail_id
            ),
            (select string_agg(distinct d.state, ', ') from mail.deliveries d where d.mail_id = m.mail_id)
        from mail.mails m
        join catalog.authorities a on a.authority_id = m.authority_id
        join catalog.units u on u.unit_id = m.to_unit_id
        order by m.planned_at desc, m.mail_id desc
        limit :shown
        """,
        shown=MAILS_SHOWN,
    )
    if not len(mails):
        return
    table = _table("planned", "to", "subject", "attached", "state", title="Mails to units, the latest")
    for row in reversed(list(_rows(mails))):
        table.add_row(*(escape(text or "") for text in row))
    console.print(table)


def _rounded(value: Any, decimals: int) -> Any:
    """Return a number rounded half up."""
    return value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP) if isinstance(value, Decimal) else value


def _print_rankings(settings: Settings, console: Console) -> None:
    ranks = _read(
        settings,
        """
        select r.scoreboard_name, r.period_name, r.unit_name, r.item_name, r.item_id, r.rank, r.points
        from marts.ranking_series r
        where r.ends_on = (select max(l.ends_on) from marts.ranking_series l where l.scoreboard_id = r.scoreboard_id)
            and r.period_kind = (select f.calendar_kind from marts.dim_form f where f.form_id = r.form_id)
        order by r.scoreboard_id, r.unit_id
        """,
    )
    for (name, period), board in ranks.groupby(["scoreboard_name", "period_name"], sort=False):
        total = board[board["item_id"] == "total"].set_index("unit_name").sort_values("rank", na_position="last")
        items = board[board["item_id"] != "total"]
        names = list(dict.fromkeys(items["item_name"]))
        table = _table("rank", "unit", "points", *names, title=f"{name} {period}")
        by_unit = items.set_index(["unit_name", "item_name"])["points"]
        for unit_name, row in total.iterrows():
            points = [_plain(by_unit.get((unit_name, item))) for item in names]
            table.add_row(_plain(row["rank"]), escape(str(unit_name)), _plain(row["points"]), *points)
        console.print(table)


def _read(settings: Settings, query: str, **parameters: Any) -> pd.DataFrame:
    """Return a query's rows; numbers stay exact."""
    statement = text(query).bindparams(*(bindparam(name, value) for name, value in parameters.items()))
    with engine(settings).connect() as connection:
        rows = connection.execute(statement)
        return pd.DataFrame(rows.fetchall(), columns=list(rows.keys()), dtype=object)


def _rows(frame: pd.DataFrame) -> Iterator[Any]:
    """Yield the rows of a frame, their values by name."""
    yield from frame.itertuples(index=False)


def _plain(value: Any) -> str:
    """Return a number without trailing zeros, or a dash where there is none."""
    if value is None or pd.isna(value):
        return "—"
    shown = format(value, "f") if hasattr(value, "as_tuple") else str(value)
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def _table(*headers: str, title: str | None = None) -> Table:
    """Return a table whose long Chinese texts are folded, never cut."""
    table = Table(title=title)
    for header in headers:
        table.add_column(header, overflow="fold")
    return table


def _console() -> Console:
    width = None if Console().is_terminal else 150
    return Console(width=width, emoji=False)
