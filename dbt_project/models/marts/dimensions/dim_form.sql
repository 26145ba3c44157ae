{{ config(indexes = [{'columns': ['form_id'], 'unique': true}]) }}

with

forms as (
    select * from {{ ref('stg_catalog__forms') }}
),

authorities as (
    select * from {{ ref('stg_catalog__authorities') }}
),

final as (
    select
        forms.form_id,
        forms.form_title,
        forms.authority_id,
        authorities.authority_name,
        forms.figures,
        forms.calendar_kind,
        forms.source,
        forms.sort_no
    from forms
    left join authorities on forms.authority_id = authorities.authority_id
)

select * from final
