select
    scoreboard_id,
    item_id,
    item_name,
    sort_no,
    indicator_id,
    metric_id,
    better,
    points_top,
    points_bottom
from {{ source('catalog', 'scoreboard_items') }}
