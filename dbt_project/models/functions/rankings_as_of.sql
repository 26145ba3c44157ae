{{ config(arguments = ['authority_id text', 'period_id text', 'as_of timestamptz']) }}

with

{{ figures_as_of('with_terms') }},

final as (
    select rankings.*
    from rankings
    inner join asked
        on
            rankings.form_id = asked.form_id
            and rankings.period_id = asked.period_id
)

select * from final
