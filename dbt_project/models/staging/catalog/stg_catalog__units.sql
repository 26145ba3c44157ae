select
    unit_id,
    authority_id,
    unit_name,
    unit_kind,
    parent_unit_id,
    is_group,
    sort_no,
    valid_from,
    valid_to
from {{ source('catalog', 'units') }}
