{#
    What is owed, with names and with what was found in what came: `owed` has the columns of the function
    deadlines.obligations_as_of and `as_at`, the instant by which everything goes. One row per unit, form and period.

    The submissions are looked up row by row, so that what is not asked for costs nothing.
#}
{% macro obligations(owed) %}
with

owed as not materialized (
    {{ owed | indent(4) }}
),

described as (
    select
        owed.authority_id,
        authorities.authority_name,
        owed.unit_id,
        units.unit_name,
        owed.form_id,
        forms.form_title,
        owed.period_id,
        periods.period_name,
        extract(year from owed.declared_due_on)::integer as year,
        to_char(owed.declared_due_on, 'YYYY-MM') as month,
        owed.due_at,
        owed.declared_due_at,
        owed.is_extended,
        owed.extension_reason,
        owed.first_received_at,
        owed.accepted_at,
        owed.status,
        owed.working_days_late,
        owed.submissions,
        case
            when sent.first_outcome in ('accepted', 'questioned') then sent.first_accepted_from <= owed.as_at
            when sent.first_outcome = 'returned' then false
        end as is_first_pass,
        coalesce(sent.errors, 0)::bigint as errors,
        coalesce(sent.questions, 0)::bigint as questions,
        coalesce(asked.questions, 0) as unanswered_questions,
        not owed.has_ever_reported as never_reported,
        owed.latest_submission_id,
        owed.as_at
    from owed
    inner join {{ ref('stg_catalog__authorities') }} as authorities on owed.authority_id = authorities.authority_id
    inner join {{ ref('stg_catalog__units') }} as units on owed.unit_id = units.unit_id
    inner join {{ ref('stg_catalog__forms') }} as forms on owed.form_id = forms.form_id
    inner join {{ ref('stg_catalog__periods') }} as periods
        on
            owed.form_id = periods.form_id
            and owed.period_id = periods.period_id
    left join lateral (
        select
            sum(submissions.errors) as errors,
            sum(submissions.questions) as questions,
            (array_agg(submissions.outcome order by submissions.revision))[1] as first_outcome,
            (array_agg(submissions.accepted_from order by submissions.revision))[1] as first_accepted_from
        from {{ ref('fct_submissions') }} as submissions
        where
            owed.form_id = submissions.form_id
            and owed.period_id = submissions.period_id
            and owed.unit_id = submissions.unit_id
            and submissions.row_role = 'unit'
            and submissions.policy = 'collect'
            and submissions.received_at <= owed.as_at
    ) as sent on owed.submissions > 0
    -- What is asked of the latest one, and not explained: an explanation holds while the cells and what they should be
    -- stay the same, and unless it was refused.
    left join lateral (
        select count(*) as questions
        from {{ ref('stg_quality__findings') }} as findings
        where
            owed.latest_outcome in ('questioned', 'returned')
            and owed.latest_submission_id = findings.submission_id
            and findings.severity = 'question'
            and not exists (
                select 1
                from {{ ref('stg_quality__explanations') }} as explanations
                left join {{ ref('stg_quality__decisions') }} as decisions
                    on
                        explanations.explanation_id = decisions.explanation_id
                        and decisions.decided_at <= owed.as_at
                where
                    findings.unit_id = explanations.unit_id
                    and findings.form_id = explanations.form_id
                    and findings.period_id = explanations.period_id
                    and findings.rule_id = explanations.rule_id
                    and findings.subject = explanations.subject
                    and findings.stated = explanations.stated
                    and findings.expected = explanations.expected
                    and explanations.given_at <= owed.as_at
                    and coalesce(decisions.is_accepted, true)
            )
    ) as asked on owed.submissions > 0
)

select * from described
{% endmacro %}
