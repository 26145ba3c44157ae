select
    scoreboard_id,
    form_id,
    scoreboard_name
from {{ source('catalog', 'scoreboards') }}
