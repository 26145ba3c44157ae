with

units_touched as (
    select * from {{ ref('int_units_touched') }}
),

submissions as (
    select * from {{ ref('stg_intake__submissions') }}
),

verdicts as (
    select * from {{ ref('stg_quality__verdicts') }}
),

judged as (
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
        coalesce(verdicts.outcome, 'received') as outcome,
        coalesce(verdicts.outcome in ('accepted', 'questioned'), false) as is_accepted,
        coalesce(verdicts.accepted_from, submissions.received_at) as accepted_from
    from submissions
    inner join units_touched
        on
            submissions.form_id = units_touched.form_id
            and submissions.period_id = units_touched.period_id
            and submissions.unit_id = units_touched.unit_id
    left join verdicts
        on
            submissions.unit_id = verdicts.unit_id
            and submissions.submission_id = verdicts.submission_id
),

-- By the time of receipt, and where that is the same by the bytes: never by the order of processing.
numbered as (
    select
        *,
        row_number() over by_receipt as revision,
        lead(received_at) over by_receipt as next_received_at
    from judged
    window by_receipt as (
        partition by unit_id, form_id, period_id, row_role
        order by received_at, file_sha256, submission_id
    )
),

with_later_revisions as (
    select
        *,
        min(accepted_from) filter (where is_accepted) over (
            partition by unit_id, form_id, period_id, row_role
            order by revision
            rows between 1 following and unbounded following
        ) as later_revision_from
    from numbered
),

-- At any instant the latest revision accepted by then stands. One that was sent back, or that nobody checked yet,
-- replaces nothing, and one accepted no sooner than a later revision never stood. Of those that did, each stands until
-- the next.
marked as (
    select
        *,
        is_accepted and coalesce(later_revision_from > accepted_from, true) as has_stood
    from with_later_revisions
),

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
        next_received_at,
        case when is_accepted then accepted_from end as accepted_from,
        case when has_stood then accepted_from end as known_from,
        case when has_stood then lead(accepted_from) over by_revision end as known_to,
        case when has_stood then lead(submission_id) over by_revision end as superseded_by,
        has_stood and row_number() over by_revision = 1 as is_first,
        has_stood and lead(submission_id) over by_revision is null as is_standing
    from marked
    -- Those that stood among themselves.
    window by_revision as (
        partition by unit_id, form_id, period_id, row_role, has_stood
        order by revision
    )
)

select * from final
