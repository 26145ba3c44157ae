{#
    What stands for each (form_id, period_id, unit_id) in `scope`, and what its figures are worked out with: the report of
    the period before, the one first published, and how many of the window's periods were reported. One row per unit, form
    and period reported.
#}
{% macro reports(scope, world) %}
with

periods as not materialized (
    select * from {{ ref('stg_catalog__periods') }}
),

forms as (
    select * from {{ ref('stg_catalog__forms') }}
),

submissions as not materialized (
    select * from {{ ref('fct_submissions') }}
    where row_role = 'unit'
),

standing as (
    select
        scope.unit_id,
        scope.form_id,
        scope.period_id,
        extract(year from periods.ends_on)::integer as year,
        periods.starts_on,
        periods.ends_on,
        periods.accumulates_from,
        periods.reported_as,
        periods.opens_window,
        forms.calendar_kind,
        submissions.submission_id,
        submissions.known_from,
        previous_periods.period_name as previous_period_name,
        previous_periods.form_as_of as earlier_form_as_of,
        earlier.submission_id as earlier_submission_id,
        earlier.known_from as earlier_known_from,
        first_submissions.submission_id as first_submission_id
    from {{ scope }} as scope
    inner join periods
        on
            scope.form_id = periods.form_id
            and scope.period_id = periods.period_id
    inner join forms on scope.form_id = forms.form_id
    inner join submissions
        on
            periods.form_id = submissions.form_id
            and periods.reported_as = submissions.period_id
            and scope.unit_id = submissions.unit_id
            and {{ stands('submissions', world) }}
    left join submissions as first_submissions
        on
            submissions.form_id = first_submissions.form_id
            and submissions.period_id = first_submissions.period_id
            and submissions.unit_id = first_submissions.unit_id
            and first_submissions.is_first
    left join periods as previous_periods
        on
            periods.form_id = previous_periods.form_id
            and periods.previous_period_id = previous_periods.period_id
            and not periods.opens_window
    left join submissions as earlier
        on
            previous_periods.form_id = earlier.form_id
            and previous_periods.reported_as = earlier.period_id
            and scope.unit_id = earlier.unit_id
            and {{ stands('earlier', world) }}
),

final as (
    select
        standing.unit_id,
        standing.form_id,
        standing.period_id,
        standing.year,
        standing.starts_on,
        standing.ends_on,
        standing.accumulates_from,
        standing.calendar_kind,
        standing.reported_as != standing.period_id as is_summary,
        standing.opens_window,
        standing.submission_id,
        standing.known_from,
        standing.previous_period_name,
        standing.earlier_submission_id,
        standing.earlier_form_as_of,
        standing.earlier_known_from,
        coalesce(standing.first_submission_id, standing.submission_id) as first_submission_id,
        count(member_submissions.submission_id)::integer as reported_periods,
        count(*)::integer as expected_periods
    from standing
    inner join periods as members
        on
            standing.form_id = members.form_id
            and standing.accumulates_from = members.accumulates_from
            and standing.calendar_kind = members.period_kind
            and standing.ends_on >= members.ends_on
    left join submissions as member_submissions
        on
            members.form_id = member_submissions.form_id
            and members.period_id = member_submissions.period_id
            and standing.unit_id = member_submissions.unit_id
            and {{ stands('member_submissions', world) }}
    group by
        standing.unit_id, standing.form_id, standing.period_id, standing.year, standing.starts_on, standing.ends_on,
        standing.accumulates_from, standing.calendar_kind, standing.reported_as, standing.opens_window,
        standing.submission_id, standing.known_from, standing.previous_period_name, standing.earlier_submission_id,
        standing.earlier_form_as_of, standing.earlier_known_from, standing.first_submission_id
)

select * from final
{% endmacro %}
