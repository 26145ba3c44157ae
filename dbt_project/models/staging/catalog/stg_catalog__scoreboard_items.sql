select
    scoreboard_id,
    item_id,
    item_name,
    sort_no,
    indicator_id,
    metric_id,
    basis,
    better,
    minimum_denominator,
    weight,
    points_top,
    points_step,
    points_bottom
from {{ source('catalog', 'scoreboard_items') }}
