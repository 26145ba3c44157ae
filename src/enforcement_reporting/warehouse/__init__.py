"""The warehouse as Python sees it: its schema, the catalog in it, and what comes in."""

from enforcement_reporting.warehouse.database import connect, engine, migrate
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
    "Delivery",
    "FileOutcome",
    "Incoming",
    "connect",
    "engine",
    "load_catalog_tables",
    "migrate",
    "record_files",
]
