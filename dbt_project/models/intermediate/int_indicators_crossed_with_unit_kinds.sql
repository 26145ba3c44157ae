{#  Follows from the catalog alone: computed when the catalog changes. #}
{{ config(
    materialized = 'table',
    indexes = [{'columns': ['indicator_id', 'unit_kind'], 'unique': true}]
) }}

with

indicators as (
    select * from {{ ref('stg_catalog__indicators') }}
),

indicator_unit_kinds as (
    select * from {{ ref('stg_catalog__indicator_unit_kinds') }}
),

units as (
    select * from {{ ref('stg_catalog__units') }}
),

unit_kinds as (
    select distinct unit_kind from units
),

restricted_indicators as (
    select distinct indicator_id from indicator_unit_kinds
),

-- An indicator without declared kinds applies to every kind.
final as (
    select
        indicators.indicator_id,
        unit_kinds.unit_kind,
        restricted_indicators.indicator_id is null or indicator_unit_kinds.indicator_id is not null as is_applicable
    from indicators
    cross join unit_kinds
    left join restricted_indicators on indicators.indicator_id = restricted_indicators.indicator_id
    left join indicator_unit_kinds
        on
            indicators.indicator_id = indicator_unit_kinds.indicator_id
            and unit_kinds.unit_kind = indicator_unit_kinds.unit_kind
)

select * from final
