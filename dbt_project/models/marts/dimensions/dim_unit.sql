{{ config(indexes = [{'columns': ['unit_id'], 'unique': true}]) }}

with

units as (
    select * from {{ ref('stg_catalog__units') }}
),

authorities as (
    select * from {{ ref('stg_catalog__authorities') }}
),

final as (
    select
        units.unit_id,
        units.unit_name,
        units.unit_kind,
        units.parent_unit_id,
        parents.unit_name as parent_unit_name,
        units.authority_id,
        authorities.authority_name,
        units.is_group,
        units.sort_no,
        units.valid_from,
        units.valid_to
    from units
    left join units as parents on units.parent_unit_id = parents.unit_id
    left join authorities on units.authority_id = authorities.authority_id
)

select * from final
