{#
    The figures of units: stated, cumulative (累计) and of the period alone (本期), each derived from what stands.

    `reports` names what the macro of that name gives, `replaced` what figures_replaced gives for the same reports. One
    row per unit, form, period and indicator reported. A cumulative figure less that of the previous period is the
    period's own; what is stated for the period alone comes added up with the report. Where a period in between is missing
    there is no figure but a reason. Stocks are neither added nor subtracted. A summary (a quarter of months) takes its
    figures from the last period in it and states nothing itself.

    Figures are taken out of a report's arrays by their place, those alone that are asked for. There is no grouping, no
    union and no common table expression: where `replaced` is a table with an index, who joins a view of this to more has
    it planned as part of his own query.
#}
{% macro unit_values(reports, replaced) %}
{%- set replaced_here -%}
from {{ replaced }} as replaced
        where
            own.form_id = replaced.form_id
            and own.period_id = replaced.period_id
            and own.unit_id = replaced.unit_id
            and own.replacing_id = replaced.indicator_id
{%- endset %}
select
    {%- for column in unit_value_columns() %}
    {%- if column in [
        'unit_id', 'form_id', 'period_id', 'year', 'indicator_id', 'reported_periods', 'expected_periods', 'sheet',
        'submission_id'
    ] %}
    own.{{ column }}{{ ',' if not loop.last }}
    {%- else %}
    case
        when own.replacing_id is null then own.{{ column }}
        else (
            select replaced.{{ column }}
        {{ replaced_here }}
        )
    end as {{ column }}{{ ',' if not loop.last }}
    {%- endif %}
    {%- endfor %}
from ({{ own_figures(reports) | indent(4) }}) as own
where
    own.replacing_id is null
    or exists (
        select 1
        {{ replaced_here }}
    )
{% endmacro %}

{#  The same of figures that are worked out for the question: `own` and `replaced` are common table expressions. #}
{% macro unit_values_together(own, replaced) %}
select
    {{ unit_value_columns() | join(',
    ') }}
from {{ own }}
where replacing_id is null

union all

select
    {{ unit_value_columns() | join(',
    ') }}
from {{ replaced }}
{% endmacro %}

{% macro unit_value_columns() %}
    {{ return([
        'unit_id', 'form_id', 'period_id', 'year', 'indicator_id', 'cell_state', 'stated_value', 'stated_text', 'decimals',
        'cumulative_value', 'cumulative_reason', 'single_value', 'single_reason', 'first_value', 'reported_periods',
        'expected_periods', 'sheet', 'cell', 'submission_id', 'known_from'
    ]) }}
{% endmacro %}

{#
    The figures at every place of the reports' layouts, as a report and the one before it say them. Indicators that
    replaced others of the report (`replacing_id`) have no figure there, but what figures_replaced takes for theirs: what
    they came to in the period before, and what their periods add up to.
#}
{% macro own_figures(reports) %}
select
    reports.unit_id,
    reports.form_id,
    reports.period_id,
    reports.year,
    figures.layout_id,
    places.indicator_id,
    places.replacing_id,
    coalesce(
        case when not reports.is_summary then figures.cell_states[places.place] end,
        case when owned.value is null then 'blank' when owned.value = 0 then 'zero' else 'value' end
    ) as cell_state,
    owned.value as stated_value,
    case
        when not reports.is_summary
            then coalesce(figures.stated_texts[places.place], figures.stated_values[places.place]::text)
    end as stated_text,
    case when not reports.is_summary then figures.decimals[places.place] end as decimals,
    derived.cumulative_value,
    case
        when derived.cumulative_value is not null then null
        when places.measure_kind != 'flow' then '不累加'
        when stated.value is null then '本期空白'
        else reports.summed_gaps[places.place]
    end as cumulative_reason,
    derived.single_value,
    case
        when derived.single_value is not null then null
        when places.measure_kind != 'flow' then '不相减'
        when stated.value is null then '本期空白'
        when places.is_summed then reports.within_gaps[places.place]
        when reports.earlier_form_as_of < places.comparable_from then '指标口径变更'
        else reports.previous_period_name
            || case when reports.earlier_submission_id is null then '未报' else '空白' end
    end as single_reason,
    case
        -- Nobody published the sum of what each period states for itself.
        when reports.is_summary and places.is_summed then null
        else {{ in_first_published('stated_values') | indent(8) }}
    end as first_value,
    reports.reported_periods,
    reports.expected_periods,
    figures.sheet,
    figures.cells[places.place] as cell,
    reports.submission_id,
    case
        when places.is_summed then reports.summed_known_from
        when places.measure_kind = 'flow' then greatest(reports.known_from, reports.earlier_known_from)
        else reports.known_from
    end as known_from,
    places.measure_kind,
    places.is_summed,
    reports.is_summary,
    reports.opens_window,
    -- A summary of what is cumulative is its last period's; what adds up is taken apart in the report.
    coalesce(figures.cell_states[places.place] = 'not_applicable', false)
    and not (reports.is_summary and places.is_summed) as is_nothing,
    coalesce(
        case
            when reports.is_summary and places.is_summed then null
            else {{ in_first_published('cell_states') | indent(12) }}
        end = 'not_applicable',
        false
    ) as first_is_nothing,
    stated.earlier_value,
    reports.summed_gaps[places.place] as summed_gap,
    reports.within_gaps[places.place] as within_gap
from {{ reports }} as reports
inner join {{ ref('stg_intake__figures') }} as figures on reports.submission_id = figures.submission_id
inner join {{ ref('int_layout_places') }} as places on figures.layout_id = places.layout_id
left join {{ ref('stg_intake__figures') }} as earlier on reports.earlier_submission_id = earlier.submission_id
cross join lateral (
    select
        figures.stated_values[places.place] as value,
        -- The same thing stated the other way, 本月 beside 累计: what is stated need not be derived.
        figures.stated_values[places.counterpart_place] as counterpart_value,
        {{ figure_of('earlier', 'figures', 'places', 'reports.earlier_form_as_of') | indent(8) }} as earlier_value
) as stated
cross join lateral (
    select
        case
            when places.measure_kind != 'flow' then null
            when places.is_summed then coalesce(stated.counterpart_value, reports.summed_values[places.place])
            else stated.value
        end as cumulative_value,
        case
            when places.measure_kind != 'flow' then null
            when places.is_summed then reports.within_values[places.place]
            else coalesce(
                -- What is stated of a summary's last period alone is not the summary's.
                case when not reports.is_summary then stated.counterpart_value end,
                case when reports.opens_window then stated.value else stated.value - stated.earlier_value end
            )
        end as single_value
) as derived
-- A summary states nothing itself: its figure is the one of its form's own basis.
cross join lateral (
    select case when reports.is_summary and places.is_summed then derived.single_value else stated.value end as value
) as owned
where not (reports.is_summary and places.measure_kind not in ('flow', 'stock'))
{% endmacro %}

{#  What the submission of the period that was published first has in an array of what is at a place of own_figures. #}
{% macro in_first_published(array) -%}
case
    when reports.first_submission_id = reports.submission_id then figures.{{ array }}[places.place]
    else (
        select firsts.{{ array }}[others.place]
        from {{ ref('stg_intake__figures') }} as firsts
        inner join {{ ref('int_layout_places') }} as others on firsts.layout_id = others.layout_id
        where
            reports.first_submission_id = firsts.submission_id
            and places.indicator_id = others.indicator_id
    )
end
{%- endmacro %}

{#
    The figures, in periods before its own, of an indicator that replaced others: their sum, and what follows from it on
    the other basis. What a form did not count then has no figure. What does not apply to a unit adds nothing; what it
    left blank leaves the sum unknown. `own_figures` names what the macro of that name gives. One row per unit, form,
    period and indicator.
#}
{% macro figures_replaced(own_figures) %}
with

replaced as (
    select
        own_figures.*,
        predecessors.indicator_id as successor_id,
        predecessors.predecessors
    from {{ ref('stg_catalog__indicator_predecessors') }} as predecessors
    inner join {{ own_figures }} as own_figures
        on
            predecessors.predecessor_id = own_figures.indicator_id
            and own_figures.replacing_id is null
    inner join {{ ref('int_layout_places') }} as places
        on
            own_figures.layout_id = places.layout_id
            and predecessors.indicator_id = places.replacing_id
    inner join {{ ref('stg_catalog__periods') }} as periods
        on
            own_figures.form_id = periods.form_id
            and own_figures.period_id = periods.period_id
            and periods.form_as_of <= predecessors.effective_to
            and coalesce(periods.form_as_of >= predecessors.effective_from, true)
),

added as (
    select
        unit_id,
        form_id,
        period_id,
        year,
        successor_id as indicator_id,
        bool_or(cell_state = 'unreadable') as is_unreadable,
        bool_and(is_nothing) as is_nothing,
        {%- for value, is_nothing in [('stated_value', 'is_nothing'), ('first_value', 'first_is_nothing')] %}
        case
            when count(*) filter (where {{ is_nothing }} or {{ value }} is not null) = max(predecessors)
                then sum({{ value }})
        end as {{ value }},
        {%- endfor %}
        -- Where one does not apply, what it came to before is lost with it: see `followed`.
        {%- for value in ['cumulative_value', 'single_value'] %}
        case when count({{ value }}) filter (where not is_nothing) = max(predecessors) then sum({{ value }}) end
            as {{ value }},
        {%- endfor %}
        min(single_reason) filter (where not is_nothing) as single_reason,
        max(reported_periods) as reported_periods,
        max(expected_periods) as expected_periods,
        max(sheet) as sheet,
        string_agg(cell, '、' order by length(cell), cell) as cell,
        max(submission_id) as submission_id,
        max(known_from) as known_from
    from replaced
    group by unit_id, form_id, period_id, year, successor_id
),

-- What follows from the sum of each period.
followed as (
    select
        added.*,
        own.measure_kind,
        own.is_summed,
        own.is_summary,
        own.summed_gap,
        own.within_gap,
        case when own.is_summary and own.is_summed then own.single_value else added.stated_value end as value,
        case when own.is_summed then own.cumulative_value else added.stated_value end as value_so_far,
        case
            when own.is_summed then own.single_value
            when own.opens_window then added.stated_value
            else added.stated_value - own.earlier_value
        end as value_alone
    from added
    inner join {{ own_figures }} as own
        on
            added.unit_id = own.unit_id
            and added.form_id = own.form_id
            and added.period_id = own.period_id
            and added.indicator_id = own.replacing_id
),

valued as (
    select
        *,
        case when measure_kind = 'flow' and not is_nothing then coalesce(cumulative_value, value_so_far) end as so_far,
        case when measure_kind = 'flow' and not is_nothing then coalesce(single_value, value_alone) end as alone
    from followed
),

final as (
    select
        unit_id,
        form_id,
        period_id,
        year,
        indicator_id,
        case
            when is_unreadable then 'unreadable'
            when is_nothing and not is_summary then 'not_applicable'
            when value is null then 'blank'
            when value = 0 then 'zero'
            else 'value'
        end as cell_state,
        value as stated_value,
        null::text as stated_text,
        null::integer as decimals,
        so_far as cumulative_value,
        case
            when so_far is not null then null
            when measure_kind != 'flow' then '不累加'
            when is_summed and (is_summary or value is not null) then summed_gap
            else '本期空白'
        end as cumulative_reason,
        alone as single_value,
        case
            when alone is not null then null
            when measure_kind != 'flow' then '不相减'
            when is_summed and is_summary then within_gap
            when value is null then '本期空白'
            else single_reason
        end as single_reason,
        first_value,
        reported_periods,
        expected_periods,
        sheet,
        cell,
        submission_id,
        known_from
    from valued
)

select * from final
{% endmacro %}

{#
    The figure that the submission `other` states of the indicator at a place of the submission `own`; and before the form
    had the indicator, the sum of what it replaced.
#}
{% macro figure_of(other, own, place, form_as_of) -%}
coalesce(
    case
        when {{ other }}.layout_id = {{ own }}.layout_id then {{ other }}.stated_values[{{ place }}.place]
        when {{ other }}.layout_id is not null
            then {{ other }}.stated_values[(
                select others.place
                from {{ ref('int_layout_places') }} as others
                where {{ other }}.layout_id = others.layout_id and {{ place }}.indicator_id = others.indicator_id
            )]
    end,
    case
        when {{ form_as_of }} < {{ place }}.effective_from
            then (
                select case when count(*) filter (where is_known) = max(predecessors) then sum(stated_value) end
                from (
                    select
                        predecessors.predecessors,
                        {{ other }}.stated_values[others.place] as stated_value,
                        {{ other }}.stated_values[others.place] is not null
                        or {{ other }}.cell_states[others.place] = 'not_applicable' as is_known
                    from {{ ref('stg_catalog__indicator_predecessors') }} as predecessors
                    inner join {{ ref('int_layout_places') }} as others
                        on predecessors.predecessor_id = others.indicator_id
                    where
                        predecessors.indicator_id = {{ place }}.indicator_id
                        and predecessors.effective_to >= {{ form_as_of }}
                        and coalesce(predecessors.effective_from <= {{ form_as_of }}, true)
                        and {{ other }}.layout_id = others.layout_id
                ) as of_predecessors
            )
    end
)
{%- endmacro %}
