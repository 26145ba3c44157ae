-- Units are rolled up to themselves as well: one path for a unit's value and for its groups'.
with

terms_by_unit as (
    select * from {{ ref('int_metric_terms_summed_by_unit') }}
),

unit_closure as (
    select * from {{ ref('stg_catalog__unit_closure') }}
),

final as (
    select
        unit_closure.group_id as unit_id,
        terms_by_unit.metric_id,
        terms_by_unit.form_id,
        terms_by_unit.period_id,
        sum(terms_by_unit.numerator) as numerator,
        sum(terms_by_unit.denominator) as denominator,
        count(*) filter (where terms_by_unit.is_reported) as reported_units,
        count(*) filter (where terms_by_unit.is_expected) as expected_units
    from terms_by_unit
    inner join unit_closure on terms_by_unit.unit_id = unit_closure.unit_id
    group by unit_closure.group_id, terms_by_unit.metric_id, terms_by_unit.form_id, terms_by_unit.period_id
)

select * from final
