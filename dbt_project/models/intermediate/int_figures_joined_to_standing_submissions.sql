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

forms as (
    select * from {{ ref('stg_catalog__forms') }}
),

indicators as (
    select * from {{ ref('stg_catalog__indicators') }}
),

periods as (
    select * from {{ ref('stg_catalog__periods') }}
),

standing_submissions as (
    select
        submissions.submission_id,
        submissions.row_role,
        submissions.unit_id,
        submissions.unit_name,
        submissions.form_id,
        submissions.form_title,
        submissions.period_id,
        submissions.period_name
    from submissions
    inner join periods_touched
        on
            submissions.form_id = periods_touched.form_id
            and submissions.period_id = periods_touched.period_id
    where submissions.is_standing
),

figures as (
    select
        submissions.row_role,
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
        observations.submission_id,
        coalesce(indicators.measure_kind = 'flow', false) as adds_up_over_time,
        forms.figures as figures_are,
        -- The first period of its accumulation window: there, and only there, 累计 and 本期 are the same number. Issues of
        -- a campaign and year-to-date periods overlap; the figure of one says nothing about the time since the last.
        coalesce(
            forms.calendar_kind in ('month', 'quarter', 'half', 'year')
            and periods.starts_on = periods.accumulates_from,
            false
        ) as opens_its_window
    from standing_submissions as submissions
    inner join observations
        on
            submissions.unit_id = observations.unit_id
            and submissions.submission_id = observations.submission_id
    left join forms on submissions.form_id = forms.form_id
    left join indicators on observations.indicator_id = indicators.indicator_id
    left join periods
        on
            submissions.form_id = periods.form_id
            and submissions.period_id = periods.period_id
),

final as (
    select
        row_role,
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
        sheet,
        cell,
        submission_id,
        case
            when adds_up_over_time and (figures_are = 'cumulative' or opens_its_window) then stated_value
        end as cumulative_value,
        case
            when adds_up_over_time and (figures_are = 'single' or opens_its_window) then stated_value
        end as single_value
    from figures
)

select * from final
