with

rankings as (
    select rankings.*
    from {{ ref('fct_rankings') }} as rankings
    inner join {{ ref('int_periods_touched') }} as touched
        on
            rankings.form_id = touched.form_id
            and rankings.period_id = touched.period_id
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
            then sum(points) filter (where item_id != 'total')
    end
