select
    file_id,
    file_name,
    outcome,
    submissions
from {{ ref('fct_files') }}
where (outcome = 'taken_in') != (submissions > 0)
