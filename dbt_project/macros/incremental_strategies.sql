{#
    Replaces all rows of the (form, period) pairs that this build was started for, so that a pair that became empty
    leaves nothing behind. Rows without form or period, and those the model offers beside the pairs, are added.
    int_periods_touched is small and analysed, each fact has an index on (form_id, period_id, …): the cost does not
    follow the history.
#}
{% macro get_incremental_replace_touched_periods_sql(arg_dict) %}
    delete from {{ arg_dict['target_relation'] }} as target
    using {{ ref('int_periods_touched') }} as touched
    where
        target.form_id = touched.form_id
        and target.period_id = touched.period_id
        {{ _in_years_touched() }};

    {{ _insert_all(arg_dict) }}
{% endmacro %}

{# As above, but only the rows of the units that sent something. #}
{% macro get_incremental_replace_touched_units_sql(arg_dict) %}
    delete from {{ arg_dict['target_relation'] }} as target
    using {{ ref('int_units_touched') }} as touched
    where
        target.unit_id = touched.unit_id
        and target.period_id = touched.period_id
        and target.form_id = touched.form_id
        {{ _in_years_touched() }};

    {{ _insert_all(arg_dict) }}
{% endmacro %}

{# Replaces all rows and keeps the table itself, so that views on it survive; what nobody else reads is emptied outright. #}
{% macro get_incremental_replace_all_sql(arg_dict) %}
    {{ 'delete from' if this.schema == 'marts' else 'truncate' }} {{ arg_dict['target_relation'] }};

    {{ _insert_all(arg_dict) }}
{% endmacro %}

{# The years as literals: no other partition is even looked at. #}
{% macro _in_years_touched() %}
    {%- if config.get('meta', {}).get('partition_by_year') %}
    {%- set years = run_query('select distinct year from ' ~ ref('int_periods_touched')).columns[0].values() %}
        and target.year in ({{ years | map('int') | join(', ') or 'null' }})
    {%- endif %}
{% endmacro %}

{% macro _insert_all(arg_dict) %}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) %}
    {%- if config.get('meta', {}).get('partition_by_year') %}
    {{ create_year_partitions(arg_dict['target_relation']) }}
    {%- endif %}
    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
{% endmacro %}
