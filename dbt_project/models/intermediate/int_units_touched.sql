{{ config(
    materialized = 'incremental',
    incremental_strategy = 'replace_all',
    indexes = [{'columns': ['unit_id', 'period_id', 'form_id'], 'unique': true}]
) }}

-- depends_on: {{ ref('stg_intake__touched') }}, {{ ref('stg_intake__unchecked') }}
with

submissions as (
    select * from {{ ref('stg_intake__submissions') }}
),

periods as (
    select * from {{ ref('stg_catalog__periods') }}
),

reported as (
    {%- if is_incremental() %}
    select
        form_id,
        period_id,
        unit_id
    from {{ ref('stg_intake__touched') }}
    where is_claimed and unit_id is not null

    union

    select
        form_id,
        period_id,
        unit_id
    from {{ ref('stg_intake__unchecked') }}
    {%- else %}
    select distinct
        form_id,
        period_id,
        unit_id
    from submissions
    {%- endif %}
),

-- What is sent for one period moves the later ones of its accumulation window, and the coarser periods that take their
-- figures from any of these. A full refresh has all of them anyway.
{%- if is_incremental() %}
later_periods as materialized (
    select
        sent.form_id,
        sent.period_id,
        later.period_id as later_period_id
    from (
        select distinct
            form_id,
            period_id
        from reported
    ) as sent
    inner join periods
        on
            sent.form_id = periods.form_id
            and sent.period_id = periods.period_id
    inner join periods as later
        on
            periods.form_id = later.form_id
            and periods.accumulates_from = later.accumulates_from
            and periods.ends_on <= later.ends_on
            and later.reported_as = later.period_id
),

-- Found by form and period: put down before it is joined to more, whatever a planner expects.
submissions_later as materialized (
    select
        later_periods.*,
        submissions.unit_id
    from later_periods
    inner join submissions
        on
            later_periods.form_id = submissions.form_id
            and later_periods.later_period_id = submissions.period_id
),
{%- endif %}

reported_or_later as (
    select * from reported
    {% if is_incremental() %}
    union

    select
        submissions_later.form_id,
        submissions_later.later_period_id as period_id,
        submissions_later.unit_id
    from submissions_later
    inner join reported
        on
            submissions_later.form_id = reported.form_id
            and submissions_later.period_id = reported.period_id
            and submissions_later.unit_id = reported.unit_id
    {% endif %}
),

-- A submission for a period that the calendar has no longer keeps its row among the submissions.
final as (
    select
        reported_or_later.form_id,
        coalesce(periods.period_id, reported_or_later.period_id) as period_id,
        reported_or_later.unit_id
    from reported_or_later
    left join periods
        on
            reported_or_later.form_id = periods.form_id
            and reported_or_later.period_id = periods.reported_as
)

select * from final
