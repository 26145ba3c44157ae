-- depends_on: {{ ref('int_periods_touched') }}
{{ config(
    indexes = [{'columns': ['form_id', 'period_id', 'unit_id', 'indicator_id'], 'unique': true}]
) }}

with

periods_touched as (
    select * from {{ ref('int_periods_touched') }}
),

submissions as (
    select * from {{ ref('fct_submissions') }}
),

observations as (
    select * from {{ ref('stg_intake__observations') }}
),

indicators as (
    select * from {{ ref('stg_catalog__indicators') }}
),

totals as (
    select * from {{ ref('fct_indicator_totals') }}
),

final as (
    select
        submissions.unit_id,
        submissions.unit_name,
        submissions.form_id,
        submissions.form_title,
        submissions.period_id,
        submissions.period_name,
        observations.indicator_id,
        coalesce(indicators.indicator_name, observations.indicator_id) as indicator_name,
        indicators.unit_of_measure,
        indicators.measure_kind,
        observations.cell_state,
        observations.stated_value,
        observations.stated_text,
        observations.decimals,
        observations.sheet,
        observations.cell,
        submissions.submission_id,
        totals.value as summed_value,
        observations.stated_value - totals.value as difference,
        coalesce(totals.reported_units, 0) as reported_units,
        coalesce(totals.expected_units, 0) as expected_units,
        coalesce(totals.is_complete, false) as is_complete
    from submissions
    inner join periods_touched
        on
            submissions.form_id = periods_touched.form_id
            and submissions.period_id = periods_touched.period_id
    inner join observations on submissions.submission_id = observations.submission_id
    left join indicators on observations.indicator_id = indicators.indicator_id
    left join totals
        on
            submissions.unit_id = totals.unit_id
            and submissions.form_id = totals.form_id
            and submissions.period_id = totals.period_id
            and observations.indicator_id = totals.indicator_id
    where submissions.row_role = 'total' and submissions.is_standing
)

select * from final
