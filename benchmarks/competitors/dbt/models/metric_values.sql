with members as (
    select unit_id, group_id from {{ source('raw', 'closure') }}
    union all
    select distinct unit_id, unit_id as group_id from {{ source('raw', 'closure') }}
)

{% for metric in var('metrics') %}
select
    members.group_id as unit_id,
    '{{ metric.metric_id }}' as metric_id,
    wide.period_id,
    {{ metric.scale }} * sum({{ metric.numerator | join(' + ') }})::numeric
    / nullif(sum({{ metric.denominator | join(' + ') }}), 0)::numeric as value
from {{ ref('wide') }} as wide
inner join members on wide.unit_id = members.unit_id
where wide.form_id = '{{ metric.form }}'
group by members.group_id, wide.period_id
{{ 'union all' if not loop.last }}
{% endfor %}
