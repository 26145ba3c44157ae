{#
    Scoreboards for the (form_id, period_id) in `periods`, ranked and scored. One row per scoreboard, period, item and
    unit; one without a value, or with too small a denominator, is listed and not ranked, and says why.
#}
{% macro rankings(unit_values, metric_values, periods, world) %}
with

units_of_periods as (
    {{ units_of_periods(periods, world, owed_only=false) | indent(4) }}
),

scoreboards as not materialized (
    select * from {{ ref('stg_catalog__scoreboards') }}
),

scoreboard_items as not materialized (
    select * from {{ ref('stg_catalog__scoreboard_items') }}
),

scoreboard_units as not materialized (
    select * from {{ ref('stg_catalog__scoreboard_units') }}
),

-- Everyone who is to be ranked, and the figures there are.
listed as (
    select
        scoreboards.scoreboard_id,
        scoreboards.form_id,
        units_of_periods.period_id,
        scoreboard_units.unit_id,
        scoreboard_items.item_id,
        true as is_ranked,
        null::numeric as value,
        null::numeric as denominator
    from units_of_periods
    inner join scoreboards on units_of_periods.form_id = scoreboards.form_id
    inner join scoreboard_units
        on
            scoreboards.scoreboard_id = scoreboard_units.scoreboard_id
            and units_of_periods.unit_id = scoreboard_units.unit_id
    inner join scoreboard_items on scoreboards.scoreboard_id = scoreboard_items.scoreboard_id

    union all

    select
        scoreboards.scoreboard_id,
        scoreboards.form_id,
        asked.period_id,
        unit_values.unit_id,
        scoreboard_items.item_id,
        false as is_ranked,
        case scoreboard_items.basis
            when 'stated' then unit_values.stated_value
            when 'cumulative' then unit_values.cumulative_value
            else unit_values.single_value
        end as value,
        null::numeric as denominator
    from {{ periods }} as asked
    inner join scoreboards on asked.form_id = scoreboards.form_id
    inner join scoreboard_items on scoreboards.scoreboard_id = scoreboard_items.scoreboard_id
    inner join {{ ref('stg_catalog__indicators') }} as indicators
        on scoreboard_items.indicator_id = indicators.indicator_id
    inner join {{ unit_values }} as unit_values
        on
            indicators.form_id = unit_values.form_id
            and asked.period_id = unit_values.period_id
            and indicators.indicator_id = unit_values.indicator_id

    union all

    select
        scoreboards.scoreboard_id,
        scoreboards.form_id,
        asked.period_id,
        metric_values.unit_id,
        scoreboard_items.item_id,
        false as is_ranked,
        case scoreboard_items.basis
            when 'stated' then metric_values.value
            when 'cumulative' then metric_values.cumulative_value
            else metric_values.single_value
        end as value,
        case
            when scoreboard_items.basis = 'cumulative' then metric_values.cumulative_denominator
            when scoreboard_items.basis = 'single' then metric_values.single_denominator
            else metric_values.denominator
        end as denominator
    from {{ periods }} as asked
    inner join scoreboards on asked.form_id = scoreboards.form_id
    inner join scoreboard_items on scoreboards.scoreboard_id = scoreboard_items.scoreboard_id
    inner join {{ ref('stg_catalog__metrics') }} as metrics on scoreboard_items.metric_id = metrics.metric_id
    inner join {{ metric_values }} as metric_values
        on
            metrics.form_id = metric_values.form_id
            and asked.period_id = metric_values.period_id
            and metrics.metric_id = metric_values.metric_id
),

items_known as (
    select
        scoreboard_id,
        form_id,
        period_id,
        unit_id,
        item_id,
        max(value) as known_value,
        max(denominator) as denominator
    from listed
    group by scoreboard_id, form_id, period_id, unit_id, item_id
    having bool_or(is_ranked)
),

items_valued as (
    select
        items_known.scoreboard_id,
        items_known.form_id,
        scoreboards.ties,
        items_known.period_id,
        items_known.unit_id,
        items_known.item_id,
        scoreboard_items.better,
        scoreboard_items.weight,
        scoreboard_items.points_top,
        scoreboard_items.points_step,
        scoreboard_items.points_bottom,
        items_known.known_value,
        coalesce(items_known.denominator < scoreboard_items.minimum_denominator, false) as is_too_small,
        undefined.metric_id is not null
        or coalesce(periods.form_as_of < indicators.comparable_from, false)
        or coalesce(periods.form_as_of > indicators.effective_to, false) as is_undefined
    from items_known
    inner join scoreboards on items_known.scoreboard_id = scoreboards.scoreboard_id
    inner join scoreboard_items
        on
            items_known.scoreboard_id = scoreboard_items.scoreboard_id
            and items_known.item_id = scoreboard_items.item_id
    left join {{ ref('int_metrics_undefined') }} as undefined
        on
            scoreboard_items.metric_id = undefined.metric_id
            and items_known.period_id = undefined.period_id
    left join {{ ref('stg_catalog__indicators') }} as indicators
        on scoreboard_items.indicator_id = indicators.indicator_id
    left join {{ ref('stg_catalog__periods') }} as periods
        on
            indicators.form_id = periods.form_id
            and items_known.period_id = periods.period_id
),

items as (
    select
        *,
        case when not is_too_small then known_value end as value,
        case
            when known_value is null and is_undefined then '指标口径变更'
            when known_value is null then '没有数值'
            when is_too_small then '分母不足'
        end as reason
    from items_valued
),

{{ scored(board=['scoreboard_id', 'form_id', 'period_id']) }},

final as (
    select
        ranked.scoreboard_id,
        ranked.form_id,
        ranked.period_id,
        extract(year from periods.ends_on)::integer as year,
        ranked.unit_id,
        ranked.item_id,
        ranked.value,
        ranked.rank,
        ranked.points,
        ranked.reason,
        count(ranked.value) over everyone as ranked_units,
        count(*) over everyone as expected_units,
        count(ranked.value) over everyone = count(*) over everyone as is_complete
    from items_and_totals as ranked
    inner join {{ ref('stg_catalog__periods') }} as periods
        on
            ranked.form_id = periods.form_id
            and ranked.period_id = periods.period_id
    window everyone as (partition by ranked.scoreboard_id, ranked.form_id, ranked.period_id, ranked.item_id)
)

select * from final
{% endmacro %}
