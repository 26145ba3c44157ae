"""What units owe and until when, what they are written about it, and what they explain.

Addresses of people stand in the schema mail only, which nobody may read but the role mailer.
"""

from alembic import op

revision = "0002_3689a46c"
down_revision = "0001_306ad43b"

DDL = """
create schema if not exists deadlines;
create schema if not exists mail;

-- catalog: when what is due ----------------------------------------------------------------------------------------

create table catalog.days (  -- the working days of the Chinese calendar
    day date primary key, is_working boolean not null,
    working_days integer not null  -- how many there were up to this day, itself included
);
create table catalog.deadlines (  -- until when units of a kind owe a form of a period; ahead of any submission
    form_id text not null, period_id text not null, unit_kind text not null, due_at timestamptz not null,
    due_on date not null,  -- the day of due_at where the authority is
    primary key (form_id, period_id, unit_kind)
);
create index deadlines_by_due_at on catalog.deadlines (due_at);
create table catalog.reporting_thresholds (  -- more missing reports than this in a calendar year are too many
    authority_id text primary key, missing_reports_a_year integer not null
);
create table catalog.reporting_scoreboards (  -- by what an authority ranks how its units report, month by month
    authority_id text primary key, scoreboard_name text not null, ties text not null check (ties in ('gap', 'dense'))
);
create table catalog.reporting_items (
    authority_id text not null, item_id text not null, item_name text not null, sort_no integer not null,
    measure text not null,  -- a column of marts.fct_reporting_quality
    better text not null check (better in ('higher', 'lower')), minimum_obligations integer, weight numeric not null,
    points_top numeric not null, points_step numeric not null, points_bottom numeric not null,
    primary key (authority_id, item_id)
);
create table catalog.reporting_ranked_units (authority_id text not null, unit_id text primary key);

-- deadlines: what units owe ----------------------------------------------------------------------------------------

create table deadlines.extensions (  -- append-only: a later one replaces an earlier one
    extension_id bigint generated always as identity primary key,
    form_id text not null, period_id text not null, unit_id text,  -- of one unit, or of all
    until timestamptz not null, reason text not null, granted_by text not null, granted_at timestamptz not null
);
create index extensions_by_period on deadlines.extensions (form_id, period_id);

create table deadlines.chases (  -- when it was looked who owes what, one row an authority each time
    chase_id bigint generated always as identity primary key,
    authority_id text not null, as_at timestamptz not null, missing integer not null, late integer not null,
    notices integer not null, mails integer not null
);
create index chases_by_instant on deadlines.chases (authority_id, as_at);

-- What was owed with a declared deadline from due_from up to due_to, and how it stood at an instant: by what had been
-- received and granted by then, and by the verdicts as they are known now. A report sent in and returned is a report:
-- whether it came in time is one thing, when it was accepted another. A nil report is a report; published material,
-- taken in as it was printed, is not.
-- Each table is named once and grouped by all that is asked for, so that whoever asks for a unit, a form, a period or
-- the deadlines of a month reads no more than that.
create function deadlines.obligations_as_of(
    as_at timestamptz, due_from timestamptz, due_to timestamptz, of_authority text default null
)
returns table (
    authority_id text, unit_id text, form_id text, period_id text,
    due_at timestamptz,           -- with any extension
    due_on date, declared_due_at timestamptz, declared_due_on date,
    is_extended boolean, extension_reason text, granted_by text,
    first_received_at timestamptz, accepted_at timestamptz, submissions integer,
    latest_submission_id text, latest_outcome text,
    status text,                  -- not_due, extended, missing, on_time, late
    working_days_late integer,    -- at least 1 once it is late; of what is missing, up to as_at
    has_ever_reported boolean     -- the unit this form, in whatever period
)
language sql stable parallel safe
as $$
    with received as (
        select
            f.authority_id, a.time_zone, u.unit_id, d.form_id, d.period_id, d.due_at as declared_due_at,
            d.due_on as declared_due_on, min(s.received_at) as first_received_at,
            min(v.accepted_from) filter (
                where v.outcome <> 'returned' and v.accepted_from <= obligations_as_of.as_at
            ) as accepted_at,
            count(s.submission_id)::integer as submissions,
            (array_agg(s.submission_id order by s.received_at desc, s.file_sha256 desc, s.submission_id desc))[1]
                as latest_submission_id,
            (array_agg(v.outcome order by s.received_at desc, s.file_sha256 desc, s.submission_id desc))[1]
                as latest_outcome
        from catalog.deadlines d
        join catalog.forms f on f.form_id = d.form_id
        join catalog.authorities a on a.authority_id = f.authority_id
        join catalog.periods p on p.form_id = d.form_id and p.period_id = d.period_id
        join catalog.form_units o on o.form_id = d.form_id
        join catalog.units u on u.unit_id = o.unit_id and u.unit_kind = d.unit_kind
        left join intake.submissions s
            on s.form_id = d.form_id and s.period_id = d.period_id and s.unit_id = u.unit_id and s.row_role = 'unit'
            and s.policy = 'collect' and s.received_at <= obligations_as_of.as_at
        left join quality.verdicts v on v.unit_id = s.unit_id and v.submission_id = s.submission_id
        where d.due_at >= obligations_as_of.due_from and d.due_at < obligations_as_of.due_to
            and (obligations_as_of.of_authority is null or f.authority_id = obligations_as_of.of_authority)
            and coalesce(u.valid_from <= p.ends_on, true) and coalesce(u.valid_to >= p.starts_on, true)
        group by f.authority_id, a.time_zone, u.unit_id, d.form_id, d.period_id, d.due_at, d.due_on
    ),

    granted as (  -- whatever was granted last counts, be it to one unit or to all
        select distinct on (e.form_id, e.period_id, u.unit_id)
            e.form_id, e.period_id, u.unit_id, e.until, e.reason, e.granted_by
        from deadlines.extensions e
        join catalog.form_units u on u.form_id = e.form_id and u.unit_id = coalesce(e.unit_id, u.unit_id)
        where e.granted_at <= obligations_as_of.as_at
        order by e.form_id, e.period_id, u.unit_id, e.granted_at desc, e.extension_id desc
    ),

    known as (
        select
            r.*, coalesce(g.until, r.declared_due_at) as due_at,
            coalesce((g.until at time zone r.time_zone)::date, r.declared_due_on) as due_on,
            g.until is not null as is_extended, g.reason, g.granted_by,
            (coalesce(r.first_received_at, obligations_as_of.as_at) at time zone r.time_zone)::date as seen_on
        from received r
        left join granted g on g.form_id = r.form_id and g.period_id = r.period_id and g.unit_id = r.unit_id
    ),

    judged as (
        select
            k.*,
            case
                when k.first_received_at <= k.due_at then 'on_time'
                when k.first_received_at > k.due_at then 'late'
                when obligations_as_of.as_at > k.due_at then 'missing'
                when k.is_extended and obligations_as_of.as_at > k.declared_due_at then 'extended'
                else 'not_due'
            end as status
        from known k
    )

    select
        j.authority_id, j.unit_id, j.form_id, j.period_id, j.due_at, j.due_on, j.declared_due_at, j.declared_due_on,
        j.is_extended, j.reason, j.granted_by, j.first_received_at, j.accepted_at, j.submissions,
        j.latest_submission_id, j.latest_outcome, j.status,
        case
            when j.status in ('late', 'missing') then greatest(1, seen.working_days - due.working_days)
            else 0
        end,
        j.submissions > 0 or exists (
            select from intake.submissions s
            where s.unit_id = j.unit_id and s.form_id = j.form_id and s.row_role = 'unit'
                and s.received_at <= obligations_as_of.as_at
        )
    from judged j
    left join catalog.days due on due.day = j.due_on
    left join catalog.days seen on seen.day = j.seen_on
$$;

-- quality: what units say to what is found -------------------------------------------------------------------------

create table quality.looks (  -- up to when it was last looked what is missing and late, and what had come in by then
    authority_id text primary key, as_at timestamptz not null, last_file_id bigint not null
);
create table quality.explanations (  -- append-only; what a unit wrote about a finding, and the cells it wrote it for
    explanation_id bigint generated always as identity primary key,
    unit_id text not null, form_id text not null, period_id text not null, rule_id text not null,
    subject text not null,  -- what tells the findings of a rule on one submission apart; '' where there is only one
    stated text not null, expected text not null,  -- it holds for as long as all of these are the same
    finding_id text not null, file_id bigint not null, given_at timestamptz not null,
    explanation text not null, unique (file_id, finding_id)
);
create index explanations_by_rule on quality.explanations (unit_id, form_id, period_id, rule_id);
create index findings_by_id on quality.findings (finding_id);  -- what comes back is known by its finding
create table quality.decisions (  -- what a reviewer decided on an explanation; one decision, once
    explanation_id bigint primary key references quality.explanations,
    is_accepted boolean not null, reason text not null, decided_by text not null, decided_at timestamptz not null
);
create view quality.findings_of_submissions as  -- what a unit can explain: what is found in its rows or its own sheet
select coalesce(f.unit_id, own_sheet.unit_id) as unit_id,
    coalesce(f.submission_id, own_sheet.submission_id) as submission_id, f.form_id, f.period_id, i.policy,
    f.finding_id, f.severity, f.rule_id, case when f.origin = 'reading' then f.message else '' end as subject,
    f.stated, f.expected, f.message, f.cells
from quality.findings f
join intake.files i on i.file_id = f.file_id
left join lateral (  -- of a sheet of several submissions nobody knows whose it is to explain
    select min(s.unit_id) as unit_id, min(s.submission_id) as submission_id
    from intake.submissions s
    where f.scope = 'sheet' and s.file_id = f.file_id and s.form_id = f.form_id and s.sheet = f.sheet
    having count(*) = 1
) own_sheet on true
where coalesce(f.submission_id, own_sheet.submission_id) is not null;
create view quality.latest_explanations as  -- what was last said to the same finding
select e.*
from quality.explanations e
where not exists (
    select from quality.explanations later
    where later.unit_id = e.unit_id and later.form_id = e.form_id and later.period_id = e.period_id
        and later.rule_id = e.rule_id and later.subject = e.subject and later.stated = e.stated
        and later.expected = e.expected and (later.given_at, later.explanation_id) > (e.given_at, e.explanation_id)
);
create view quality.answers as  -- one row a question: what was last said to it, and what was decided on that
select q.finding_id, q.submission_id, q.unit_id, q.form_id, q.period_id, q.rule_id, q.stated, q.expected, q.message,
    q.cells,
    v.outcome is not null and v.outcome <> 'returned' and not exists (
        select from intake.submissions later
        join quality.verdicts w
            on w.unit_id = later.unit_id and w.submission_id = later.submission_id and w.outcome <> 'returned'
        where later.unit_id = q.unit_id and later.form_id = q.form_id and later.period_id = q.period_id
            and later.row_role = own.row_role
            and (later.received_at, later.file_sha256, later.submission_id)
            > (own.received_at, own.file_sha256, own.submission_id)
    ) as is_standing,
    e.explanation_id, e.explanation, e.given_at, e.file_id as explained_in_file_id,
    case
        when e.explanation_id is null then 'open'
        when d.explanation_id is null then 'explained'
        when d.is_accepted then 'settled'
        else 'refused'
    end as explanation_state,
    d.is_accepted, d.reason as decision_reason, d.decided_by, d.decided_at
from quality.findings_of_submissions q
left join intake.submissions own on own.unit_id = q.unit_id and own.submission_id = q.submission_id
left join quality.verdicts v on v.unit_id = q.unit_id and v.submission_id = q.submission_id
left join quality.latest_explanations e
    on e.unit_id = q.unit_id and e.form_id = q.form_id and e.period_id = q.period_id and e.rule_id = q.rule_id
    and e.subject = q.subject and e.stated = q.stated and e.expected = q.expected
left join quality.decisions d on d.explanation_id = e.explanation_id
where q.severity = 'question' and q.policy = 'collect';

-- mail: whom we write to, what, and what became of it --------------------------------------------------------------

create table mail.contacts (
    unit_id text not null, address text not null, contact_name text not null, primary key (unit_id, address)
);
create table mail.stops (  -- an authority that is here sends nothing
    authority_id text primary key, reason text not null, stopped_by text not null, stopped_at timestamptz not null
);
create table mail.mails (  -- a mail to a unit, as it goes out; to each of its contacts by itself
    mail_id bigint generated always as identity primary key,
    authority_id text not null, to_unit_id text not null, is_urgent boolean not null,
    planned_at timestamptz not null, planned_on date not null,
    message_id text not null unique, sender_name text not null, sender_address text not null,
    subject text not null, body_text text not null, body_html text not null
);
create index mails_by_unit_and_day on mail.mails (to_unit_id, planned_on);
create table mail.attachments (
    mail_id bigint not null references mail.mails, file_name text not null, content bytea not null,
    primary key (mail_id, file_name)
);
create table mail.deliveries (
    mail_id bigint not null references mail.mails, address text not null, contact_name text not null,
    state text not null default 'queued' check (
        state in (
            'queued',       -- to be sent, at next_attempt_at at the earliest
            'sending',      -- a conversation has begun, the server cannot have taken anything yet
            'handing_over', -- the end of the mail is on its way: without an answer nobody knows whether it arrived
            'sent',         -- the server took it
            'refused',      -- the server will not take it; a person has to look at it
            'unknown',      -- the conversation ended between the mail and the answer; not sent again by itself
            'withdrawn'     -- its reason had gone before it went out, or it was written anew
        )
    ),
    attempts integer not null default 0, next_attempt_at timestamptz not null, answer text not null default '',
    changed_at timestamptz not null, primary key (mail_id, address)
);
create index deliveries_open on mail.deliveries (next_attempt_at)
where state in ('queued', 'sending', 'handing_over');
create table mail.notices (  -- why we write: one row a reason and step, whatever is retried, re-run or run twice
    notice_id bigint generated always as identity primary key,
    reason_key text not null unique, kind text not null, step integer not null,
    authority_id text not null, unit_id text not null, to_unit_id text not null, form_id text not null,
    period_id text not null, submission_id text, planned_at timestamptz not null,
    mail_id bigint references mail.mails,  -- null: not written yet, as where nobody is known to write to
    withdrawn_at timestamptz               -- the reason had gone before the mail went out
);
create index notices_by_mail on mail.notices (mail_id);
create table mail.received (  -- mails whose attachments were put into a landing place
    message_id text not null, received_at timestamptz not null, sender text not null, subject text not null,
    attachments integer not null, primary key (message_id, received_at)
);

do $$ begin
    if not exists (select from pg_roles where rolname = 'mailer') then create role mailer nologin; end if;
end $$;
grant usage on schema mail to mailer;
grant select, insert, update, delete on all tables in schema mail to mailer;
"""


def upgrade() -> None:
    """Create everything."""
    op.execute(DDL)
