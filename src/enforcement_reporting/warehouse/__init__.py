"""The warehouse as Python sees it: its schema, the catalog in it, and what comes in."""

from enforcement_reporting.warehouse.database import connect, engine, migrate
from enforcement_reporting.warehouse.load import (
    Delivery,
    FileOutcome,
    load_catalog_tables,
    record_refused,
    record_submissions,
)

__all__ = [
    "Delivery",
    "FileOutcome",
    "connect",
    "engine",
    "load_catalog_tables",
    "migrate",
    "record_refused",
    "record_submissions",
]
