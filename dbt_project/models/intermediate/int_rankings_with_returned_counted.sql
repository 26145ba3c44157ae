-- What the ranks would be if the submissions that were sent back came in as they stand: only of scoreboards and periods
-- in which one is waiting for its correction.
with

submissions as (
    select * from {{ ref('fct_submissions') }}
),

periods_touched as (
    select * from {{ ref('int_periods_touched') }}
),

scoreboards as (
    select * from {{ ref('stg_catalog__scoreboards') }}
),

forms_mapped_to_dependents as not materialized (
    select * from {{ ref('int_forms_mapped_to_dependents') }}
),

periods as (
    select * from {{ ref('stg_catalog__periods') }}
),

waiting as (
    select distinct
        submissions.form_id,
        later.period_id
    from submissions
    inner join periods
        on
            submissions.form_id = periods.form_id
            and submissions.period_id = periods.period_id
    -- What is derived in the later periods of its window waits for it too.
    inner join periods as later
        on
            periods.form_id = later.form_id
            and periods.accumulates_from = later.accumulates_from
            and periods.ends_on <= later.ends_on
    where {{ awaits_correction('submissions.') }}
),

moved as (
    {{ pairs_moved('waiting') | indent(4) }}
),

boards as (
    select distinct
        moved.form_id,
        moved.period_id
    from moved
    inner join periods_touched
        on
            moved.form_id = periods_touched.form_id
            and moved.period_id = periods_touched.period_id
    inner join scoreboards on moved.form_id = scoreboards.form_id
),

-- Items of a scoreboard may come from any form, and their terms from yet another.
boards_with_items as (
    select
        form_id,
        period_id
    from boards

    union

    select
        forms_mapped_to_dependents.form_id,
        boards.period_id
    from boards
    inner join forms_mapped_to_dependents on boards.form_id = forms_mapped_to_dependents.dependent_form_id
),

pairs as (
    {{ pairs_with_terms('boards_with_items') | indent(4) }}
),

{{ figures_in('pairs', world(count_returned=true)) }},

final as (
    select
        rankings.scoreboard_id,
        rankings.form_id,
        rankings.period_id,
        rankings.unit_id,
        rankings.item_id,
        rankings.rank
    from rankings
    inner join boards
        on
            rankings.form_id = boards.form_id
            and rankings.period_id = boards.period_id
)

select * from final
