-- depends_on: {{ ref('int_units_touched') }}, {{ ref('int_periods_touched') }}, {{ ref('int_files_touched') }}
{{ config(
    incremental_strategy = 'replace_touched_units',
    indexes = [
        {'columns': ['form_id', 'period_id', 'unit_id']},
        {'columns': ['submission_id'], 'unique': true},
        {'columns': ['form_id', 'period_id'], 'where': awaits_correction()}
    ]
) }}

with

submissions as (
    select * from {{ ref('int_submissions_ranked_by_revision') }}
),

files as (
    select * from {{ ref('stg_intake__files') }}
),

findings as (
    select * from {{ ref('stg_quality__findings') }}
),

units as (
    select * from {{ ref('stg_catalog__units') }}
),

forms as (
    select * from {{ ref('stg_catalog__forms') }}
),

periods as (
    select * from {{ ref('stg_catalog__periods') }}
),

findings_matched as (
    select
        submissions.submission_id,
        findings.severity
    from submissions
    inner join findings on submissions.submission_id = findings.submission_id

    union all

    -- What is wrong with a sheet is wrong with all that stands on it.
    select
        submissions.submission_id,
        findings.severity
    from submissions
    inner join findings
        on
            submissions.file_id = findings.file_id
            and submissions.form_id = findings.form_id
            and submissions.sheet = findings.sheet
    where findings.scope = 'sheet'
),

findings_counted as (
    select
        submission_id,
        count(*) filter (where severity = 'error') as errors,
        count(*) filter (where severity = 'question') as questions,
        count(*) filter (where severity = 'notice') as notices
    from findings_matched
    group by submission_id
),

submissions_captioned as (
    select
        submissions.submission_id,
        files.file_id,
        submissions.file_sha256,
        files.file_name,
        submissions.sheet,
        submissions.form_id,
        coalesce(forms.form_title, submissions.form_id) as form_title,
        submissions.unit_id,
        coalesce(units.unit_name, submissions.unit_id) as unit_name,
        submissions.row_role,
        submissions.period_id,
        coalesce(periods.period_name, submissions.period_id) as period_name,
        submissions.revision,
        submissions.received_at,
        submissions.policy,
        submissions.outcome,
        submissions.is_standing,
        submissions.is_first,
        submissions.accepted_from,
        submissions.known_from,
        submissions.known_to,
        submissions.superseded_by,
        submissions.next_received_at,
        coalesce(findings_counted.errors, 0) as errors,
        coalesce(findings_counted.questions, 0) as questions,
        coalesce(findings_counted.notices, 0) as notices
    from submissions
    left join files on submissions.file_id = files.file_id
    left join findings_counted on submissions.submission_id = findings_counted.submission_id
    left join units on submissions.unit_id = units.unit_id
    left join forms on submissions.form_id = forms.form_id
    left join periods
        on
            submissions.form_id = periods.form_id
            and submissions.period_id = periods.period_id
),

-- Files from which no submission could be read: they belong to no period, and never change.
files_without_submission as (
    select
        'file-' || files.file_id as submission_id,
        files.file_id,
        files.file_sha256,
        files.file_name,
        files.received_at,
        files.policy,
        files.outcome
    from files
    {% if is_incremental() %}
    inner join {{ ref('int_files_touched') }} as files_touched on files.file_id = files_touched.file_id
    left join {{ this }} as published on 'file-' || files.file_id = published.submission_id
    where files.outcome != 'taken_in' and published.submission_id is null
    {% else %}
    where files.outcome != 'taken_in'
    {% endif %}
),

file_findings_counted as (
    select
        files_without_submission.submission_id,
        count(*) filter (where findings.severity = 'error') as errors,
        count(*) filter (where findings.severity = 'question') as questions,
        count(*) filter (where findings.severity = 'notice') as notices
    from files_without_submission
    inner join findings on files_without_submission.file_id = findings.file_id
    group by files_without_submission.submission_id
),

final as (
    select
        submission_id,
        file_id,
        file_sha256,
        file_name,
        sheet,
        form_id,
        form_title,
        unit_id,
        unit_name,
        row_role,
        period_id,
        period_name,
        revision,
        received_at,
        policy,
        outcome,
        is_standing,
        is_first,
        accepted_from,
        known_from,
        known_to,
        superseded_by,
        next_received_at,
        errors,
        questions,
        notices
    from submissions_captioned

    union all

    select
        files_without_submission.submission_id,
        files_without_submission.file_id,
        files_without_submission.file_sha256,
        files_without_submission.file_name,
        null as sheet,
        null as form_id,
        null as form_title,
        null as unit_id,
        null as unit_name,
        null as row_role,
        null as period_id,
        null as period_name,
        null as revision,
        files_without_submission.received_at,
        files_without_submission.policy,
        files_without_submission.outcome,
        false as is_standing,
        false as is_first,
        null as accepted_from,
        null as known_from,
        null as known_to,
        null as superseded_by,
        null as next_received_at,
        coalesce(file_findings_counted.errors, 0) as errors,
        coalesce(file_findings_counted.questions, 0) as questions,
        coalesce(file_findings_counted.notices, 0) as notices
    from files_without_submission
    left join file_findings_counted on files_without_submission.submission_id = file_findings_counted.submission_id
)

select * from final
