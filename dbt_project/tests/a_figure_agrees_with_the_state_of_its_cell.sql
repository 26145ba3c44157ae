select
    figures.unit_id,
    figures.indicator_id,
    figures.period_id,
    figures.cell_state,
    figures.stated_value
from {{ ref('fct_indicator_values') }} as figures
inner join {{ ref('int_periods_touched') }} as touched
    on
        figures.form_id = touched.form_id
        and figures.period_id = touched.period_id
where
    case figures.cell_state
        when 'zero' then figures.stated_value is distinct from 0
        when 'value' then coalesce(figures.stated_value = 0, true)
        else figures.stated_value is not null
    end
