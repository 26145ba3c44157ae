-- depends_on: {{ ref('int_units_touched') }}
{{ config(
    materialized = 'incremental',
    incremental_strategy = 'replace_touched_units',
    indexes = [{'columns': ['form_id', 'period_id', 'unit_id', 'indicator_id'], 'unique': true}]
) }}

with

reports as not materialized (
    select reports.*
    from {{ ref('int_reports') }} as reports
    {%- if is_incremental() %}
    where
        exists (
            select 1
            from {{ ref('int_units_touched') }} as touched
            where
                reports.form_id = touched.form_id
                and reports.period_id = touched.period_id
                and reports.unit_id = touched.unit_id
        )
    {%- endif %}
),

own_figures as not materialized (
    {{ own_figures('reports') | indent(4) }}
),

final as (
    {{ figures_replaced('own_figures') | indent(4) }}
)

select * from final
