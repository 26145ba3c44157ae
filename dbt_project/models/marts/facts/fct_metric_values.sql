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

final as (
    select
        metric_values.unit_id,
        coalesce(units.unit_name, metric_values.unit_id) as unit_name,
        coalesce(units.is_group, false) as is_group,
        metric_values.form_id,
        coalesce(forms.form_title, metric_values.form_id) as form_title,
        metric_values.period_id,
        coalesce(periods.period_name, metric_values.period_id) as period_name,
        metric_values.year,
        metric_values.metric_id,
        metrics.metric_name,
        metrics.unit_of_measure,
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
    inner join metrics on metric_values.metric_id = metrics.metric_id
    left join units on metric_values.unit_id = units.unit_id
    left join forms on metric_values.form_id = forms.form_id
    left join periods
        on
            metric_values.form_id = periods.form_id
            and metric_values.period_id = periods.period_id
)

select * from final
