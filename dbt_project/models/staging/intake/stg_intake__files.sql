select
    file_id,
    file_sha256,
    file_name,
    landing_key,
    size_bytes,
    policy,
    received_at,
    outcome,
    reason
from {{ source('intake', 'files') }}
