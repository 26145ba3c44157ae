select
    authority_id,
    missing_reports_a_year
from {{ source('catalog', 'reporting_thresholds') }}
