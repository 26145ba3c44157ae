select
    finding_id,
    origin,
    scope,
    file_id,
    submission_id,
    authority_id,
    form_id,
    unit_id,
    period_id,
    rule_id,
    -- What tells the findings of a rule on one submission apart.
    case when origin = 'reading' then message else '' end as subject,
    rule_kind,
    severity,
    cells,
    sheet,
    stated,
    expected,
    message,
    (
        select string_agg(proposal.said ->> 'text', e'\n' order by proposal.number)
        from jsonb_array_elements(findings.proposals) with ordinality as proposal (said, number)
    ) as proposals
from {{ source('quality', 'findings') }} as findings
