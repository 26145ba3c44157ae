{#
    How a scoreboard ranks and scores: the common table expressions from `items`, one row per item and unit, to
    `items_and_totals`. An item's rank is 1 + units strictly better, its points go by the rank; the total of weighted
    points is the item `total`, ranked likewise.

    `board` are the columns that tell one scoreboard of one period, `of_unit` those that go with the unit. Beside them
    `items` has item_id, value, reason, and as declared better, ties, weight, points_top, points_step, points_bottom.
#}
{% macro scored(board, of_unit=['unit_id']) %}
{%- set carried = (board + of_unit) | join(', ') -%}
-- Units without a value stand in a partition of their own, so that they push nobody down.
items_ranked as (
    select
        *,
        case
            when value is null then null
            when ties = 'dense' then dense_rank() over by_value
            else rank() over by_value
        end as rank
    from items
    window
        by_value as (
            partition by {{ board | join(', ') }}, item_id, value is null
            order by case when better = 'higher' then value else -value end desc
        )
),

items_scored as (
    select
        *,
        case when rank is not null then greatest(points_top - points_step * (rank - 1), points_bottom) end as points
    from items_ranked
),

-- The total of a unit that lacks an item is not known: a sum of the others would look like a bad result.
totals as (
    select
        {{ carried }},
        ties,
        case when count(points) = count(*) then trim_scale(sum(weight * points)) end as points
    from items_scored
    group by {{ carried }}, ties
),

items_and_totals as (
    select
        {{ carried }},
        item_id,
        value,
        rank,
        trim_scale(points) as points,
        reason
    from items_scored

    union all

    select
        {{ carried }},
        'total' as item_id,
        points as value,
        case
            when points is null then null
            when ties = 'dense' then dense_rank() over by_points
            else rank() over by_points
        end as rank,
        points,
        case when points is null then '有项目未排名' end as reason
    from totals
    window
        by_points as (
            partition by {{ board | join(', ') }}, points is null
            order by points desc
        )
)
{%- endmacro %}
