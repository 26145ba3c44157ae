-- depends_on: {{ ref('int_periods_touched') }}
{{ config(
    indexes = [{'columns': ['form_id', 'period_id', 'unit_id', 'scoreboard_id', 'item_id', 'year'], 'unique': true}],
    meta = {'partition_by_year': true}
) }}

with

rankings as (
    {{ rankings(
        unit_values=ref('fct_indicator_values'),
        metric_values=ref('fct_metric_values'),
        periods=ref('int_periods_touched'),
        world=now()
    ) | indent(4) }}
),

-- Put down: the planner expects next to nothing of it, and would work it out for each rank.
with_returned_counted as materialized (
    {%- if correction_is_awaited() %}
    select * from {{ ref('int_rankings_with_returned_counted') }}
    {%- else %}
    select
        null::text as scoreboard_id,
        null::text as form_id,
        null::text as period_id,
        null::text as unit_id,
        null::text as item_id,
        null::bigint as rank
    where false
    {%- endif %}
),

scoreboards as (
    select * from {{ ref('stg_catalog__scoreboards') }}
),

scoreboard_items as (
    select * from {{ ref('stg_catalog__scoreboard_items') }}
),

units as (
    select * from {{ ref('stg_catalog__units') }}
),

forms as (
    select * from {{ ref('stg_catalog__forms') }}
),

periods as (
    select * from {{ ref('stg_catalog__periods') }}
),

final as (
    select
        rankings.scoreboard_id,
        scoreboards.scoreboard_name,
        rankings.form_id,
        coalesce(forms.form_title, rankings.form_id) as form_title,
        rankings.period_id,
        coalesce(periods.period_name, rankings.period_id) as period_name,
        rankings.year,
        rankings.unit_id,
        coalesce(units.unit_name, rankings.unit_id) as unit_name,
        rankings.item_id,
        coalesce(scoreboard_items.item_name, '总得分') as item_name,
        rankings.value,
        rankings.rank,
        rankings.points,
        rankings.reason,
        rankings.ranked_units,
        rankings.expected_units,
        rankings.is_complete,
        case
            when with_returned_counted.scoreboard_id is null then rankings.rank
            else with_returned_counted.rank
        end as rank_with_returned_counted,
        (
            with_returned_counted.scoreboard_id is null
            or rankings.rank is not distinct from with_returned_counted.rank
        ) as is_stable
    from rankings
    inner join scoreboards on rankings.scoreboard_id = scoreboards.scoreboard_id
    left join scoreboard_items
        on
            rankings.scoreboard_id = scoreboard_items.scoreboard_id
            and rankings.item_id = scoreboard_items.item_id
    left join with_returned_counted
        on
            rankings.scoreboard_id = with_returned_counted.scoreboard_id
            and rankings.form_id = with_returned_counted.form_id
            and rankings.period_id = with_returned_counted.period_id
            and rankings.unit_id = with_returned_counted.unit_id
            and rankings.item_id = with_returned_counted.item_id
    left join units on rankings.unit_id = units.unit_id
    left join forms on rankings.form_id = forms.form_id
    left join periods
        on
            rankings.form_id = periods.form_id
            and rankings.period_id = periods.period_id
)

select * from final
