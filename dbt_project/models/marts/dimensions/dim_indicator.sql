{{ config(indexes = [{'columns': ['indicator_id'], 'unique': true}]) }}

with

indicators as (
    select * from {{ ref('stg_catalog__indicators') }}
),

forms as (
    select * from {{ ref('stg_catalog__forms') }}
),

final as (
    select
        indicators.indicator_id,
        indicators.form_id,
        forms.form_title,
        indicators.indicator_name,
        indicators.label_path,
        indicators.unit_of_measure,
        indicators.measure_kind,
        indicators.counting_rule,
        indicators.counting_rule_source,
        indicators.sort_no
    from indicators
    left join forms on indicators.form_id = forms.form_id
)

select * from final
