"""The warehouse as Python sees it: its schema, the catalog in it, and what comes in."""

from enforcement_reporting.warehouse.database import (
    STATISTICS_TARGET,
    WarehouseError,
    connect,
    engine,
    import_alembic,
    migrate,
)
from enforcement_reporting.warehouse.load import (
    NOT_STORABLE,
    Delivery,
    FileOutcome,
    Incoming,
    load_catalog_tables,
    record_files,
)

__all__ = [
    "NOT_STORABLE",
    "STATISTICS_TARGET",
    "Delivery",
    "FileOutcome",
    "Incoming",
    "WarehouseError",
    "connect",
    "engine",
    "import_alembic",
    "load_catalog_tables",
    "migrate",
    "record_files",
]
