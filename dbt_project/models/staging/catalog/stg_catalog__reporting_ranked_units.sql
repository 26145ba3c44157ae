select
    authority_id,
    unit_id
from {{ source('catalog', 'reporting_ranked_units') }}
