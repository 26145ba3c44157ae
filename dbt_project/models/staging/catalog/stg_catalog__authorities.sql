select
    authority_id,
    authority_name,
    time_zone
from {{ source('catalog', 'authorities') }}
