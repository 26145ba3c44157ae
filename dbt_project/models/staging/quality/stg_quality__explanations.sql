select
    explanation_id,
    unit_id,
    form_id,
    period_id,
    rule_id,
    subject,
    stated,
    expected,
    finding_id,
    file_id,
    given_at,
    explanation
from {{ source('quality', 'explanations') }}
