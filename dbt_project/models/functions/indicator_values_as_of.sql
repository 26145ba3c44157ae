{{ config(arguments = ['authority_id text', 'period_id text', 'as_of timestamptz']) }}

with

{{ figures_as_of('alone') }},

final as (
    select unit_values.*
    from unit_values
    inner join asked
        on
            unit_values.form_id = asked.form_id
            and unit_values.period_id = asked.period_id
)

select * from final
