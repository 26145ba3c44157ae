{#  Follows from the catalog alone: computed when the catalog changes. #}
{{ config(
    materialized = 'table',
    indexes = [{'columns': ['form_id', 'period_id']}, {'columns': ['term_form_id', 'term_period_id']}]
) }}

-- For each period of a form, the period of another form that a metric takes its terms from: the one that ends the same
-- day, or else the shortest that holds that day, such as the year of a plan.
with

periods as (
    select * from {{ ref('stg_catalog__periods') }}
),

metrics as (
    select * from {{ ref('stg_catalog__metrics') }}
),

metric_terms as (
    select * from {{ ref('stg_catalog__metric_terms') }}
),

forms_paired as (
    select
        metrics.form_id,
        metric_terms.form_id as term_form_id
    from metrics
    inner join metric_terms on metrics.metric_id = metric_terms.metric_id
    where metrics.form_id != metric_terms.form_id
    group by metrics.form_id, metric_terms.form_id
),

candidates as (
    select
        forms_paired.form_id,
        periods.period_id,
        forms_paired.term_form_id,
        term_periods.period_id as term_period_id,
        periods.ends_on = term_periods.ends_on
        and periods.accumulates_from = term_periods.accumulates_from as is_same_window,
        -- A year-to-date period's own figure is its last month's.
        periods.ends_on = term_periods.ends_on
        and (
            periods.starts_on = term_periods.starts_on
            or (
                periods.period_kind in ('month', 'year_to_date')
                and term_periods.period_kind in ('month', 'year_to_date')
            )
        ) as is_same_span,
        term_periods.starts_on <= periods.starts_on as holds_it,
        term_periods.opens_window as term_opens_window,
        term_periods.ends_on as term_ends_on,
        row_number() over (
            partition by forms_paired.form_id, periods.period_id, forms_paired.term_form_id
            order by
                term_periods.period_id = periods.period_id desc,
                term_periods.ends_on = periods.ends_on and term_periods.starts_on = periods.starts_on desc,
                term_periods.ends_on - term_periods.starts_on,
                term_periods.period_id
        ) as choice
    from forms_paired
    inner join periods on forms_paired.form_id = periods.form_id
    inner join periods as term_periods
        on
            forms_paired.term_form_id = term_periods.form_id
            and periods.ends_on >= term_periods.starts_on
            and periods.ends_on <= term_periods.ends_on
),

final as (
    select
        form_id,
        period_id,
        form_id as term_form_id,
        period_id as term_period_id,
        true as is_same_window,
        true as is_same_span,
        true as holds_it,
        opens_window as term_opens_window,
        ends_on as term_ends_on
    from periods

    union all

    select
        form_id,
        period_id,
        term_form_id,
        term_period_id,
        is_same_window,
        is_same_span,
        holds_it,
        term_opens_window,
        term_ends_on
    from candidates
    where choice = 1
)

select * from final
