select
    authority_id,
    authority_name
from {{ source('catalog', 'authorities') }}
