with

units_by_rank as (
    select
        rankings.scoreboard_id,
        rankings.form_id,
        rankings.period_id,
        rankings.item_id,
        rankings.rank,
        count(*) as units
    from {{ ref('fct_rankings') }} as rankings
    inner join {{ ref('int_periods_touched') }} as touched
        on
            rankings.form_id = touched.form_id
            and rankings.period_id = touched.period_id
    inner join {{ ref('stg_catalog__scoreboards') }} as scoreboards
        on rankings.scoreboard_id = scoreboards.scoreboard_id
    where rankings.rank is not null and scoreboards.ties = 'gap'
    group by rankings.scoreboard_id, rankings.form_id, rankings.period_id, rankings.item_id, rankings.rank
),

counted as (
    select
        *,
        sum(units) over (partition by scoreboard_id, form_id, period_id, item_id order by rank) - units as units_before
    from units_by_rank
)

select * from counted
where rank != 1 + units_before
