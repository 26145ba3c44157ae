{#
    The figures of units: stated, cumulative (累计) and of the period alone (本期), each derived from what stands.

    `reports` names what the macro of that name gives. One row per unit, form, period and indicator reported. A cumulative
    figure less that of the previous period is the period's own; the periods of a window added up are the cumulative one.
    Where one in between is missing there is no figure but a reason. Stocks are neither added nor subtracted. A summary (a
    quarter of months) takes its figures from the last period in it and states nothing itself.

    A report's figures lie in arrays; those of the report before it and of the one first published are put in its order
    and taken out beside them, so that no figure is looked up by itself. With `everything` true the rows come in the order
    of their key: an index on rows in order costs a quarter.

    An indicator that replaced others goes on where they end: in periods before its own its figure is their sum, on every
    basis, and so is what is subtracted or added of such a period. What a form did not count then has no figure there.
#}
{% macro unit_values(reports, world, everything=false) %}
{%- set earlier_value -%}
{{ figure_before('reported.earlier_value', 'reported.indicator_id', 'indicators.effective_from',
    'reported.earlier_form_as_of', 'reported.unit_id', 'reported.earlier_submission_id') | indent(20) }}
{%- endset %}
with

indicators as not materialized (
    select * from {{ ref('stg_catalog__indicators') }}
),

figures as not materialized (
    select * from {{ ref('stg_intake__figures') }}
),

predecessors as not materialized (
    select * from {{ ref('stg_catalog__indicator_predecessors') }}
),

reported as not materialized (
    select
        reports.*,
        figures.sheet,
        figures.indicator_ids,
        figures.stated_values,
        unnest(figures.indicator_ids) as indicator_id,
        unnest(figures.cell_states) as cell_state,
        unnest(figures.stated_values) as stated_value,
        unnest(figures.stated_texts) as stated_text,
        unnest(figures.decimals) as decimals,
        unnest(figures.cells) as cell,
        unnest({{ in_order_of('figures', 'earlier') }}) as earlier_value,
        unnest(
            case
                when reports.first_submission_id = reports.submission_id then figures.stated_values
                else (
                    select {{ in_order_of('figures', 'firsts') | indent(20) }}
                    from figures as firsts
                    where
                        reports.unit_id = firsts.unit_id
                        and reports.first_submission_id = firsts.submission_id
                )
            end
        ) as first_value
    from {{ reports }} as reports
    inner join figures
        on
            reports.unit_id = figures.unit_id
            and reports.submission_id = figures.submission_id
    left join figures as earlier
        on
            reports.unit_id = earlier.unit_id
            and reports.earlier_submission_id = earlier.submission_id
    {%- if everything %}
    order by reports.form_id, reports.period_id, reports.unit_id
    {%- endif %}
),

-- Cumulative flows, stocks, and what is neither: all that one report and the one before it say.
from_one_report as (
    select
        reported.unit_id,
        reported.form_id,
        reported.period_id,
        reported.year,
        reported.indicator_id,
        reported.is_summary,
        coalesce(indicators.measure_kind, 'rate') as measure_kind,
        'cumulative' as figures,
        reported.cell_state,
        reported.stated_value,
        reported.stated_text,
        reported.decimals,
        reported.sheet,
        reported.cell,
        reported.submission_id,
        reported.reported_periods,
        reported.expected_periods,
        case when indicators.measure_kind = 'flow' then reported.stated_value end as cumulative_value,
        null::text as cumulative_gap,
        case
            when indicators.measure_kind != 'flow' then null
            when reported.opens_window then reported.stated_value
            -- The same thing stated the other way, 本月 beside 累计: what is stated need not be derived.
            when indicators.counterpart_id is not null and not reported.is_summary
                then coalesce(
                    reported.stated_values[array_position(reported.indicator_ids, indicators.counterpart_id)],
                    reported.stated_value - {{ earlier_value }}
                )
            else reported.stated_value - {{ earlier_value }}
        end as single_value,
        case
            when reported.earlier_form_as_of < indicators.comparable_from then '指标口径变更'
            else reported.previous_period_name
                || case when reported.earlier_submission_id is null then '未报' else '空白' end
        end as single_gap,
        reported.first_value,
        case
            when indicators.measure_kind = 'flow' then greatest(reported.known_from, reported.earlier_known_from)
            else reported.known_from
        end as known_from
    from reported
    left join indicators on reported.indicator_id = indicators.indicator_id
    where
        not coalesce(indicators.measure_kind = 'flow' and indicators.figures = 'single', false)
        and not (reported.is_summary and coalesce(indicators.measure_kind, 'rate') not in ('flow', 'stock'))
),

-- Flows stated for the period alone: added up over the reports of the window.
singles as (
    select * from indicators
    where measure_kind = 'flow' and figures = 'single'
),

members as (
    select
        reports.unit_id,
        reports.form_id,
        reports.period_id,
        reports.year,
        reports.is_summary,
        reports.submission_id as own_submission_id,
        reports.first_submission_id,
        reports.reported_periods,
        reports.expected_periods,
        singles.indicator_id,
        singles.counterpart_id,
        singles.effective_from,
        singles.comparable_from,
        periods.ends_on,
        periods.period_name,
        periods.form_as_of,
        -- A year-to-date period or an issue spans those before it; what is its own is what was sent for it alone.
        case
            when reports.is_summary then periods.ends_on >= reports.starts_on
            else periods.period_id = reports.period_id
        end as is_within,
        submissions.submission_id,
        submissions.known_from,
        figures.cell_states,
        figures.stated_values,
        figures.stated_texts,
        figures.decimals,
        figures.cells,
        figures.sheet,
        figures.indicator_ids,
        array_position(figures.indicator_ids, singles.indicator_id) as place
    from {{ reports }} as reports
    inner join singles on reports.form_id = singles.form_id
    inner join {{ ref('stg_catalog__periods') }} as periods
        on
            reports.form_id = periods.form_id
            and reports.accumulates_from = periods.accumulates_from
            and reports.calendar_kind = periods.period_kind
            and reports.ends_on >= periods.ends_on
    left join {{ ref('fct_submissions') }} as submissions
        on
            periods.form_id = submissions.form_id
            and periods.period_id = submissions.period_id
            and reports.unit_id = submissions.unit_id
            and submissions.row_role = 'unit'
            and {{ stands('submissions', world) }}
    left join figures
        on
            submissions.unit_id = figures.unit_id
            and submissions.submission_id = figures.submission_id
),

members_stated as (
    select
        unit_id,
        form_id,
        period_id,
        year,
        is_summary,
        own_submission_id,
        first_submission_id,
        reported_periods,
        expected_periods,
        indicator_id,
        comparable_from,
        ends_on,
        period_name,
        form_as_of,
        is_within,
        submission_id,
        known_from,
        sheet,
        submission_id = own_submission_id as is_own,
        cell_states[place] as cell_state,
        {{ figure_before('stated_values[place]', 'members.indicator_id', 'effective_from', 'form_as_of',
            'members.unit_id', 'members.submission_id') | indent(8) }} as stated_value,
        stated_texts[place] as stated_text,
        decimals[place] as decimals,
        cells[place] as cell,
        case
            when counterpart_id is not null then stated_values[array_position(indicator_ids, counterpart_id)]
        end as counterpart_value
    from members
),

members_valued as (
    select
        *,
        case
            when stated_value is null
                then to_char(ends_on, 'YYYY-MM-DD')
                    || case
                        when form_as_of < comparable_from then '指标口径变更'
                        else period_name || case when submission_id is null then '未报' else '空白' end
                    end
        end as gap
    from members_stated
),

members_added as (
    select
        unit_id,
        form_id,
        period_id,
        year,
        indicator_id,
        is_summary,
        own_submission_id as submission_id,
        first_submission_id,
        reported_periods,
        expected_periods,
        max(cell_state) filter (where is_own) as cell_state,
        max(stated_value) filter (where is_own) as stated_value,
        max(stated_text) filter (where is_own) as stated_text,
        max(decimals) filter (where is_own) as decimals,
        max(sheet) filter (where is_own) as sheet,
        max(cell) filter (where is_own) as cell,
        max(counterpart_value) filter (where is_own and not is_summary) as counterpart_value,
        case when count(stated_value) = count(*) then sum(stated_value) end as cumulative_value,
        substr(min(gap), 11) as cumulative_gap,
        case
            when count(stated_value) filter (where is_within) = count(*) filter (where is_within)
                then sum(stated_value) filter (where is_within)
        end as single_value,
        substr(min(gap) filter (where is_within), 11) as single_gap,
        max(known_from) as known_from
    from members_valued
    group by
        unit_id, form_id, period_id, year, indicator_id, is_summary, own_submission_id, first_submission_id,
        reported_periods, expected_periods
    having bool_or(is_own and cell_state is not null)
),

from_all_reports as (
    select
        unit_id,
        form_id,
        period_id,
        year,
        indicator_id,
        is_summary,
        'flow' as measure_kind,
        'single' as figures,
        cell_state,
        stated_value,
        stated_text,
        decimals,
        sheet,
        cell,
        submission_id,
        reported_periods,
        expected_periods,
        coalesce(counterpart_value, cumulative_value) as cumulative_value,
        cumulative_gap,
        single_value,
        single_gap,
        case
            when is_summary then null  -- nobody published it: each of its periods was
            when first_submission_id = submission_id then stated_value
            else (
                select firsts.stated_values[array_position(firsts.indicator_ids, members_added.indicator_id)]
                from figures as firsts
                where
                    members_added.unit_id = firsts.unit_id
                    and members_added.first_submission_id = firsts.submission_id
            )
        end as first_value,
        known_from
    from members_added
),

together as (
    select * from from_one_report

    union all

    select * from from_all_reports
),

-- A summary states nothing itself: its figure is the one of its form's own basis.
owned as (
    select
        *,
        case when is_summary and figures = 'single' then single_value else stated_value end as own_value
    from together
),

own_figures as not materialized (
    select
        unit_id,
        form_id,
        period_id,
        year,
        indicator_id,
        case
            when not is_summary then cell_state
            when own_value is null then 'blank'
            when own_value = 0 then 'zero'
            else 'value'
        end as cell_state,
        own_value as stated_value,
        case when not is_summary then stated_text end as stated_text,
        case when not is_summary then decimals end as decimals,
        cumulative_value,
        case
            when cumulative_value is not null then null
            when measure_kind != 'flow' then '不累加'
            when stated_value is null then '本期空白'
            else cumulative_gap
        end as cumulative_reason,
        single_value,
        case
            when single_value is not null then null
            when measure_kind != 'flow' then '不相减'
            when stated_value is null then '本期空白'
            else single_gap
        end as single_reason,
        first_value,
        reported_periods,
        expected_periods,
        sheet,
        cell,
        submission_id,
        known_from
    from owned
),

replaced as (
    select
        own_figures.*,
        predecessors.indicator_id as successor_id,
        predecessors.predecessors,
        own_figures.cell_state = 'not_applicable' as is_nothing
    from predecessors
    inner join own_figures on predecessors.predecessor_id = own_figures.indicator_id
    inner join {{ ref('stg_catalog__periods') }} as periods
        on
            own_figures.form_id = periods.form_id
            and own_figures.period_id = periods.period_id
            and periods.form_as_of <= predecessors.effective_to
            and coalesce(periods.form_as_of >= predecessors.effective_from, true)
),

-- What does not apply to a unit adds nothing; what it left blank leaves the sum unknown.
replaced_added as (
    select
        unit_id,
        form_id,
        period_id,
        year,
        successor_id as indicator_id,
        bool_or(cell_state = 'unreadable') as is_unreadable,
        bool_and(is_nothing) as is_nothing,
        {%- for value in ['stated_value', 'cumulative_value', 'single_value', 'first_value'] %}
        case
            when count(*) filter (where is_nothing or {{ value }} is not null) = max(predecessors) then sum({{ value }})
        end as {{ value }},
        {%- endfor %}
        {%- for reason in ['cumulative_reason', 'single_reason'] %}
        min({{ reason }}) filter (where not is_nothing) as {{ reason }},
        {%- endfor %}
        max(reported_periods) as reported_periods,
        max(expected_periods) as expected_periods,
        max(sheet) as sheet,
        string_agg(cell, '、' order by length(cell), cell) as cell,
        max(submission_id) as submission_id,
        max(known_from) as known_from
    from replaced
    group by unit_id, form_id, period_id, year, successor_id
),

final as (
    select * from own_figures

    union all

    select
        unit_id,
        form_id,
        period_id,
        year,
        indicator_id,
        case
            when is_unreadable then 'unreadable'
            when is_nothing then 'not_applicable'
            when stated_value is null then 'blank'
            when stated_value = 0 then 'zero'
            else 'value'
        end as cell_state,
        stated_value,
        null::text as stated_text,
        null::integer as decimals,
        cumulative_value,
        case
            when cumulative_value is not null then null
            when stated_value is null then '本期空白'
            else cumulative_reason
        end as cumulative_reason,
        single_value,
        case
            when single_value is not null then null
            when stated_value is null then '本期空白'
            else single_reason
        end as single_reason,
        first_value,
        reported_periods,
        expected_periods,
        sheet,
        cell,
        submission_id,
        known_from
    from replaced_added
)

select * from final
{% endmacro %}

{#  The figures of another report in the order of a report's own. #}
{% macro in_order_of(own, other) -%}
case
    when {{ other }}.layout_id = {{ own }}.layout_id then {{ other }}.stated_values
    when {{ other }}.layout_id is not null
        then array(
            select {{ other }}.stated_values[array_position({{ other }}.indicator_ids, wanted.indicator_id)]
            from unnest({{ own }}.indicator_ids) with ordinality as wanted (indicator_id, place)
            order by wanted.place
        )
end
{%- endmacro %}

{#
    A figure in a period of some version of the form: the indicator's own, or, before the form had it, the sum of what it
    replaced. `predecessors` and `figures` are there to be read.
#}
{% macro figure_before(own_value, indicator_id, effective_from, form_as_of, unit_id, submission_id) -%}
coalesce(
    {{ own_value }},
    case
        when {{ form_as_of }} < {{ effective_from }}
            then (
                select case when count(*) filter (where is_known) = max(predecessors) then sum(stated_value) end
                from (
                    select
                        predecessors.predecessors,
                        replaced.stated_values[places.place] as stated_value,
                        replaced.stated_values[places.place] is not null
                        or replaced.cell_states[places.place] = 'not_applicable' as is_known
                    from predecessors
                    cross join figures as replaced
                    cross join lateral (
                        select array_position(replaced.indicator_ids, predecessors.predecessor_id) as place
                    ) as places
                    where
                        predecessors.indicator_id = {{ indicator_id }}
                        and predecessors.effective_to >= {{ form_as_of }}
                        and coalesce(predecessors.effective_from <= {{ form_as_of }}, true)
                        and replaced.unit_id = {{ unit_id }}
                        and replaced.submission_id = {{ submission_id }}
                ) as of_predecessors
            )
    end
)
{%- endmacro %}
