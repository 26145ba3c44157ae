select
    indicator_id,
    unit_kind
from {{ source('catalog', 'indicator_unit_kinds') }}
