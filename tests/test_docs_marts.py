"""The page docs/marts.md: its queries, asked as a BI tool would, on the replay; and that it leaves no mart out."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from conftest import new_database, settings_for
from enforcement_reporting import intake, marts
from enforcement_reporting.local.postgres import LocalServer
from enforcement_reporting.quality import check_obligations, check_submissions
from enforcement_reporting.settings import PROJECT_ROOT
from enforcement_reporting.warehouse import connect

PAGE = (PROJECT_ROOT / "docs" / "marts.md").read_text(encoding="utf-8")
QUESTIONS = re.findall(r"^### (.*?)\n.*?```sql\n(.*?)```\n\n(\|.*?)\n(?:\n|$)", PAGE + "\n", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def analyst(
    server: LocalServer, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[psycopg.Connection]:
    """A connection that reads the marts, and nothing else, after the replay and the published tables."""
    state = tmp_path_factory.mktemp("replayed")
    settings = settings_for(state, url=new_database(server, template))
    intake.prepare(settings)
    build_all = runpy.run_path(str(PROJECT_ROOT / "examples" / "build_workbooks.py"))["build_all"]
    build_all(Path(settings.landing), "replay")
    build_all(Path(settings.landing) / "archive")
    for chunk in intake.list_chunks(settings):
        intake.take_in(settings, chunk, datetime.now(UTC))
    check_submissions(settings)
    check_obligations(settings, datetime.fromisoformat("2023-09-30T09:00+08:00"))
    marts.build(settings)
    with connect(settings) as connection:
        connection.execute("set timezone = 'Asia/Shanghai'")
        connection.execute("set role bi_reader")
        connection.commit()
        yield connection


def printed(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
    return str(value)


@pytest.mark.parametrize(("question", "query", "answer"), QUESTIONS, ids=[question for question, *_ in QUESTIONS])
def test_a_question_has_the_answer_that_is_printed(
    analyst: psycopg.Connection, question: str, query: str, answer: str
) -> None:
    header, _, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in answer.splitlines()]
    cursor = analyst.execute(query.encode())
    assert [column.name for column in cursor.description or ()] == header
    assert [[printed(value) for value in row] for row in cursor] == rows


def test_there_are_six_questions() -> None:
    assert len(QUESTIONS) == 6


def test_every_mart_and_every_function_is_on_the_page() -> None:
    listed = set(re.findall(r"^\| `(\w+)", PAGE, re.MULTILINE))
    functions = {path.stem for path in (PROJECT_ROOT / "dbt_project" / "models" / "functions").glob("*.sql")}
    assert listed == set(marts.MARTS) | functions
