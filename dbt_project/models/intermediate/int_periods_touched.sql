{{ config(
    materialized = 'incremental',
    incremental_strategy = 'replace_all',
    indexes = [{'columns': ['form_id', 'period_id'], 'unique': true}]
) }}

with

periods as (
    select * from {{ ref('stg_catalog__periods') }}
),

sent as (
    select distinct
        form_id,
        period_id
    from {{ ref('int_units_touched') }}
),

moved as (
    {{ pairs_moved('sent') | indent(4) }}
),

final as (
    select
        moved.form_id,
        moved.period_id,
        extract(year from periods.ends_on)::integer as year
    from moved
    inner join periods
        on
            moved.form_id = periods.form_id
            and moved.period_id = periods.period_id
)

select * from final
