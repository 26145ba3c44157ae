{# Grows with what is submitted, while the other dimensions change only with the catalog. #}
{{ config(
    materialized = 'incremental',
    incremental_strategy = 'replace_all',
    on_schema_change = 'fail',
    indexes = [{'columns': ['form_id', 'period_id'], 'unique': true}]
) }}

with

periods as (
    select * from {{ ref('stg_catalog__periods') }}
),

submissions as (
    select * from {{ ref('stg_intake__submissions') }}
),

forms as (
    select * from {{ ref('stg_catalog__forms') }}
),

-- The calendar runs over decades; people choose from what there are figures for.
spans_reported as (
    select
        periods.form_id,
        min(periods.ends_on) as first_cut_off,
        max(periods.ends_on) as last_cut_off
    from periods
    where
        exists (
            select 1 from submissions
            where submissions.form_id = periods.form_id and submissions.period_id = periods.period_id
        )
    group by periods.form_id
),

-- A summary goes by the period whose figures it has: the third quarter is there once September is.
periods_reported_by_then as (
    select
        periods.*,
        sources.ends_on as reported_cut_off
    from periods
    inner join periods as sources on periods.form_id = sources.form_id and periods.reported_as = sources.period_id
),

final as (
    select
        periods_reported_by_then.period_id,
        periods_reported_by_then.form_id,
        forms.form_title,
        periods_reported_by_then.period_name,
        periods_reported_by_then.period_kind,
        periods_reported_by_then.starts_on,
        periods_reported_by_then.ends_on,
        periods_reported_by_then.accumulates_from,
        periods_reported_by_then.sequence,
        periods_reported_by_then.reported_as,
        periods_reported_by_then.previous_period_id,
        periods_reported_by_then.year_ago_period_id,
        periods_reported_by_then.opens_window
    from periods_reported_by_then
    inner join spans_reported on periods_reported_by_then.form_id = spans_reported.form_id
    left join forms on periods_reported_by_then.form_id = forms.form_id
    where
        periods_reported_by_then.reported_cut_off between spans_reported.first_cut_off and spans_reported.last_cut_off
)

select * from final
