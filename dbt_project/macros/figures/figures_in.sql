{#
    The whole chain as common table expressions: the figures of the (form_id, period_id) in `pairs` in one world, from
    units' values to rankings, each named with the prefix. Only those in `compared` are compared, where it is given. With
    `units`, only the figures of the units and groups in it are listed and compared, and no other groups added up.
#}
{% macro figures_in(pairs, world, prefix='', compared=none, units=none) %}
{{ prefix }}reports as (
    {{ reports(pairs, world, of_units=false) | indent(4) }}
),

{{ prefix }}own_figures as (
    {{ own_figures(prefix ~ 'reports') | indent(4) }}
),

{{ prefix }}figures_replaced as (
    {{ figures_replaced(prefix ~ 'own_figures') | indent(4) }}
),

{{ prefix }}unit_values as (
    {{ unit_values_together(prefix ~ 'own_figures', prefix ~ 'figures_replaced') | indent(4) }}
),

{{ prefix }}group_values as (
    {{ group_values(prefix ~ 'unit_values', pairs, world, groups=units, is_put_down=true) | indent(4) }}
),

{{ prefix }}metric_values as (
    {{ metric_values(prefix ~ 'unit_values', pairs, world) | indent(4) }}
),

{{ prefix }}rankings as (
    {{ rankings(prefix ~ 'unit_values', prefix ~ 'metric_values', pairs, world) | indent(4) }}
),

{%- set kinds = kinds_of_figures(prefix ~ 'unit_values', prefix ~ 'group_values', prefix ~ 'metric_values') %}
{{ prefix }}figures as (
    {{ figures_listed(kinds, units) | indent(4) }}
),

{{ prefix }}comparisons as (
    {{ comparisons(listed_already(prefix ~ 'figures'), compared) | indent(4) }}
)
{% endmacro %}

{#
    The (form_id, period_id) needed to know all figures of those in `pairs`, comparisons among them: with the periods they
    are compared with, and those of other forms that metrics take terms from.
#}
{% macro pairs_needed(pairs) %}
with

compared_with as (
    select
        form_id,
        period_id
    from {{ pairs }}

    union

    select
        periods.form_id,
        bases.base_period_id as period_id
    from {{ pairs }} as pairs
    inner join {{ ref('stg_catalog__periods') }} as periods
        on
            pairs.form_id = periods.form_id
            and pairs.period_id = periods.period_id
    cross join lateral (values (periods.previous_period_id), (periods.year_ago_period_id)) as bases (base_period_id)
    where bases.base_period_id is not null
)

{{ pairs_with_terms('compared_with') }}
{% endmacro %}

{#  The (form_id, period_id) in `pairs` with those of other forms that their metrics take terms from. #}
{% macro pairs_with_terms(pairs) %}
select
    form_id,
    period_id
from {{ pairs }}

union

select
    matched.term_form_id as form_id,
    matched.term_period_id as period_id
from {{ pairs }} as pairs
inner join {{ ref('int_periods_matched_across_forms') }} as matched
    on
        pairs.form_id = matched.form_id
        and pairs.period_id = matched.period_id
{% endmacro %}

{#
    The (form_id, period_id) whose figures move with those in `pairs`, these among them: a metric of another form takes
    terms from here, by the period matched to this one, and a scoreboard items.
#}
{% macro pairs_moved(pairs) %}
with

moved_by_terms as (
    select
        form_id,
        period_id
    from {{ pairs }}

    union

    select
        matched.form_id,
        matched.period_id
    from {{ pairs }} as pairs
    inner join {{ ref('int_periods_matched_across_forms') }} as matched
        on
            pairs.form_id = matched.term_form_id
            and pairs.period_id = matched.term_period_id
)

select
    form_id,
    period_id
from moved_by_terms

union

select
    mapped.dependent_form_id as form_id,
    moved_by_terms.period_id
from moved_by_terms
inner join {{ ref('int_forms_mapped_to_dependents') }} as mapped on moved_by_terms.form_id = mapped.form_id
{% endmacro %}
