select
    form_id,
    period_id,
    starts_on,
    ends_on,
    accumulates_from,
    period_name
from {{ source('catalog', 'periods') }}
