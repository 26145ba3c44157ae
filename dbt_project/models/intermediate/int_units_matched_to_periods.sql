with

periods_reported as (
    select * from {{ ref('int_periods_reported') }}
),

forms as (
    select * from {{ ref('stg_catalog__forms') }}
),

units as (
    select * from {{ ref('stg_catalog__units') }}
),

periods as (
    select * from {{ ref('stg_catalog__periods') }}
),

-- A unit that was founded later or closed before has nothing to do with a period.
final as (
    select
        periods_reported.form_id,
        periods_reported.period_id,
        units.unit_id,
        units.unit_kind
    from periods_reported
    inner join forms on periods_reported.form_id = forms.form_id
    inner join units on forms.authority_id = units.authority_id
    left join periods
        on
            periods_reported.form_id = periods.form_id
            and periods_reported.period_id = periods.period_id
    where
        coalesce(units.valid_from <= periods.ends_on, true)
        and coalesce(units.valid_to >= periods.starts_on, true)
)

select * from final
