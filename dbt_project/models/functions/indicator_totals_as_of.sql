{{ config(arguments = ['authority_id text', 'period_id text', 'as_of timestamptz']) }}

with

{{ figures_as_of('alone') }},

final as (
    select group_values.*
    from group_values
    inner join asked
        on
            group_values.form_id = asked.form_id
            and group_values.period_id = asked.period_id
)

select * from final
