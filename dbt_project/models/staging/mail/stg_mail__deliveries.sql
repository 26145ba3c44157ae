select
    mail_id,
    state,
    changed_at
from {{ source('mail', 'deliveries') }}
