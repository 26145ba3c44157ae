{#
    Facts with the meta key partition_by_year are tables partitioned by their column year; dbt makes no such tables by
    itself. A partition is there for every year that int_periods_touched names, so none is made for nothing.
#}
{% macro postgres__create_table_as(temporary, relation, sql) -%}
    {%- if temporary or not config.get('meta', {}).get('partition_by_year') -%}
        {{ return(dbt.postgres__create_table_as(temporary, relation, sql)) }}
    {%- endif -%}
    {{ get_assert_columns_equivalent(sql) }}
    create table {{ relation }} {{ get_table_columns_and_constraints() }} partition by list (year);
    {{ create_year_partitions(relation) }}
    insert into {{ relation }} ({{ adapter.dispatch('get_column_names', 'dbt')() }})
    {{ get_select_subquery(sql) }};
{%- endmacro %}

{# A partition's name ends in a part of the run's: while a table is replaced, its own stand beside it. #}
{% macro create_year_partitions(relation) -%}
    {%- set years = run_query(
        "select distinct t.year from " ~ ref('int_periods_touched') ~ " as t"
        " except select (regexp_match(pg_get_expr(c.relpartbound, c.oid), '[(]([0-9]+)[)]'))[1]::integer"
        " from pg_inherits as i inner join pg_class as c on i.inhrelid = c.oid"
        " where i.inhparent = to_regclass('" ~ relation ~ "') order by 1"
    ) -%}
    {%- for (year,) in years.rows %}
    create table {{ relation.include(identifier=false) }}."{{ model.name }}_{{ year | int }}_{{ invocation_id[:8] }}"
    partition of {{ relation }} for values in ({{ year | int }});
    {%- endfor %}
{%- endmacro %}
