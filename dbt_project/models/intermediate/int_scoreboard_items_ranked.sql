with

items_valued as (
    select * from {{ ref('int_scoreboard_items_valued_by_unit') }}
),

-- Units without a value stand in a partition of their own, so that they push nobody down.
ranked as (
    select
        scoreboard_id,
        scoreboard_name,
        form_id,
        period_id,
        unit_id,
        item_id,
        item_name,
        points_top,
        points_bottom,
        value,
        case
            when value is not null then rank() over (
                partition by scoreboard_id, period_id, item_id, value is null
                order by case when better = 'higher' then value else -value end desc
            )
        end as rank
    from items_valued
),

final as (
    select
        scoreboard_id,
        scoreboard_name,
        form_id,
        period_id,
        unit_id,
        item_id,
        item_name,
        value,
        rank,
        case when rank is not null then greatest(points_top + 1 - rank, points_bottom)::numeric end as points
    from ranked
)

select * from final
