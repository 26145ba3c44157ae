{#
    The figures of groups: sums over their units, for the (form_id, period_id) in `periods`. One row per group, form,
    period and indicator. Rates, ranks and points do not add up and have no row. A unit whose figures another unit of the
    group holds already is left out.
#}
{% macro group_values(unit_values, periods, world) %}
with

units_expected as (
    {{ units_of_periods(periods, world) | indent(4) }}
),

unit_closure as not materialized (
    select * from {{ ref('stg_catalog__unit_closure') }}
    where depth > 0 and is_counted
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
    from units_counted
    inner join cohorts_expected
        on
            units_counted.cohort_id = cohorts_expected.cohort_id
            and units_counted.form_id = cohorts_expected.form_id
            and units_counted.period_id = cohorts_expected.period_id
            and units_counted.unit_kind = cohorts_expected.unit_kind
),

expected_by_kind as (
    select
        unit_closure.group_id,
        cohorts_expected.form_id,
        cohorts_expected.period_id,
        cohorts_expected.unit_kind,
        sum(cohorts_expected.units) as units
    from cohorts_expected
    inner join unit_closure on cohorts_expected.cohort_id = unit_closure.unit_id
    group by unit_closure.group_id, cohorts_expected.form_id, cohorts_expected.period_id, cohorts_expected.unit_kind
),

expected as (
    select
        expected_by_kind.group_id,
        expected_by_kind.form_id,
        expected_by_kind.period_id,
        applicability.indicator_id,
        sum(expected_by_kind.units) filter (where applicability.is_applicable) as units
    from expected_by_kind
    inner join applicability
        on
            expected_by_kind.form_id = applicability.form_id
            and expected_by_kind.unit_kind = applicability.unit_kind
    -- What the form of that time does not have is owed by nobody.
    inner join {{ ref('stg_catalog__periods') }} as periods
        on
            expected_by_kind.form_id = periods.form_id
            and expected_by_kind.period_id = periods.period_id
            and coalesce(periods.form_as_of >= applicability.comparable_from, true)
            and coalesce(periods.form_as_of <= applicability.effective_to, true)
    group by
        expected_by_kind.group_id, expected_by_kind.form_id, expected_by_kind.period_id, applicability.indicator_id
),

-- What a unit reports counts, even where its kind need not; what a unit reports that does not owe the form does not.
reported_by_cohort as (
    select
        units_in_cohorts.cohort_no,
        unit_values.indicator_id,
        sum(unit_values.stated_value) as value,
        sum(unit_values.cumulative_value) as cumulative_value,
        sum(unit_values.single_value) as single_value,
        sum(unit_values.first_value) as first_value,
        count(unit_values.stated_value) as reported_units,
        count(unit_values.cumulative_value) as cumulative_units,
        count(unit_values.single_value) as single_units,
        count(*) as units,
        min(unit_values.reported_periods) as reported_periods,
        max(unit_values.expected_periods) as expected_periods
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
    group by units_in_cohorts.cohort_no, unit_values.indicator_id
),

reported as (
    select
        unit_closure.group_id,
        cohorts_expected.form_id,
        cohorts_expected.period_id,
        reported_by_cohort.indicator_id,
        sum(reported_by_cohort.value) as value,
        sum(reported_by_cohort.cumulative_value) as cumulative_value,
        sum(reported_by_cohort.single_value) as single_value,
        sum(reported_by_cohort.first_value) as first_value,
        sum(reported_by_cohort.reported_units) as reported_units,
        sum(reported_by_cohort.cumulative_units) as cumulative_units,
        sum(reported_by_cohort.single_units) as single_units,
        sum(reported_by_cohort.units) filter (where applicability.is_applicable) as applicable_units,
        sum(reported_by_cohort.reported_units) filter (where not applicability.is_applicable) as other_units,
        min(reported_by_cohort.reported_periods) filter (where applicability.is_applicable) as reported_periods,
        max(reported_by_cohort.expected_periods) as expected_periods
    from reported_by_cohort
    inner join cohorts_expected on reported_by_cohort.cohort_no = cohorts_expected.cohort_no
    inner join unit_closure on cohorts_expected.cohort_id = unit_closure.unit_id
    inner join applicability
        on
            reported_by_cohort.indicator_id = applicability.indicator_id
            and cohorts_expected.unit_kind = applicability.unit_kind
    group by
        unit_closure.group_id, cohorts_expected.form_id, cohorts_expected.period_id, reported_by_cohort.indicator_id
),

-- What is owed and what is reported: put together by grouping, as a planner that expects little would join them row by
-- row.
together as (
    select
        group_id,
        form_id,
        period_id,
        indicator_id,
        coalesce(units, 0) as expected_units,
        coalesce(units, 0) as owing_units,
        null::numeric as value,
        null::numeric as cumulative_value,
        null::numeric as single_value,
        null::numeric as first_value,
        0 as reported_units,
        0 as cumulative_units,
        0 as single_units,
        0 as applicable_units,
        null::integer as reported_periods,
        null::integer as expected_periods
    from expected

    union all

    select
        group_id,
        form_id,
        period_id,
        indicator_id,
        coalesce(other_units, 0) as expected_units,
        0 as owing_units,
        value,
        cumulative_value,
        single_value,
        first_value,
        reported_units,
        cumulative_units,
        single_units,
        coalesce(applicable_units, 0) as applicable_units,
        reported_periods,
        expected_periods
    from reported
),

added as (
    select
        group_id,
        form_id,
        period_id,
        indicator_id,
        max(value) as value,
        max(cumulative_value) as cumulative_value,
        max(single_value) as single_value,
        max(first_value) as first_value,
        sum(reported_units)::bigint as reported_units,
        sum(cumulative_units)::bigint as cumulative_units,
        sum(single_units)::bigint as single_units,
        sum(expected_units)::bigint as expected_units,
        sum(owing_units) as owing_units,
        sum(applicable_units) as applicable_units,
        max(reported_periods) as reported_periods,
        max(expected_periods) as expected_periods
    from together
    group by group_id, form_id, period_id, indicator_id
),

final as (
    select
        added.group_id as unit_id,
        added.form_id,
        added.period_id,
        extract(year from periods.ends_on)::integer as year,
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
            when added.applicable_units < added.owing_units then 0
            else coalesce(added.reported_periods, 0)
        end as reported_periods,
        coalesce(added.expected_periods, 0) as expected_periods,
        added.reported_units = added.expected_units as is_complete,
        added.single_units = added.expected_units as single_is_complete
    from added
    inner join {{ ref('stg_catalog__periods') }} as periods
        on
            added.form_id = periods.form_id
            and added.period_id = periods.period_id
)

select * from final
{% endmacro %}
