-- One correction is worked out when it is asked for: name a submission_id.
with

corrections as (
    select * from {{ ref('fct_submissions') }}
    where known_from is not null and revision > 1
),

final as (
    select
        corrections.submission_id,
        corrections.unit_id as corrected_unit_id,
        corrections.form_id as corrected_form_id,
        corrections.period_id as corrected_period_id,
        corrections.revision,
        corrections.known_from,
        impacts.kind,
        impacts.unit_id,
        impacts.is_group,
        impacts.form_id,
        impacts.period_id,
        impacts.subject_id,
        impacts.basis,
        impacts.value_before,
        impacts.value_after
    from corrections
    cross join lateral {{ ref('impact_of') }}(corrections.submission_id) as impacts
)

select * from final
