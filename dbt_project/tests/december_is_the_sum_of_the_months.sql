-- 12月累计 equals the twelve single figures, wherever all of them are known; so does every other end of a window.
with

periods as not materialized (
    select * from {{ ref('stg_catalog__periods') }}
),

-- The last touched of each window: the sums of those before it are parts of its own.
closing_periods as (
    select distinct on (periods.form_id, periods.accumulates_from, periods.period_kind) periods.*
    from {{ ref('int_periods_touched') }} as touched
    inner join periods
        on
            touched.form_id = periods.form_id
            and touched.period_id = periods.period_id
    order by periods.form_id asc, periods.accumulates_from asc, periods.period_kind asc, periods.ends_on desc
),

members as (
    select
        closing_periods.period_id as closing_period_id,
        closing_periods.sequence as expected_singles,
        periods.form_id,
        periods.period_id,
        periods.period_id = closing_periods.period_id as is_closing
    from closing_periods
    inner join periods
        on
            closing_periods.form_id = periods.form_id
            and closing_periods.accumulates_from = periods.accumulates_from
            and closing_periods.period_kind = periods.period_kind
            and closing_periods.ends_on >= periods.ends_on
),

added as (
    select
        figures.unit_id,
        figures.form_id,
        members.closing_period_id,
        figures.indicator_id,
        max(figures.cumulative_value) filter (where members.is_closing) as cumulative_value,
        sum(figures.single_value) as sum_of_singles,
        count(figures.single_value) as singles,
        max(members.expected_singles) as expected_singles
    from members
    inner join {{ ref('fct_indicator_values') }} as figures
        on
            members.form_id = figures.form_id
            and members.period_id = figures.period_id
    group by figures.unit_id, figures.form_id, members.closing_period_id, figures.indicator_id
)

select * from added
where
    singles = expected_singles
    and cumulative_value != sum_of_singles
