{{ config(
    materialized = 'incremental',
    incremental_strategy = 'replace_all',
    indexes = [{'columns': ['unit_id', 'period_id', 'form_id'], 'unique': true}]
) }}

-- depends_on: {{ ref('stg_intake__touched') }}
with

submissions as (
    select * from {{ ref('stg_intake__submissions') }}
),

periods as (
    select * from {{ ref('stg_catalog__periods') }}
),

reported as (
    {%- if is_incremental() %}
    select distinct
        form_id,
        period_id,
        unit_id
    from {{ ref('stg_intake__touched') }}
    where is_claimed and unit_id is not null
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
reported_or_later as (
    select * from reported
    {% if is_incremental() %}
    union

    select
        later.form_id,
        later.period_id,
        reported.unit_id
    from reported
    inner join periods
        on
            reported.form_id = periods.form_id
            and reported.period_id = periods.period_id
    inner join periods as later
        on
            periods.form_id = later.form_id
            and periods.accumulates_from = later.accumulates_from
            and periods.ends_on <= later.ends_on
            and later.reported_as = later.period_id
    inner join submissions
        on
            later.form_id = submissions.form_id
            and later.period_id = submissions.period_id
            and reported.unit_id = submissions.unit_id
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
