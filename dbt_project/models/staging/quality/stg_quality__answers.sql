select
    finding_id,
    explanation,
    explanation_state,
    decision_reason
from {{ source('quality', 'answers') }}
