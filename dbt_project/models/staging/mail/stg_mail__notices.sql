select
    notice_id,
    kind,
    step,
    authority_id,
    unit_id,
    to_unit_id,
    form_id,
    period_id,
    submission_id,
    planned_at,
    mail_id,
    withdrawn_at
from {{ source('mail', 'notices') }}
