{#  A unit's submission that was sent back, and nothing came after it. #}
{% macro awaits_correction(submission='') -%}
{{ submission }}outcome = 'returned'
and {{ submission }}next_received_at is null
and {{ submission }}row_role = 'unit'
{%- endmacro %}

{#
    Whether any submission waits for its correction. Where none does, the world in which it counts is not even planned:
    that takes longer than any other statement of a small build.
#}
{% macro correction_is_awaited() -%}
    {%- if not execute %}{{ return(true) }}{% endif -%}
    {%- set found = run_query('select 1 from ' ~ ref('fct_submissions') ~ ' where ' ~ awaits_correction() ~ ' limit 1') -%}
    {{ return(found.rows | length > 0) }}
{%- endmacro %}
