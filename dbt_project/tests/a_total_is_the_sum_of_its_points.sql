with

rankings as (
    select
        rankings.*,
        items.weight * rankings.points as weighted_points
    from {{ ref('fct_rankings') }} as rankings
    inner join {{ ref('int_periods_touched') }} as touched
        on
            rankings.form_id = touched.form_id
            and rankings.period_id = touched.period_id
    left join {{ ref('stg_catalog__scoreboard_items') }} as items
        on
            rankings.scoreboard_id = items.scoreboard_id
            and rankings.item_id = items.item_id
)

select
    scoreboard_id,
    form_id,
    period_id,
    unit_id
from rankings
group by scoreboard_id, form_id, period_id, unit_id
having
    -- Known exactly where every item is, and then their sum.
    sum(points) filter (where item_id = 'total') is distinct from case
        when count(*) filter (where item_id != 'total') = count(points) filter (where item_id != 'total')
            then sum(weighted_points)
    end
