with

periods_with_figures as (
    select * from {{ ref('int_periods_with_figures') }}
),

periods as (
    select * from {{ ref('stg_catalog__periods') }}
),

form_units as (
    select * from {{ ref('stg_catalog__form_units') }}
),

units as (
    select * from {{ ref('stg_catalog__units') }}
),

-- A unit owes the periods that overlap its own life.
final as (
    select
        periods_with_figures.form_id,
        periods_with_figures.period_id,
        form_units.unit_id,
        units.unit_kind
    from periods_with_figures
    inner join form_units on periods_with_figures.form_id = form_units.form_id
    left join units on form_units.unit_id = units.unit_id
    left join periods
        on
            periods_with_figures.form_id = periods.form_id
            and periods_with_figures.period_id = periods.period_id
    where
        coalesce(units.valid_from <= periods.ends_on, true)
        and coalesce(units.valid_to >= periods.starts_on, true)
)

select * from final
