select
    form_id,
    unit_id,
    period_id,
    {% for name in var('columns') %}
    max(value) filter (where name = '{{ name }}') as {{ name }}{{ ',' if not loop.last }}
    {% endfor %}
from {{ source('raw', 'figures') }}
group by form_id, unit_id, period_id
