select
    authority_id,
    as_at
from {{ source('quality', 'looks') }}
