"""Connections to the warehouse, and its migrations."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg
import sqlalchemy as sa

from enforcement_reporting.settings import Settings

# How closely tables are looked at by those who have just filled them, and plan what they do next. The server's own 100
# reads five times as many rows, which takes longer than to index them.
STATISTICS_TARGET = 20


class WarehouseError(Exception):
    """What the warehouse holds is not what this version of the project can work on."""


def engine(settings: Settings) -> sa.Engine:
    """Return an SQLAlchemy engine of the warehouse."""
    return sa.create_engine(_url(settings), poolclass=sa.NullPool)


def connect(settings: Settings) -> psycopg.Connection:
    """Return a psycopg connection to the warehouse, for COPY and for statements taken as they stand.

    It shows in pg_stat_activity under this process's id.
    """
    url = sa.make_url(_url(settings))
    return psycopg.connect(
        url.set(drivername="postgresql").render_as_string(hide_password=False),
        application_name=f"enforcement-reporting {os.getpid()}",
    )


def import_alembic() -> None:
    """Import what ``migrate`` needs: what only connects does not wait for it."""
    import alembic.command
    import alembic.config  # noqa: F401


def migrate(settings: Settings) -> None:
    """Bring the warehouse's schema up to date; do nothing where it is.

    Safe to run by several processes at once: they wait for one another. Raises WarehouseError where the schema was made
    by migrations that are not here.
    """
    import_alembic()
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine(settings).connect() as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise WarehouseError(
                f"the warehouse was made by another version of this project: {error}. Work on it with that version, or"
                f" begin with an empty warehouse and take its files in again (`make reset` empties a local one)"
            ) from error


def _url(settings: Settings) -> str:
    if settings.warehouse_url is None:
        raise RuntimeError("no warehouse: set ENFORCEMENT_WAREHOUSE_URL, or use the local server")
    return settings.warehouse_url
