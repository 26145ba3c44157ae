with

rankings as not materialized (
    select * from {{ ref('fct_rankings') }}
),

periods as (
    select * from {{ ref('stg_catalog__periods') }}
),

final as (
    select
        rankings.scoreboard_id,
        rankings.scoreboard_name,
        rankings.form_id,
        rankings.period_id,
        rankings.period_name,
        periods.period_kind,
        periods.ends_on,
        rankings.unit_id,
        rankings.unit_name,
        rankings.item_id,
        rankings.item_name,
        rankings.value,
        rankings.points,
        rankings.rank,
        rankings.is_complete,
        rankings.is_stable,
        earlier.period_id as previous_period_id,
        earlier.rank as previous_rank,
        earlier.rank - rankings.rank as places_gained,
        coalesce(earlier.is_complete, false) as previous_is_complete
    from rankings
    inner join periods
        on
            rankings.form_id = periods.form_id
            and rankings.period_id = periods.period_id
    left join rankings as earlier
        on
            rankings.scoreboard_id = earlier.scoreboard_id
            and rankings.form_id = earlier.form_id
            and periods.previous_period_id = earlier.period_id
            and rankings.unit_id = earlier.unit_id
            and rankings.item_id = earlier.item_id
)

select * from final
