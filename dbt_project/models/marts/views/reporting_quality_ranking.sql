-- As the scoreboards rank what is reported: rank = 1 + units strictly better, and the total of points likewise.
with

quality as not materialized (
    select * from {{ ref('fct_reporting_quality') }}
    where not is_group
),

scoreboards as (
    select * from {{ ref('stg_catalog__reporting_scoreboards') }}
),

scoreboard_items as (
    select * from {{ ref('stg_catalog__reporting_items') }}
),

ranked_units as (
    select * from {{ ref('stg_catalog__reporting_ranked_units') }}
),

valued as (
    select
        quality.authority_id,
        quality.unit_id,
        quality.unit_name,
        quality.year,
        quality.month,
        quality.owed,
        scoreboards.scoreboard_name,
        scoreboards.ties,
        scoreboard_items.item_id,
        scoreboard_items.item_name,
        scoreboard_items.better,
        scoreboard_items.weight,
        scoreboard_items.points_top,
        scoreboard_items.points_step,
        scoreboard_items.points_bottom,
        coalesce(quality.owed < scoreboard_items.minimum_obligations, false) as is_too_small,
        case scoreboard_items.measure
            when 'on_time_rate' then quality.on_time_rate
            when 'first_pass_rate' then quality.first_pass_rate
            when 'submissions_per_obligation' then quality.submissions_per_obligation
            when 'late' then quality.late
            when 'missing' then quality.missing
            when 'working_days_late' then quality.working_days_late
            when 'errors' then quality.errors
            when 'questions' then quality.questions
            when 'unanswered_questions' then quality.unanswered_questions
        end::numeric as known_value
    from quality
    inner join ranked_units on quality.unit_id = ranked_units.unit_id
    inner join scoreboards on quality.authority_id = scoreboards.authority_id
    inner join scoreboard_items on quality.authority_id = scoreboard_items.authority_id
),

items as (
    select
        *,
        case when not is_too_small then known_value end as value,
        case
            when known_value is null then '没有数值'
            when is_too_small then '应报不足'
        end as reason
    from valued
),

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
            partition by authority_id, year, month, item_id, value is null
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
        authority_id,
        scoreboard_name,
        ties,
        unit_id,
        unit_name,
        year,
        month,
        case when count(points) = count(*) then trim_scale(sum(weight * points)) end as points
    from items_scored
    group by authority_id, scoreboard_name, ties, unit_id, unit_name, year, month
),

items_and_totals as (
    select
        authority_id,
        scoreboard_name,
        unit_id,
        unit_name,
        year,
        month,
        item_id,
        item_name,
        value,
        rank,
        trim_scale(points) as points,
        reason
    from items_scored

    union all

    select
        authority_id,
        scoreboard_name,
        unit_id,
        unit_name,
        year,
        month,
        'total' as item_id,
        '总得分' as item_name,
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
            partition by authority_id, year, month, points is null
            order by points desc
        )
),

final as (
    select
        *,
        count(value) over everyone as ranked_units,
        count(*) over everyone as expected_units
    from items_and_totals
    window everyone as (partition by authority_id, year, month, item_id)
)

select * from final
