"""The limit with what a reader of the results asks for: exact numbers, and a key on every table.

The same statements otherwise. A float is no published figure, and a table without an index answers nobody.
"""

from __future__ import annotations

from pathlib import Path

import limit
import psycopg

KEYS = {
    "observations": "unit_id, period_id, indicator_id",
    "unit_values": "period_id, unit_id, indicator_id",
    "group_values": "period_id, group_id, indicator_id",
    "metric_values": "period_id, unit_id, metric_id",
}


def run(workbooks_dir: Path, definitions: Path, database_url: str) -> None:
    """Do the job."""
    limit.run(workbooks_dir, definitions, database_url, figures="numeric")
    with psycopg.connect(database_url) as connection:
        for table, key in KEYS.items():
            connection.execute(f"alter table result.{table} add primary key ({key})".encode())


if __name__ == "__main__":
    import job

    job.main("limit_keyed")
