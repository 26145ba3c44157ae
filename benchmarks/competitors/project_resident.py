"""This project as its tasks run: forked from a process that has imported the tools, on a project parsed before."""

from __future__ import annotations

from pathlib import Path

import project

from enforcement_reporting.warming import warm_up

run = project.run


def prepare(definitions: Path, database_url: str) -> None:
    """Do what is done before there is a job, by the executor."""
    warm_up(project.settings_of(definitions, database_url))


if __name__ == "__main__":
    import job

    job.main("project_resident")
