{{ config(indexes = [{'columns': ['metric_id'], 'unique': true}]) }}

with

metrics as (
    select * from {{ ref('stg_catalog__metrics') }}
),

forms as (
    select * from {{ ref('stg_catalog__forms') }}
),

final as (
    select
        metrics.metric_id,
        metrics.metric_name,
        metrics.form_id,
        forms.form_title,
        metrics.unit_of_measure,
        metrics.scale,
        metrics.decimals,
        metrics.has_denominator,
        metrics.sort_no
    from metrics
    left join forms on metrics.form_id = forms.form_id
)

select * from final
