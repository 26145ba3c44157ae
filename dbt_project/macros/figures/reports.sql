{#
    What stands for each (form_id, period_id, unit_id) in `scope`, or with `of_units` false for each (form_id, period_id)
    of whoever reported it, and what its figures are worked out with: the report of the period before, the one first
    published, and how many of the window's periods were reported. One row per unit, form and period reported.
#}
{% macro reports(scope, world, of_units=true) %}
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

-- Of periods there are few: what is to be known of them is put together first, and leads to the submissions.
periods_asked as materialized (
    select
        periods.form_id,
        periods.period_id,
        extract(year from periods.ends_on)::integer as year,
        periods.starts_on,
        periods.ends_on,
        periods.accumulates_from,
        periods.reported_as,
        periods.opens_window,
        forms.calendar_kind,
        previous_periods.period_name as previous_period_name,
        previous_periods.reported_as as previous_reported_as,
        previous_periods.form_as_of as earlier_form_as_of,
        (
            select count(*)::integer
            from periods as members
            where
                periods.form_id = members.form_id
                and periods.accumulates_from = members.accumulates_from
                and forms.calendar_kind = members.period_kind
                and periods.ends_on >= members.ends_on
        ) as expected_periods
    from (
        select distinct
            form_id,
            period_id
        from {{ scope }}
    ) as asked
    inner join periods
        on
            asked.form_id = periods.form_id
            and asked.period_id = periods.period_id
    inner join forms on asked.form_id = forms.form_id
    left join periods as previous_periods
        on
            periods.form_id = previous_periods.form_id
            and periods.previous_period_id = previous_periods.period_id
            and not periods.opens_window
),

standing as (
    select
        submissions.unit_id,
        periods_asked.*,
        submissions.submission_id,
        submissions.known_from
    from periods_asked
    {%- if of_units %}
    inner join {{ scope }} as scope
        on
            periods_asked.form_id = scope.form_id
            and periods_asked.period_id = scope.period_id
    {%- endif %}
    inner join submissions
        on
            periods_asked.form_id = submissions.form_id
            and periods_asked.reported_as = submissions.period_id
            {{ 'and scope.unit_id = submissions.unit_id' if of_units }}
            and {{ stands('submissions', world) }}
),

-- Of all units, so that it is found by form and period.
reported as (
    select
        submissions.unit_id,
        periods_asked.form_id,
        periods_asked.period_id,
        count(*)::integer as reported_periods
    from periods_asked
    inner join periods as members
        on
            periods_asked.form_id = members.form_id
            and periods_asked.accumulates_from = members.accumulates_from
            and periods_asked.calendar_kind = members.period_kind
            and periods_asked.ends_on >= members.ends_on
    inner join submissions
        on
            members.form_id = submissions.form_id
            and members.period_id = submissions.period_id
            and {{ stands('submissions', world) }}
    group by submissions.unit_id, periods_asked.form_id, periods_asked.period_id
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
        earlier.submission_id as earlier_submission_id,
        standing.earlier_form_as_of,
        earlier.known_from as earlier_known_from,
        coalesce(first_submissions.submission_id, standing.submission_id) as first_submission_id,
        coalesce(reported.reported_periods, 0) as reported_periods,
        standing.expected_periods
    from standing
    left join reported
        on
            standing.form_id = reported.form_id
            and standing.period_id = reported.period_id
            and standing.unit_id = reported.unit_id
    left join submissions as first_submissions
        on
            standing.form_id = first_submissions.form_id
            and standing.reported_as = first_submissions.period_id
            and standing.unit_id = first_submissions.unit_id
            and first_submissions.is_first
    left join submissions as earlier
        on
            standing.form_id = earlier.form_id
            and standing.previous_reported_as = earlier.period_id
            and standing.unit_id = earlier.unit_id
            and {{ stands('earlier', world) }}
)

select * from final
{% endmacro %}
