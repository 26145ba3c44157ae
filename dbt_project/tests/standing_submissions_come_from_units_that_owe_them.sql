-- Their figures are in the marts but in no group's sum; somebody should look at who is declared to report what.
{{ config(severity = 'warn') }}

with

expected as (
    {{ units_of_periods(ref('int_periods_touched'), now()) | indent(4) }}
)

select
    submissions.unit_id,
    submissions.unit_name,
    submissions.form_id,
    submissions.period_id
from {{ ref('fct_submissions') }} as submissions
inner join {{ ref('int_periods_touched') }} as touched
    on
        submissions.form_id = touched.form_id
        and submissions.period_id = touched.period_id
left join expected
    on
        submissions.form_id = expected.form_id
        and submissions.period_id = expected.period_id
        and submissions.unit_id = expected.unit_id
where
    submissions.is_standing
    and submissions.row_role = 'unit'
    and expected.unit_id is null
