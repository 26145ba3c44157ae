{{ config(arguments = ['authority_id text', 'period_id text', 'as_of timestamptz']) }}

with

{{ figures_as_of('compared') }},

final as (
    select comparisons.*
    from comparisons
    inner join asked
        on
            comparisons.form_id = asked.form_id
            and comparisons.period_id = asked.period_id
)

select * from final
