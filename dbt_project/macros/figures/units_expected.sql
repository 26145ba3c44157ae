{#
    Who owes what: one row per form, period and unit, for the (form_id, period_id) in `periods` of which at least one
    unit has sent something, returned or not. A unit founded later or closed before has nothing to do with a period.
    With `owed_only` false, all units of the form's authority.
#}
{% macro units_of_periods(periods, world, owed_only=true) %}
select
    asked.form_id,
    asked.period_id,
    units.unit_id,
    units.unit_kind
from {{ periods }} as asked
inner join {{ ref('stg_catalog__periods') }} as periods
    on
        asked.form_id = periods.form_id
        and asked.period_id = periods.period_id
{%- if owed_only %}
inner join {{ ref('stg_catalog__form_units') }} as form_units on asked.form_id = form_units.form_id
inner join {{ ref('stg_catalog__units') }} as units on form_units.unit_id = units.unit_id
{%- else %}
inner join {{ ref('stg_catalog__forms') }} as forms on asked.form_id = forms.form_id
inner join {{ ref('stg_catalog__units') }} as units on forms.authority_id = units.authority_id
{%- endif %}
where
    coalesce(units.valid_from <= periods.ends_on, true)
    and coalesce(units.valid_to >= periods.starts_on, true)
    and exists (
        select 1
        from {{ ref('fct_submissions') }} as submissions
        where
            periods.form_id = submissions.form_id
            and periods.reported_as = submissions.period_id
            and submissions.row_role = 'unit'
            and {{ was_received('submissions', world) }}
    )
{% endmacro %}
