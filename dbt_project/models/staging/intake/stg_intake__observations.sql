select
    unit_id,
    submission_id,
    indicator_id,
    cell_state,
    stated_value,
    stated_text,
    decimals,
    sheet,
    cell
from {{ source('intake', 'observations') }}
