select
    indicator_id,
    predecessor_id,
    effective_from,
    effective_to,
    predecessors
from {{ source('catalog', 'indicator_predecessors') }}
