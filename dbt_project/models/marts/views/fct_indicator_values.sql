{{ unit_values(reports=ref('int_reports'), replaced=ref('int_figures_replaced')) }}
