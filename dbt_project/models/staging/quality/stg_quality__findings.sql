select
    finding_id,
    origin,
    scope,
    file_id,
    submission_id,
    authority_id,
    form_id,
    unit_id,
    period_id,
    rule_id,
    rule_kind,
    severity,
    cells,
    stated,
    expected,
    message
from {{ source('quality', 'findings') }}
