"""A real PostgreSQL server for the session, and a migrated warehouse of its own for each test that asks for one.

`make test` runs two sessions beside one another, each with a server of its own; a file's tests stay in one of them.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from psycopg import sql

from enforcement_reporting.local.postgres import LocalServer, ensure_server, stop_server
from enforcement_reporting.settings import PROJECT_ROOT, Settings
from enforcement_reporting.warehouse import migrate

# The longest files are begun first, so that both sessions end at about the same time.
LONGEST_FIRST = ("test_end_to_end", "test_time", "test_rules", "test_marts", "test_adding_a_form", "test_cli")

# How long an example takes tells of what else the machine is doing.
hypothesis_settings.register_profile("beside_others", hypothesis_settings(), deadline=None)
hypothesis_settings.load_profile("beside_others")

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files into the order in which they are handed out."""
    ranks = {name: rank for rank, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: ranks.get(item.path.stem, len(ranks)))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let the session beside this one go first while it runs Airflow, whose processes take a late answer for none."""
    if "PYTEST_XDIST_WORKER" in os.environ and item.path.stem != "test_end_to_end" and os.nice(0) == 0:
        os.nice(5)


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


def new_database(server: LocalServer, template: str, name: str | None = None) -> str:
    """Return the URL of a new copy of the template; under a given name it takes the place of the one before.

    What dbt has parsed holds for a state folder and a database of one name; many a build is done in less than parsing.
    """
    name = name or f"warehouse_{next(_numbers)}"
    with server.connect() as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        connection.execute(
            sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    return server.url(name)


@pytest.fixture
def warehouse(server: LocalServer, template: str, tmp_path: Path) -> Settings:
    """Settings of a migrated warehouse that is this test's own, with the project's definitions."""
    return settings_for(tmp_path, url=new_database(server, template))
