"""Who is written to, about what, and when: from obligations and verdicts to mails, each reason once.

A *reason* is what a unit owes as things stand: a report, a correction, an explanation. Every reason has a key; a
*notice* is the one row that its key ever gets, so that a retry, a second run or two of them at once write nothing
twice. Notices of one unit go out together, in one mail a day, beside what is urgent. As long as a mail has not been
handed over it is taken back and written anew at each look: a mail that had to wait never says what is no longer true.

Nothing here reads a clock. ``at`` is the instant of the look; what was received or granted later does not count.
"""

from __future__ import annotations

import logging
import smtplib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
from jinja2 import FileSystemLoader, StrictUndefined, Template, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment
from psycopg.rows import namedtuple_row

from enforcement_reporting.catalog import MAIL, Authority, Catalog, NoticePolicy, load_catalog
from enforcement_reporting.mail import Attachment, OutgoingMail, Sent, queue_mails, recall, send_waiting
from enforcement_reporting.review import returned_workbook
from enforcement_reporting.settings import PROJECT_ROOT, Settings
from enforcement_reporting.warehouse import connect
from enforcement_reporting.workdays import is_working_day

log = logging.getLogger(__name__)

# What a mail shows of a submission's findings; the workbook that goes with it has them all.
FINDINGS_SHOWN = 5
# How far ahead deadlines are looked at: farther than any reminder.
_AHEAD = timedelta(days=90)
_BATCH = 100


@dataclass(frozen=True)
class Item:
    """One notice in a mail, as the templates see it.

    ``kind``: ``due_soon``, ``overdue``, ``escalated``, ``returned``, ``questioned``, ``refused`` or ``accepted``.
    ``written_before`` counts the mails that a missed deadline has been written about before.
    """

    kind: str
    written_before: int
    unit: str
    form: str
    period: str
    due: str
    days_late: int
    extension: str
    received: str
    never_reported: bool
    findings: tuple[tuple[str, ...], ...] = ()  # severity, cells, message, proposals a line each
    more_findings: int = 0
    refusals: tuple[tuple[str, ...], ...] = ()  # message, explanation, reason
    workbook: str = ""


@dataclass(frozen=True)
class Draft:
    """A mail that a look has written, with what it is about."""

    to_unit_id: str
    to_unit: str
    is_urgent: bool
    subject: str
    items: tuple[Item, ...]
    mail_id: int


@dataclass
class Look:
    """What a look at an authority's obligations came to."""

    authority_id: str
    at: datetime
    missing: int = 0
    late: int = 0
    notices: int = 0
    withdrawn: int = 0
    drafts: list[Draft] = field(default_factory=list)
    unaddressed: list[str] = field(default_factory=list)  # units with notices waiting, that nobody can be written to in
    kept_back: str = ""  # why nothing goes out now: quiet hours, or the stop switch


@dataclass
class Written:
    """What a number of looks came to, and what became of their mails; ``server_down`` says why nothing was sent."""

    looks: list[Look] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    server_down: str = ""

    def add(self, sent: Sent) -> None:
        """Count in what became of some mails."""
        self.counts += sent.counts
        self.server_down = sent.server_down

    def __str__(self) -> str:
        """Return it in one line, for the terminal and the log."""
        mails = sum(len(look.drafts) for look in self.looks)
        became = ", ".join(f"{number} {state}" for state, number in sorted(self.counts.items())) or "none sent"
        return f"{mails} mails written; {became}" + (f"; the server: {self.server_down}" if self.server_down else "")


def chase(settings: Settings, at: datetime, *, dry_run: bool = False) -> list[Look]:
    """Work out who owes what at an instant, and queue the mails this calls for; return what each look came to.

    With ``dry_run`` the same is worked out and nothing kept. Two at once write nothing twice.
    """
    catalog = load_catalog(settings.definitions)
    with connect(settings) as connection:
        return _chase(settings, connection, catalog, at, dry_run=dry_run)


def write_and_send(
    settings: Settings, instants: Sequence[datetime], open_server: Callable[[], smtplib.SMTP] | None
) -> Written:
    """Look at each instant and send what it calls for, in order; without a server the mails wait.

    What cannot be sent at one instant waits for the next.
    """
    catalog = load_catalog(settings.definitions)
    written = Written()
    with connect(settings) as connection:
        for at in instants:
            written.looks += _chase(settings, connection, catalog, at)
            if open_server:
                written.add(send_waiting(settings, open_server, at))
    return written


def extend(
    settings: Settings,
    form: str,
    period: str,
    until: datetime,
    *,
    unit: str | None,
    reason: str,
    granted_by: str,
    granted_at: datetime,
) -> None:
    """Put a deadline off, for one unit or for all; a later extension takes the place of an earlier one.

    Form, period and unit are named by their ids or in words. Raises ValueError where there is no such, it owes nothing,
    or the new instant is not later.
    """
    if not reason.strip() or not granted_by.strip():
        raise ValueError("an extension needs a reason and the name of who granted it")
    catalog = load_catalog(settings.definitions)
    declared = catalog.form_asked(form)
    form_id, period_id = declared.form_id, declared.period_asked(period).period_id
    unit_id = catalog.unit_asked(unit, declared).unit_id if unit else None
    with connect(settings) as connection:
        row = connection.execute(
            """
            select count(*), max(d.due_at)
            from catalog.deadlines d
            join catalog.form_units o on o.form_id = d.form_id
            join catalog.units u on u.unit_id = o.unit_id and u.unit_kind = d.unit_kind
            where d.form_id = %s and d.period_id = %s and u.unit_id = coalesce(%s, u.unit_id)
            """,
            [form_id, period_id, unit_id],
        ).fetchone()
        assert row is not None
        if not row[0]:
            raise ValueError(
                f"nobody owes {form_id} of {period_id}"
                if unit_id is None
                else f"{unit_id} does not owe {form_id} of {period_id}"
            )
        if until <= row[1]:
            raise ValueError(f"the deadline is {row[1].isoformat()} already: an extension has to end later")
        connection.execute(
            "insert into deadlines.extensions (form_id, period_id, unit_id, until, reason, granted_by, granted_at)"
            " values (%s, %s, %s, %s, %s, %s, %s)",
            [form_id, period_id, unit_id, until, reason.strip(), granted_by.strip(), granted_at],
        )


def instants_of_replay(settings: Settings, first: datetime, last: datetime) -> list[datetime]:
    """Return when it would have been looked between two instants: each day at the hour declared, and on each receipt.

    So a past campaign is chased as it would have been at its time.
    """
    catalog = load_catalog(settings.definitions)
    instants = set()
    for authority_id, policy in catalog.notices.items():
        zone = catalog.authority_by_id[authority_id].zone
        hour, minute = map(int, policy.daily_at.split(":"))
        day = first.astimezone(zone).replace(hour=hour, minute=minute, second=0, microsecond=0)
        while day <= last:
            instants.add(day)
            day += timedelta(days=1)
    with connect(settings) as connection:
        received = connection.execute(
            "select distinct received_at from intake.files where policy = 'collect' and received_at <= %s", [last]
        ).fetchall()
    instants |= {received_at for (received_at,) in received}
    return sorted(instant for instant in instants if first <= instant <= last)


def _chase(
    settings: Settings,
    connection: psycopg.Connection,
    catalog: Catalog,
    at: datetime,
    *,
    dry_run: bool = False,
) -> list[Look]:
    looks = []
    for authority_id, policy in catalog.notices.items():
        with connection.transaction(force_rollback=dry_run):
            looks.append(_look(settings, connection, catalog, authority_id, policy, at))
        _log(looks[-1])
    return looks


def _look(
    settings: Settings,
    connection: psycopg.Connection,
    catalog: Catalog,
    authority_id: str,
    policy: NoticePolicy,
    at: datetime,
) -> Look:
    """Do what one look at an authority's obligations does, in the transaction that is open."""
    authority = catalog.authority_by_id[authority_id]
    connection.execute("select pg_advisory_xact_lock(hashtext('enforcement_reporting.chase'))")
    look = Look(authority_id, at.astimezone(authority.zone))
    values = {
        "authority_id": authority_id,
        "at": at,
        "since": at - timedelta(days=policy.looking_back_days),
        "ahead": at + _AHEAD,
        "today": at.astimezone(authority.zone).date(),
        "remind_days_before": policy.remind_days_before,
        "repeat_every_days": policy.repeat_every_days,
        "repeat_at_most": policy.repeat_at_most,
        "escalate_after_days": policy.escalate_after_days,
    }
    for table, statement in (("owed", _OWED), ("reported", _REPORTED), ("answers", _ANSWERS), ("reasons", _REASONS)):
        psycopg.ClientCursor(connection).execute(statement.encode(), values)
        connection.execute(f"analyze {table}".encode())  # what is asked next is planned on what they hold
    # Notices are new to the planner: by an index they are found fast however it goes about it.
    connection.execute("create unique index on reasons (reason_key)")
    outdated = [mail_id for (mail_id,) in connection.execute(_OUTDATED.encode(), values).fetchall()]
    recall(connection, outdated, at)
    look.notices = connection.execute(_NOTICES.encode(), values).rowcount
    look.withdrawn = connection.execute(_WITHDRAW.encode(), values).rowcount
    row = connection.execute(
        "select count(*) filter (where status = 'missing'), count(*) filter (where status = 'late') from owed"
    ).fetchone()
    assert row is not None
    look.missing, look.late = row
    look.unaddressed = [unit_id for (unit_id,) in connection.execute(_UNADDRESSED.encode(), values).fetchall()]
    look.kept_back = _kept_back(connection, authority, policy, at)
    if not look.kept_back:
        look.drafts = list(_write_mails(settings, connection, authority, policy, values))
    connection.execute(
        "insert into deadlines.chases (authority_id, as_at, missing, late, notices, mails)"
        " values (%s, %s, %s, %s, %s, %s)",
        [authority_id, at, look.missing, look.late, look.notices, len(look.drafts)],
    )
    return look


# The obligations that are news: due not long ago, or soon.
_OWED = """
create temporary table owed on commit drop as
select o.*, today.working_days - due.working_days as days_since_due
from deadlines.obligations_as_of(%(at)s, %(since)s, %(ahead)s) o
join catalog.days today on today.day = %(today)s
join catalog.days due on due.day = o.due_on
where o.authority_id = %(authority_id)s
"""

# The latest submission of each unit, form and period that was received not long ago; printed total rows among them.
_REPORTED = """
create temporary table reported on commit drop as
select distinct on (s.form_id, s.period_id, s.unit_id)
    s.form_id, s.period_id, s.unit_id, s.submission_id, s.received_at, v.outcome
from intake.submissions s
join catalog.forms f on f.form_id = s.form_id and f.authority_id = %(authority_id)s
join quality.verdicts v on v.unit_id = s.unit_id and v.submission_id = s.submission_id
where s.policy = 'collect' and s.received_at > %(since)s and s.received_at <= %(at)s
order by s.form_id, s.period_id, s.unit_id, s.received_at desc, s.file_sha256 desc, s.submission_id desc
"""

# What is asked in these, and what has been said to it and decided by then.
_ANSWERS = """
create temporary table answers on commit drop as
select a.submission_id, a.explanation_id,
    case
        when a.given_at > %(at)s then 'open'
        when a.decided_at > %(at)s then 'explained'
        else a.explanation_state
    end as state
from reported r
join quality.answers a on a.unit_id = r.unit_id and a.submission_id = r.submission_id
where r.outcome = 'questioned'
"""

# Why anybody is written to as things stand. A superior is the nearest group above that somebody can be written to in.
_REASONS = """
create temporary table reasons on commit drop as
with recursive above (unit_id, superior_id, next_id) as (
    select u.unit_id, u.parent_unit_id, p.parent_unit_id
    from catalog.units u
    left join catalog.units p on p.unit_id = u.parent_unit_id
    where u.authority_id = %(authority_id)s
    union all
    select a.unit_id, a.next_id, p.parent_unit_id
    from above a
    join catalog.units p on p.unit_id = a.next_id
    where not exists (select from mail.contacts c where c.unit_id = a.superior_id)
),
superiors as (
    select a.unit_id, a.superior_id
    from above a
    where exists (select from mail.contacts c where c.unit_id = a.superior_id)
)
select concat_ws('|', 'due_soon', o.unit_id, o.form_id, o.period_id, o.due_on) as reason_key,
    'due_soon' as kind, 0 as step, o.unit_id, o.unit_id as to_unit_id, o.form_id, o.period_id,
    null::text as submission_id
from owed o
where o.status in ('not_due', 'extended') and o.submissions = 0 and -o.days_since_due <= %(remind_days_before)s

union all

select concat_ws('|', 'overdue', o.unit_id, o.form_id, o.period_id, o.step), 'overdue', o.step, o.unit_id, o.unit_id,
    o.form_id, o.period_id, null
from (
    select *, least((days_since_due - 1) / %(repeat_every_days)s, %(repeat_at_most)s) as step
    from owed where status = 'missing' and days_since_due >= 1
) o

union all

select concat_ws('|', 'escalated', o.unit_id, o.form_id, o.period_id), 'escalated', 0, o.unit_id, s.superior_id,
    o.form_id, o.period_id, null
from owed o
join superiors s on s.unit_id = o.unit_id
where o.status = 'missing' and o.days_since_due >= %(escalate_after_days)s

union all

select concat_ws('|', 'returned', r.submission_id), 'returned', 0, r.unit_id, r.unit_id, r.form_id, r.period_id,
    r.submission_id
from reported r
where r.outcome = 'returned'

union all

select concat_ws('|', 'questioned', r.submission_id), 'questioned', 0, r.unit_id, r.unit_id, r.form_id, r.period_id,
    r.submission_id
from reported r
where r.outcome = 'questioned'
    and exists (select from answers a where a.submission_id = r.submission_id and a.state = 'open')

union all

select concat_ws('|', 'refused', a.explanation_id), 'refused', 0, r.unit_id, r.unit_id, r.form_id, r.period_id,
    min(r.submission_id)
from reported r
join answers a on a.submission_id = r.submission_id
where a.state = 'refused'
group by a.explanation_id, r.unit_id, r.form_id, r.period_id

union all

-- To be told that all is well one must have been told that it was not.
select concat_ws('|', 'accepted', r.submission_id), 'accepted', 0, r.unit_id, r.unit_id, r.form_id, r.period_id,
    r.submission_id
from reported r
where (
        r.outcome = 'accepted'
        or (
            r.outcome = 'questioned'
            and not exists (select from answers a where a.submission_id = r.submission_id and a.state <> 'settled')
        )
    )
    and exists (
        select from mail.notices n
        join mail.deliveries d on d.mail_id = n.mail_id
        where n.unit_id = r.unit_id and n.form_id = r.form_id and n.period_id = r.period_id
            and n.kind in ('returned', 'questioned', 'refused') and d.state in ('sent', 'handing_over', 'unknown')
    )
"""

_NOTICES = """
insert into mail.notices (
    reason_key, kind, step, authority_id, unit_id, to_unit_id, form_id, period_id, submission_id, planned_at
)
select r.reason_key, r.kind, r.step, %(authority_id)s, r.unit_id, r.to_unit_id, r.form_id, r.period_id,
    r.submission_id, %(at)s
from reasons r
order by r.reason_key
on conflict (reason_key) do update set withdrawn_at = null, planned_at = excluded.planned_at,
    to_unit_id = excluded.to_unit_id
where notices.withdrawn_at is not null and notices.mail_id is null
"""

# What waits in the outbox and was written another day, or about what is no longer so.
_OUTDATED = """
select m.mail_id
from mail.mails m
where m.authority_id = %(authority_id)s
    and exists (select from mail.deliveries d where d.mail_id = m.mail_id and d.state in ('queued', 'sending'))
    and (
        m.planned_on <> %(today)s
        or exists (
            select from mail.notices n
            where n.mail_id = m.mail_id and not exists (select from reasons r where r.reason_key = n.reason_key)
        )
    )
order by m.mail_id
"""

_UNADDRESSED = """
select distinct n.to_unit_id
from mail.notices n
where n.authority_id = %(authority_id)s and n.mail_id is null and n.withdrawn_at is null
    and not exists (select from mail.contacts c where c.unit_id = n.to_unit_id)
order by n.to_unit_id
"""

_WITHDRAW = """
update mail.notices n set withdrawn_at = %(at)s
where n.authority_id = %(authority_id)s and n.mail_id is null and n.withdrawn_at is null
    and not exists (select from reasons r where r.reason_key = n.reason_key)
"""


def _kept_back(connection: psycopg.Connection, authority: Authority, policy: NoticePolicy, at: datetime) -> str:
    """Return why no mail is written at this instant, or nothing."""
    stopped = connection.execute(
        "select reason, stopped_by from mail.stops where authority_id = %s", [authority.authority_id]
    ).fetchone()
    if stopped:
        return f"stopped by {stopped[1]}: {stopped[0]}"
    local = at.astimezone(authority.zone)
    if not is_working_day(local.date()):
        return f"{local:%Y-%m-%d} is no working day"
    opens, closes = policy.working_hours
    if not opens <= f"{local:%H:%M}" <= closes:
        return f"outside the working hours of {opens} to {closes}"
    return ""


# One mail a unit and day; what is urgent goes at once, and whatever else the unit has waiting goes with it only where
# its mail of the day is due anyway.
_WAITING = """
select n.notice_id, n.kind, n.to_unit_id, to_unit.unit_name as to_unit, n.kind = any(%(urgent)s) as is_urgent,
    (
        select count(*)
        from generate_series(0, n.step - 1) as earlier (step)
        join mail.notices e
            on e.reason_key = concat_ws('|', n.kind, n.unit_id, n.form_id, n.period_id, earlier.step)
        join mail.deliveries d on d.mail_id = e.mail_id and d.state <> 'withdrawn'
    ) as written_before, n.submission_id, u.unit_name as unit, f.form_title as form, p.period_name as period,
    to_char(o.due_at at time zone a.time_zone, 'FMMM月FMDD日 HH24:MI') as due,
    coalesce(o.working_days_late, 0) as days_late,
    coalesce(o.extension_reason, '') as extension,
    to_char(s.received_at at time zone a.time_zone, 'FMMM月FMDD日 HH24:MI') as received,
    coalesce(not o.has_ever_reported, false) as never_reported
from mail.notices n
join catalog.authorities a on a.authority_id = n.authority_id
join catalog.units u on u.unit_id = n.unit_id
join catalog.units to_unit on to_unit.unit_id = n.to_unit_id
join catalog.forms f on f.form_id = n.form_id
join catalog.periods p on p.form_id = n.form_id and p.period_id = n.period_id
left join owed o on o.unit_id = n.unit_id and o.form_id = n.form_id and o.period_id = n.period_id
left join intake.submissions s on s.unit_id = n.unit_id and s.submission_id = n.submission_id
where n.authority_id = %(authority_id)s and n.mail_id is null and n.withdrawn_at is null
    and exists (select from mail.contacts c where c.unit_id = n.to_unit_id)
    and (
        n.kind = any(%(urgent)s)
        or (
            %(daily)s
            and not exists (
                select from mail.mails m
                join mail.deliveries d on d.mail_id = m.mail_id
                where m.to_unit_id = n.to_unit_id and m.planned_on = %(today)s and not m.is_urgent
                    and d.state <> 'withdrawn'
            )
        )
    )
order by to_unit.sort_no, is_urgent desc, array_position(
    array['returned', 'refused', 'questioned', 'overdue', 'escalated', 'due_soon', 'accepted'], n.kind
), u.sort_no, f.sort_no, p.ends_on
"""

_FINDINGS = """
select n.notice_id, f.severity, f.cells, f.message,
    (
        select string_agg(proposal.said ->> 'text', e'\n' order by proposal.number)
        from jsonb_array_elements(f.proposals) with ordinality proposal (said, number)
    )
from mail.notices n
join intake.submissions s on s.unit_id = n.unit_id and s.submission_id = n.submission_id
join quality.findings f
    on f.submission_id = s.submission_id
    or (f.file_id = s.file_id and f.form_id = s.form_id and f.sheet = s.sheet and f.scope = 'sheet')
where n.notice_id = any(%s) and f.severity in ('error', 'question')
order by n.notice_id, f.severity, length(f.cells), f.cells, f.rule_id
"""

_REFUSALS = """
select n.notice_id, q.message, q.explanation, q.decision_reason
from mail.notices n
join quality.answers q on q.unit_id = n.unit_id and q.submission_id = n.submission_id
where n.notice_id = any(%s) and n.kind = 'refused' and n.reason_key = 'refused|' || q.explanation_id
"""


def _write_mails(
    settings: Settings,
    connection: psycopg.Connection,
    authority: Authority,
    policy: NoticePolicy,
    values: dict[str, Any],
) -> Iterator[Draft]:
    """Write and queue the mails that are due, one a unit and one more for what is urgent."""
    at = values["at"]
    daily = f"{at.astimezone(authority.zone):%H:%M}" >= policy.daily_at
    cursor = connection.cursor(row_factory=namedtuple_row)
    waiting: list[Any] = cursor.execute(
        _WAITING.encode(), {**values, "urgent": list(policy.urgent), "daily": daily}
    ).fetchall()
    ids = [row.notice_id for row in waiting]
    findings = _by_notice(connection, _FINDINGS, ids)
    refusals = _by_notice(connection, _REFUSALS, ids)
    templates = _templates(settings.definitions, authority.authority_id)
    for bundles in _batched(_bundles(waiting)):
        batch = []
        for rows in bundles:
            items, attachments = _items(settings, connection, rows, findings, refusals)
            view = {"authority": authority.name, "to": rows[0].to_unit, "sender": policy.sender, "items": items}
            mail = OutgoingMail(
                authority_id=authority.authority_id,
                to_unit_id=rows[0].to_unit_id,
                is_urgent=rows[0].is_urgent,
                planned_at=at,
                planned_on=values["today"],
                sender_name=policy.sender.name,
                sender_address=policy.sender.address,
                subject=" ".join(templates["subject.txt.j2"].render(view).split()),
                body_text=templates["body.txt.j2"].render(view),
                body_html=templates["body.html.j2"].render(view),
                attachments=tuple(attachments),
            )
            batch.append((rows, items, mail))
        numbers = queue_mails(connection, [mail for _, _, mail in batch])
        connection.cursor().executemany(
            "update mail.notices set mail_id = %s where notice_id = any(%s)",
            [(number, [row.notice_id for row in rows]) for number, (rows, _, _) in zip(numbers, batch, strict=True)],
        )
        for number, (rows, items, mail) in zip(numbers, batch, strict=True):
            yield Draft(mail.to_unit_id, rows[0].to_unit, mail.is_urgent, mail.subject, tuple(items), number)


def _items(
    settings: Settings,
    connection: psycopg.Connection,
    rows: Sequence[Any],
    findings: dict[int, list[tuple[str, ...]]],
    refusals: dict[int, list[tuple[str, ...]]],
) -> tuple[list[Item], list[Attachment]]:
    """Return what a mail says of each of its notices, and the workbooks that go with it."""
    items: list[Item] = []
    attachments: dict[str, Attachment] = {}  # by submission: two refusals send its workbook once
    for row in rows:
        workbook = None
        if row.kind in ("returned", "questioned", "refused"):
            if row.submission_id not in attachments:
                made = Attachment(*returned_workbook(settings, connection, row.submission_id))
                attachments[row.submission_id] = _named_apart(made, attachments.values())
            workbook = attachments[row.submission_id]
        found = findings.get(row.notice_id, [])
        items.append(
            Item(
                *(row.kind, row.written_before, row.unit, row.form, row.period, row.due or "", row.days_late),
                *(row.extension, row.received or "", row.never_reported),
                findings=tuple(found[:FINDINGS_SHOWN]),
                more_findings=max(0, len(found) - FINDINGS_SHOWN),
                refusals=tuple(refusals.get(row.notice_id, [])),
                workbook=workbook.file_name if workbook else "",
            )
        )
    return items, list(attachments.values())


def _batched(bundles: Iterable[list[Any]]) -> Iterator[list[list[Any]]]:
    """Yield what goes into the outbox at once."""
    bundles = iter(bundles)
    while batch := list(islice(bundles, _BATCH)):
        yield batch


def _bundles(waiting: Sequence[Any]) -> Iterator[list[Any]]:
    """Yield the notices of each mail: those to one unit, the urgent ones by themselves."""
    bundle: list[Any] = []
    for row in waiting:
        if bundle and (row.to_unit_id, row.is_urgent) != (bundle[0].to_unit_id, bundle[0].is_urgent):
            yield bundle
            bundle = []
        bundle.append(row)
    if bundle:
        yield bundle


def _by_notice(connection: psycopg.Connection, query: str, ids: list[int]) -> dict[int, list[tuple[str, ...]]]:
    """Return the rows of a query by the notice they belong to."""
    found: dict[int, list[tuple[str, ...]]] = {}
    for notice_id, *row in connection.execute(query.encode(), [ids]).fetchall():
        found.setdefault(notice_id, []).append(tuple(text or "" for text in row))
    return found


def _named_apart(workbook: Attachment, others: Iterable[Attachment]) -> Attachment:
    """Return the attachment under a name that none of the others has."""
    names, path = {other.file_name for other in others}, Path(workbook.file_name)
    name, number = workbook.file_name, 1
    while name in names:
        number += 1
        name = f"{path.stem}（{number}）{path.suffix}"
    return Attachment(name, workbook.content)


@lru_cache(maxsize=16)
def _templates(definitions: Path, authority_id: str) -> dict[str, Template]:
    """Return an authority's templates: its own, else those of its definitions, else those of this project.

    What is filled in is text: it is never read as a template, and in HTML it is escaped.
    """
    folders = [definitions / "catalog" / authority_id / MAIL, definitions / "catalog" / MAIL]
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader([*folders, PROJECT_ROOT / "catalog" / MAIL]),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return {name: environment.get_template(name) for name in ("subject.txt.j2", "body.txt.j2", "body.html.j2")}


def _log(look: Look) -> None:
    log.info(
        "%s at %s: %d missing, %d late; %d new notices, %d withdrawn, %d mails%s",
        look.authority_id,
        look.at.isoformat(),
        look.missing,
        look.late,
        look.notices,
        look.withdrawn,
        len(look.drafts),
        f"; nothing goes out: {look.kept_back}" if look.kept_back else "",
    )
    if look.unaddressed:
        log.warning("%s: no contact is known of %s", look.authority_id, ", ".join(look.unaddressed))
