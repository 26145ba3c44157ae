{#
    The figures of one authority and period, as they were known at an instant: $1 authority, $2 period, $3 instant.
    `needed` says what has to be worked out for it: `alone` the forms' figures of the period, `with_terms` also those that
    metrics take their terms from, `compared` also those of the periods it is compared with.
#}
{% macro figures_as_of(needed) %}
asked as (
    select
        forms.form_id,
        $2 as period_id
    from {{ ref('stg_catalog__forms') }} as forms
    where forms.authority_id = $1
),
{%- if needed != 'alone' %}

pairs as (
    {{ (pairs_needed('asked') if needed == 'compared' else pairs_with_terms('asked')) | indent(4) }}
),
{%- endif %}

{{ figures_in('asked' if needed == 'alone' else 'pairs', world(as_of='$3'), compared='asked') }}
{% endmacro %}
