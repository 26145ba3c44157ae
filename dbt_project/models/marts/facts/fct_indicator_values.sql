-- depends_on: {{ ref('int_units_touched') }}, {{ ref('int_periods_touched') }}
{{ config(
    incremental_strategy = 'replace_touched_units',
    indexes = [{'columns': ['form_id', 'period_id', 'unit_id', 'indicator_id', 'year'], 'unique': true}],
    meta = {'partition_by_year': true}
) }}

{{ unit_values(reports=ref('int_reports'), world=now(), everything=not is_incremental()) }}
