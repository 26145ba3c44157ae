-- depends_on: {{ ref('int_periods_touched') }}
{{ config(
    indexes = [
        {'columns': ['form_id', 'period_id', 'unit_id', 'indicator_id'], 'unique': true},
        {'columns': ['unit_id', 'period_id']}
    ]
) }}

with

figures as (
    select * from {{ ref('int_figures_joined_to_standing_submissions') }}
),

final as (
    select
        unit_id,
        unit_name,
        form_id,
        form_title,
        period_id,
        period_name,
        indicator_id,
        indicator_name,
        unit_of_measure,
        measure_kind,
        cell_state,
        stated_value,
        stated_text,
        decimals,
        cumulative_value,
        single_value,
        sheet,
        cell,
        submission_id
    from figures
    where row_role = 'unit'
)

select * from final
