"""What units owe and until when, what they are written about it, and what they explain.

Addresses of people stand in the schema mail only, which nobody may read but the role mailer.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

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

-- deadlines: what units owe ----------------------------------------------------------------------------------------

create table deadlines.extensions (  -- append-only: a later one replaces an earlier one
    extension_id bigint generated always as identity primary key,
    form_id text not null, period_id text not null, unit_id text,  -- of one unit, or of all
    until timestamptz not null, reason text not null, granted_by text not null, granted_at timestamptz not null
);
create index extensions_by_period on deadlines.extensions (form_id, period_id);

-- quality: what units say to what is found -------------------------------------------------------------------------

create table quality.explanations (  -- append-only; what a unit wrote about a finding, and the cells it wrote it for
    explanation_id bigint generated always as identity primary key,
    unit_id text not null, form_id text not null, period_id text not null, rule_id text not null,
    stated text not null, expected text not null,  -- it holds for as long as these are the same
    finding_id text not null, file_id bigint not null, given_at timestamptz not null,
    explanation text not null, unique (file_id, finding_id)
);
create index explanations_by_rule on quality.explanations (unit_id, form_id, period_id, rule_id);
create table quality.decisions (  -- what a reviewer decided on an explanation; one decision, once
    explanation_id bigint primary key references quality.explanations,
    is_accepted boolean not null, reason text not null, decided_by text not null, decided_at timestamptz not null
);

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
    message_id text not null unique, sender text not null, subject text not null, body_text text not null,
    body_html text not null
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
            'sending',      -- a conversation has begun, the mail itself has not been handed over
            'handing_over', -- the mail is on its way to the server: without its answer nobody knows whether it arrived
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
    message_id text primary key, sender text not null, received_at timestamptz not null, subject text not null,
    attachments integer not null
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
