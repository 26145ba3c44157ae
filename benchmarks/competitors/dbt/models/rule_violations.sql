{% for rule in var('rules') %}
select
    '{{ rule.id }}' as rule_id,
    count(*) as violations
from {{ ref('wide') }} as own
{% for partner in rule.partners %}
left join {{ ref('wide') }} as {{ partner }}
    on
        own.unit_id = {{ partner }}.unit_id
        and own.period_id = {{ partner }}.period_id
        and {{ partner }}.form_id = '{{ partner }}'
{% endfor %}
where own.form_id = '{{ rule.form }}' and ({{ rule.condition }})
{{ 'union all' if not loop.last }}
{% endfor %}
