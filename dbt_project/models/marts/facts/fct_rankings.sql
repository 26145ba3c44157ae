-- depends_on: {{ ref('int_periods_touched') }}
{{ config(
    indexes = [
        {'columns': ['form_id', 'period_id', 'unit_id', 'scoreboard_id', 'item_id'], 'unique': true},
        {'columns': ['unit_id', 'period_id']}
    ]
) }}

with

items as (
    select * from {{ ref('int_scoreboard_items_ranked') }}
),

totals as (
    select * from {{ ref('int_scoreboard_totals_ranked') }}
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

items_and_totals as (
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
        points
    from items

    union all

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
        points
    from totals
),

counted as (
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
        points,
        count(value) over (partition by scoreboard_id, period_id, item_id) as ranked_units,
        count(*) over (partition by scoreboard_id, period_id, item_id) as expected_units
    from items_and_totals
),

final as (
    select
        counted.scoreboard_id,
        counted.scoreboard_name,
        counted.form_id,
        coalesce(forms.form_title, counted.form_id) as form_title,
        counted.period_id,
        coalesce(periods.period_name, counted.period_id) as period_name,
        counted.unit_id,
        coalesce(units.unit_name, counted.unit_id) as unit_name,
        counted.item_id,
        counted.item_name,
        counted.value,
        counted.rank,
        counted.points,
        counted.ranked_units,
        counted.expected_units,
        counted.ranked_units = counted.expected_units as is_complete
    from counted
    left join units on counted.unit_id = units.unit_id
    left join forms on counted.form_id = forms.form_id
    left join periods
        on
            counted.form_id = periods.form_id
            and counted.period_id = periods.period_id
)

select * from final
