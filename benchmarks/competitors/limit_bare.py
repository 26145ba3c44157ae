"""The limit without what a reader of the results asks for: numbers as floats, and no keys.

The same statements otherwise. It is no way to publish a figure, but shows what exactness and keys cost.
"""

from __future__ import annotations

from pathlib import Path

import limit
import psycopg
from job import read_job


def run(workbooks_dir: Path, definitions: Path, database_url: str) -> None:
    """Do the job but for exact numbers and keys."""
    with psycopg.connect(database_url) as connection:
        limit.fill(connection, workbooks_dir, read_job(definitions), "float8")


if __name__ == "__main__":
    import job

    job.main("limit_bare")
