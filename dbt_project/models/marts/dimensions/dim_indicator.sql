{{ config(indexes = [{'columns': ['indicator_id'], 'unique': true}]) }}

with

indicators as (
    select * from {{ ref('stg_catalog__indicators') }}
),

forms as (
    select * from {{ ref('stg_catalog__forms') }}
),

replaced as (
    select
        indicator_id,
        string_agg(distinct predecessor_id, '、') as indicators_replaced
    from {{ ref('stg_catalog__indicator_predecessors') }}
    group by indicator_id
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
        indicators.effective_from,
        indicators.effective_to,
        replaced.indicators_replaced,
        indicators.sort_no
    from indicators
    left join forms on indicators.form_id = forms.form_id
    left join replaced on indicators.indicator_id = replaced.indicator_id
)

select * from final
