-- 12月累计 equals the twelve single figures, wherever all of them are known; so does every other end of a window. Where
-- the first months of a window are not touched, what follows is added to what they come to. What a form states both
-- ways may contradict itself: that is for its rules to find.
with

periods as not materialized (
    select * from {{ ref('stg_catalog__periods') }}
),

windows as (
    select
        periods.form_id,
        periods.accumulates_from,
        periods.period_kind,
        min(periods.sequence) as first_sequence,
        max(periods.sequence) as last_sequence
    from {{ ref('int_periods_touched') }} as touched
    inner join periods
        on
            touched.form_id = periods.form_id
            and touched.period_id = periods.period_id
    group by periods.form_id, periods.accumulates_from, periods.period_kind
),

-- All that are touched, and the one before them.
members as (
    select
        periods.form_id,
        periods.period_id,
        periods.accumulates_from,
        periods.period_kind,
        windows.first_sequence > periods.sequence as is_before,
        windows.last_sequence = periods.sequence as is_last,
        windows.last_sequence - greatest(windows.first_sequence - 1, 1) + 1 as periods
    from windows
    inner join periods
        on
            windows.form_id = periods.form_id
            and windows.accumulates_from = periods.accumulates_from
            and windows.period_kind = periods.period_kind
            and windows.first_sequence - 1 <= periods.sequence
            and windows.last_sequence >= periods.sequence
),

added as (
    select
        figures.unit_id,
        figures.form_id,
        figures.indicator_id,
        members.accumulates_from,
        members.period_kind,
        max(figures.cumulative_value) filter (where members.is_last) as cumulative_value,
        sum(case when members.is_before then figures.cumulative_value else figures.single_value end) as sum_of_singles,
        count(case when members.is_before then figures.cumulative_value else figures.single_value end) as figures_known,
        max(members.periods) as figures_expected
    from members
    inner join {{ ref('fct_indicator_values') }} as figures
        on
            members.form_id = figures.form_id
            and members.period_id = figures.period_id
    where
        figures.indicator_id not in (
            select indicators.indicator_id
            from {{ ref('stg_catalog__indicators') }} as indicators
            where indicators.counterpart_id is not null
        )
    group by
        figures.unit_id, figures.form_id, figures.indicator_id, members.accumulates_from, members.period_kind
)

select * from added
where
    figures_known = figures_expected
    and cumulative_value != sum_of_singles
