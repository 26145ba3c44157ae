select
    unit_id,
    form_id || '.' || name as indicator_id,
    period_id,
    sheet,
    cell,
    value
from {{ source('raw', 'figures') }}
