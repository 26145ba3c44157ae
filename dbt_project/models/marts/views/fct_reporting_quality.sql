-- A unit and a group are worked out apart, and a group unit by unit, so that a question about one reads nothing of the
-- others.
{% set counts %}
count(*) filter (where obligations.status in ('on_time', 'late', 'missing')) as owed,
        count(*) filter (where obligations.status = 'extended') as extended,
        count(*) filter (where obligations.status = 'on_time') as on_time,
        count(*) filter (where obligations.status = 'late') as late,
        count(*) filter (where obligations.status = 'missing') as missing,
        coalesce(sum(obligations.working_days_late) filter (where obligations.status = 'late'), 0)::bigint as working_days_late,
        count(*) filter (where obligations.submissions > 0) as reported,
        coalesce(sum(obligations.submissions), 0)::bigint as submissions,
        count(obligations.is_first_pass) as first_checked,
        count(*) filter (where obligations.is_first_pass) as first_passed,
        sum(obligations.errors)::bigint as errors,
        sum(obligations.questions)::bigint as questions,
        sum(obligations.unanswered_questions)::bigint as unanswered_questions,
        max(obligations.as_at) as as_at
{% endset %}

with

obligations as not materialized (
    select * from {{ ref('fct_obligations') }}
),

units as (
    select * from {{ ref('stg_catalog__units') }}
),

thresholds as (
    select * from {{ ref('stg_catalog__reporting_thresholds') }}
),

unit_closure as (
    select * from {{ ref('stg_catalog__unit_closure') }}
    where depth > 0
),

counted as not materialized (
    select
        obligations.authority_id,
        obligations.authority_name,
        obligations.unit_id,
        obligations.year,
        obligations.month,
        {{ counts | trim }}
    from obligations
    group by
        obligations.authority_id, obligations.authority_name, obligations.unit_id, obligations.year, obligations.month
),

-- Reports are the units' own: one that lies within another reports by itself, and counts in every group it is in.
counted_with_groups as (
    select
        counted.*,
        false as is_group
    from counted

    union all

    select
        counted.authority_id,
        counted.authority_name,
        unit_closure.group_id as unit_id,
        counted.year,
        counted.month,
        sum(counted.owed)::bigint as owed,
        sum(counted.extended)::bigint as extended,
        sum(counted.on_time)::bigint as on_time,
        sum(counted.late)::bigint as late,
        sum(counted.missing)::bigint as missing,
        sum(counted.working_days_late)::bigint as working_days_late,
        sum(counted.reported)::bigint as reported,
        sum(counted.submissions)::bigint as submissions,
        sum(counted.first_checked)::bigint as first_checked,
        sum(counted.first_passed)::bigint as first_passed,
        sum(counted.errors)::bigint as errors,
        sum(counted.questions)::bigint as questions,
        sum(counted.unanswered_questions)::bigint as unanswered_questions,
        max(counted.as_at) as as_at,
        true as is_group
    from unit_closure
    cross join
        lateral (
            select
                obligations.authority_id,
                obligations.authority_name,
                obligations.year,
                obligations.month,
                {{ counts | trim | indent(8) }}
            from obligations
            where obligations.unit_id = unit_closure.unit_id
            group by obligations.authority_id, obligations.authority_name, obligations.year, obligations.month
        ) as counted
    group by counted.authority_id, counted.authority_name, unit_closure.group_id, counted.year, counted.month
),

rated as (
    select
        *,
        trim_scale(100 * {{ exact_ratio('on_time', 'owed') }}) as on_time_rate,
        trim_scale(100 * {{ exact_ratio('first_passed', 'first_checked') }}) as first_pass_rate,
        {{ exact_ratio('submissions', 'reported') }} as submissions_per_obligation,
        {{ exact_ratio('working_days_late', 'late') }} as average_working_days_late,
        sum(missing) over (
            partition by unit_id, is_group, year
            order by month
        )::bigint as missing_in_year
    from counted_with_groups
),

final as (
    select
        rated.authority_id,
        rated.authority_name,
        rated.unit_id,
        units.unit_name,
        rated.is_group,
        rated.year,
        rated.month,
        rated.owed,
        rated.extended,
        rated.on_time,
        rated.late,
        rated.missing,
        rated.on_time_rate,
        coalesce(round(rated.on_time_rate, 2)::text, '—') as on_time_rate_text,
        case when rated.owed = 0 then '没有到期的应报' end as on_time_rate_reason,
        rated.working_days_late,
        rated.average_working_days_late,
        coalesce(round(rated.average_working_days_late, 2)::text, '—') as average_working_days_late_text,
        case when rated.late = 0 then '没有迟报' end as average_working_days_late_reason,
        rated.reported,
        rated.first_checked,
        rated.first_passed,
        rated.first_pass_rate,
        coalesce(round(rated.first_pass_rate, 2)::text, '—') as first_pass_rate_text,
        case
            when rated.reported = 0 then '没有报送'
            when rated.first_checked = 0 then '尚未审核'
        end as first_pass_rate_reason,
        rated.submissions,
        rated.submissions_per_obligation,
        coalesce(round(rated.submissions_per_obligation, 2)::text, '—') as submissions_per_obligation_text,
        case when rated.reported = 0 then '没有报送' end as submissions_per_obligation_reason,
        rated.errors,
        rated.questions,
        rated.unanswered_questions,
        rated.missing_in_year,
        case when not rated.is_group then thresholds.missing_reports_a_year end as missing_reports_a_year,
        case when not rated.is_group then rated.missing_in_year > thresholds.missing_reports_a_year end
            as is_over_threshold,
        rated.as_at
    from rated
    inner join units on rated.unit_id = units.unit_id
    left join thresholds on rated.authority_id = thresholds.authority_id
)

select * from final
