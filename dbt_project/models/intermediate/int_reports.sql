{#  A table of its own, so that what is joined to it is planned on how much there is. #}
{{ config(
    materialized = 'incremental',
    incremental_strategy = 'replace_all',
    indexes = [{'columns': ['unit_id', 'period_id', 'form_id'], 'unique': true}]
) }}

{{ reports(scope=ref('int_units_touched'), world=now()) }}
