-- depends_on: {{ ref('int_periods_touched') }}
{{ config(
    indexes = [{'columns': ['form_id', 'period_id', 'unit_id', 'indicator_id', 'year'], 'unique': true}],
    meta = {'partition_by_year': true}
) }}

{{ group_values(
    unit_values=ref('fct_indicator_values'),
    periods=ref('int_periods_touched'),
    world=now()
) }}
