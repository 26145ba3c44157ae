{#
    What stands for each (form_id, period_id, unit_id) in `scope`, or with `of_units` false for each (form_id, period_id)
    of whoever reported it, and what its figures are worked out with: the report of the period before, the one first
    published, how many of the window's periods were reported, and in arrays in the order of its layout what it states for
    the period alone, added up. For a unit that was founded within a window, that begins with its first period. One row
    per unit, form and period reported.
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

figures as not materialized (
    select * from {{ ref('stg_intake__figures') }}
),

places as not materialized (
    select * from {{ ref('int_layout_places') }}
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
        previous_periods.ends_on as previous_ends_on,
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
        submissions.known_from,
        units.valid_from
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
    left join {{ ref('stg_catalog__units') }} as units on submissions.unit_id = units.unit_id
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
    left join {{ ref('stg_catalog__units') }} as units on submissions.unit_id = units.unit_id
    where (members.ends_on >= units.valid_from or members.ends_on = periods_asked.ends_on) is not false
    group by submissions.unit_id, periods_asked.form_id, periods_asked.period_id
),

-- Flows stated for the period alone, with what was stated of them for each period of the window.
members as (
    select
        standing.unit_id,
        standing.form_id,
        standing.period_id,
        own_places.place,
        own_places.comparable_from,
        periods.ends_on,
        periods.period_name,
        periods.form_as_of,
        -- A year-to-date period or an issue spans those before it; what is its own is what was sent for it alone.
        case
            when standing.reported_as != standing.period_id then periods.ends_on >= standing.starts_on
            else periods.period_id = standing.period_id
        end as is_within,
        submissions.submission_id,
        submissions.known_from,
        {{ figure_of('figures', 'own', 'own_places', 'periods.form_as_of') | indent(8) }} as stated_value
    from standing
    inner join figures as own on standing.submission_id = own.submission_id
    inner join places as own_places
        on
            own.layout_id = own_places.layout_id
            and own_places.is_summed
    inner join periods
        on
            standing.form_id = periods.form_id
            and standing.accumulates_from = periods.accumulates_from
            and standing.calendar_kind = periods.period_kind
            and standing.ends_on >= periods.ends_on
            and (periods.ends_on >= standing.valid_from or periods.ends_on = standing.ends_on) is not false
    left join submissions
        on
            periods.form_id = submissions.form_id
            and periods.period_id = submissions.period_id
            and standing.unit_id = submissions.unit_id
            and {{ stands('submissions', world) }}
    left join figures on submissions.submission_id = figures.submission_id
    offset 0  -- figures are grouped, and not the arrays they stand in
),

members_valued as (
    select
        *,
        case
            when stated_value is null
                then to_char(ends_on, 'YYYY-MM-DD')
                    || case
                        when form_as_of < comparable_from then '指标口径变更'
                        else period_name || case when submission_id is null then '未报' else '空白' end
                    end
        end as gap
    from members
),

flows_summed as (
    select
        unit_id,
        form_id,
        period_id,
        place,
        case when count(stated_value) = count(*) then sum(stated_value) end as summed_value,
        substr(min(gap), 11) as summed_gap,
        case
            when count(stated_value) filter (where is_within) = count(*) filter (where is_within)
                then sum(stated_value) filter (where is_within)
        end as within_value,
        substr(min(gap) filter (where is_within), 11) as within_gap,
        max(known_from) as known_from
    from members_valued
    group by unit_id, form_id, period_id, place
),

-- With the places of what is not added up: an array has them all.
all_places as (
    select * from flows_summed

    union all

    select
        standing.unit_id,
        standing.form_id,
        standing.period_id,
        own_places.place,
        null::numeric as summed_value,
        null::text as summed_gap,
        null::numeric as within_value,
        null::text as within_gap,
        null::timestamptz as known_from
    from standing
    inner join figures as own on standing.submission_id = own.submission_id
    inner join places as own_places
        on
            own.layout_id = own_places.layout_id
            and not own_places.is_summed
    where own.layout_id in (select places.layout_id from places where places.is_summed)
),

summed as (
    select
        unit_id,
        form_id,
        period_id,
        array_agg(summed_value order by place) as summed_values,
        array_agg(summed_gap order by place) as summed_gaps,
        array_agg(within_value order by place) as within_values,
        array_agg(within_gap order by place) as within_gaps,
        max(known_from) as summed_known_from
    from all_places
    group by unit_id, form_id, period_id
),

final as (
    select
        standing.unit_id,
        standing.form_id,
        standing.period_id,
        standing.year,
        standing.reported_as != standing.period_id as is_summary,
        standing.opens_window or coalesce(standing.previous_ends_on < standing.valid_from, false) as opens_window,
        standing.submission_id,
        standing.known_from,
        standing.previous_period_name,
        earlier.submission_id as earlier_submission_id,
        standing.earlier_form_as_of,
        earlier.known_from as earlier_known_from,
        coalesce(first_submissions.submission_id, standing.submission_id) as first_submission_id,
        coalesce(reported.reported_periods, 0) as reported_periods,
        case
            when standing.valid_from > standing.accumulates_from
                then (
                    select count(*)::integer
                    from periods as members
                    where
                        standing.form_id = members.form_id
                        and standing.accumulates_from = members.accumulates_from
                        and standing.calendar_kind = members.period_kind
                        and standing.ends_on >= members.ends_on
                        and (members.ends_on >= standing.valid_from or members.ends_on = standing.ends_on)
                )
            else standing.expected_periods
        end as expected_periods,
        summed.summed_values,
        summed.summed_gaps,
        summed.within_values,
        summed.within_gaps,
        summed.summed_known_from
    from standing
    left join reported
        on
            standing.form_id = reported.form_id
            and standing.period_id = reported.period_id
            and standing.unit_id = reported.unit_id
    left join summed
        on
            standing.form_id = summed.form_id
            and standing.period_id = summed.period_id
            and standing.unit_id = summed.unit_id
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
