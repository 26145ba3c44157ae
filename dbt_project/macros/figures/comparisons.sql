{#
    What there is to compare: the figures of units, of groups and of metrics, and on each basis the columns of the value,
    of why there is none, and of how many units are in it.
#}
{% macro kinds_of_figures(unit_values, group_values, metric_values) %}
    {%- set kinds = [
        {
            'relation': unit_values, 'measure': "'indicator'", 'measure_id': 'indicator_id', 'expected_units': '1::bigint',
            'bases': [
                ('stated', 'stated_value', 'null', 'figures.stated_value is not null'),
                ('cumulative', 'cumulative_value', 'figures.cumulative_reason', 'figures.cumulative_value is not null'),
                ('single', 'single_value', 'figures.single_reason', 'figures.single_value is not null'),
            ],
        },
        {
            'relation': group_values, 'measure': "'indicator'", 'measure_id': 'indicator_id',
            'expected_units': 'figures.expected_units',
            'bases': [
                ('stated', 'value', 'null', 'figures.reported_units'),
                ('cumulative', 'cumulative_value', 'null', 'figures.cumulative_units'),
                ('single', 'single_value', 'null', 'figures.single_units'),
            ],
        },
        {
            'relation': metric_values, 'measure': "'metric'", 'measure_id': 'metric_id',
            'expected_units': 'figures.expected_units',
            'bases': [
                ('cumulative', 'cumulative_value', 'null', 'figures.cumulative_units'),
                ('single', 'single_value', 'null', 'figures.single_units'),
            ],
        },
    ] %}
    {{ return(kinds) }}
{% endmacro %}

{#  The figures of a kind, `figures`, on each of its bases, which is a row of `on_basis`. #}
{% macro on_each_basis(kind) -%}
cross join lateral (
    values
    {%- for basis, value, reason, units in kind.bases %}
    ('{{ basis }}', figures.{{ value }}, {{ reason }}::text, ({{ units }})::integer::bigint){{ ',' if not loop.last }}
    {%- endfor %}
) as on_basis (basis, value, reason, reported_units)
{%- endmacro %}

{#
    Every figure of the kinds (see kinds_of_figures) on every basis, one under the other; with `units`, only those of the
    units and groups in it.
#}
{% macro figures_listed(kinds, units=none) %}
{%- for kind in kinds %}
select
    figures.unit_id,
    figures.form_id,
    figures.period_id,
    {{ kind.measure }} as measure,
    figures.{{ kind.measure_id }} as measure_id,
    on_basis.basis,
    on_basis.value,
    on_basis.reason,
    figures.first_value,
    on_basis.reported_units,
    {{ kind.expected_units }} as expected_units
from {{ kind.relation }} as figures
{{ on_each_basis(kind) }}
{{ 'where figures.unit_id in (select units.unit_id from ' ~ units ~ ' as units)' if units is not none }}
{{ 'union all' if not loop.last }}
{% endfor %}
{% endmacro %}

{#  What figures_listed gives, as the one kind that there is to compare. #}
{% macro listed_already(figures) %}
    {{ return([{
        'relation': figures, 'measure': 'figures.measure', 'measure_id': 'measure_id',
        'expected_units': 'figures.expected_units', 'bases': none,
    }]) }}
{% endmacro %}

{#
    同比 and 环比 of the figures of the kinds (see kinds_of_figures): 同比 against the same cut-off a year ago, on every
    basis; 环比 of what belongs to the period alone, and of stocks, against the period before. Change of a rate is in
    percentage points. Where the base is missing or zero, or counted something else, there is no percentage but a reason.
    With `asked`, only of the (form_id, period_id) in it. Each kind of figures is joined by itself to the periods it stands
    in, so that what is asked of the whole reaches each index. What is listed already has none, and the periods are put
    down to be joined to it at once.
#}
{% macro comparisons(kinds, asked=none) %}
with

measures as (
    select
        'indicator' as measure,
        indicator_id as measure_id,
        indicator_name as measure_name,
        unit_of_measure,
        measure_kind = 'stock' as is_stock,
        case when measure_kind = 'stock' then 'stated' else figures end as own_basis,
        comparable_from
    from {{ ref('stg_catalog__indicators') }}
    where measure_kind in ('flow', 'stock')

    union all

    select
        'metric' as measure,
        metric_id as measure_id,
        metric_name as measure_name,
        unit_of_measure,
        false as is_stock,
        (
            select
                case
                    when min(indicators.figures) is null then 'any'
                    when min(indicators.figures) = max(indicators.figures) then min(indicators.figures)
                end
            from {{ ref('stg_catalog__metric_terms') }} as metric_terms
            inner join {{ ref('stg_catalog__indicators') }} as indicators
                on metric_terms.indicator_id = indicators.indicator_id
            where
                metrics.metric_id = metric_terms.metric_id
                and metrics.form_id = metric_terms.form_id
                and indicators.measure_kind = 'flow'
        ) as own_basis,
        null::date as comparable_from
    from {{ ref('stg_catalog__metrics') }} as metrics
),

periods as not materialized (
    select * from {{ ref('stg_catalog__periods') }}
),

periods_compared as not materialized (
    select periods.*
    from periods
    {%- if asked is not none %}
    inner join {{ asked }} as asked
        on
            periods.form_id = asked.form_id
            and periods.period_id = asked.period_id
    {%- endif %}
),

bases as {{ 'not ' if kinds[0].bases }}materialized (
    select
        form_id,
        period_id,
        '同比' as comparison,
        year_ago_period_id as base_period_id
    from periods_compared

    union all

    select
        form_id,
        period_id,
        '环比' as comparison,
        previous_period_id as base_period_id
    from periods_compared
    -- What a summary of the year so far has for its own is its last period's, which is compared by itself.
    where period_kind != 'year_to_date' or reported_as = period_id
),

-- A figure stands in its own period, and as the base of those that are compared with it.
sides as (
    {%- for kind in kinds %}
    {%- set of_kind = loop %}
    {%- set on_basis = 'on_basis' if kind.bases else 'figures' %}
    {%- for is_own in [true, false] %}
    select
        figures.unit_id,
        figures.form_id,
        bases.period_id,
        {{ kind.measure }} as measure,
        figures.{{ kind.measure_id }} as measure_id,
        {{ on_basis }}.basis,
        bases.comparison,
        {{ is_own | lower }} as is_own,
        {{ on_basis }}.value,
        {{ on_basis }}.reason,
        {{ 'null::numeric' if is_own else 'figures.first_value' }} as first_value,
        {{ on_basis }}.reported_units,
        {{ kind.expected_units }} as expected_units
    from {{ kind.relation }} as figures
    inner join bases
        on
            figures.form_id = bases.form_id
            and figures.period_id = bases.{{ 'period_id' if is_own else 'base_period_id' }}
    {{ on_each_basis(kind) | indent(4) if kind.bases }}
    where bases.comparison = '同比' or {{ on_basis }}.basis != 'cumulative'
    {{ 'union all' if not (loop.last and of_kind.last) }}
    {%- endfor %}
    {%- endfor %}
),

brought_together as (
    select
        unit_id,
        form_id,
        period_id,
        measure,
        measure_id,
        basis,
        comparison,
        max(value) filter (where is_own) as value,
        max(reason) filter (where is_own) as value_reason,
        bool_or(not is_own) as base_is_there,
        max(value) filter (where not is_own) as base_value,
        max(reason) filter (where not is_own) as base_reason,
        max(first_value) filter (where not is_own and comparison = '同比') as base_first_value,
        coalesce(max(reported_units) filter (where is_own), 0) as reported_units,
        coalesce(max(expected_units) filter (where is_own), 0) as expected_units,
        coalesce(max(reported_units) filter (where not is_own), 0) as base_reported_units,
        coalesce(max(expected_units) filter (where not is_own), 0) as base_expected_units
    from sides
    group by unit_id, form_id, period_id, measure, measure_id, basis, comparison
    having bool_or(is_own)
),

compared as (
    select
        brought_together.*,
        measures.measure_name,
        measures.unit_of_measure,
        measures.own_basis,
        brought_together.value - brought_together.base_value as delta,
        case brought_together.comparison
            when '同比' then asked_periods.year_ago_period_id
            else asked_periods.previous_period_id
        end as base_period_id,
        base_periods.period_name as base_period_name,
        -- A window that began late, such as a scheme's first year, is no base for a whole one.
        coalesce(
            brought_together.basis = 'cumulative'
            and asked_periods.period_kind != 'week'
            and to_char(asked_periods.accumulates_from, 'MMDD') != to_char(base_periods.accumulates_from, 'MMDD'),
            false
        ) as counts_from_another_day,
        undefined.metric_id is not null
        or coalesce(base_periods.form_as_of < measures.comparable_from, false) as is_of_another_definition
    from brought_together
    inner join measures
        on
            brought_together.measure = measures.measure
            and brought_together.measure_id = measures.measure_id
            and (brought_together.basis = 'stated') = measures.is_stock
    inner join periods as asked_periods
        on
            brought_together.form_id = asked_periods.form_id
            and brought_together.period_id = asked_periods.period_id
    left join periods as base_periods
        on
            asked_periods.form_id = base_periods.form_id
            and base_periods.period_id = case brought_together.comparison
                when '同比' then asked_periods.year_ago_period_id
                else asked_periods.previous_period_id
            end
    left join {{ ref('int_metrics_undefined') }} as undefined
        on
            brought_together.measure = 'metric'
            and brought_together.measure_id = undefined.metric_id
            and base_periods.period_id = undefined.period_id
),

changed as (
    select
        *,
        case
            when unit_of_measure != '%' and not counts_from_another_day
                then {{ exact_difference(exact_ratio('100 * delta', 'abs(base_value)')) }}
        end as change_percent,
        case when unit_of_measure = '%' and not counts_from_another_day then {{ exact_difference('delta') }} end
            as change_points
    from compared
),

final as (
    select
        unit_id,
        form_id,
        period_id,
        measure,
        measure_id,
        measure_name,
        unit_of_measure,
        basis,
        comparison,
        value,
        base_period_id,
        base_value,
        -- What was published first was on the form's own basis.
        case when own_basis in (basis, 'any') then base_first_value end as base_first_value,
        delta,
        change_percent,
        change_points,
        case
            when change_points is not null
                then case when change_points > 0 then '+' else '' end || round(change_points, 2) || '个百分点'
            when change_percent is not null
                then case when change_percent > 0 then '+' else '' end || round(change_percent, 2) || '%'
            else '—'
        end as change_text,
        case
            when coalesce(change_points, change_percent) is not null then null
            when value is null then coalesce(value_reason, '本期没有数值')
            when base_period_id is null then '没有可比的一期'
            when counts_from_another_day then '起算日不同，不可比'
            when base_value is null and is_of_another_definition then '指标口径变更，不可比'
            when not base_is_there then base_period_name || '未报'
            when base_value is null then coalesce(replace(base_reason, '本期', base_period_name), base_period_name || '没有数值')
            else '基数为零'
        end as reason,
        reported_units,
        expected_units,
        base_reported_units,
        base_expected_units,
        reported_units = expected_units
        and base_expected_units > 0
        and base_reported_units = base_expected_units as is_complete
    from changed
)

select * from final
{% endmacro %}
