{#  Follows from the catalog alone: computed when the catalog changes. #}
{{ config(
    materialized = 'table',
    indexes = [{'columns': ['metric_id', 'period_id'], 'unique': true}]
) }}

with

metrics as (
    select * from {{ ref('stg_catalog__metrics') }}
),

metric_terms as (
    select * from {{ ref('stg_catalog__metric_terms') }}
),

indicators as (
    select * from {{ ref('stg_catalog__indicators') }}
),

periods_matched as (
    select * from {{ ref('int_periods_matched_across_forms') }}
),

periods as (
    select * from {{ ref('stg_catalog__periods') }}
),

final as (
    select distinct
        metrics.metric_id,
        metrics.form_id,
        periods_matched.period_id
    from metrics
    inner join metric_terms on metrics.metric_id = metric_terms.metric_id
    inner join indicators on metric_terms.indicator_id = indicators.indicator_id
    inner join periods_matched
        on
            metrics.form_id = periods_matched.form_id
            and indicators.form_id = periods_matched.term_form_id
    inner join periods
        on
            periods_matched.term_form_id = periods.form_id
            and periods_matched.term_period_id = periods.period_id
    where periods.form_as_of < indicators.comparable_from or periods.form_as_of > indicators.effective_to
)

select * from final
