"""This project as its tasks run: forked from a process that has imported the tools, on a project parsed before."""

from __future__ import annotations

from pathlib import Path

import project

from enforcement_reporting import marts, quality, warehouse

run = project.run


def prepare(definitions: Path, database_url: str) -> None:
    """Do what was done before there is a job: what the executor does, and the build before this one."""
    settings = project.settings_of(definitions, database_url)
    marts.run_dbt(settings, ["parse", "--no-write-json"])
    warehouse.import_alembic()
    quality.import_great_expectations()
    marts.import_dbt(settings)


if __name__ == "__main__":
    import job

    job.main("project_resident")
