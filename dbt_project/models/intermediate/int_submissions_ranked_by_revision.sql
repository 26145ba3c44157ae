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

accepted as (
    select
        *,
        min(accepted_from) over (
            partition by unit_id, form_id, period_id, row_role
            order by revision
            rows between 1 following and unbounded following
        ) as later_revision_from
    from numbered
    where is_accepted
),

-- At any instant the latest revision accepted by then stands. One that was sent back, or that nobody checked yet,
-- replaces nothing, and one accepted no sooner than a later revision never stood. Of those that did, each stands until
-- the next.
stood as (
    select
        submission_id,
        accepted_from as known_from,
        lead(accepted_from) over by_revision as known_to,
        lead(submission_id) over by_revision as superseded_by,
        row_number() over by_revision = 1 as is_first
    from accepted
    where later_revision_from is null or later_revision_from > accepted_from
    window by_revision as (
        partition by unit_id, form_id, period_id, row_role
        order by revision
    )
),

final as (
    select
        numbered.submission_id,
        numbered.unit_id,
        numbered.form_id,
        numbered.period_id,
        numbered.row_role,
        numbered.file_id,
        numbered.file_sha256,
        numbered.policy,
        numbered.received_at,
        numbered.sheet,
        numbered.outcome,
        numbered.revision,
        numbered.next_received_at,
        case when numbered.is_accepted then numbered.accepted_from end as accepted_from,
        stood.known_from,
        stood.known_to,
        stood.superseded_by,
        coalesce(stood.is_first, false) as is_first,
        stood.submission_id is not null and stood.superseded_by is null as is_standing
    from numbered
    left join stood on numbered.submission_id = stood.submission_id
)

select * from final
