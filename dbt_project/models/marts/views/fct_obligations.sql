-- What was due by each authority's last look, as it stood then.
{% set owed %}
select
    owed.*,
    looks.as_at
from {{ ref('stg_quality__looks') }} as looks
cross join lateral
    {{ inlined(
        'deadlines.obligations_as_of',
        {
            'as_at': 'looks.as_at',
            'due_from': "'-infinity'::timestamptz",
            'due_to': 'looks.as_at',
            'of_authority': 'looks.authority_id'
        },
        'owed'
    ) }}
{% endset %}

{{ obligations(owed) }}
