-- depends_on: {{ ref('fct_submissions') }} whose layouts are there, whatever comes in meanwhile
{{ config(
    materialized = 'incremental',
    incremental_strategy = 'append',
    indexes = [{'columns': ['layout_id', 'indicator_id'], 'unique': true}]
) }}

-- What is to be known of an indicator where its figures are taken out of arrays. An indicator that replaced others of a
-- layout has a place behind all others, where nothing is stated: what it comes to is worked out.
with

-- A layout never changes, and what is known of indicators does with the catalog only.
layouts as (
    select * from {{ ref('stg_intake__layouts') }}
    {%- if is_incremental() %}
    where layout_id not in (select known.layout_id from {{ this }} as known)
    {%- endif %}
),

indicators as (
    select * from {{ ref('stg_catalog__indicators') }}
),

predecessors as (
    select * from {{ ref('stg_catalog__indicator_predecessors') }}
),

places as (
    select
        layouts.layout_id,
        layouts.indicator_ids,
        places.indicator_id,
        places.place::integer as place
    from layouts
    cross join lateral unnest(layouts.indicator_ids) with ordinality as places (indicator_id, place)
),

replacing as (
    select distinct
        places.layout_id,
        places.indicator_ids,
        predecessors.indicator_id
    from places
    inner join predecessors on places.indicator_id = predecessors.predecessor_id
    where array_position(places.indicator_ids, predecessors.indicator_id) is null
),

final as (
    select
        places.layout_id,
        places.indicator_id,
        places.place,
        null::text as replacing_id,
        coalesce(indicators.measure_kind, 'rate') as measure_kind,
        coalesce(indicators.measure_kind = 'flow' and indicators.figures = 'single', false) as is_summed,
        array_position(places.indicator_ids, indicators.counterpart_id) as counterpart_place,
        indicators.effective_from,
        indicators.comparable_from
    from places
    left join indicators on places.indicator_id = indicators.indicator_id

    union all

    select
        replacing.layout_id,
        replacing.indicator_id,
        (
            cardinality(replacing.indicator_ids)
            + row_number() over (partition by replacing.layout_id order by replacing.indicator_id)
        )::integer as place,
        replacing.indicator_id as replacing_id,
        coalesce(indicators.measure_kind, 'rate') as measure_kind,
        coalesce(indicators.measure_kind = 'flow' and indicators.figures = 'single', false) as is_summed,
        null::integer as counterpart_place,
        indicators.effective_from,
        indicators.comparable_from
    from replacing
    left join indicators on replacing.indicator_id = indicators.indicator_id
)

select * from final
