select
    scoreboard_id,
    unit_id
from {{ source('catalog', 'scoreboard_units') }}
