with

periods_touched as (
    select * from {{ ref('int_periods_touched') }}
),

submissions as (
    select * from {{ ref('stg_intake__submissions') }}
),

verdicts as (
    select * from {{ ref('stg_quality__verdicts') }}
),

submissions_with_verdict as (
    select
        submissions.submission_id,
        submissions.unit_id,
        submissions.form_id,
        submissions.period_id,
        submissions.row_role,
        submissions.file_id,
        submissions.file_sha256,
        submissions.policy,
        submissions.received_at,
        submissions.sheet,
        coalesce(verdicts.outcome, 'received') as outcome
    from submissions
    inner join periods_touched
        on
            submissions.form_id = periods_touched.form_id
            and submissions.period_id = periods_touched.period_id
    left join verdicts
        on
            submissions.unit_id = verdicts.unit_id
            and submissions.submission_id = verdicts.submission_id
),

ranked as (
    select
        submission_id,
        unit_id,
        form_id,
        period_id,
        row_role,
        file_id,
        file_sha256,
        policy,
        received_at,
        sheet,
        outcome,
        row_number() over (
            partition by unit_id, form_id, period_id, row_role
            order by received_at, file_id, submission_id
        ) as revision
    from submissions_with_verdict
),

-- What stands is the latest that was not sent back; one that was, or that nobody checked yet, replaces nothing.
final as (
    select
        submission_id,
        unit_id,
        form_id,
        period_id,
        row_role,
        file_id,
        file_sha256,
        policy,
        received_at,
        sheet,
        outcome,
        revision,
        coalesce(
            revision = max(revision) filter (where outcome in ('accepted', 'questioned')) over (
                partition by unit_id, form_id, period_id, row_role
            ),
            false
        ) as is_standing
    from ranked
)

select * from final
