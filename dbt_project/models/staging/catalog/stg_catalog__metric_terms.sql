select
    metric_id,
    role,
    form_id,
    indicator_id
from {{ source('catalog', 'metric_terms') }}
