select
    touch_id,
    form_id,
    period_id,
    unit_id,
    file_id,
    build_id,
    -- One build runs at a time: whatever is claimed is claimed by this one.
    build_id is not null as is_claimed
from {{ source('intake', 'touched') }}
