select
    form_id,
    authority_id,
    form_title,
    figures,
    calendar_kind,
    source,
    sort_no
from {{ source('catalog', 'forms') }}
