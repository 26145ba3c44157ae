{# As dbt's own, without its warning: numeric without precision and scale is what keeps figures exact on Postgres. #}
{% macro postgres__get_empty_schema_sql(columns) %}
    select
        {% for column in columns.values() %}
        cast(null as {{ column['data_type'] }}) as {{ column['name'] }}{{ ',' if not loop.last }}
        {% endfor %}
{% endmacro %}
