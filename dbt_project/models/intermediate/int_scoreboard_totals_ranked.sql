with

items_ranked as (
    select * from {{ ref('int_scoreboard_items_ranked') }}
),

-- The total of a unit that lacks an item is not known: a sum of the others would look like a bad result.
totals as (
    select
        scoreboard_id,
        scoreboard_name,
        form_id,
        period_id,
        unit_id,
        case when count(points) = count(*) then sum(points) end as points
    from items_ranked
    group by scoreboard_id, scoreboard_name, form_id, period_id, unit_id
),

final as (
    select
        scoreboard_id,
        scoreboard_name,
        form_id,
        period_id,
        unit_id,
        'total' as item_id,
        '总得分' as item_name,
        points as value,
        case
            when points is not null then rank() over (
                partition by scoreboard_id, period_id, points is null
                order by points desc
            )
        end as rank,
        points
    from totals
)

select * from final
