select
    form_id,
    unit_id
from {{ source('catalog', 'form_units') }}
