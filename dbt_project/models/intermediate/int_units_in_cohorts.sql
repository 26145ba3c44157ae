{#  Follows from the catalog alone: computed when the catalog changes. #}
{{ config(materialized = 'table', indexes = [{'columns': ['unit_id'], 'unique': true}]) }}

-- Units of one kind that count in exactly the same groups are added up once for all of these. A cohort is named by one
-- of its units, whose groups are the groups of all.
with

units as (
    select * from {{ ref('stg_catalog__units') }}
),

unit_closure as (
    select * from {{ ref('stg_catalog__unit_closure') }}
    where depth > 0 and is_counted
),

groups_listed as (
    select
        units.unit_id,
        units.unit_kind,
        array_agg(unit_closure.group_id order by unit_closure.group_id) as group_ids
    from units
    left join unit_closure on units.unit_id = unit_closure.unit_id
    group by units.unit_id, units.unit_kind
),

final as (
    select
        unit_id,
        unit_kind,
        min(unit_id) over (partition by unit_kind, group_ids) as cohort_id
    from groups_listed
)

select * from final
