"""Migrations: what a warehouse was made by, it is worked on with."""

from __future__ import annotations

import hashlib
import runpy
from pathlib import Path

import pytest

from enforcement_reporting.settings import Settings
from enforcement_reporting.warehouse import WarehouseError, connect, migrate

MIGRATIONS = Path(__file__).parent.parent / "src/enforcement_reporting/warehouse/migrations/versions"


@pytest.mark.parametrize("path", sorted(MIGRATIONS.glob("*.py")), ids=lambda path: path.stem)
def test_a_migration_is_named_after_what_it_does(path: Path) -> None:
    """Whoever changes one that has run somewhere must give it a new name, and that warehouse is not taken for new.

    So must those that come after it: a warehouse knows the last one by its name, and no other.
    """
    migration = runpy.run_path(str(path))
    digest = hashlib.sha256(((migration["down_revision"] or "") + migration["DDL"]).encode()).hexdigest()[:8]
    assert migration["revision"] == f"{path.stem[:4]}_{digest}"


def test_a_warehouse_of_another_version_is_refused_before_anything_is_taken_in(warehouse: Settings) -> None:
    with connect(warehouse) as connection:
        connection.execute("update enforcement_reporting_migrations set version_num = '0002_of_old'")
    with pytest.raises(WarehouseError, match=r"another version of this project: .*'0002_of_old'.*make reset"):
        migrate(warehouse)
