select
    scoreboard_id,
    form_id,
    scoreboard_name,
    ties
from {{ source('catalog', 'scoreboards') }}
