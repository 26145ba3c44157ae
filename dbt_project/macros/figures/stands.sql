{#
    Which submissions the figures are taken from. A world says which: `now` those that stand; `as_of` those that stood at
    an instant; with `without`, those that would have stood then had this one submission not come; with `count_returned`,
    in the place of these the ones that wait for their correction.

    An instant and a submission are SQL expressions, such as the arguments of a function.
#}
{% macro now() -%}
    {{ return({'as_of': none, 'without': none, 'count_returned': false}) }}
{%- endmacro %}

{% macro world(as_of=none, without=none, count_returned=false) -%}
    {{ return({'as_of': as_of, 'without': without, 'count_returned': count_returned}) }}
{%- endmacro %}

{% macro stands(submission, world) -%}
    {%- if world.count_returned -%}
    (
                {{ awaits_correction(submission ~ '.') }}
                or (
                    {{ submission }}.is_standing
                    and not exists (
                        select 1
                        from {{ ref('fct_submissions') }} as waiting
                        where
                            {{ submission }}.form_id = waiting.form_id
                            and {{ submission }}.period_id = waiting.period_id
                            and {{ submission }}.unit_id = waiting.unit_id
                            and {{ awaits_correction('waiting.') }}
                    )
                )
            )
    {%- elif world.as_of is none -%}
    {{ submission }}.is_standing
    {%- elif world.without is none -%}
    {{ submission }}.known_from <= {{ world.as_of }}
            and ({{ submission }}.known_to is null or {{ submission }}.known_to > {{ world.as_of }})
    {%- else -%}
    {{ submission }}.submission_id != {{ world.without }}
            and {{ submission }}.accepted_from <= {{ world.as_of }}
            -- What the one left out kept from standing comes into its place.
            and not exists (
                select 1
                from {{ ref('fct_submissions') }} as later_accepted
                where
                    {{ submission }}.form_id = later_accepted.form_id
                    and {{ submission }}.period_id = later_accepted.period_id
                    and {{ submission }}.unit_id = later_accepted.unit_id
                    and {{ submission }}.row_role = later_accepted.row_role
                    and {{ submission }}.revision < later_accepted.revision
                    and later_accepted.accepted_from <= {{ world.as_of }}
                    and later_accepted.submission_id != {{ world.without }}
            )
    {%- endif -%}
{%- endmacro %}

{% macro was_received(submission, world) -%}
    {%- if world.as_of is none -%}
    true
    {%- else -%}
    {{ submission }}.received_at <= {{ world.as_of }}
    {%- endif -%}
{%- endmacro %}
