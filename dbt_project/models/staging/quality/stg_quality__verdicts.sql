select
    unit_id,
    submission_id,
    outcome,
    accepted_from
from {{ source('quality', 'verdicts') }}
