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
reported_by_cohort as (
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
        max(expected_periods) as expected_periods
    from figures_in_cohorts
    group by cohort_no, indicator_id
),

-- What is owed and what is reported: put together by grouping, as a planner that expects little would join them row by
-- row.
together as (
    select
        owing.group_id,
        owing.form_id,
        owing.period_id,
        applicability.indicator_id,
        case when applicability.is_applicable then owing.units end as owing_units,
        null::numeric as value,
        null::numeric as cumulative_value,
        null::numeric as single_value,
        null::numeric as first_value,
        null::bigint as reported_units,
        null::bigint as cumulative_units,
        null::bigint as single_units,
        null::bigint as other_units,
        null::bigint as applicable_units,
        null::integer as reported_periods,
        null::integer as expected_periods
    from expected_by_kind as owing
    inner join applicability
        on
            owing.form_id = applicability.form_id
            and owing.unit_kind = applicability.unit_kind
    -- What the form of that time does not have is owed by nobody.
    inner join {{ ref('stg_catalog__periods') }} as periods
        on
            owing.form_id = periods.form_id
            and owing.period_id = periods.period_id
            and coalesce(periods.form_as_of >= applicability.comparable_from, true)
            and coalesce(periods.form_as_of <= applicability.effective_to, true)

    union all

    select
        unit_closure.group_id,
        cohorts_expected.form_id,
        cohorts_expected.period_id,
        reported.indicator_id,
        null as owing_units,
        reported.value,
        reported.cumulative_value,
        reported.single_value,
        reported.first_value,
        reported.reported_units,
        reported.cumulative_units,
        reported.single_units,
        case when not applicability.is_applicable then reported.reported_units end as other_units,
        case when applicability.is_applicable then reported.units end as applicable_units,
        case when applicability.is_applicable then reported.reported_periods end as reported_periods,
        reported.expected_periods
    from reported_by_cohort as reported
    inner join cohorts_expected on reported.cohort_no = cohorts_expected.cohort_no
    inner join unit_closure on cohorts_expected.cohort_id = unit_closure.unit_id
    inner join applicability
        on
            reported.indicator_id = applicability.indicator_id
            and cohorts_expected.unit_kind = applicability.unit_kind
),

added as (
    select
        group_id,
        form_id,
        period_id,
        indicator_id,
        sum(value) as value,
        sum(cumulative_value) as cumulative_value,
        sum(single_value) as single_value,
        sum(first_value) as first_value,
        coalesce(sum(reported_units), 0)::bigint as reported_units,
        coalesce(sum(cumulative_units), 0)::bigint as cumulative_units,
        coalesce(sum(single_units), 0)::bigint as single_units,
        (coalesce(sum(owing_units), 0) + coalesce(sum(other_units), 0))::bigint as expected_units,
        coalesce(sum(applicable_units), 0) < coalesce(sum(owing_units), 0) as lacks_reports,
        min(reported_periods) as reported_periods,
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
            when added.lacks_reports then 0
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
