"""What the tools cost before they do anything, each in a process of its own.

    python benchmarks/starts.py dbt|great_expectations URL STATE

dbt is imported and parses this project without anything remembered; Great Expectations is imported and runs an empty
suite over one row.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def dbt(url: str, state: str) -> None:
    """Parse the dbt project."""
    from dbt.cli.main import dbtRunner

    project = str(ROOT / "dbt_project")
    quiet = ["--quiet", "--log-level", "none", "--log-level-file", "none", "--no-version-check"]
    folders = ["--project-dir", project, "--profiles-dir", project, "--target-path", state, "--log-path", state]
    assert dbtRunner().invoke([*quiet, "parse", "--no-write-json", *folders]).success, url


def great_expectations(url: str, state: str) -> None:
    """Run an empty suite."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_sql(
        name=state, connection_string=url.replace("postgresql:", "postgresql+psycopg:")
    )
    batch = source.add_query_asset(name="row", query="select 1 as one").add_batch_definition_whole_table("row")
    suite = context.suites.add(gx.ExpectationSuite(name="empty"))
    validation = gx.ValidationDefinition(name="empty", data=batch, suite=suite)
    assert context.validation_definitions.add(validation).run().success


if __name__ == "__main__":
    {"dbt": dbt, "great_expectations": great_expectations}[sys.argv[1]](*sys.argv[2:])
