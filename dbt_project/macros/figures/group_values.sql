{#
    The figures of groups: sums over their units, for the (form_id, period_id) in `periods`. One row per group, form,
    period and indicator. Rates, ranks and points do not add up and have no row. A unit whose figures another unit of the
    group holds already is left out. With `groups`, only of the groups in it. Where `unit_values` is no view on reports but
    worked out for the question, `is_put_down` says so: there is no index by which it is looked up.
#}
{% macro group_values(unit_values, periods, world, groups=none, is_put_down=false) %}
with

units_expected as (
    {{ units_of_periods(periods, world) | indent(4) }}
),

unit_closure as not materialized (
    select * from {{ ref('stg_catalog__unit_closure') }}
    where
        depth > 0
        and is_counted
        {{ 'and group_id in (select groups.unit_id from ' ~ groups ~ ' as groups)' if groups is not none }}
),

applicability as materialized (
    select
        indicators.form_id,
        crossed.indicator_id,
        crossed.unit_kind,
        crossed.is_applicable,
        indicators.comparable_from,
        indicators.effective_to
    from {{ ref('int_indicators_crossed_with_unit_kinds') }} as crossed
    inner join {{ ref('stg_catalog__indicators') }} as indicators on crossed.indicator_id = indicators.indicator_id
    where indicators.measure_kind in ('flow', 'stock')
),

units_counted as (
    select
        units_expected.form_id,
        units_expected.period_id,
        units_expected.unit_id,
        units_expected.unit_kind,
        cohorts.cohort_id
    from units_expected
    inner join {{ ref('int_units_in_cohorts') }} as cohorts on units_expected.unit_id = cohorts.unit_id
),

-- Units that are added up together, under one number for all that tells them from others: millions are grouped by it.
-- It is put down, as a number given twice might be another.
cohorts_expected as materialized (
    select
        cohort_id,
        form_id,
        period_id,
        unit_kind,
        count(*) as units,
        row_number() over () as cohort_no
    from units_counted
    group by cohort_id, form_id, period_id, unit_kind
),

units_in_cohorts as materialized (
    select
        units_counted.form_id,
        units_counted.period_id,
        units_counted.unit_id,
        cohorts_expected.cohort_no
        {{- ', ' ~ once_for_each('cohorts_expected.cohort_no') if is_put_down }}
    from units_counted
    inner join cohorts_expected
        on
            units_counted.cohort_id = cohorts_expected.cohort_id
            and units_counted.form_id = cohorts_expected.form_id
            and units_counted.period_id = cohorts_expected.period_id
            and units_counted.unit_kind = cohorts_expected.unit_kind
),

figures_in_cohorts as (
    select
        units_in_cohorts.cohort_no,
        unit_values.indicator_id,
        unit_values.stated_value,
        unit_values.cumulative_value,
        unit_values.single_value,
        unit_values.first_value,
        unit_values.reported_periods,
        unit_values.expected_periods
    from {{ periods }} as asked
    inner join {{ unit_values }} as unit_values
        on
            asked.form_id = unit_values.form_id
            and asked.period_id = unit_values.period_id
    inner join units_in_cohorts
        on
            unit_values.form_id = units_in_cohorts.form_id
            and unit_values.period_id = units_in_cohorts.period_id
            and unit_values.unit_id = units_in_cohorts.unit_id
    offset 0  -- figures are grouped, and not the arrays they stand in
),

-- What a unit reports counts, even where its kind need not; what a unit reports that does not owe the form does not.
reported_by_cohort as materialized (
    select
        cohort_no,
        indicator_id,
        sum(stated_value) as value,
        sum(cumulative_value) as cumulative_value,
        sum(single_value) as single_value,
        sum(first_value) as first_value,
        count(stated_value) as reported_units,
        count(cumulative_value) as cumulative_units,
        count(single_value) as single_units,
        count(*) as units,
        min(reported_periods) as reported_periods,
        max(expected_periods) as expected_periods,
        {{ once_for_each('cohort_no') }}
    from figures_in_cohorts
    group by cohort_no, indicator_id
),

-- Groups in a period have a number too.
cohorts_in_groups as materialized (
    select
        unit_closure.group_id,
        cohorts_expected.form_id,
        cohorts_expected.period_id,
        cohorts_expected.unit_kind,
        cohorts_expected.units,
        cohorts_expected.cohort_no,
        dense_rank() over (
            order by unit_closure.group_id, cohorts_expected.form_id, cohorts_expected.period_id
        ) as group_no,
        count(*) over (
            partition by unit_closure.group_id, cohorts_expected.form_id, cohorts_expected.period_id
        ) as cohorts
    from cohorts_expected
    inner join unit_closure on cohorts_expected.cohort_id = unit_closure.unit_id
),

expected_by_kind as (
    select
        group_no,
        form_id,
        period_id,
        unit_kind,
        sum(units::integer) as units
    from cohorts_in_groups
    group by group_no, form_id, period_id, unit_kind
),

-- What the form of that time does not have is owed by nobody.
owed as (
    select
        owing.group_no,
        applicability.indicator_id,
        coalesce(sum(owing.units::integer) filter (where applicability.is_applicable), 0) as units
    from expected_by_kind as owing
    inner join applicability
        on
            owing.form_id = applicability.form_id
            and owing.unit_kind = applicability.unit_kind
    inner join {{ ref('stg_catalog__periods') }} as periods
        on
            owing.form_id = periods.form_id
            and owing.period_id = periods.period_id
            and coalesce(periods.form_as_of >= applicability.comparable_from, true)
            and coalesce(periods.form_as_of <= applicability.effective_to, true)
    group by owing.group_no, applicability.indicator_id
),

reported_in_groups as not materialized (
    select
        cohorts_in_groups.group_no,
        cohorts_in_groups.cohorts,
        reported.indicator_id,
        reported.value,
        reported.cumulative_value,
        reported.single_value,
        reported.first_value,
        reported.reported_units::integer as reported_units,
        reported.cumulative_units::integer as cumulative_units,
        reported.single_units::integer as single_units,
        case when applicability.is_applicable then 0 else reported.reported_units::integer end as other_units,
        case when applicability.is_applicable then reported.units::integer else 0 end as applicable_units,
        case when applicability.is_applicable then reported.reported_periods end as reported_periods,
        reported.expected_periods
    from reported_by_cohort as reported
    inner join cohorts_in_groups on reported.cohort_no = cohorts_in_groups.cohort_no
    inner join applicability
        on
            cohorts_in_groups.form_id = applicability.form_id
            and cohorts_in_groups.unit_kind = applicability.unit_kind
            and reported.indicator_id = applicability.indicator_id
),

-- Most groups have a single cohort, whose sums are theirs.
reported_by_group as (
    select
        group_no,
        indicator_id,
        value,
        cumulative_value,
        single_value,
        first_value,
        reported_units,
        cumulative_units,
        single_units,
        other_units,
        applicable_units,
        reported_periods,
        expected_periods
    from reported_in_groups
    where cohorts = 1

    union all

    select
        group_no,
        indicator_id,
        sum(value) as value,
        sum(cumulative_value) as cumulative_value,
        sum(single_value) as single_value,
        sum(first_value) as first_value,
        sum(reported_units) as reported_units,
        sum(cumulative_units) as cumulative_units,
        sum(single_units) as single_units,
        sum(other_units) as other_units,
        sum(applicable_units) as applicable_units,
        min(reported_periods) as reported_periods,
        max(expected_periods) as expected_periods
    from reported_in_groups
    where cohorts > 1
    group by group_no, indicator_id
),

-- In full, also as a planner that expects little would join them row by row otherwise; and so with their groups.
added as (
    select
        coalesce(owed.group_no, reported.group_no) as group_no,
        coalesce(owed.indicator_id, reported.indicator_id) as indicator_id,
        reported.value,
        reported.cumulative_value,
        reported.single_value,
        reported.first_value,
        coalesce(reported.reported_units, 0) as reported_units,
        coalesce(reported.cumulative_units, 0) as cumulative_units,
        coalesce(reported.single_units, 0) as single_units,
        coalesce(owed.units, 0) + coalesce(reported.other_units, 0) as expected_units,
        coalesce(reported.applicable_units, 0) < coalesce(owed.units, 0) as lacks_reports,
        reported.reported_periods,
        reported.expected_periods
    from owed
    full outer join reported_by_group as reported
        on
            owed.group_no = reported.group_no
            and owed.indicator_id = reported.indicator_id
),

groups_of_periods as materialized (
    select distinct
        cohorts_in_groups.group_no,
        cohorts_in_groups.group_id,
        cohorts_in_groups.form_id,
        cohorts_in_groups.period_id,
        extract(year from periods.ends_on)::integer as year
    from cohorts_in_groups
    inner join {{ ref('stg_catalog__periods') }} as periods
        on
            cohorts_in_groups.form_id = periods.form_id
            and cohorts_in_groups.period_id = periods.period_id
),

final as (
    select
        groups_of_periods.group_id as unit_id,
        groups_of_periods.form_id,
        groups_of_periods.period_id,
        groups_of_periods.year,
        added.indicator_id,
        added.value,
        added.cumulative_value,
        added.single_value,
        added.first_value,
        added.reported_units,
        added.cumulative_units,
        added.single_units,
        added.expected_units,
        -- The periods that even the unit with the fewest has reported.
        case
            when added.lacks_reports then 0
            else coalesce(added.reported_periods, 0)
        end as reported_periods,
        coalesce(added.expected_periods, 0) as expected_periods,
        added.reported_units = added.expected_units as is_complete,
        added.single_units = added.expected_units as single_is_complete
    from added
    full outer join groups_of_periods on added.group_no = groups_of_periods.group_no
    where coalesce(added.indicator_id, '') != ''
)

select * from final
{% endmacro %}

{#
    A column for a relation that has many more rows than the planner expects, which would join it row by row to others of
    the kind. It takes no hints, but of a series whose end it does not know it expects a thousand rows, for each row. There
    is one. `key` is any number of the relation's, counted from 1.
#}
{% macro once_for_each(key) -%}
generate_series(1, least({{ key }}, 1)) as once
{%- endmacro %}
