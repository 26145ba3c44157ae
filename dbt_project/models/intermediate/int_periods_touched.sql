{{ config(
    materialized = 'incremental',
    incremental_strategy = 'replace_all',
    post_hook = 'analyze {{ this }}'
) }}

with

touched as (
    select * from {{ ref('stg_intake__touched') }}
),

submissions as (
    select * from {{ ref('stg_intake__submissions') }}
),

forms_mapped_to_dependents as (
    select * from {{ ref('int_forms_mapped_to_dependents') }}
),

claimed as (
    {% if is_incremental() %}
    select
        form_id,
        period_id
    from touched
    where is_claimed and form_id is not null and period_id is not null
    {% else %}
    select
        form_id,
        period_id
    from touched
    where form_id is not null and period_id is not null

    union

    select
        form_id,
        period_id
    from submissions
    {% endif %}
),

final as (
    select
        form_id,
        period_id
    from claimed

    union

    select
        forms_mapped_to_dependents.dependent_form_id as form_id,
        claimed.period_id
    from claimed
    inner join forms_mapped_to_dependents on claimed.form_id = forms_mapped_to_dependents.form_id
)

select * from final
