-- 12月累计 equals the twelve single figures, wherever all of them are known; so does every other end of a window.
with

touched as (
    select
        touched.form_id,
        touched.period_id
    from {{ ref('int_periods_touched') }} as touched
),

periods as (
    select * from {{ ref('stg_catalog__periods') }}
),

figures as (
    select * from {{ ref('fct_indicator_values') }}
),

added as (
    select
        closing.unit_id,
        closing.form_id,
        closing.period_id,
        closing.indicator_id,
        closing.cumulative_value,
        sum(members.single_value) as sum_of_singles,
        count(members.single_value) as singles,
        max(closing_periods.sequence) as expected_singles
    from figures as closing
    inner join touched
        on
            closing.form_id = touched.form_id
            and closing.period_id = touched.period_id
    inner join periods as closing_periods
        on
            closing.form_id = closing_periods.form_id
            and closing.period_id = closing_periods.period_id
    inner join periods as member_periods
        on
            closing_periods.form_id = member_periods.form_id
            and closing_periods.accumulates_from = member_periods.accumulates_from
            and closing_periods.period_kind = member_periods.period_kind
            and closing_periods.ends_on >= member_periods.ends_on
    inner join figures as members
        on
            member_periods.form_id = members.form_id
            and member_periods.period_id = members.period_id
            and closing.unit_id = members.unit_id
            and closing.indicator_id = members.indicator_id
    group by closing.unit_id, closing.form_id, closing.period_id, closing.indicator_id, closing.cumulative_value
)

select * from added
where
    singles = expected_singles
    and cumulative_value != sum_of_singles
