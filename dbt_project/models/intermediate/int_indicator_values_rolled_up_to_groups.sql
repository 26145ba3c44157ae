with

units_expected as (
    select * from {{ ref('int_units_expected_by_period') }}
),

unit_closure as (
    select * from {{ ref('stg_catalog__unit_closure') }}
),

indicators as (
    select * from {{ ref('stg_catalog__indicators') }}
),

applicability as (
    select * from {{ ref('int_indicators_crossed_with_unit_kinds') }}
),

indicator_values as (
    select * from {{ ref('fct_indicator_values') }}
),

-- Rates, ranks and points do not add up over units.
values_expected as (
    select
        units_expected.form_id,
        units_expected.period_id,
        units_expected.unit_id,
        indicators.indicator_id,
        indicator_values.stated_value,
        coalesce(applicability.is_applicable, true) or indicator_values.stated_value is not null as is_expected
    from units_expected
    inner join indicators
        on
            units_expected.form_id = indicators.form_id
            and indicators.measure_kind in ('flow', 'stock')
    left join applicability
        on
            indicators.indicator_id = applicability.indicator_id
            and units_expected.unit_kind = applicability.unit_kind
    left join indicator_values
        on
            units_expected.form_id = indicator_values.form_id
            and units_expected.period_id = indicator_values.period_id
            and units_expected.unit_id = indicator_values.unit_id
            and indicators.indicator_id = indicator_values.indicator_id
),

final as (
    select
        unit_closure.group_id,
        values_expected.form_id,
        values_expected.period_id,
        values_expected.indicator_id,
        sum(values_expected.stated_value) as summed_value,
        count(values_expected.stated_value) as reported_units,
        count(*) filter (where values_expected.is_expected) as expected_units
    from values_expected
    inner join unit_closure on values_expected.unit_id = unit_closure.unit_id
    where unit_closure.depth > 0
    group by
        unit_closure.group_id, values_expected.form_id, values_expected.period_id, values_expected.indicator_id
)

select * from final
