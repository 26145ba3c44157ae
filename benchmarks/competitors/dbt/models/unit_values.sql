select
    own.unit_id,
    own.form_id || '.' || own.name as indicator_id,
    own.period_id,
    own.value as stated,
    own.value as cumulative,
    case when own.before is null then own.value else own.value - former.value end as single
from {{ source('raw', 'figures') }} as own
inner join {{ source('raw', 'counts') }} as counts using (form_id, name)
left join {{ source('raw', 'figures') }} as former
    on
        own.unit_id = former.unit_id
        and own.form_id = former.form_id
        and own.name = former.name
        and own.before = former.period_id
