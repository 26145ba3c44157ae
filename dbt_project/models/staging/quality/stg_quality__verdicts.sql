select
    unit_id,
    submission_id,
    outcome
from {{ source('quality', 'verdicts') }}
