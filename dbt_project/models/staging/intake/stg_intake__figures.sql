-- What a submission states, in arrays in the order of its layout.
select
    submission_id,
    layout_id,
    cell_states,
    stated_values,
    stated_texts,
    decimals,
    cells,
    sheet
from {{ source('intake', 'figures') }}
