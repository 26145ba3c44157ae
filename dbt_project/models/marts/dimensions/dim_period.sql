{# Grows with what is submitted, while the other dimensions change only with the catalog. #}
{{ config(materialized = 'incremental', incremental_strategy = 'replace_all', on_schema_change = 'fail') }}

with

periods as (
    select * from {{ ref('stg_catalog__periods') }}
),

forms as (
    select * from {{ ref('stg_catalog__forms') }}
),

final as (
    select
        periods.period_id,
        periods.form_id,
        forms.form_title,
        periods.period_name,
        periods.starts_on,
        periods.ends_on,
        periods.accumulates_from
    from periods
    left join forms on periods.form_id = forms.form_id
)

select * from final
