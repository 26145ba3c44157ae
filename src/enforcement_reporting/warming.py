"""What a process does once from which tasks are forked, so that a task begins where its work does."""

from __future__ import annotations

from enforcement_reporting import intake, marts, quality, warehouse  # noqa: F401 - imported for the forks
from enforcement_reporting.garbage import frozen_for_forks
from enforcement_reporting.settings import Settings


def warm_up(settings: Settings) -> None:
    """Import all that tasks import, and read the dbt project: every fork has it, at no cost of time or memory.

    It takes some five seconds, which is longer than checking and building what a few workbooks change.
    """
    warehouse.import_alembic()
    quality.import_great_expectations()
    marts.read_project(settings)
    frozen_for_forks()
