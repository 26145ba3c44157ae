select
    metric_id,
    form_id,
    metric_name,
    unit_of_measure,
    scale,
    decimals,
    has_denominator,
    against_schedule,
    sort_no
from {{ source('catalog', 'metrics') }}
