{{ config(
    indexes = [
        {'columns': ['form_id', 'period_id', 'unit_id']},
        {'columns': ['finding_id'], 'unique': true}
    ]
) }}

-- depends_on: {{ ref('int_periods_touched') }}, {{ ref('int_files_touched') }}
-- Everything joined to a finding is joined from the left: one that names no unit, form or period is shown all the same.
with

submissions as (
    select * from {{ ref('fct_submissions') }}
),

files as (
    select * from {{ ref('stg_intake__files') }}
),

answers as (
    select * from {{ ref('stg_quality__answers') }}
),

authorities as (
    select * from {{ ref('stg_catalog__authorities') }}
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

-- Of the periods touched all, as they may have been checked anew; of the files touched what is not here yet, such as
-- what names no period.
{% if is_incremental() -%}
findings_of_periods as (
    select findings.*
    from {{ ref('stg_quality__findings') }} as findings
    inner join {{ ref('int_periods_touched') }} as periods_touched
        on
            findings.form_id = periods_touched.form_id
            and findings.period_id = periods_touched.period_id
),

findings_to_publish as (
    select * from findings_of_periods

    union

    select findings.*
    from {{ ref('stg_quality__findings') }} as findings
    inner join {{ ref('int_files_touched') }} as files_touched on findings.file_id = files_touched.file_id
    left join {{ this }} as published on findings.finding_id = published.finding_id
    where published.finding_id is null
),
{%- else -%}
findings_to_publish as (
    select * from {{ ref('stg_quality__findings') }}
),
{%- endif %}

final as (
    select
        findings.finding_id,
        findings.authority_id,
        authorities.authority_name,
        findings.form_id,
        coalesce(forms.form_title, findings.form_id) as form_title,
        findings.unit_id,
        coalesce(units.unit_name, findings.unit_id) as unit_name,
        findings.period_id,
        coalesce(periods.period_name, findings.period_id) as period_name,
        findings.submission_id,
        findings.file_id,
        files.file_name,
        files.received_at,
        coalesce(submissions.is_standing, false) as is_standing,
        findings.scope,
        findings.rule_id,
        findings.rule_kind,
        findings.severity,
        findings.cells,
        findings.stated,
        findings.expected,
        findings.message,
        findings.proposals,
        answers.explanation,
        answers.explanation_state,
        answers.decision_reason
    from findings_to_publish as findings
    left join answers on findings.finding_id = answers.finding_id
    left join submissions on findings.submission_id = submissions.submission_id
    left join files on findings.file_id = files.file_id
    left join authorities on findings.authority_id = authorities.authority_id
    left join units on findings.unit_id = units.unit_id
    left join forms on findings.form_id = forms.form_id
    left join periods
        on
            findings.form_id = periods.form_id
            and findings.period_id = periods.period_id
)

select * from final
