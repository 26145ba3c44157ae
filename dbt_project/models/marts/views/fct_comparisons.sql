{{ comparisons(kinds_of_figures(
    unit_values=ref('fct_indicator_values'),
    group_values=ref('fct_indicator_totals'),
    metric_values=ref('fct_metric_values')
)) }}
