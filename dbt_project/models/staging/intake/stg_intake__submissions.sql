select
    submission_id,
    unit_id,
    form_id,
    period_id,
    row_role,
    file_id,
    file_sha256,
    policy,
    received_at,
    sheet
from {{ source('intake', 'submissions') }}
