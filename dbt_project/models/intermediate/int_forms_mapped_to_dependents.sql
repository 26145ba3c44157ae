-- A metric may take terms from other forms, a scoreboard items from other forms or metrics: what a form's figures move
-- beyond its own facts.
with

metrics as (
    select * from {{ ref('stg_catalog__metrics') }}
),

metric_terms as (
    select * from {{ ref('stg_catalog__metric_terms') }}
),

indicators as (
    select * from {{ ref('stg_catalog__indicators') }}
),

scoreboards as (
    select * from {{ ref('stg_catalog__scoreboards') }}
),

scoreboard_items as (
    select * from {{ ref('stg_catalog__scoreboard_items') }}
),

forms_in_metrics as (
    select
        metric_terms.form_id,
        metrics.metric_id,
        metrics.form_id as home_form_id
    from metric_terms
    inner join metrics on metric_terms.metric_id = metrics.metric_id

    union all

    select
        form_id,
        metric_id,
        form_id as home_form_id
    from metrics
),

forms_on_scoreboards as (
    select
        indicators.form_id,
        scoreboards.form_id as dependent_form_id
    from scoreboard_items
    inner join scoreboards on scoreboard_items.scoreboard_id = scoreboards.scoreboard_id
    inner join indicators on scoreboard_items.indicator_id = indicators.indicator_id

    union all

    select
        forms_in_metrics.form_id,
        scoreboards.form_id as dependent_form_id
    from scoreboard_items
    inner join scoreboards on scoreboard_items.scoreboard_id = scoreboards.scoreboard_id
    inner join forms_in_metrics on scoreboard_items.metric_id = forms_in_metrics.metric_id
),

final as (
    select
        form_id,
        home_form_id as dependent_form_id
    from forms_in_metrics

    union

    select
        form_id,
        dependent_form_id
    from forms_on_scoreboards
)

select * from final
