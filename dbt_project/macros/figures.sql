{#
    numerator ÷ denominator, NULL where the denominator is 0. Equal ratios give equal values whatever the size of their
    terms (1/3, 20000/60000), which plain numeric division does not promise and ranks depend on.
#}
{% macro exact_ratio(numerator, denominator) -%}
    trim_scale(round(round({{ numerator }}, 30) / nullif({{ denominator }}, 0), 20))
{%- endmacro %}

{#
    What was worked out from ratios, which end at 20 decimals: that 1/3 less 1/30 is 0.3, and to be rounded as that, is
    seen at 15.
#}
{% macro exact_difference(difference) -%}
    trim_scale(round({{ difference }}, 15))
{%- endmacro %}
