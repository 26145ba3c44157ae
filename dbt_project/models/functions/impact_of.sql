{{ config(arguments = ['submission_id text']) }}

-- $1 the submission. Every figure it moved when it came to stand: in its own period and the later ones of the window,
-- in the coarser periods that end with these, in forms that take terms from them, and in comparisons with any of them.
with

corrections as (
    select
        unit_id,
        form_id,
        period_id,
        known_from
    from {{ ref('fct_submissions') }}
    where submission_id = $1 and known_from is not null
),

periods as not materialized (
    select * from {{ ref('stg_catalog__periods') }}
),

-- Whose figures it can move, be it a unit that the catalog has no longer; ranks move of others too.
units_moved as (
    select unit_id from corrections

    union

    select unit_closure.group_id as unit_id
    from corrections
    inner join {{ ref('stg_catalog__unit_closure') }} as unit_closure on corrections.unit_id = unit_closure.unit_id
),

moved as (
    select
        later.form_id,
        later.period_id
    from corrections
    inner join periods
        on
            corrections.form_id = periods.form_id
            and corrections.period_id = periods.period_id
    inner join periods as later
        on
            periods.form_id = later.form_id
            and periods.accumulates_from = later.accumulates_from
            and periods.ends_on <= later.ends_on
),

dependents as (
    {{ pairs_moved('moved') | indent(4) }}
),

-- And what is compared with these, as far as anything had been received of it.
asked as (
    select
        form_id,
        period_id
    from dependents

    union

    select
        periods.form_id,
        periods.period_id
    from periods
    inner join dependents
        on
            periods.form_id = dependents.form_id
            and dependents.period_id in (periods.previous_period_id, periods.year_ago_period_id)
),

reported as (
    select
        asked.form_id,
        asked.period_id
    from asked
    inner join periods
        on
            asked.form_id = periods.form_id
            and asked.period_id = periods.period_id
    where exists (
        select 1
        from {{ ref('fct_submissions') }} as submissions
        inner join corrections on submissions.received_at <= corrections.known_from
        where
            submissions.form_id = periods.form_id
            and submissions.period_id = periods.reported_as
    )
),

-- Items of a scoreboard may come from any form.
reported_with_items as (
    select
        form_id,
        period_id
    from reported

    union

    select
        mapped.form_id,
        reported.period_id
    from reported
    inner join {{ ref('int_forms_mapped_to_dependents') }} as mapped on reported.form_id = mapped.dependent_form_id
),

pairs as (
    {{ pairs_needed('reported_with_items') | indent(4) }}
),

{{ figures_in('pairs', world(as_of='(select known_from from corrections)'), 'after_', units='units_moved') }},

{{ figures_in('pairs', world(as_of='(select known_from from corrections)', without='$1'), 'before_', units='units_moved') }},

listed as (
{%- for side in ['before', 'after'] %}
    select
        '{{ side }}' as side,
        case when measure = 'metric' then '派生指标' else '指标' end as kind,
        unit_id,
        form_id,
        period_id,
        measure_id as subject_id,
        case basis when 'cumulative' then '累计' when 'single' then '本期' else '时点' end as basis,
        value
    from {{ side }}_figures

    union all

    select
        '{{ side }}' as side,
        comparison as kind,
        unit_id,
        form_id,
        period_id,
        measure_id as subject_id,
        case basis when 'cumulative' then '累计' when 'single' then '本期' else '时点' end as basis,
        coalesce(change_points, change_percent) as value
    from {{ side }}_comparisons

    union all

    select
        '{{ side }}' as side,
        '名次' as kind,
        unit_id,
        form_id,
        period_id,
        scoreboard_id || '.' || item_id as subject_id,
        '名次' as basis,
        rank::numeric as value
    from {{ side }}_rankings
    {{ 'union all' if not loop.last }}
{%- endfor %}
),

indicators as (
    select * from {{ ref('stg_catalog__indicators') }}
),

compared as (
    select
        kind,
        unit_id,
        form_id,
        period_id,
        subject_id,
        basis,
        max(value) filter (where side = 'before') as value_before,
        max(value) filter (where side = 'after') as value_after
    from listed
    group by kind, unit_id, form_id, period_id, subject_id, basis
),

final as (
    select
        compared.kind,
        compared.unit_id,
        coalesce(units.is_group, false) as is_group,
        compared.form_id,
        compared.period_id,
        compared.subject_id,
        compared.basis,
        compared.value_before,
        compared.value_after
    from compared
    left join indicators on compared.subject_id = indicators.indicator_id
    left join {{ ref('stg_catalog__units') }} as units on compared.unit_id = units.unit_id
    where
        compared.value_before is distinct from compared.value_after
        -- What is stated of a flow is its cumulative or its single value, and listed as that.
        and (compared.basis != '时点' or indicators.measure_kind = 'stock')
)

select * from final
