{#  The figures of one authority and period, as they were known at an instant: $1 authority, $2 period, $3 instant. #}
{% macro figures_as_of() %}
asked as (
    select
        forms.form_id,
        $2 as period_id
    from {{ ref('stg_catalog__forms') }} as forms
    where forms.authority_id = $1
),

pairs as (
    {{ pairs_needed('asked') | indent(4) }}
),

{{ figures_in('pairs', world(as_of='$3')) }}
{% endmacro %}
