-- depends_on: {{ ref('int_periods_touched') }}
{{ config(
    indexes = [
        {'columns': ['form_id', 'period_id', 'unit_id', 'metric_id'], 'unique': true},
        {'columns': ['unit_id', 'period_id']}
    ]
) }}

with

rolled_up as (
    select * from {{ ref('int_metric_terms_rolled_up_to_groups') }}
),

metrics as (
    select * from {{ ref('stg_catalog__metrics') }}
),

units as (
    select * from {{ ref('stg_catalog__units') }}
),

forms as (
    select * from {{ ref('stg_catalog__forms') }}
),

periods as (
    select * from {{ ref('stg_catalog__periods') }}
),

valued as (
    select
        rolled_up.unit_id,
        coalesce(units.unit_name, rolled_up.unit_id) as unit_name,
        coalesce(units.is_group, false) as is_group,
        rolled_up.form_id,
        coalesce(forms.form_title, rolled_up.form_id) as form_title,
        rolled_up.period_id,
        coalesce(periods.period_name, rolled_up.period_id) as period_name,
        rolled_up.metric_id,
        metrics.metric_name,
        metrics.unit_of_measure,
        metrics.decimals,
        rolled_up.numerator,
        rolled_up.denominator,
        case
            when metrics.has_denominator
                then {{ exact_ratio('metrics.scale * rolled_up.numerator', 'rolled_up.denominator') }}
            else trim_scale(metrics.scale * rolled_up.numerator)
        end as value,
        rolled_up.reported_units,
        rolled_up.expected_units
    from rolled_up
    inner join metrics on rolled_up.metric_id = metrics.metric_id
    left join units on rolled_up.unit_id = units.unit_id
    left join forms on rolled_up.form_id = forms.form_id
    left join periods
        on
            rolled_up.form_id = periods.form_id
            and rolled_up.period_id = periods.period_id
),

final as (
    select
        unit_id,
        unit_name,
        is_group,
        form_id,
        form_title,
        period_id,
        period_name,
        metric_id,
        metric_name,
        unit_of_measure,
        numerator,
        denominator,
        value,
        decimals,
        case
            when value is not null
                then round(value, decimals) || case when unit_of_measure = '%' then '%' else '' end
            when denominator = 0 then '—'
            when expected_units = 0 then '不适用'
        end as value_text,
        reported_units,
        expected_units,
        reported_units = expected_units as is_complete
    from valued
)

select * from final
