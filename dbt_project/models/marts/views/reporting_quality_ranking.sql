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

{{ scored(board=['authority_id', 'year', 'month'], of_unit=['unit_id', 'unit_name', 'scoreboard_name']) }},

final as (
    select
        ranked.authority_id,
        ranked.scoreboard_name,
        ranked.unit_id,
        ranked.unit_name,
        ranked.year,
        ranked.month,
        ranked.item_id,
        coalesce(scoreboard_items.item_name, '总得分') as item_name,
        ranked.value,
        ranked.rank,
        ranked.points,
        ranked.reason,
        count(ranked.value) over everyone as ranked_units,
        count(*) over everyone as expected_units
    from items_and_totals as ranked
    left join scoreboard_items
        on
            ranked.authority_id = scoreboard_items.authority_id
            and ranked.item_id = scoreboard_items.item_id
    window everyone as (partition by ranked.authority_id, ranked.year, ranked.month, ranked.item_id)
)

select * from final
