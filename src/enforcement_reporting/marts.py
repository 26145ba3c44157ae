"""The marts: what dbt computes from the submissions, built when there is something new, and written out for people.

MartsError: the marts could not be built; it names the models or tests that failed, and why.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal, TextIO

import psycopg
import yaml
from psycopg import sql
from sqlalchemy.engine import make_url

from enforcement_reporting.garbage import left_at_exit, not_collected
from enforcement_reporting.settings import Settings
from enforcement_reporting.warehouse import STATISTICS_TARGET, connect

log = logging.getLogger(__name__)

_SCHEMA = "marts"
_BUILD_LOCK = 0x6D61727473  # "marts", the key of the advisory lock
_ONE_DBT = threading.Lock()  # dbt keeps global state: one invocation at a time in a process

# What unit tests check changes with the project only: they belong to its own tests, not to every build. Views and the
# dimensions of the catalog change with the definitions only: a build on the same definitions leaves them alone.
_BUILD = ["build", "--exclude-resource-type", "unit_test", "--no-write-json"]
_EVERYTHING = ["--full-refresh"]
_WHAT_SUBMISSIONS_CHANGE = ["--select", "config.materialized:incremental"]

# For every statement of a build, its tests among them: what is joined and sorted stays in memory, up to a few years;
# what is touched is looked up, not searched for; compiling a statement takes longer than running it; most of one is
# writing, which one process does, so that others who help it to read only cost; and to know how many forms, periods and
# units there are, a sample of a few thousand rows will do.
_DBT_OPTIONS = (
    "-c work_mem=128MB -c maintenance_work_mem=256MB -c random_page_cost=1.1 -c jit=off"
    f" -c max_parallel_workers_per_gather=0 -c default_statistics_target={STATISTICS_TARGET}"
)

# Text that a spreadsheet would run when it opens the CSV; a plain number with a sign is not such a text.
_RUNS_IN_SPREADSHEET = r"^[-=+@＝＋－＠\t\r]"
_SIGNED_NUMBER = r"^[-+]?[0-9.,]*%?$"


class MartsError(RuntimeError):
    """The marts could not be built; the message names the models or tests that failed, and why."""


def mart_names(dbt_project: Path) -> tuple[str, ...]:
    """Return the names of the marts of a dbt project, dimensions first."""
    return tuple(sorted(path.stem for path in (dbt_project / "models" / "marts").rglob("*.sql")))


MARTS: tuple[str, ...] = mart_names(Settings.from_environment().dbt_project)


def build(settings: Settings, full_refresh: bool = False) -> dict[str, Any]:
    """Bring the marts up to date; return what was done, ``{"built": False}`` where nothing had changed.

    Only what ``intake.touched`` names is computed again, and what waits for a check. Everything is computed again where
    the catalog or the dbt project are not those the marts were built with, where a mart is missing, and on request.
    A second build waits for the first. A build that fails or is killed leaves its claims behind, and the next build
    takes them over; nothing is forgotten and nothing is counted twice. Raises MartsError.
    """
    with _connect(settings) as connection:
        connection.execute("select pg_advisory_lock(%s)", [_BUILD_LOCK])
        connection.execute(f"set default_statistics_target = {STATISTICS_TARGET}")
        definitions = _definitions(connection, settings.dbt_project)
        reason = _reason_to_build_everything(connection, settings.dbt_project, definitions, full_refresh)
        build_id = str(uuid.uuid4())
        # Whatever is claimed already was claimed by a build that did not end: we hold the lock.
        claimed = connection.execute("update intake.touched set build_id = %s", [build_id]).rowcount
        if not claimed and not reason:
            log.info("marts: nothing has changed")
            return {"built": False}
        log.info("marts: computing %s", f"everything: {reason}" if reason else f"what {claimed} changes touch")
        if reason:  # until this is done, nothing less will do
            connection.execute("update catalog.state set built_with_sha256 = null")
        connection.execute("analyze intake.touched")  # everything else is joined to what is touched
        _analyze_what_grew(connection)
        outcome = run_dbt(settings, [*_BUILD, *(_EVERYTHING if reason else _WHAT_SUBMISSIONS_CHANGE)])
        with connection.transaction():
            connection.execute("delete from intake.touched where build_id = %s", [build_id])
            if reason:
                connection.execute("update catalog.state set built_with_sha256 = %s", [definitions])
    log.info("marts: %s models and %s tests in %.1f s", outcome["models"], outcome["tests"], outcome["seconds"])
    return {"built": True, "full_refresh": bool(reason), **outcome}


def export(
    settings: Settings, mart: str, where: Mapping[str, str], file_format: Literal["csv", "json"], out: TextIO
) -> int:
    """Write the rows of a mart to ``out``, ordered by its grain; return how many there were.

    Numbers keep every digit they have in the warehouse. ``where`` keeps the rows whose columns read exactly so. In
    CSV, text that a spreadsheet would run as a formula gets a leading quote. Raises ValueError for a mart, column or
    format that does not exist, naming those that do.
    """
    names = mart_names(settings.dbt_project)
    if mart not in names:
        raise ValueError(f"no mart {mart!r}; there are {', '.join(names)}")
    with _connect(settings) as connection:
        connection.execute("set timezone = 'UTC'")
        columns = _columns(connection, mart)
        if not columns:
            raise ValueError(f"mart {mart} has not been built yet")
        if unknown := [column for column in where if column not in columns]:
            raise ValueError(f"mart {mart} has no column {unknown[0]!r}; there are {', '.join(columns)}")
        rows = sql.SQL("select {} from {} where {} order by {}").format(
            sql.SQL(", ").join(
                _as_csv(column, data_type) if file_format == "csv" else sql.Identifier(column)
                for column, data_type in columns.items()
            ),
            sql.Identifier(_SCHEMA, mart),
            sql.SQL(" and ").join(
                [sql.SQL("true")]
                + [
                    sql.SQL("{}::text = {}").format(sql.Identifier(column), sql.Literal(value))
                    for column, value in where.items()
                ]
            ),
            sql.SQL(", ").join(
                sql.SQL("{}.{}").format(sql.Identifier(mart), sql.Identifier(column))
                for column in _grains(settings.dbt_project).get(mart) or columns
            ),
        )
        match file_format:
            case "csv":
                return _write_csv(connection, rows, out)
            case "json":
                return _write_json(connection, rows, out)
        raise ValueError(f"no format {file_format!r}; there are csv and json")


@contextmanager
def reported_figures(settings: Settings) -> Iterator[Callable[[str, str, str], dict[str, Decimal | None] | None]]:
    """Yield what tells the figures of a form that a unit reported for a period, by indicator: None where it is blank.

    It answers None where nothing was reported, and leaves out what could not be read.
    """
    query = """
        select indicator_id, stated_value from marts.fct_indicator_values
        where form_id = %s and unit_id = %s and period_id = %s and cell_state <> 'unreadable'
    """
    with _connect(settings) as connection:

        @cache
        def figures(form_id: str, unit_id: str, period_id: str) -> dict[str, Decimal | None] | None:
            return dict(connection.execute(query, (form_id, unit_id, period_id)).fetchall()) or None

        yield figures


def read_project(settings: Settings) -> None:
    """Import dbt and let it read the project, for a process from which others are forked.

    The first build of each takes the project as it was read, unless it has changed since, and finds what dbt works out
    when it is first run in a process. That is all this is for: where it fails it says so in the log, and the first
    build will fail of the same.
    """
    try:
        import_dbt()
        import dbt.task.build  # noqa: F401 - dbt would import it when it builds

        stands = _project_as_it_stands(settings)
        outcome = _invoked(settings, ["parse", "--no-write-json"])
        if outcome.success:
            _projects_read[stands] = outcome.result
    except Exception:
        log.warning("marts: the dbt project could not be read beforehand", exc_info=True)


# What dbt made of a project, by what it was read from. A run leaves its marks on it: it is good for one.
_projects_read: dict[tuple[str, ...], Any] = {}


def _project_as_it_stands(settings: Settings) -> tuple[str, ...]:
    """Return what a project that was read depends on: its files, where dbt works, and the warehouse."""
    places = (str(settings.dbt_project), str(_dbt_state(settings)))
    return _project_digest(settings.dbt_project), *places, str(sorted(_profile_variables(settings).items()))


def import_dbt() -> None:
    """Import dbt with its adapter, which takes a second."""
    left_at_exit()
    with not_collected():
        import dbt.adapters.postgres
        import dbt.cli.main  # noqa: F401


@cache
def _keep_connections() -> None:
    """Let dbt go on with a connection from one model to the next, as its adapters for other databases can.

    It opens one for each: a process of the server's that begins by reading its catalogs, which is half of what a small
    build costs the server. All are closed when it ends.
    """
    from dbt.adapters.contracts.connection import ConnectionState
    from dbt.adapters.postgres.connections import PostgresConnectionManager

    def release(manager: PostgresConnectionManager) -> None:
        connection = manager.get_if_exists()
        if connection is None:
            return
        if connection.state == ConnectionState.OPEN:
            manager._rollback_handle(connection)  # also what was only read: nobody is to wait for it
            connection.transaction_open = False
        if connection.state != ConnectionState.OPEN or connection.handle.closed:
            manager.close(connection)

    PostgresConnectionManager.release = release


def run_dbt(settings: Settings, arguments: list[str]) -> dict[str, Any]:
    """Run a dbt command in this process; return how many models and tests ran, and what they warned of.

    It writes under the state folder only, and nothing to standard output. Raises MartsError.
    """
    import_dbt()
    from dbt.artifacts.schemas.results import NodeStatus

    started = time.monotonic()
    project = _projects_read.pop(_project_as_it_stands(settings), None) if _projects_read else None
    outcome = _invoked(settings, arguments, project)
    results = list(getattr(outcome.result, "results", []))
    failed = [result for result in results if result.status in (NodeStatus.Error, NodeStatus.Fail)]
    if failed or not outcome.success:
        reasons = [f"{result.node.name}: {_one_line(result.message)}" for result in failed] or ["dbt gave no reason"]
        raise MartsError(f"dbt {arguments[0]} failed:\n" + "\n".join(f"  {reason}" for reason in reasons))
    tests = [result for result in results if "test" in result.node.resource_type]
    return {
        "models": len(results) - len(tests),
        "tests": len(tests),
        "warnings": [
            f"{result.node.name}: {_one_line(result.message)}" for result in results if result.status == NodeStatus.Warn
        ],
        "seconds": round(time.monotonic() - started, 2),
    }


def _invoked(settings: Settings, arguments: list[str], project: Any = None) -> Any:
    """Return what became of a dbt command, on the project as it was read where it was. Raises MartsError."""
    import_dbt()
    _keep_connections()
    from dbt.cli.main import dbtRunner

    state = _dbt_state(settings)
    state.mkdir(parents=True, exist_ok=True)
    with _ONE_DBT, _environment(_profile_variables(settings)), not_collected():
        outcome = dbtRunner(manifest=project, callbacks=[_log_event]).invoke(
            [
                "--quiet",
                "--no-use-colors",
                "--no-version-check",
                *("--log-level", "none"),
                *("--log-path", str(state / "logs")),
                *arguments,
                *("--project-dir", str(settings.dbt_project)),
                *("--profiles-dir", str(settings.dbt_project)),
                *("--target-path", str(state / "target")),
            ]
        )
    if outcome.exception:
        raise MartsError(f"dbt did not start: {_one_line(outcome.exception)}") from outcome.exception
    return outcome


def _dbt_state(settings: Settings) -> Path:
    return settings.state / "dbt"


def _write_csv(connection: psycopg.Connection, rows: sql.Composed, out: TextIO) -> int:
    with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("copy ({}) to stdout (format csv, header)").format(rows)) as copy,
    ):
        out.writelines(bytes(line).decode() for line in copy)
        return cursor.rowcount


def _write_json(connection: psycopg.Connection, rows: sql.Composed, out: TextIO) -> int:
    count = 0
    with connection.transaction(), connection.cursor("export") as cursor:
        cursor.itersize = 5000
        cursor.execute(sql.SQL("select row_to_json(exported)::text from ({}) as exported").format(rows))
        out.write("[")
        for (row,) in cursor:
            out.write(",\n" if count else "\n")
            out.write(row)
            count += 1
        out.write("\n]\n")
    return count


def _as_csv(column: str, data_type: str) -> sql.Composable:
    name = sql.Identifier(column)
    match data_type:
        case "text":
            return sql.SQL("case when {0} ~ {1} and {0} !~ {2} then '''' || {0} else {0} end as {0}").format(
                name, sql.Literal(_RUNS_IN_SPREADSHEET), sql.Literal(_SIGNED_NUMBER)
            )
        case "boolean":
            return sql.SQL("{0}::text as {0}").format(name)
    return name


def _columns(connection: psycopg.Connection, mart: str) -> dict[str, str]:
    """Return the columns of a mart with their types, in order."""
    return dict(
        connection.execute(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute"
            " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum",
            [f"{_SCHEMA}.{mart}"],
        ).fetchall()
    )


@lru_cache(maxsize=4)
def _grains(dbt_project: Path) -> dict[str, list[str]]:
    """Return the grain of each mart, as its YAML declares it."""
    return {
        model["name"]: model["config"]["meta"]["grain"]
        for path in (dbt_project / "models" / "marts").rglob("*.yml")
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", [])
        if "grain" in model.get("config", {}).get("meta", {})
    }


def _definitions(connection: psycopg.Connection, dbt_project: Path) -> str:
    """Return what the marts depend on beside the submissions: the catalog loaded and the dbt project, in one digest."""
    row = connection.execute("select catalog_sha256 from catalog.state").fetchone()
    digest = hashlib.sha256(str(row[0] if row else None).encode())
    row = connection.execute("select prosrc from pg_proc where oid = 'deadlines.obligations_as_of'::regproc").fetchone()
    digest.update(str(row[0] if row else None).encode())  # its text stands in a view, see macros/inlined.sql
    digest.update(_project_digest(dbt_project).encode())
    return digest.hexdigest()


def _project_digest(dbt_project: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(dbt_project.rglob("*")):
        if path.suffix in (".sql", ".yml") and path.is_file():
            digest.update(path.relative_to(dbt_project).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _analyze_what_grew(connection: psycopg.Connection) -> None:
    """Let the planner know of what was received, where that is much of what there is, and of what has doubled since.

    A join that is planned for an empty table runs for minutes on a full one. By itself the server looks at partitions,
    and never at what they are part of.
    """
    grown = connection.execute(
        """
        select schemaname, relname from pg_stat_user_tables
        where schemaname in ('intake', 'quality') and n_mod_since_analyze > 0.1 * n_live_tup and n_live_tup > 0
        union all
        select whole.relnamespace::regnamespace::text, whole.relname
        from pg_class whole
        join pg_inherits part on part.inhparent = whole.oid
        join pg_stat_user_tables stat on stat.relid = part.inhrelid
        where whole.relkind = 'p' and stat.schemaname in ('intermediate', 'marts')
        group by whole.oid
        having sum(stat.n_live_tup) > 2 * greatest(whole.reltuples, 0)
        """
    ).fetchall()
    for schema, table in grown:
        connection.execute(sql.SQL("analyze {}").format(sql.Identifier(schema, table)))


def _reason_to_build_everything(
    connection: psycopg.Connection, dbt_project: Path, definitions: str, asked: bool
) -> str | None:
    if asked:
        return "as asked"
    wanted = [f"{_SCHEMA}.{mart}" for mart in mart_names(dbt_project)]
    missing = connection.execute(
        "select name from unnest(%s::text[]) as name where to_regclass(name) is null", [wanted]
    ).fetchall()
    if missing:
        return "there are no marts yet" if len(missing) == len(wanted) else f"{missing[0][0]} is missing"
    row = connection.execute("select built_with_sha256 from catalog.state").fetchone()
    return None if row and row[0] == definitions else "the catalog or the dbt project has changed"


def _connect(settings: Settings) -> psycopg.Connection:
    """Open a connection on which every statement stands for itself."""
    connection = connect(settings)
    connection.autocommit = True
    return connection


def _profile_variables(settings: Settings) -> dict[str, str]:
    """Return what ``profiles.yml`` and the database's client library ask the environment for."""
    if settings.warehouse_url is None:
        raise RuntimeError("no warehouse: the marts need settings with a warehouse_url")
    url = make_url(settings.warehouse_url)
    parameters = {**url.translate_connect_args(username="user", database="dbname"), **url.query}
    names = {
        "ENFORCEMENT_DBT_HOST": "host",
        "ENFORCEMENT_DBT_PORT": "port",
        "ENFORCEMENT_DBT_USER": "user",
        "ENFORCEMENT_DBT_DATABASE": "dbname",
        "ENFORCEMENT_DBT_SSLMODE": "sslmode",
        "ENFORCEMENT_DBT_SSLROOTCERT": "sslrootcert",
        "DBT_ENV_SECRET_WAREHOUSE_PASSWORD": "password",
    }
    variables = {name: str(parameters[key]) for name, key in names.items() if parameters.get(key)}
    return variables | {"PGOPTIONS": _DBT_OPTIONS}


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the time of the block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _log_event(event: Any) -> None:
    """Pass on to the log what dbt says a person should know; most of what it says are whole statements."""
    if event.info.level in ("warn", "error"):
        level = logging.WARNING if event.info.level == "warn" else logging.ERROR
    elif event.info.name == "LogModelResult":
        level = logging.INFO
    else:
        return
    log.log(level, "dbt: %s", _one_line(event.info.msg))


def _one_line(message: object) -> str:
    return " ".join(str(message).split())
