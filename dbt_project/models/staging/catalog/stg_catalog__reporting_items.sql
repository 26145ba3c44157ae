select
    authority_id,
    item_id,
    item_name,
    sort_no,
    measure,
    better,
    minimum_obligations,
    weight,
    points_top,
    points_step,
    points_bottom
from {{ source('catalog', 'reporting_items') }}
