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

group_sums as (
    select * from {{ ref('int_indicator_values_rolled_up_to_groups') }}
),

final as (
    select
        figures.unit_id,
        figures.unit_name,
        figures.form_id,
        figures.form_title,
        figures.period_id,
        figures.period_name,
        figures.indicator_id,
        figures.indicator_name,
        figures.unit_of_measure,
        figures.measure_kind,
        figures.cell_state,
        figures.stated_value,
        figures.stated_text,
        figures.decimals,
        figures.sheet,
        figures.cell,
        figures.submission_id,
        group_sums.summed_value,
        figures.stated_value - group_sums.summed_value as difference,
        coalesce(group_sums.reported_units, 0) as reported_units,
        coalesce(group_sums.expected_units, 0) as expected_units,
        coalesce(group_sums.reported_units = group_sums.expected_units, false) as is_complete
    from figures
    left join group_sums
        on
            figures.unit_id = group_sums.group_id
            and figures.form_id = group_sums.form_id
            and figures.period_id = group_sums.period_id
            and figures.indicator_id = group_sums.indicator_id
    where figures.row_role = 'total'
)

select * from final
