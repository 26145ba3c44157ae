{{ config(arguments = ['authority_id text', 'period_id text', 'as_of timestamptz']) }}

with

{{ figures_as_of('with_terms') }},

final as (
    select
        {%- for column in model['columns'] %}
        metric_values.{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from metric_values
    inner join asked
        on
            metric_values.form_id = asked.form_id
            and metric_values.period_id = asked.period_id
)

select * from final
