-- What a submission states, in arrays, with the indicators in their order.
select
    figures.unit_id,
    figures.submission_id,
    figures.layout_id,
    layouts.indicator_ids,
    figures.cell_states,
    figures.stated_values,
    figures.stated_texts,
    figures.decimals,
    figures.cells,
    figures.sheet
from {{ source('intake', 'figures') }} as figures
inner join {{ source('intake', 'layouts') }} as layouts on figures.layout_id = layouts.layout_id
