select
    unit_id,
    group_id,
    depth,
    is_counted
from {{ source('catalog', 'unit_closure') }}
