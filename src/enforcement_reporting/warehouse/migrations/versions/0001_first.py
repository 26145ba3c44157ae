"""Schemas catalog, intake and quality, and the reader of the marts.

Keys of what grows carry ``unit_id``, so that the tables can be distributed by it.
"""

from alembic import op

revision = "0001_306ad43b"
down_revision = None

DDL = """
create schema if not exists catalog;
create schema if not exists intake;
create schema if not exists quality;
create schema if not exists marts;

-- catalog: what the YAML declares; replaced as a whole when the YAML changes --------------------------------------

create table catalog.authorities (
    authority_id text primary key, authority_name text not null, time_zone text not null
);
create table catalog.units (
    unit_id text primary key, authority_id text not null, unit_name text not null, unit_kind text not null,
    parent_unit_id text, is_group boolean not null, sort_no integer not null, valid_from date, valid_to date
);
create table catalog.unit_closure (  -- every unit with itself and with every group it belongs to
    unit_id text not null, group_id text not null, depth integer not null,
    is_counted boolean not null,  -- false where the group holds the unit's figures already, in another unit's
    primary key (unit_id, group_id)
);
create table catalog.forms (
    form_id text primary key, authority_id text not null, form_title text not null, figures text not null,
    calendar_kind text not null, source text, sort_no integer not null
);
create table catalog.form_units (  -- who owes which form
    form_id text not null, unit_id text not null, primary key (form_id, unit_id)
);
create table catalog.indicators (
    indicator_id text primary key, form_id text not null, indicator_name text not null, label_path text not null,
    unit_of_measure text not null, measure_kind text not null,
    figures text not null check (figures in ('cumulative', 'single')), counterpart_id text,
    counting_rule text, counting_rule_source text, sort_no integer not null,
    effective_from date, effective_to date,  -- as long as the form has it; null: ever since, and without end
    comparable_from date  -- since when it has figures, its own or those of what it replaced
);
create table catalog.indicator_predecessors (  -- what an indicator is the sum of in periods before its own
    indicator_id text not null, predecessor_id text not null, effective_from date, effective_to date not null,
    predecessors integer not null,  -- how many there are in these periods
    primary key (indicator_id, effective_to, predecessor_id)
);
create table catalog.indicator_unit_kinds (  -- only for indicators that do not apply to every kind of unit
    indicator_id text not null, unit_kind text not null, primary key (indicator_id, unit_kind)
);
create table catalog.metrics (
    metric_id text primary key, form_id text not null, metric_name text not null, unit_of_measure text not null,
    scale numeric not null, decimals integer not null, has_denominator boolean not null,
    against_schedule boolean not null, sort_no integer not null
);
create table catalog.metric_terms (
    metric_id text not null, role text not null check (role in ('numerator', 'denominator')),
    form_id text not null, indicator_id text not null, primary key (metric_id, role, indicator_id)
);
create table catalog.scoreboards (
    scoreboard_id text primary key, form_id text not null, scoreboard_name text not null,
    ties text not null check (ties in ('gap', 'dense'))
);
create table catalog.scoreboard_items (
    scoreboard_id text not null, item_id text not null, item_name text not null, sort_no integer not null,
    indicator_id text, metric_id text, basis text not null check (basis in ('stated', 'cumulative', 'single')),
    better text not null check (better in ('higher', 'lower')), minimum_denominator numeric, weight numeric not null,
    points_top numeric not null, points_step numeric not null, points_bottom numeric not null,
    primary key (scoreboard_id, item_id)
);
create table catalog.scoreboard_units (  -- who is ranked
    scoreboard_id text not null, unit_id text not null, primary key (scoreboard_id, unit_id)
);
create table catalog.periods (  -- all periods of every form's calendar, ahead of any submission
    form_id text not null, period_id text not null, period_name text not null, period_kind text not null,
    starts_on date not null, ends_on date not null, accumulates_from date not null, sequence integer not null,
    reported_as text not null, previous_period_id text, year_ago_period_id text, opens_window boolean not null,
    form_as_of date,  -- the day whose version of the form it is reported by
    primary key (form_id, period_id)
);
create index periods_by_window on catalog.periods (form_id, accumulates_from, period_kind, sequence);
create table catalog.state (  -- which definitions are loaded, and with which the marts were built
    only_row boolean primary key default true check (only_row), catalog_sha256 text, built_with_sha256 text
);
insert into catalog.state default values;

-- intake: what was received; append-only ---------------------------------------------------------------------------

create table intake.files (  -- one row for each file received, with how it ended
    file_id bigint generated always as identity primary key,
    file_sha256 text not null, file_name text not null, landing_key text, size_bytes bigint not null,
    policy text not null check (policy in ('collect', 'archive')), received_at timestamptz not null,
    outcome text not null check (outcome in ('taken_in', 'duplicate', 'unreadable')), reason text,
    recorded_at timestamptz not null default now()  -- for people at the terminal; no number depends on it
);
create index files_by_sha256 on intake.files (file_sha256);

create table intake.submissions (  -- one unit (or one printed total row), one form, one period, from one file
    submission_id text not null, unit_id text not null, form_id text not null, period_id text not null,
    row_role text not null check (row_role in ('unit', 'total')), file_id bigint not null, file_sha256 text not null,
    policy text not null, received_at timestamptz not null, sheet text not null, primary key (unit_id, submission_id)
);
create index submissions_by_key on intake.submissions (form_id, period_id, unit_id);
create index submissions_by_file on intake.submissions (file_id);

create function intake.ascends(ids text[]) returns boolean language sql immutable return (
    select coalesce(bool_and(earlier collate "C" < later collate "C"), true)
    from unnest(ids[1 : cardinality(ids) - 1], ids[2 : cardinality(ids)]) as pairs (earlier, later)
);
create table intake.layouts (  -- which indicators a submission has, each once, in the order of its figures
    layout_id text primary key, indicator_ids text[] not null check (intake.ascends(indicator_ids))
);

create table intake.figures (  -- what a submission states: cell by cell, in arrays in the order of its layout
    submission_id text primary key, unit_id text not null, layout_id text not null, sheet text not null,
    cell_states text[] not null,  -- where the number does not say it: not_applicable, unreadable; or empty
    stated_values numeric[] not null,
    stated_texts text[] not null,  -- what was typed, where it is not the value as it is printed here; or empty
    decimals integer[] not null, cells text[] not null,
    check (
        cardinality(cell_states) in (0, cardinality(cells)) and cardinality(stated_texts) in (0, cardinality(cells))
        and cardinality(stated_values) = cardinality(cells) and cardinality(decimals) = cardinality(cells)
    ),
    check (  -- where a state is stored there is no number; as a rule none is stored, and to see that is fast
        cardinality(cell_states) = 0 or (
            array_remove(cell_states, null) <@ array['not_applicable', 'unreadable']
            and array_positions(cell_states, 'not_applicable') <@ array_positions(stated_values, null)
            and array_positions(cell_states, 'unreadable') <@ array_positions(stated_values, null)
        )
    )
) with (toast_tuple_target = 8160);  -- what is read with every row is not worth packing
-- Nothing is planned on what is in the arrays, and looking into them takes longer than loading them.
alter table intake.figures
    alter column cell_states set statistics 0, alter column stated_values set statistics 0,
    alter column stated_texts set statistics 0, alter column decimals set statistics 0,
    alter column cells set statistics 0;

create view intake.observations as  -- the same, a row a cell
select f.unit_id, f.submission_id, c.indicator_id,
    coalesce(
        c.cell_state,
        case when c.stated_value is null then 'blank' when c.stated_value = 0 then 'zero' else 'value' end
    ) as cell_state,
    c.stated_value, coalesce(c.stated_text, c.stated_value::text) as stated_text, c.decimals, f.sheet, c.cell
from intake.figures f
join intake.layouts l on l.layout_id = f.layout_id
cross join lateral unnest(l.indicator_ids, f.cell_states, f.stated_values, f.stated_texts, f.decimals, f.cells)
    as c (indicator_id, cell_state, stated_value, stated_text, decimals, cell);

-- What the marts have to be built again for, a submission's key or a new file; emptied by the build that did it. What
-- waits for a check is built again as well, until that has judged it and says so here.
create table intake.touched (
    touch_id bigint generated always as identity primary key,
    form_id text, period_id text, unit_id text, file_id bigint, build_id text
) with (fillfactor = 45);  -- a build writes its id to every row: there is room for that beside it

create table intake.unchecked (  -- the submissions that wait for a check; emptied by the check that judged them
    submission_id text not null, unit_id text not null, form_id text not null, period_id text not null
);

-- quality: what is wrong ------------------------------------------------------------------------------------------

create table quality.findings (
    finding_id text not null, origin text not null,
    check (origin in ('reading', 'form', 'across_forms', 'across_periods', 'timeliness')),
    scope text not null check (scope in ('file', 'sheet', 'submission', 'obligation')),
    file_id bigint check (file_id is not null or scope = 'obligation'),  -- a report that never came is in no file
    submission_id text, authority_id text, form_id text, unit_id text, period_id text,
    rule_id text not null, rule_kind text not null,
    severity text not null check (severity in ('error', 'question', 'notice')),
    cells text not null, sheet text not null, stated text not null, expected text not null, message text not null,
    proposals jsonb not null default '[]'  -- what would mend it, the best first: kind, changes, is_choice, text
);
create index findings_by_submission on quality.findings (submission_id);
create index findings_by_file on quality.findings (file_id);
create index findings_of_sheets on quality.findings (file_id, form_id, sheet) where scope = 'sheet';
create index findings_by_period on quality.findings (form_id, period_id);
create table quality.verdicts (  -- a submission without a row here has not been checked yet
    unit_id text not null, submission_id text not null,
    outcome text not null check (outcome in ('accepted', 'questioned', 'returned')),
    accepted_from timestamptz,  -- its receipt, or that of what cured what it was returned for; null where returned
    primary key (unit_id, submission_id)
);

create table quality.suites (  -- the rules each form was last checked with
    form_id text not null, reach text not null, sha256 text not null, primary key (form_id, reach)
);

do $$ begin
    if not exists (select from pg_roles where rolname = 'bi_reader') then create role bi_reader nologin; end if;
end $$;
grant usage on schema marts to bi_reader;
do $$ begin
    execute format('revoke connect, temporary on database %I from public', current_database());
    execute format('grant connect on database %I to bi_reader', current_database());
end $$;
"""


def upgrade() -> None:
    """Create everything."""
    op.execute(DDL)
