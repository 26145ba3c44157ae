with

units_of_periods as (
    select * from {{ ref('int_units_matched_to_periods') }}
),

form_units as (
    select * from {{ ref('stg_catalog__form_units') }}
),

final as (
    select
        units_of_periods.form_id,
        units_of_periods.period_id,
        units_of_periods.unit_id,
        units_of_periods.unit_kind
    from units_of_periods
    inner join form_units
        on
            units_of_periods.form_id = form_units.form_id
            and units_of_periods.unit_id = form_units.unit_id
)

select * from final
