select
    explanation_id,
    is_accepted,
    reason,
    decided_by,
    decided_at
from {{ source('quality', 'decisions') }}
