with

units_expected as (
    select * from {{ ref('int_units_expected_by_period') }}
),

metrics as (
    select * from {{ ref('stg_catalog__metrics') }}
),

metric_terms as (
    select * from {{ ref('stg_catalog__metric_terms') }}
),

applicability as (
    select * from {{ ref('int_indicators_crossed_with_unit_kinds') }}
),

indicator_values as (
    select * from {{ ref('fct_indicator_values') }}
),

terms as (
    select
        metrics.metric_id,
        units_expected.form_id,
        units_expected.period_id,
        units_expected.unit_id,
        metric_terms.role,
        indicator_values.stated_value,
        coalesce(applicability.is_applicable, true) as is_applicable
    from units_expected
    inner join metrics on units_expected.form_id = metrics.form_id
    inner join metric_terms on metrics.metric_id = metric_terms.metric_id
    left join applicability
        on
            metric_terms.indicator_id = applicability.indicator_id
            and units_expected.unit_kind = applicability.unit_kind
    left join indicator_values
        on
            metric_terms.form_id = indicator_values.form_id
            and units_expected.period_id = indicator_values.period_id
            and units_expected.unit_id = indicator_values.unit_id
            and metric_terms.indicator_id = indicator_values.indicator_id
),

sums as (
    select
        metric_id,
        form_id,
        period_id,
        unit_id,
        sum(stated_value) filter (where role = 'numerator') as numerator,
        sum(stated_value) filter (where role = 'denominator') as denominator,
        bool_and(stated_value is not null) as has_all_terms,
        bool_and(is_applicable) as is_applicable
    from terms
    group by metric_id, form_id, period_id, unit_id
),

-- A unit that lacks one term adds neither to the numerator nor to the denominator of its groups.
final as (
    select
        metric_id,
        form_id,
        period_id,
        unit_id,
        case when has_all_terms then numerator end as numerator,
        case when has_all_terms then denominator end as denominator,
        has_all_terms as is_reported,
        is_applicable or has_all_terms as is_expected
    from sums
)

select * from final
