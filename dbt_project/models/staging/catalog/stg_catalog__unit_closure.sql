select
    unit_id,
    group_id,
    depth
from {{ source('catalog', 'unit_closure') }}
