with

units_of_periods as (
    select * from {{ ref('int_units_matched_to_periods') }}
),

scoreboards as (
    select * from {{ ref('stg_catalog__scoreboards') }}
),

scoreboard_items as (
    select * from {{ ref('stg_catalog__scoreboard_items') }}
),

scoreboard_units as (
    select * from {{ ref('stg_catalog__scoreboard_units') }}
),

indicators as (
    select * from {{ ref('stg_catalog__indicators') }}
),

metrics as (
    select * from {{ ref('stg_catalog__metrics') }}
),

indicator_values as (
    select * from {{ ref('fct_indicator_values') }}
),

metric_values as (
    select * from {{ ref('fct_metric_values') }}
),

final as (
    select
        scoreboards.scoreboard_id,
        scoreboards.scoreboard_name,
        scoreboards.form_id,
        units_of_periods.period_id,
        scoreboard_units.unit_id,
        scoreboard_items.item_id,
        scoreboard_items.item_name,
        scoreboard_items.better,
        scoreboard_items.points_top,
        scoreboard_items.points_bottom,
        coalesce(indicator_values.stated_value, metric_values.value) as value
    from scoreboards
    inner join units_of_periods on scoreboards.form_id = units_of_periods.form_id
    inner join scoreboard_units
        on
            scoreboards.scoreboard_id = scoreboard_units.scoreboard_id
            and units_of_periods.unit_id = scoreboard_units.unit_id
    inner join scoreboard_items on scoreboards.scoreboard_id = scoreboard_items.scoreboard_id
    left join indicators on scoreboard_items.indicator_id = indicators.indicator_id
    left join indicator_values
        on
            indicators.form_id = indicator_values.form_id
            and units_of_periods.period_id = indicator_values.period_id
            and scoreboard_units.unit_id = indicator_values.unit_id
            and indicators.indicator_id = indicator_values.indicator_id
    left join metrics on scoreboard_items.metric_id = metrics.metric_id
    left join metric_values
        on
            metrics.form_id = metric_values.form_id
            and units_of_periods.period_id = metric_values.period_id
            and scoreboard_units.unit_id = metric_values.unit_id
            and metrics.metric_id = metric_values.metric_id
)

select * from final
