-- depends_on: {{ ref('int_files_touched') }}
{{ config(
    incremental_strategy = 'append',
    indexes = [{'columns': ['file_id'], 'unique': true}]
) }}

-- A file's row is written once, together with all its submissions, and never changes: what is not here yet is added.
with

files as (
    select * from {{ ref('stg_intake__files') }}
),

submissions as (
    select * from {{ ref('stg_intake__submissions') }}
),

new_files as (
    select
        files.file_id,
        files.file_name,
        files.file_sha256,
        files.size_bytes,
        files.received_at,
        files.policy,
        files.outcome,
        files.reason
    from files
    {% if is_incremental() %}
    inner join {{ ref('int_files_touched') }} as files_touched on files.file_id = files_touched.file_id
    -- A build that did not end may have added some already.
    left join {{ this }} as published on files.file_id = published.file_id
    where published.file_id is null
    {% endif %}
),

submissions_counted as (
    select
        new_files.file_id,
        count(*) as submissions
    from new_files
    inner join submissions on new_files.file_id = submissions.file_id
    group by new_files.file_id
),

final as (
    select
        new_files.file_id,
        new_files.file_name,
        new_files.file_sha256,
        new_files.size_bytes,
        new_files.received_at,
        new_files.policy,
        new_files.outcome,
        new_files.reason,
        coalesce(submissions_counted.submissions, 0) as submissions
    from new_files
    left join submissions_counted on new_files.file_id = submissions_counted.file_id
)

select * from final
