{#
    Tables and views are built by one statement each, in one transaction: dbt's own ways come to a dozen round trips a
    model, each with a context of its own, which is most of what a build costs its client. A table is filled under
    another name and put in the place of the one before it at the very end, with the views on it as they were: readers
    never wait for it, never find it half full, and never find a view missing. What else a relation needs (indexes,
    statistics, comments, grants) is part of the statement.
#}
{% materialization view, adapter='postgres' %}
    {%- set target = this.incorporate(type='view') %}
    {%- set former = load_cached_relation(this) %}
    {%- if config.get('contract').enforced %}{% do get_assert_columns_equivalent(sql) %}{% endif %}
    {%- call statement('main') %}
        {%- if former is none %}
        create view {{ target }} as {{ sql }};
        {%- else %}
        do $replaced$
        begin
            create or replace view {{ target }} as {{ sql }};
        exception
            when invalid_table_definition or wrong_object_type then  -- it has other columns now, or was a table
                drop {{ former.type }} {{ former }} cascade;
                create view {{ target }} as {{ sql }};
        end $replaced$;
        {%- endif %}
        {{ _say_what_it_is(target) }}
    {%- endcall %}
    {%- do adapter.commit() %}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{% materialization table, adapter='postgres' %}
    {%- call statement('main') %}{{ _replaced(sql) }}{% endcall %}
    {%- do adapter.commit() %}
    {{ return({'relations': [this.incorporate(type='table')]}) }}
{% endmaterialization %}

{#
    Filled as a whole where it is not there yet and on a full refresh. Else its rows that this build was started for are
    replaced, by the strategy: `replace_touched_periods`, `replace_touched_units`, `replace_all` or `append`. The columns
    are those of before: what changes them changes the project, and that means a full refresh.
#}
{% materialization incremental, adapter='postgres' %}
    {%- call statement('main') %}
        {%- set strategy = config.get('incremental_strategy') %}
        -- How much a submission holds, and how much is derived from it, the planner cannot know: it would put in order
        -- what is grouped faster as it comes, with whole arrays at each figure.
        set local enable_sort = off;
        -- And it takes the columns of a key for one another's strangers: it would merge by one of them alone, and look
        -- through all that a unit ever reported for each report.
        set local enable_mergejoin = off;
        {%- if not is_incremental() %}
        -- Where everything is read, nothing is worth looking up row by row.
        set local enable_nestloop = off;
        {{ _replaced(sql) }}
        {%- else %}
        {%- set years = _years_touched() %}
        {%- for year in years %}
        create table if not exists {{ _partition(year) }} partition of {{ this }} for values in ({{ year }});
        {%- endfor %}
        {%- if strategy == 'replace_all' %}
        {{ 'delete from' if this.schema == 'marts' else 'truncate' }} {{ this }};
        {%- elif strategy != 'append' %}
        {%- set touched = 'int_units_touched' if strategy == 'replace_touched_units' else 'int_periods_touched' %}
        delete from {{ this }} as target
        using {{ ref(touched) }} as touched
        where
            target.form_id = touched.form_id
            and target.period_id = touched.period_id
            {{ 'and target.unit_id = touched.unit_id' if strategy == 'replace_touched_units' }}
            -- The years as literals: no other partition is even looked at.
            {{ 'and target.year in (' ~ (years | join(', ') or 'null') ~ ')' if _is_partitioned() }};
        {%- endif %}
        {{ _filled(this, sql) }}
        {{ 'analyze ' ~ this ~ ';' if this.schema != 'marts' and not _is_partitioned() }}
        {%- endif %}
    {%- endcall %}
    {%- do adapter.commit() %}
    {{ return({'relations': [this.incorporate(type='table')]}) }}
{% endmaterialization %}

{#
    The statements that put a new table in the place of the former one. With the meta key partition_by_year it has a
    partition for each year that int_periods_touched names, so that none is made for nothing.
#}
{% macro _replaced(sql) %}
    {%- set new = this.incorporate(path={'identifier': this.identifier ~ '__new'}, type='table') %}
    {%- set years = _years_touched() %}
    {%- if config.get('contract').enforced %}
    {%- do get_assert_columns_equivalent(sql) %}
    create table {{ new }} {{ get_table_columns_and_constraints() }}
    {{ 'partition by list (year)' if _is_partitioned() }};
    {%- for year in years %}
    create table {{ _partition(year, '__new') }} partition of {{ new }} for values in ({{ year }});
    {%- endfor %}
    {{ _filled(new, sql) }}
    {%- else %}
    create table {{ new }} as {{ sql }};
    {%- endif %}
    {%- for index in config.get('indexes', []) %}
    create {{ 'unique' if index.unique }} index on {{ new }} ({{ index.columns | join(', ') }})
    {{ 'where ' ~ index.where if index.where }};
    {%- endfor %}
    {{ _analyzed(new) }}
    {{ _say_what_it_is(new) }}
    {%- set former = load_cached_relation(this) %}
    {%- if former is not none %}
    {{ _views_taken_down(former) }}
    drop {{ former.type }} if exists {{ former }} cascade;
    {%- endif %}
    alter table {{ new }} rename to {{ adapter.quote(this.identifier) }};
    {%- for year in years %}
    alter table {{ _partition(year, '__new') }} rename to {{ adapter.quote(_partition(year).identifier) }};
    {%- endfor %}
    {{ _views_put_back() if former is not none }}
{% endmacro %}

{#
    The views on a relation are dropped, to be put back in the same transaction. Those that are on others go first: that is
    the order in which a reader locks them, and nobody waits for somebody who waits for him. One model at a time does so.
#}
{% macro _views_taken_down(relation) %}
    select pg_advisory_xact_lock(hashtext('enforcement_reporting.views'));
    create temporary table views_before on commit drop as
    with recursive dependents as (
        select rules.ev_class as view_id, 1 as depth
        from pg_depend as uses
        inner join pg_rewrite as rules on uses.objid = rules.oid
        where
            uses.classid = 'pg_rewrite'::regclass
            and uses.refclassid = 'pg_class'::regclass
            and uses.refobjid = to_regclass('{{ relation }}')
            and rules.ev_class != uses.refobjid

        union

        select rules.ev_class, dependents.depth + 1
        from dependents
        inner join pg_depend as uses on dependents.view_id = uses.refobjid
        inner join pg_rewrite as rules on uses.objid = rules.oid
        where
            uses.classid = 'pg_rewrite'::regclass
            and uses.refclassid = 'pg_class'::regclass
            and rules.ev_class != uses.refobjid
    )

    select
        view_id::regclass::text as view_name,
        max(depth) as depth,
        pg_get_viewdef(view_id) as definition,
        array(
            select
                case
                    when said.objsubid = 0 then format('comment on view %s is %L', view_id::regclass, said.description)
                    else format('comment on column %s.%I is %L', view_id::regclass, columns.attname, said.description)
                end
            from pg_description as said
            left join pg_attribute as columns
                on
                    said.objoid = columns.attrelid
                    and said.objsubid = columns.attnum
            where said.objoid = view_id and said.classoid = 'pg_class'::regclass
        )
        || array(
            select format('grant %s on %s to %s', given.privilege_type, view_id::regclass, given.grantee::regrole)
            from pg_class as views
            cross join lateral aclexplode(views.relacl) as given
            where views.oid = view_id and given.grantee not in (0, views.relowner)
        ) as said
    from dependents
    group by view_id;
    do $taken_down$
    declare
        view_before record;
    begin
        for view_before in select view_name from views_before order by depth desc loop
            execute format('drop view %s', view_before.view_name);
        end loop;
    end $taken_down$;
{% endmacro %}

{#  A view that does not fit what it is on now is not put back: its own model, later in this build, makes it anew. #}
{% macro _views_put_back() %}
    do $put_back$
    declare
        view_before record;
        statement text;
    begin
        for view_before in select * from views_before order by depth loop
            begin
                execute format('create view %s as %s', view_before.view_name, view_before.definition);
                foreach statement in array view_before.said loop
                    execute statement;
                end loop;
            exception
                when others then raise notice '% is not put back: %', view_before.view_name, sqlerrm;
            end;
        end loop;
    end $put_back$;
{% endmacro %}

{% macro _filled(relation, sql) %}
    {%- set columns = [] %}
    {%- for column in model['columns'] %}{% do columns.append(adapter.quote(column)) %}{% endfor %}
    {%- if columns %}
    insert into {{ relation }} ({{ columns | join(', ') }})
    select {{ columns | join(', ') }} from ({{ sql }}) as computed;
    {%- else %}
    insert into {{ relation }} {{ sql }};
    {%- endif %}
{% endmacro %}

{#
    What is built on a table next is planned on what it holds now. Of a partitioned one only the columns that others are
    joined by are looked at: all would be sampled twice, for the whole and for each partition.
#}
{% macro _analyzed(relation) %}
    {%- if _is_partitioned() %}
    analyze {{ relation }} ({{ config.get('meta').grain | join(', ') }}, year);
    {%- elif config.get('materialized') == 'incremental' or this.schema != 'marts' %}
    analyze {{ relation }};
    {%- endif %}
{% endmacro %}

{% macro _say_what_it_is(relation) %}
    {%- if config.get('persist_docs', {}).get('relation') %}
    comment on {{ relation.type }} {{ relation }} is {{ postgres_escape_comment(model['description']) }};
    {%- for column in model['columns'].values() %}
    comment on column {{ relation }}.{{ adapter.quote(column.name) }} is {{ postgres_escape_comment(column.description) }};
    {%- endfor %}
    {%- endif %}
    {%- for privilege, roles in config.get('grants', {}).items() %}
    grant {{ privilege }} on {{ relation }} to {{ roles | join(', ') }};
    {%- endfor %}
{% endmacro %}

{% macro _is_partitioned() %}
    {{ return(config.get('meta', {}).get('partition_by_year', false)) }}
{% endmacro %}

{% macro _partition(year, suffix='') %}
    {{ return(this.incorporate(path={'identifier': this.identifier ~ '_' ~ year ~ suffix}, type='table')) }}
{% endmacro %}

{# The years this build is for, where the model has partitions by year. #}
{% macro _years_touched() %}
    {%- set years = [] %}
    {%- if _is_partitioned() %}
    {%- for (year,) in run_query('select distinct year from ' ~ ref('int_periods_touched') ~ ' order by 1').rows %}
    {%- do years.append(year | int) %}
    {%- endfor %}
    {%- endif %}
    {{ return(years) }}
{% endmacro %}
