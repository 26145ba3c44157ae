select
    submissions.unit_id,
    submissions.form_id,
    submissions.period_id,
    submissions.row_role
from {{ ref('fct_submissions') }} as submissions
inner join {{ ref('int_periods_touched') }} as touched
    on
        submissions.form_id = touched.form_id
        and submissions.period_id = touched.period_id
group by submissions.unit_id, submissions.form_id, submissions.period_id, submissions.row_role
having
    count(*) filter (where submissions.is_standing)
    != least(1, count(*) filter (where submissions.outcome in ('accepted', 'questioned')))
    or count(*) filter (where submissions.is_standing and submissions.outcome not in ('accepted', 'questioned')) > 0
    or max(submissions.revision) != count(*)
