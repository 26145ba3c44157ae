with

figures as not materialized (
    {{ figures_listed(
        unit_values=ref('fct_indicator_values'),
        group_values=ref('fct_indicator_totals'),
        metric_values=ref('fct_metric_values')
    ) | indent(4) }}
),

final as (
    {{ comparisons('figures') | indent(4) }}
)

select * from final
