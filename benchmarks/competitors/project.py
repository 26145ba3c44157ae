"""This project, by the Python interface its DAGs call: take in, check, build. The results are views of its marts."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from enforcement_reporting import intake, marts
from enforcement_reporting.quality import check_submissions
from enforcement_reporting.settings import PROJECT_ROOT, Settings
from enforcement_reporting.warehouse import connect

RECEIVED_AT = datetime(2025, 8, 1, tzinfo=UTC)

RESULTS = """
create schema result;
create view result.observations as
select o.unit_id, o.indicator_id, s.period_id, s.sheet, o.cell, o.stated_value as value
from intake.observations o
join intake.submissions s using (unit_id, submission_id);
create view result.rule_violations as
select rule_id, (select count(*) from quality.findings f where f.rule_id = ids.rule_id) as violations
from unnest(%s::text[]) as ids (rule_id);
create view result.unit_values as
select unit_id, indicator_id, period_id, stated_value as stated, cumulative_value as cumulative,
    single_value as single
from marts.fct_indicator_values
where right(indicator_id, 4) <> '.i30';
create view result.group_values as
select unit_id as group_id, indicator_id, period_id, cumulative_value as cumulative, cumulative_units as reported_units,
    expected_units
from marts.fct_indicator_totals;
create view result.metric_values as
select unit_id, metric_id, period_id, value from marts.fct_metric_values where reported_units > 0;
"""


def run(workbooks_dir: Path, definitions: Path, database_url: str) -> None:
    """Do the job."""
    settings = take_in(workbooks_dir, definitions, database_url)
    check_submissions(settings)
    marts.build(settings)
    expose(settings)


def take_in(workbooks_dir: Path, definitions: Path, database_url: str) -> Settings:
    """Take the workbooks in, the first part of the job; return the settings with which it was done."""
    settings = settings_of(definitions, database_url)
    intake.prepare(settings)
    intake.ingest_files(settings, sorted(map(str, workbooks_dir.iterdir())), "collect", RECEIVED_AT)
    return settings


def settings_of(definitions: Path, database_url: str) -> Settings:
    """Return the settings of a run."""
    state = Path(os.environ["BENCHMARK_STATE"])
    return Settings(
        definitions=definitions,
        state=state,
        landing=str(state / "landing"),
        store=str(state / "store"),
        dbt_project=PROJECT_ROOT / "dbt_project",
        warehouse_url=database_url.replace("postgresql://", "postgresql+psycopg://"),
    )


def expose(settings: Settings) -> None:
    """Show the marts under the names that all competitors' results have."""
    from job import read_rules

    rules = [f"{rule['form']}.{rule['rule_id']}" for rule in read_rules(settings.definitions)]
    with connect(settings) as connection:
        connection.execute(RESULTS.replace("%s", f"'{{{','.join(rules)}}}'").encode())


if __name__ == "__main__":
    import job

    job.main("project")
