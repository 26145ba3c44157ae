{#
    Replaces all rows of the (form, period) pairs that this build was started for, so that a pair that became empty
    leaves nothing behind. Rows without form or period, and those the model offers beside the pairs, are added.
    int_periods_touched is small and analysed, each fact has an index on (form_id, period_id, …): the cost does not
    follow the history.
#}
{% macro get_incremental_replace_touched_periods_sql(arg_dict) %}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) %}
    delete from {{ arg_dict['target_relation'] }} as target
    using {{ ref('int_periods_touched') }} as touched
    where target.form_id = touched.form_id and target.period_id = touched.period_id;

    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
{% endmacro %}

{# Replaces all rows and keeps the table itself, so that views on it survive. #}
{% macro get_incremental_replace_all_sql(arg_dict) %}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) %}
    delete from {{ arg_dict['target_relation'] }};

    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
{% endmacro %}
