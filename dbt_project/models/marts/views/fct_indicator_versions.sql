with

submissions as (
    select * from {{ ref('fct_submissions') }}
),

observations as (
    select * from {{ ref('stg_intake__observations') }}
),

final as (
    select
        submissions.unit_id,
        submissions.form_id,
        submissions.period_id,
        observations.indicator_id,
        submissions.row_role,
        submissions.revision,
        submissions.known_from,
        submissions.known_to,
        observations.cell_state,
        observations.stated_value,
        observations.sheet,
        observations.cell,
        submissions.submission_id
    from submissions
    inner join observations
        on
            submissions.unit_id = observations.unit_id
            and submissions.submission_id = observations.submission_id
    where submissions.known_from is not null
)

select * from final
