with

periods_touched as (
    select * from {{ ref('int_periods_touched') }}
),

submissions as (
    select * from {{ ref('fct_submissions') }}
),

final as (
    select distinct
        submissions.form_id,
        submissions.period_id
    from submissions
    inner join periods_touched
        on
            submissions.form_id = periods_touched.form_id
            and submissions.period_id = periods_touched.period_id
    where submissions.row_role = 'unit'
)

select * from final
