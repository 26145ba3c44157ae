select
    submission_id,
    unit_id,
    form_id,
    period_id
from {{ source('intake', 'unchecked') }}
