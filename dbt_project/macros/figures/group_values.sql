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

expected as materialized (
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

reported as materialized (
    select
        unit_closure.group_id,
        cohorts_expected.form_id,
        cohorts_expected.period_id,
        reported_by_cohort.indicator_id,
        sum(reported_by_cohort.value) as value,
        sum(reported_by_cohort.cumulative_value) as cumulative_value,
        sum(reported_by_cohort.single_value) as single_value,
        sum(reported_by_cohort.first_value) as first_value,
        sum(reported_by_cohort.reported_units)::bigint as reported_units,
        sum(reported_by_cohort.cumulative_units)::bigint as cumulative_units,
        sum(reported_by_cohort.single_units)::bigint as single_units,
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

added as (
    select
        expected.group_id,
        expected.form_id,
        expected.period_id,
        expected.indicator_id,
        expected.units as owing_units,
        reported.value,
        reported.cumulative_value,
        reported.single_value,
        reported.first_value,
        reported.reported_units,
        reported.cumulative_units,
        reported.single_units,
        reported.other_units,
        reported.applicable_units,
        reported.reported_periods,
        reported.expected_periods
    from expected
    left join reported
        on
            expected.group_id = reported.group_id
            and expected.form_id = reported.form_id
            and expected.period_id = reported.period_id
            and expected.indicator_id = reported.indicator_id

    union all

    -- What nobody owes, and was reported all the same.
    select
        reported.group_id,
        reported.form_id,
        reported.period_id,
        reported.indicator_id,
        0 as owing_units,
        reported.value,
        reported.cumulative_value,
        reported.single_value,
        reported.first_value,
        reported.reported_units,
        reported.cumulative_units,
        reported.single_units,
        reported.other_units,
        reported.applicable_units,
        reported.reported_periods,
        reported.expected_periods
    from reported
    where
        not exists (
            select 1
            from expected
            where
                reported.group_id = expected.group_id
                and reported.form_id = expected.form_id
                and reported.period_id = expected.period_id
                and reported.indicator_id = expected.indicator_id
        )
),

counted as (
    select
        *,
        (coalesce(owing_units, 0) + coalesce(other_units, 0))::bigint as expected_units
    from added
),

final as (
    select
        counted.group_id as unit_id,
        counted.form_id,
        counted.period_id,
        extract(year from periods.ends_on)::integer as year,
        counted.indicator_id,
        counted.value,
        counted.cumulative_value,
        counted.single_value,
        counted.first_value,
        coalesce(counted.reported_units, 0) as reported_units,
        coalesce(counted.cumulative_units, 0) as cumulative_units,
        coalesce(counted.single_units, 0) as single_units,
        counted.expected_units,
        -- The periods that even the unit with the fewest has reported.
        case
            when coalesce(counted.applicable_units, 0) < coalesce(counted.owing_units, 0) then 0
            else coalesce(counted.reported_periods, 0)
        end as reported_periods,
        coalesce(counted.expected_periods, 0) as expected_periods,
        coalesce(counted.reported_units, 0) = counted.expected_units as is_complete,
        coalesce(counted.single_units, 0) = counted.expected_units as single_is_complete
    from counted
    inner join {{ ref('stg_catalog__periods') }} as periods
        on
            counted.form_id = periods.form_id
            and counted.period_id = periods.period_id
)

select * from final
{% endmacro %}
