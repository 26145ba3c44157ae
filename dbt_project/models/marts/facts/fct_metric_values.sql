-- depends_on: {{ ref('int_periods_touched') }}
{{ config(
    indexes = [{'columns': ['form_id', 'period_id', 'unit_id', 'metric_id', 'year'], 'unique': true}],
    meta = {'partition_by_year': true}
) }}

with

metric_values as (
    {{ metric_values(
        unit_values=ref('fct_indicator_values'),
        periods=ref('int_periods_touched'),
        world=now()
    ) | indent(4) }}
),

units as (
    select * from {{ ref('stg_catalog__units') }}
),

final as (
    select
        metric_values.unit_id,
        coalesce(units.unit_name, metric_values.unit_id) as unit_name,
        coalesce(units.is_group, false) as is_group,
        metric_values.form_id,
        metric_values.form_title,
        metric_values.period_id,
        metric_values.period_name,
        metric_values.year,
        metric_values.metric_id,
        metric_values.metric_name,
        metric_values.unit_of_measure,
        metric_values.numerator,
        metric_values.denominator,
        metric_values.value,
        metric_values.decimals,
        metric_values.value_text,
        metric_values.cumulative_denominator,
        metric_values.cumulative_value,
        metric_values.single_numerator,
        metric_values.single_denominator,
        metric_values.single_value,
        metric_values.first_value,
        metric_values.schedule_value,
        metric_values.schedule_gap,
        metric_values.reported_units,
        metric_values.cumulative_units,
        metric_values.single_units,
        metric_values.expected_units,
        metric_values.is_complete,
        metric_values.single_is_complete
    from metric_values
    left join units on metric_values.unit_id = units.unit_id
)

select * from final
