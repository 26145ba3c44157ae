select
    authority_id,
    scoreboard_name,
    ties
from {{ source('catalog', 'reporting_scoreboards') }}
