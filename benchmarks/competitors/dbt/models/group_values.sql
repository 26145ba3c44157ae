with expected as (
    select group_id, count(*) as expected_units
    from {{ source('raw', 'closure') }}
    group by group_id
),

summed as (
    select
        closure.group_id,
        unit_values.indicator_id,
        unit_values.period_id,
        sum(unit_values.cumulative) as cumulative,
        count(unit_values.cumulative) as reported_units
    from {{ ref('unit_values') }} as unit_values
    inner join {{ source('raw', 'closure') }} as closure using (unit_id)
    group by closure.group_id, unit_values.indicator_id, unit_values.period_id
)

select
    group_id,
    indicator_id,
    period_id,
    cumulative,
    reported_units,
    expected_units
from summed
inner join expected using (group_id)
