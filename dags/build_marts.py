"""After submissions or obligations have been checked: build the marts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Asset, dag, task

from enforcement_reporting.settings import Settings


@dag(
    schedule=(
        Asset(name="checked_submissions", uri="enforcement-reporting://checked-submissions")
        | Asset(name="checked_obligations", uri="enforcement-reporting://checked-obligations")
    ),
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=3),
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=10),
        "retry_exponential_backoff": True,
        "execution_timeout": timedelta(hours=1),
    },
    doc_md=__doc__,
    tags=["enforcement-reporting"],
)
def build_marts() -> None:
    @task
    def build() -> dict[str, Any]:
        """Build every mart that the checked submissions have changed."""
        from enforcement_reporting import marts

        return marts.build(Settings.from_environment())

    build()


build_marts()
