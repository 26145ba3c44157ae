select
    form_id,
    period_id,
    period_name,
    period_kind,
    starts_on,
    ends_on,
    accumulates_from,
    sequence,
    reported_as,
    previous_period_id,
    year_ago_period_id,
    opens_window,
    form_as_of
from {{ source('catalog', 'periods') }}
