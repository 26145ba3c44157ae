{#
    Metrics of units and groups for the (form_id, period_id) in `periods`: scale × sum of numerators ÷ sum of
    denominators, never a mean of rates. One row per unit or group, form, period and metric; a unit that owes the form
    and has not reported has one too. A unit that lacks one term adds neither to the numerator nor to the denominator.
    Where the form of that time lacks a term, the metric has no meaning and no row.
    A term of another form is taken from the period of that form that ends the same day, or else holds it (a yearly plan);
    what is taken from a longer period counts as a whole, on the basis that is asked for.
#}
{% macro metric_values(unit_values, periods, world) %}
{%- set bases = ['stated', 'cumulative', 'single', 'first'] %}
with

units_expected as (
    {{ units_of_periods(periods, world) | indent(4) }}
),

metrics as not materialized (
    select
        metrics.*,
        coalesce(forms.form_title, metrics.form_id) as form_title,
        forms.figures
    from {{ ref('stg_catalog__metrics') }} as metrics
    left join {{ ref('stg_catalog__forms') }} as forms on metrics.form_id = forms.form_id
),

metric_terms as not materialized (
    select * from {{ ref('stg_catalog__metric_terms') }}
),

applicability as not materialized (
    select * from {{ ref('int_indicators_crossed_with_unit_kinds') }}
),

terms_applicable as (
    select
        metric_terms.metric_id,
        applicability.unit_kind,
        bool_and(applicability.is_applicable) as is_applicable
    from metric_terms
    inner join applicability on metric_terms.indicator_id = applicability.indicator_id
    group by metric_terms.metric_id, applicability.unit_kind
),

terms_wanted as (
    select
        metric_id,
        count(*) as terms
    from metric_terms
    group by metric_id
),

-- Of terms there are few: what is to be known of them is put together first, and leads to the figures.
terms as materialized (
    select
        metrics.metric_id,
        metrics.form_id,
        metric_terms.role,
        count(*) over (partition by metrics.metric_id, metric_terms.role) = 1 as is_alone,
        metric_terms.indicator_id,
        indicators.form_id as term_form_id,
        indicators.measure_kind,
        coalesce(indicators.figures = 'cumulative', false) as is_cumulative,
        coalesce(
            bool_or(indicators.figures = 'cumulative') filter (
                where indicators.form_id = metrics.form_id
            ) over (partition by metrics.metric_id),
            metrics.figures = 'cumulative',
            false
        ) as goes_with_cumulative
    from metric_terms
    inner join metrics on metric_terms.metric_id = metrics.metric_id
    inner join {{ ref('stg_catalog__indicators') }} as indicators
        on metric_terms.indicator_id = indicators.indicator_id
),

-- What does not add up over time is the same on every basis. Of another form's figures those are taken that go with what
-- the form itself states, as a rate of a month and a year so far says nothing. What is taken from a longer period is all
-- that is stated for it, or for the window until its end: a plan for a quarter is met by the quarter, what is planned
-- until June by June. What was stated for a shorter one says nothing of this one but what it accumulates to.
terms_valued as (
    select
        terms.metric_id,
        asked.form_id,
        asked.period_id,
        unit_values.unit_id,
        terms.role,
        terms.is_alone,
        case
            when terms.measure_kind != 'flow' or terms.term_form_id = terms.form_id then unit_values.stated_value
            when terms.goes_with_cumulative and (periods_matched.is_same_window or periods_matched.holds_it)
                then unit_values.cumulative_value
            when not terms.goes_with_cumulative and (periods_matched.is_same_span or periods_matched.holds_it)
                then unit_values.single_value
        end as stated_value,
        -- Published first was what is stated: what would have to be derived was not.
        case
            when
                terms.measure_kind != 'flow'
                or terms.term_form_id = terms.form_id
                or periods_matched.term_opens_window
                or terms.is_cumulative = terms.goes_with_cumulative
                then unit_values.first_value
        end as first_value,
        case
            when terms.measure_kind != 'flow' then unit_values.stated_value
            when periods_matched.is_same_window or periods_matched.holds_it then unit_values.cumulative_value
        end as cumulative_value,
        case
            when terms.measure_kind != 'flow' then unit_values.stated_value
            when periods_matched.is_same_span or periods_matched.holds_it then unit_values.single_value
        end as single_value
    from {{ periods }} as asked
    inner join terms on asked.form_id = terms.form_id
    inner join {{ ref('int_periods_matched_across_forms') }} as periods_matched
        on
            asked.form_id = periods_matched.form_id
            and asked.period_id = periods_matched.period_id
            and terms.term_form_id = periods_matched.term_form_id
    inner join {{ unit_values }} as unit_values
        on
            periods_matched.term_form_id = unit_values.form_id
            and periods_matched.term_period_id = unit_values.period_id
            and terms.indicator_id = unit_values.indicator_id
),

-- Until when what is taken from another form goes, such as a plan.
plans as (
    select
        terms.metric_id,
        asked.form_id,
        asked.period_id,
        max(periods_matched.term_ends_on) as ends_on
    from {{ periods }} as asked
    inner join terms on asked.form_id = terms.form_id
    inner join {{ ref('int_periods_matched_across_forms') }} as periods_matched
        on
            asked.form_id = periods_matched.form_id
            and asked.period_id = periods_matched.period_id
            and terms.term_form_id = periods_matched.term_form_id
    where terms.term_form_id != terms.form_id and terms.measure_kind = 'flow' and periods_matched.holds_it
    group by terms.metric_id, asked.form_id, asked.period_id
),

-- Those who owe the form, with what they reported of it: put together by grouping, as a planner that expects little
-- would join them row by row.
together as (
    select
        metrics.metric_id,
        units_expected.form_id,
        units_expected.period_id,
        units_expected.unit_id,
        units_expected.unit_kind,
        null as role,
        null::boolean as is_alone,
        {%- for basis in bases %}
        null::numeric as {{ basis }}_value{{ ',' if not loop.last }}
        {%- endfor %}
    from units_expected
    inner join metrics on units_expected.form_id = metrics.form_id
    where
        not exists (
            select 1
            from {{ ref('int_metrics_undefined') }} as undefined
            where
                metrics.metric_id = undefined.metric_id
                and units_expected.period_id = undefined.period_id
        )

    union all

    select
        metric_id,
        form_id,
        period_id,
        unit_id,
        null as unit_kind,
        role,
        is_alone,
        {%- for basis in bases %}
        {{ basis }}_value{{ ',' if not loop.last }}
        {%- endfor %}
    from terms_valued
),

-- A term that is alone is kept as it is: to add it up takes longer.
terms_by_unit as (
    select
        metric_id,
        form_id,
        period_id,
        unit_id,
        max(unit_kind) as unit_kind,
        {%- for basis in bases %}
        count({{ basis }}_value) as {{ basis }}_terms,
        {%- for role in ['numerator', 'denominator'] %}
        coalesce(
            max({{ basis }}_value) filter (where role = '{{ role }}' and is_alone),
            sum({{ basis }}_value) filter (where role = '{{ role }}' and not is_alone)
        ) as {{ basis }}_{{ role }}{{ ',' if not loop.last }}
        {%- endfor %}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from together
    group by
        -- By a number first: texts that begin alike are compared for long.
        hashtextextended(unit_id, hashtextextended(period_id, hashtextextended(metric_id, 0))),
        metric_id,
        form_id,
        period_id,
        unit_id
    having max(unit_kind) is not null
),

counted as (
    select
        terms_by_unit.unit_id,
        cohorts.cohort_id,
        terms_by_unit.metric_id,
        terms_by_unit.form_id,
        terms_by_unit.period_id,
        {%- for basis in bases %}
        case
            when terms_by_unit.{{ basis }}_terms = terms_wanted.terms then terms_by_unit.{{ basis }}_numerator
        end as {{ basis }}_numerator,
        case
            when terms_by_unit.{{ basis }}_terms = terms_wanted.terms then terms_by_unit.{{ basis }}_denominator
        end as {{ basis }}_denominator,
        {%- endfor %}
        (terms_by_unit.stated_terms = terms_wanted.terms)::integer as reported_units,
        (terms_by_unit.cumulative_terms = terms_wanted.terms)::integer as cumulative_units,
        (terms_by_unit.single_terms = terms_wanted.terms)::integer as single_units,
        (
            coalesce(terms_applicable.is_applicable, true) or terms_by_unit.stated_terms = terms_wanted.terms
        )::integer as expected_units
    from terms_by_unit
    inner join terms_wanted on terms_by_unit.metric_id = terms_wanted.metric_id
    inner join {{ ref('int_units_in_cohorts') }} as cohorts on terms_by_unit.unit_id = cohorts.unit_id
    left join terms_applicable
        on
            terms_by_unit.metric_id = terms_applicable.metric_id
            and terms_by_unit.unit_kind = terms_applicable.unit_kind
),

-- Units that are in the same groups are added up once for all of these.
counted_by_cohort as (
    select
        cohort_id,
        metric_id,
        form_id,
        period_id,
        {{ sums_of_terms(bases) | indent(8) }}
    from counted
    group by cohort_id, metric_id, form_id, period_id
),

rolled_up as (
    select
        unit_id,
        metric_id,
        form_id,
        period_id,
        {%- for basis in bases %}
        {{ basis }}_numerator,
        {{ basis }}_denominator,
        {%- endfor %}
        reported_units,
        cumulative_units,
        single_units,
        expected_units
    from counted

    union all

    select
        unit_closure.group_id as unit_id,
        counted_by_cohort.metric_id,
        counted_by_cohort.form_id,
        counted_by_cohort.period_id,
        {{ sums_of_terms(bases) | indent(8) }}
    from counted_by_cohort
    inner join {{ ref('stg_catalog__unit_closure') }} as unit_closure
        on
            counted_by_cohort.cohort_id = unit_closure.unit_id
            and unit_closure.depth > 0
            and unit_closure.is_counted
    group by
        unit_closure.group_id, counted_by_cohort.metric_id, counted_by_cohort.form_id, counted_by_cohort.period_id
),

with_metrics as (
    select
        rolled_up.unit_id,
        rolled_up.form_id,
        rolled_up.period_id,
        extract(year from periods.ends_on)::integer as year,
        rolled_up.metric_id,
        metrics.metric_name,
        metrics.form_title,
        coalesce(periods.period_name, rolled_up.period_id) as period_name,
        metrics.unit_of_measure,
        metrics.decimals,
        {%- for basis in bases %}
        rolled_up.{{ basis }}_numerator,
        rolled_up.{{ basis }}_denominator,
        {%- endfor %}
        metrics.scale,
        metrics.has_denominator,
        -- 时序进度: the share of the periods that have passed of all until the end of the plan, or of the window.
        case
            when metrics.against_schedule and periods.period_kind not in ('campaign', 'list')
                then trim_scale(round(100 * periods.sequence::numeric / (
                    select count(*)
                    from {{ ref('stg_catalog__periods') }} as members
                    where
                        periods.form_id = members.form_id
                        and periods.accumulates_from = members.accumulates_from
                        and periods.period_kind = members.period_kind
                        and members.ends_on <= coalesce(plans.ends_on, 'infinity')
                ), 20))
        end as schedule_value,
        rolled_up.reported_units,
        rolled_up.cumulative_units,
        rolled_up.single_units,
        rolled_up.expected_units
    from rolled_up
    inner join metrics on rolled_up.metric_id = metrics.metric_id
    inner join {{ ref('stg_catalog__periods') }} as periods
        on
            rolled_up.form_id = periods.form_id
            and rolled_up.period_id = periods.period_id
    left join plans
        on
            rolled_up.metric_id = plans.metric_id
            and rolled_up.form_id = plans.form_id
            and rolled_up.period_id = plans.period_id
),

-- Put down: it is looked at more than once, and worked out only once.
stated as materialized (
    select
        *,
        {{ value_of('stated') | indent(8) }} as stated_value
    from with_metrics
),

-- On the other bases the terms are mostly the same, and a division takes longer than to see that.
valued as (
    select
        *,
        {%- for basis in bases if basis != 'stated' %}
        case
            when
                {{ basis }}_numerator = stated_numerator
                and ({{ basis }}_denominator = stated_denominator or not has_denominator)
                then stated_value
            else {{ value_of(basis) | indent(12) }}
        end as {{ basis }}_value{{ ',' if not loop.last }}
        {%- endfor %}
    from stated
),

final as (
    select
        unit_id,
        form_id,
        period_id,
        year,
        metric_id,
        metric_name,
        form_title,
        period_name,
        unit_of_measure,
        stated_numerator as numerator,
        stated_denominator as denominator,
        stated_value as value,
        decimals,
        case
            when stated_value is not null
                then round(stated_value, decimals) || case when unit_of_measure = '%' then '%' else '' end
            when stated_denominator = 0 then '—'
            when expected_units = 0 then '不适用'
        end as value_text,
        cumulative_denominator,
        cumulative_value,
        single_numerator,
        single_denominator,
        single_value,
        first_value,
        schedule_value,
        stated_value - schedule_value as schedule_gap,
        reported_units,
        cumulative_units,
        single_units,
        expected_units,
        reported_units = expected_units as is_complete,
        single_units = expected_units as single_is_complete
    from valued
)

select * from final
{% endmacro %}

{#  The sums, by group or cohort, of what units or cohorts come to. #}
{% macro sums_of_terms(bases) -%}
{%- for basis in bases %}
sum({{ basis }}_numerator) as {{ basis }}_numerator,
sum({{ basis }}_denominator) as {{ basis }}_denominator,
{%- endfor %}
sum(reported_units::integer) as reported_units,
sum(cumulative_units::integer) as cumulative_units,
sum(single_units::integer) as single_units,
sum(expected_units::integer) as expected_units
{%- endmacro %}

{#  A metric on one basis, of a relation with its terms on that basis and with `scale` and `has_denominator`. #}
{% macro value_of(basis) -%}
case
    when has_denominator then {{ exact_ratio('scale * ' ~ basis ~ '_numerator', basis ~ '_denominator') }}
    else trim_scale(scale * {{ basis }}_numerator)
end
{%- endmacro %}
