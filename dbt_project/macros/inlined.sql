{#
    The text of a set-returning SQL function of the warehouse as a subquery, its arguments replaced by SQL expressions: so
    that a view has it with its owner's rights, and a question is narrowed down before anything is worked out. One text,
    wherever it is asked.
#}
{% macro inlined(function, arguments, alias) -%}
    {%- if execute -%}
    {%- set found = run_query(
        "select p.prosrc, (select string_agg(n, ', ') from unnest(p.proargnames, p.proargmodes) as a (n, m) where m = 't')"
        " from pg_proc as p where p.oid = '" ~ function ~ "'::regproc"
    ) -%}
    {%- set ns = namespace(text=found.columns[0].values()[0]) -%}
    {%- for name, expression in arguments.items() -%}
    {%- set ns.text = ns.text | replace(function.split('.')[1] ~ '.' ~ name, expression) -%}
    {%- endfor -%}
    ({{ ns.text }}) as {{ alias }} ({{ found.columns[1].values()[0] }})
    {%- else -%}
    {{ function }}({{ arguments.values() | join(', ') }}) as {{ alias }}
    {%- endif -%}
{%- endmacro %}
