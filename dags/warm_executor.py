"""The local executor with everything imported that tasks import, so that a task begins where its work does.

Every task is a fork of a worker, and every worker one of the process in which the executor starts: the scheduler.
What is imported there once is there in each of them, at no cost of time or memory. Great Expectations and dbt take
longer to import than a check or a build of a few workbooks takes to do.

A module of its own because the scheduler imports it by name.
"""

from __future__ import annotations

from airflow.executors.local_executor import LocalExecutor


class WarmLocalExecutor(LocalExecutor):
    """Runs tasks on this machine, as forks of a process that has imported what they need."""

    def start(self) -> None:
        """Import it all and read the dbt project, then start as ever."""
        from enforcement_reporting.settings import Settings
        from enforcement_reporting.warming import warm_up

        warm_up(Settings.from_environment())
        super().start()
