"""The local server is there when somebody needs it, gone when nobody does, and comes back from being killed."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from conftest import state_folder
from enforcement_reporting.local.postgres import (
    LocalServer,
    ensure_server,
    find_server,
    local_warehouse,
    next_free_port,
    stop_server,
)
from enforcement_reporting.settings import Settings

USER = """
import dataclasses, sys
from pathlib import Path
from enforcement_reporting.local.postgres import local_warehouse
from enforcement_reporting.settings import Settings
settings = dataclasses.replace(Settings.from_environment(), state=Path(sys.argv[1]), warehouse_url=None)
with local_warehouse(settings):
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def state() -> Iterator[Path]:
    with state_folder() as folder:
        state = folder / "state"
        yield state
        stop_server(state)


def settings_for(state: Path) -> Settings:
    return dataclasses.replace(Settings.from_environment(), state=state, warehouse_url=None)


def server_pid(state: Path) -> int:
    return int((state / "postgres" / "postmaster.pid").read_text().split()[0])


def kill_server(state: Path) -> None:
    pid = server_pid(state)
    os.kill(pid, signal.SIGKILL)
    while find_server(state):
        time.sleep(0.01)


def start_user(state: Path) -> subprocess.Popen[str]:
    user = subprocess.Popen(
        [sys.executable, "-c", USER, str(state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert user.stdout is not None
    assert user.stdout.readline() == "ready\n"
    return user


def can_connect(server: LocalServer) -> bool:
    with server.connect() as connection:
        return connection.execute("select 1").fetchone() == (1,)


def test_second_call_finds_the_same_server(state: Path) -> None:
    first = ensure_server(state, durable=False)
    pid = server_pid(state)
    assert ensure_server(state) == first == find_server(state)
    assert server_pid(state) == pid
    assert stop_server(state)
    assert find_server(state) is None
    assert not stop_server(state)


def wish_for_a_port(state: Path) -> int:
    """Let the server of a state folder begin at a port where those of no other tests are; return it."""
    wished = next_free_port(20_000 + os.getpid() % 10_000)
    state.mkdir(parents=True, exist_ok=True)
    (state / "postgres.port").write_text(str(wished))
    return wished


def test_killed_server_comes_back_with_its_data(state: Path) -> None:
    wish_for_a_port(state)
    server = ensure_server(state)
    with server.connect() as connection:
        connection.execute("create table kept as select 1 as one")
    kill_server(state)
    again = ensure_server(state)
    assert again.port == server.port
    with again.connect() as connection:
        assert connection.execute("select one from kept").fetchone() == (1,)


def test_pid_file_that_names_another_process_is_not_believed(state: Path) -> None:
    ensure_server(state, durable=False)
    kill_server(state)
    pid_file = state / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    assert find_server(state) is None
    assert can_connect(ensure_server(state, durable=False))


def test_port_in_use_makes_way_for_the_next_one(state: Path) -> None:
    taken = wish_for_a_port(state)
    with socket.create_server(("127.0.0.1", taken)):
        server = ensure_server(state, durable=False)
        assert server.port > taken
    stop_server(state)
    assert ensure_server(state, durable=False).port == server.port, "the port is remembered: people have noted it"


@pytest.mark.parametrize("folder", ["x" * 90, "a folder with spaces", "状态"])
def test_awkward_state_folder(state: Path, folder: str) -> None:
    state = state.with_name(folder)
    try:
        assert can_connect(ensure_server(state, durable=False))
    finally:
        stop_server(state)


def test_reader_logs_in_by_password_and_superuser_is_refused_by_tcp(state: Path) -> None:
    server = ensure_server(state, durable=False)
    server.create_database("warehouse")
    assert not server.enable_reader(), "no role yet: nothing to do"
    with server.connect() as connection:
        connection.execute("create role bi_reader")
    assert server.enable_reader()
    with psycopg.connect(server.reader_url()) as connection:
        assert connection.execute("select current_user").fetchone() == ("bi_reader",)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(host="127.0.0.1", port=server.port, user="bi_reader", password="guess", dbname="warehouse")
    with pytest.raises(psycopg.OperationalError, match="rejects"):
        psycopg.connect(host="127.0.0.1", port=server.port, user="postgres", dbname="warehouse")
    assert (state / "bi_reader_password").stat().st_mode & 0o777 == 0o600


def test_warehouse_is_there_for_the_time_of_the_block(state: Path) -> None:
    with local_warehouse(settings_for(state)) as settings:
        assert settings.warehouse_url is not None
        assert settings.warehouse_url.startswith("postgresql+psycopg://")
        server = find_server(state)
        assert server is not None
        with server.connect("warehouse") as connection:
            assert connection.execute("select current_database()").fetchone() == ("warehouse",)
    assert find_server(state) is None


def test_configured_warehouse_is_left_alone(state: Path) -> None:
    configured = dataclasses.replace(settings_for(state), warehouse_url="postgresql+psycopg://elsewhere/warehouse")
    with local_warehouse(configured) as settings:
        assert settings is configured
    assert not state.exists()


def test_last_user_stops_the_server_not_the_first(state: Path) -> None:
    with local_warehouse(settings_for(state)):
        user = start_user(state)
    assert find_server(state) is not None, "the other user still needs it"
    user.communicate("")
    assert user.returncode == 0
    assert find_server(state) is None


def test_killed_user_does_not_count(state: Path) -> None:
    user = start_user(state)
    with local_warehouse(settings_for(state)):
        user.kill()
        user.communicate()
        assert find_server(state) is not None
    assert find_server(state) is None
