"""A real PostgreSQL server for the session, and a migrated warehouse of its own for each test that asks for one."""

from __future__ import annotations

import dataclasses
import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg import sql

from enforcement_reporting.local.postgres import LocalServer, ensure_server, stop_server
from enforcement_reporting.settings import PROJECT_ROOT, Settings
from enforcement_reporting.warehouse import migrate

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[LocalServer]:
    """The local server as the product starts it, but without waiting for the disk."""
    with state_folder() as state:
        yield ensure_server(state, durable=False)
        stop_server(state)


@contextmanager
def state_folder() -> Iterator[Path]:
    """A folder outside pytest's own, which every session of pytest closes to the account the server runs as."""
    with tempfile.TemporaryDirectory(prefix="enforcement-") as folder:
        yield Path(folder)


def settings_for(state: Path, definitions: Path = PROJECT_ROOT, url: str | None = None) -> Settings:
    """Return settings whose every place is under ``state``."""
    return dataclasses.replace(
        Settings.from_environment(definitions),
        state=state,
        landing=str(state / "landing"),
        store=str(state / "store"),
        warehouse_url=url,
    )


@pytest.fixture(scope="session")
def template(server: LocalServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A migrated, empty warehouse to copy from."""
    server.create_database("template_warehouse")
    migrate(settings_for(tmp_path_factory.mktemp("template"), url=server.url("template_warehouse")))
    return "template_warehouse"


def new_database(server: LocalServer, template: str) -> str:
    """Return the URL of a new copy of the template."""
    name = f"warehouse_{next(_numbers)}"
    with server.connect() as connection:
        connection.execute(
            sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    return server.url(name)


@pytest.fixture
def warehouse(server: LocalServer, template: str, tmp_path: Path) -> Settings:
    """Settings of a migrated warehouse that is this test's own, with the project's definitions."""
    return settings_for(tmp_path, url=new_database(server, template))
