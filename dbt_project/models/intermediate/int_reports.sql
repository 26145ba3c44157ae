-- depends_on: {{ ref('int_units_touched') }}, {{ ref('int_periods_touched') }}
{{ config(
    materialized = 'incremental',
    incremental_strategy = 'replace_touched_units',
    indexes = [{'columns': ['form_id', 'period_id', 'unit_id', 'year'], 'unique': true}],
    on_schema_change = 'fail',
    contract = {'enforced': true},
    meta = {'partition_by_year': true, 'grain': ['form_id', 'period_id', 'unit_id']}
) }}

{{ reports(scope=ref('int_units_touched'), world=now()) }}
