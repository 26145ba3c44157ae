with

indicator_values as (
    select * from {{ ref('fct_indicator_values') }}
),

units as (
    select * from {{ ref('dim_unit') }}
),

forms as (
    select * from {{ ref('dim_form') }}
),

indicators as (
    select * from {{ ref('dim_indicator') }}
),

periods as (
    select * from {{ ref('stg_catalog__periods') }}
),

final as (
    select
        forms.authority_id,
        indicator_values.unit_id,
        coalesce(units.unit_name, indicator_values.unit_id) as unit_name,
        indicator_values.form_id,
        forms.form_title,
        indicator_values.period_id,
        periods.period_name,
        indicator_values.indicator_id,
        coalesce(indicators.indicator_name, indicator_values.indicator_id) as indicator_name,
        indicators.unit_of_measure,
        indicators.measure_kind,
        indicator_values.cell_state,
        indicator_values.stated_value,
        indicator_values.cumulative_value,
        indicator_values.cumulative_reason,
        indicator_values.single_value,
        indicator_values.single_reason,
        indicator_values.sheet,
        indicator_values.cell,
        indicator_values.submission_id,
        indicator_values.known_from
    from indicator_values
    left join units on indicator_values.unit_id = units.unit_id
    left join forms on indicator_values.form_id = forms.form_id
    left join indicators on indicator_values.indicator_id = indicators.indicator_id
    left join periods
        on
            indicator_values.form_id = periods.form_id
            and indicator_values.period_id = periods.period_id
)

select * from final
