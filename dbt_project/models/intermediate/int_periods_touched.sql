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

asked_for as (
    select
        form_id,
        period_id
    from touched
    where is_claimed and form_id is not null and period_id is not null

    union

    -- A full refresh is asked for everything there is.
    select
        form_id,
        period_id
    from submissions
    where {{ 'false' if is_incremental() else 'true' }}
),

final as (
    select
        form_id,
        period_id
    from asked_for

    union

    select
        forms_mapped_to_dependents.dependent_form_id as form_id,
        asked_for.period_id
    from asked_for
    inner join forms_mapped_to_dependents on asked_for.form_id = forms_mapped_to_dependents.form_id
)

select * from final
