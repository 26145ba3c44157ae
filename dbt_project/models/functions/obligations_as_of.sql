{{ config(arguments = ['authority_id text', 'as_of timestamptz']) }}

-- $1 the authority, $2 the instant. What is due later is owed as soon as its period has begun.
{% set owed %}
select
    owed.*,
    $2 as as_at
from deadlines.obligations_as_of($2, '-infinity', 'infinity', $1) as owed
inner join {{ ref('stg_catalog__authorities') }} as zones on owed.authority_id = zones.authority_id
inner join {{ ref('stg_catalog__periods') }} as begun
    on
        owed.form_id = begun.form_id
        and owed.period_id = begun.period_id
where begun.starts_on <= ($2 at time zone zones.time_zone)::date
{% endset %}

{{ obligations(owed) }}
