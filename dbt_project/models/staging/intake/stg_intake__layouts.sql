select
    layout_id,
    indicator_ids
from {{ source('intake', 'layouts') }}
