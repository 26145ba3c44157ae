"""The command line: what it prints where, and with which exit status it ends."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conftest import new_database
from enforcement_reporting.cli import main
from enforcement_reporting.local.postgres import LocalServer
from enforcement_reporting.settings import PROJECT_ROOT
from test_rules import HEADER, write_definitions, write_workbook


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def environment(folder: Path, server: LocalServer, template: str) -> dict[str, str]:
    """One warehouse for all tests of this module; they build on one another, in this order."""
    return {
        "ENFORCEMENT_STATE": str(folder / "state"),
        "ENFORCEMENT_DEFINITIONS": str(write_definitions(folder)),
        "ENFORCEMENT_WAREHOUSE_URL": new_database(server, template),
    }


def call(environment: dict[str, str], *arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env=environment)


def row(unit: str, found: int, fixed: int) -> tuple[object, ...]:
    return (unit, found, fixed, found - fixed, "100%" if found == fixed else None, 0, 0, 0)


def test_every_command_is_documented() -> None:
    readme = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in main.commands if f"`{name}" not in readme] == []


def test_a_clean_submission_ends_with_status_0(environment: dict[str, str], folder: Path) -> None:
    path = write_workbook(folder / "clean.xlsx", "隐患统计表", HEADER, [row("镇街01", 5, 5)])
    done = call(environment, "ingest", "--received-at", "2025-10-01T08:00+08:00", path)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "clean.xlsx: taken_in",
        "  《隐患统计表》 2025年9月: accepted, revision 1: 镇街01",
        f"Data Docs: {folder}/state/data_docs/index.html",
    ]


def test_a_returned_correction_leaves_the_accepted_figures_standing(environment: dict[str, str], folder: Path) -> None:
    path = write_workbook(folder / "wrong.xlsx", "隐患统计表", HEADER, [row("镇街01", 5, 6)])
    done = call(environment, "ingest", "--received-at", "2025-10-02T08:00+08:00", path)
    assert done.exit_code == 1
    assert "returned, revision 2: 镇街01" in done.stdout
    assert "error 镇街01 Sheet1!C3、Sheet1!B3 整改（6）不应大于排查（5）。" in done.stdout
    rows = json.loads(
        call(
            environment,
            *("export", "wide_indicator_values", "--format", "json"),
            *("--where", "unit_name=镇街01", "--where", "indicator_id=hazards.fixed"),
        ).stdout
    )
    assert [row["stated_value"] for row in rows] == [5]


def test_an_unreadable_file_ends_with_status_2_and_the_others_go_on(environment: dict[str, str], folder: Path) -> None:
    broken = folder / "[b]坏的.xlsx"
    broken.write_bytes(b"no workbook")
    fine = write_workbook(folder / "fine.xlsx", "隐患统计表", HEADER, [row("镇街03", 1, 1)])
    done = call(environment, "ingest", broken, fine, folder / "clean.xlsx", folder / "missing.xlsx", folder)
    assert done.exit_code == 2
    assert "[b]坏的.xlsx: unreadable\n  文件不是可以采集的表格" in done.stdout
    assert "fine.xlsx: taken_in" in done.stdout
    assert "clean.xlsx: duplicate" in done.stdout
    assert "missing.xlsx: unreadable\n  文件不存在。" in done.stdout
    assert f"{folder.name}: unreadable\n  文件无法打开。" in done.stdout


def test_export_writes_the_mart_and_nothing_else(environment: dict[str, str]) -> None:
    done = call(environment, "export", "fct_submissions", "--where", "outcome=returned")
    (exported,) = csv.DictReader(io.StringIO(done.stdout))
    assert (exported["unit_name"], exported["revision"], exported["file_name"]) == ("镇街01", "2", "wrong.xlsx")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["export", "fct_nothing"], "fct_indicator_values"),
        (["export", "dim_unit", "--where", "colour=red"], "unit_name"),
        (["export", "dim_unit", "--where", "colour"], "COLUMN=VALUE"),
        (["ingest", "--received-at", "yesterday", "README.md"], "ISO 8601"),
        (["export", "dim_unit", "--where", "unit_id=a", "--where", "unit_id=b"], "named twice"),
        (["--definitions", "docs", "validate"], "landing.yaml"),
    ],
)
def test_a_mistake_is_explained_in_a_line(environment: dict[str, str], arguments: list[str], says: str) -> None:
    done = call(environment, *arguments)
    assert done.exit_code != 0
    assert says in done.stderr and "Traceback" not in done.stderr
    assert done.stdout == ""


def test_impact_lists_what_a_submission_moved(environment: dict[str, str]) -> None:
    exported = call(environment, "export", "fct_submissions", "--where", "file_name=clean.xlsx", "--format", "json")
    first = next(row for row in json.loads(exported.stdout) if row["unit_id"])
    done = call(environment, "impact", first["submission_id"])
    assert (done.exit_code, done.stderr) == (0, "")
    assert "镇街01 《隐患统计表》 2025年9月, revision 1: accepted" in done.stdout
    moved = [line for line in done.stdout.splitlines() if "排查" in line and "本期" in line]
    assert any("镇街01" in line and "—" in line and "5" in line for line in moved), done.stdout
    assert "figures moved." in done.stdout


def test_impact_of_what_never_stood_is_nothing(environment: dict[str, str]) -> None:
    exported = call(environment, "export", "fct_submissions", "--where", "outcome=returned", "--format", "json")
    done = call(environment, "impact", json.loads(exported.stdout)[0]["submission_id"])
    assert done.exit_code == 0 and "never stood" in done.stdout
    unknown = call(environment, "impact", "nothing")
    assert unknown.exit_code == 3 and "no submission 'nothing'" in unknown.stderr


def test_generated_workbooks_are_taken_in_without_findings(environment: dict[str, str], folder: Path) -> None:
    done = call(environment, "generate", "testland", folder / "synthetic", "--periods", 1, "--starting", "2025-11-01")
    assert done.exit_code == 0, done.stderr
    written = sorted((folder / "synthetic").glob("*.xlsx"))
    assert done.stdout == f"{len(written)} workbooks in {folder / 'synthetic'}\n" and written
    assert call(environment, "ingest", *written).exit_code == 0
    assert call(environment, "generate", "nobody", folder / "none").exit_code == 3


def test_summary_names_what_is_in_the_warehouse(environment: dict[str, str]) -> None:
    done = call(environment, "summary")
    assert done.exit_code == 0
    assert "测试局" in done.stdout and "整改（6）不应大于排查（5）。" in done.stdout
