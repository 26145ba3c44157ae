select
    indicator_id,
    form_id,
    indicator_name,
    label_path,
    unit_of_measure,
    measure_kind,
    figures,
    counterpart_id,
    counting_rule,
    counting_rule_source,
    sort_no,
    effective_from,
    effective_to,
    comparable_from
from {{ source('catalog', 'indicators') }}
