{#
    A model that is a function with arguments: `arguments` in its config, its columns in its YAML. It runs with the rights
    of its owner, so that a reader of the marts can call it without seeing what it reads.
#}
{% materialization table_function, adapter='postgres' %}
    {%- set target = this.incorporate(type='view') -%}
    {%- set columns = [] -%}
    {%- for column in model['columns'].values() -%}
        {%- do columns.append(column['name'] ~ ' ' ~ column['data_type']) -%}
    {%- endfor -%}
    {%- set arguments = config.require('arguments') -%}
    {%- set types = [] -%}
    {%- for argument in arguments -%}{%- do types.append(argument.split(' ', 1)[1]) -%}{%- endfor -%}
    {{ run_hooks(pre_hooks) }}
    {% call statement('main') -%}
        drop function if exists {{ this }} cascade;
        create function {{ this }}({{ arguments | join(', ') }})
        returns table ({{ columns | join(', ') }})
        language sql stable security definer
        set search_path = pg_catalog, pg_temp
        set work_mem = '64MB'
        set random_page_cost = 1.1
        set jit = off
        as $function$
        {#- The text is not bound to what it names: without the database it goes with a copy of it. #}
        {{ sql | replace('"' ~ target.database ~ '".', '') }}
        $function$;
        comment on function {{ this }}({{ types | join(', ') }}) is {{ "'" ~ model['description'] | replace("'", "''") | trim ~ "'" }};
        revoke all on function {{ this }}({{ types | join(', ') }}) from public;
        grant execute on function {{ this }}({{ types | join(', ') }}) to bi_reader;
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}
