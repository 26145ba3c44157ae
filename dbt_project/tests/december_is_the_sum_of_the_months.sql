-- 12月累计 equals the twelve single figures, wherever all of them are known; so does every other end of a window. Where
-- the first months of a window are not touched, what follows is added to what they come to. What a form states both
-- ways may contradict itself: that is for its rules to find. When a window ends every figure is looked at; while it is
-- open a fourth of each report, other figures for each unit.
with

windows as (
    select
        periods.form_id,
        periods.accumulates_from,
        periods.period_kind,
        min(periods.sequence) as first_sequence,
        max(periods.sequence) as last_sequence
    from {{ ref('int_periods_touched') }} as touched
    inner join {{ ref('stg_catalog__periods') }} as periods
        on
            touched.form_id = periods.form_id
            and touched.period_id = periods.period_id
    group by periods.form_id, periods.accumulates_from, periods.period_kind
),

-- All periods that are touched, and the one before them.
spans as (
    select
        windows.form_id,
        max(periods.period_id) filter (where windows.first_sequence > periods.sequence) as before_id,
        max(periods.period_id) filter (where windows.last_sequence = periods.sequence) as last_id,
        array_agg(periods.period_id) as period_ids,
        windows.last_sequence = (
            select max(members.sequence)
            from {{ ref('stg_catalog__periods') }} as members
            where
                windows.form_id = members.form_id
                and windows.accumulates_from = members.accumulates_from
                and windows.period_kind = members.period_kind
        ) as is_closed
    from windows
    inner join {{ ref('stg_catalog__periods') }} as periods
        on
            windows.form_id = periods.form_id
            and windows.accumulates_from = periods.accumulates_from
            and windows.period_kind = periods.period_kind
            and windows.first_sequence - 1 <= periods.sequence
            and windows.last_sequence >= periods.sequence
    group by windows.form_id, windows.accumulates_from, windows.period_kind, windows.last_sequence
),

-- Only a unit that has reported all of them has figures to compare.
units as materialized (
    select
        spans.form_id,
        spans.before_id,
        spans.last_id,
        spans.period_ids,
        spans.is_closed,
        reports.unit_id
    from spans
    inner join {{ ref('int_reports') }} as reports
        on
            spans.form_id = reports.form_id
            and reports.period_id = any(spans.period_ids)
    group by spans.form_id, spans.before_id, spans.last_id, spans.period_ids, spans.is_closed, reports.unit_id
    having count(*) = cardinality(spans.period_ids)
)

select
    units.unit_id,
    units.form_id,
    units.last_id,
    added.*
from units
cross join
    lateral (
        select
            figures.indicator_id,
            max(figures.cumulative_value) filter (where figures.period_id = units.last_id) as cumulative_value,
            sum(
                case
                    when figures.period_id = units.before_id then figures.cumulative_value else figures.single_value
                end
            ) as sum_of_singles,
            count(
                case
                    when figures.period_id = units.before_id then figures.cumulative_value else figures.single_value
                end
            ) as figures_known
        from {{ ref('fct_indicator_values') }} as figures
        where
            units.form_id = figures.form_id
            and units.unit_id = figures.unit_id
            and figures.period_id = any(units.period_ids)
            and (units.is_closed or mod(hashtext(figures.indicator_id)::bigint + hashtext(units.unit_id), 4) = 0)
        group by figures.indicator_id
    ) as added
where
    added.figures_known = cardinality(units.period_ids)
    and added.cumulative_value != added.sum_of_singles
    and added.indicator_id not in (
        select indicators.indicator_id
        from {{ ref('stg_catalog__indicators') }} as indicators
        where indicators.counterpart_id is not null
    )
