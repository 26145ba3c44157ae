with

metric_values as (
    select
        metric_values.unit_id,
        metric_values.is_group,
        metric_values.metric_id,
        metric_values.form_id,
        metric_values.period_id,
        metric_values.numerator,
        metric_values.denominator,
        metric_values.reported_units::integer as reported_units,
        metric_values.expected_units::integer as expected_units
    from {{ ref('fct_metric_values') }} as metric_values
    inner join {{ ref('int_periods_touched') }} as touched
        on
            metric_values.form_id = touched.form_id
            and metric_values.period_id = touched.period_id
),

sums as (
    select
        unit_closure.group_id,
        metric_values.metric_id,
        metric_values.form_id,
        metric_values.period_id,
        sum(metric_values.numerator) as numerator,
        sum(metric_values.denominator) as denominator,
        sum(metric_values.reported_units) as reported_units,
        sum(metric_values.expected_units) as expected_units
    from metric_values
    inner join {{ ref('stg_catalog__unit_closure') }} as unit_closure
        on
            metric_values.unit_id = unit_closure.unit_id
            and unit_closure.depth > 0
            and unit_closure.is_counted
    where not metric_values.is_group
    group by unit_closure.group_id, metric_values.metric_id, metric_values.form_id, metric_values.period_id
)

select
    metric_values.unit_id,
    metric_values.metric_id,
    metric_values.period_id,
    metric_values.numerator,
    sums.numerator as sum_of_numerators
from metric_values
left join sums
    on
        metric_values.unit_id = sums.group_id
        and metric_values.metric_id = sums.metric_id
        and metric_values.form_id = sums.form_id
        and metric_values.period_id = sums.period_id
where
    metric_values.is_group
    and (
        metric_values.numerator is distinct from sums.numerator
        or metric_values.denominator is distinct from sums.denominator
        or metric_values.reported_units is distinct from sums.reported_units
        or metric_values.expected_units is distinct from sums.expected_units
    )
