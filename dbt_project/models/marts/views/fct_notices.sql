-- What became of a notice is what became of its mail: of several deliveries the one that a person has to know of first.
with

notices as not materialized (
    select * from {{ ref('stg_mail__notices') }}
),

deliveries as not materialized (
    select
        mail_id,
        count(*) as deliveries,
        count(*) filter (where state = 'sent') as sent,
        bool_or(state = 'unknown') as is_unknown,
        bool_or(state = 'refused') as is_refused,
        bool_or(state in ('queued', 'sending', 'handing_over')) as is_open,
        min(changed_at) filter (where state = 'sent') as sent_at
    from {{ ref('stg_mail__deliveries') }}
    group by mail_id
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

final as (
    select
        notices.notice_id,
        notices.authority_id,
        notices.kind,
        notices.step,
        notices.unit_id,
        coalesce(units.unit_name, notices.unit_id) as unit_name,
        notices.to_unit_id,
        coalesce(to_units.unit_name, notices.to_unit_id) as to_unit_name,
        notices.form_id,
        coalesce(forms.form_title, notices.form_id) as form_title,
        notices.period_id,
        coalesce(periods.period_name, notices.period_id) as period_name,
        notices.submission_id,
        notices.planned_at,
        case
            when deliveries.sent > 0 then 'sent'
            when notices.withdrawn_at is not null then 'withdrawn'
            when notices.mail_id is null then 'unaddressed'
            when deliveries.is_open then 'queued'
            when deliveries.is_unknown then 'unknown'
            when deliveries.is_refused then 'refused'
            when deliveries.deliveries > 0 then 'withdrawn'
            else 'unaddressed'
        end as state,
        deliveries.sent_at,
        notices.withdrawn_at
    from notices
    left join deliveries on notices.mail_id = deliveries.mail_id
    left join units on notices.unit_id = units.unit_id
    left join units as to_units on notices.to_unit_id = to_units.unit_id
    left join forms on notices.form_id = forms.form_id
    left join periods
        on
            notices.form_id = periods.form_id
            and notices.period_id = periods.period_id
)

select * from final
