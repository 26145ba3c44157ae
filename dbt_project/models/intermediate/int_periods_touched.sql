{{ config(
    materialized = 'incremental',
    incremental_strategy = 'replace_all',
    indexes = [{'columns': ['form_id', 'period_id'], 'unique': true}]
) }}

with

units_touched as (
    select * from {{ ref('int_units_touched') }}
),

forms_mapped_to_dependents as (
    select * from {{ ref('int_forms_mapped_to_dependents') }}
),

periods_matched as (
    select * from {{ ref('int_periods_matched_across_forms') }}
),

periods as (
    select * from {{ ref('stg_catalog__periods') }}
),

sent as (
    select distinct
        form_id,
        period_id
    from units_touched
),

-- A metric of another form takes terms from here, a scoreboard items: by the period matched to this one, or the same.
matched as (
    select
        form_id,
        period_id
    from sent

    union

    select
        periods_matched.form_id,
        periods_matched.period_id
    from sent
    inner join periods_matched
        on
            sent.form_id = periods_matched.term_form_id
            and sent.period_id = periods_matched.term_period_id
),

dependents as (
    select
        form_id,
        period_id
    from matched

    union

    select
        forms_mapped_to_dependents.dependent_form_id as form_id,
        matched.period_id
    from matched
    inner join forms_mapped_to_dependents on matched.form_id = forms_mapped_to_dependents.form_id
),

final as (
    select
        dependents.form_id,
        dependents.period_id,
        extract(year from periods.ends_on)::integer as year
    from dependents
    inner join periods
        on
            dependents.form_id = periods.form_id
            and dependents.period_id = periods.period_id
)

select * from final
