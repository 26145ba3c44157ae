"""The page docs/adding_a_form.md, done as it says: its files written, its commands run, its output compared."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import xlsxwriter

from conftest import new_database
from enforcement_reporting.local.postgres import LocalServer
from enforcement_reporting.settings import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "adding_a_form.md").read_text(encoding="utf-8")
# What the page has to be written or run, in its order: (language, name, content) or ("console", command, output).
BLOCKS = [
    (found["language"] or "console", found["name"] or found["command"], found["content"])
    for found in re.finditer(
        r"```(?:(?P<language>yaml|csv|txt) file=(?P<name>\S+)|console\n\$ enforcement-reporting (?P<command>.*?))\n"
        r"(?P<content>.*?)```",
        PAGE,
        re.DOTALL,
    )
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("adding")


def _write(root: Path, language: str, name: str, content: str) -> None:
    """Write a file of the page."""
    path = root / ("qingshan" if language == "yaml" else ".") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if language == "csv":
        _write_workbook(path, list(csv.reader(io.StringIO(content))))
    else:
        path.write_text(content, encoding="utf-8")


def _write_workbook(path: Path, rows: list[list[str]]) -> None:
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(rows):
            for column, text in enumerate(row):
                if text:
                    sheet.write(number, column, int(text) if text.isascii() and text.isdigit() else text)
        sheet.merge_range("D2:G2", rows[1][3])
        sheet.merge_range("H2:I2", rows[1][7])


@pytest.fixture(scope="module")
def environment(folder: Path, server: LocalServer, template: str) -> dict[str, str]:
    return {
        **os.environ,
        "ENFORCEMENT_STATE": str(folder / "state"),
        "ENFORCEMENT_WAREHOUSE_URL": new_database(server, template),
    }


def test_the_page_says_what_happens(folder: Path, environment: dict[str, str]) -> None:
    assert sum(language == "console" for language, *_ in BLOCKS) == 6 and len(BLOCKS) == 15
    for language, arguments, printed in BLOCKS:
        if language != "console":
            _write(folder, language, arguments, printed)
            continue
        done = subprocess.run(
            [sys.executable, "-m", "enforcement_reporting", *shlex.split(arguments)],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.stderr == "", done.stderr
        if printed.startswith("["):
            shown = json.loads(printed)
            rows = json.loads(done.stdout)
            assert [{key: row[key] for key in shown[0]} for row in rows] == shown
        else:
            assert re.sub(r"(Data Docs: ).*(/data_docs)", r"\1…\2", done.stdout) == printed


def test_a_rule_on_an_indicator_that_does_not_exist_is_named_as_the_page_says(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    folder = tmp_path
    for language, name, content in BLOCKS:
        if language == "yaml" and "bulletin" not in name:
            _write(folder, language, name, content)
    form = folder / "qingshan/catalog/qingshan/forms/qingshan_prevention.yaml"
    sound = form.read_text(encoding="utf-8")
    metrics = form.parent.parent / "metrics.yaml"
    try:
        form.write_text(sound.replace("hazards_fixed_count", "hazards_mended_count"), encoding="utf-8")
        kept = metrics.read_text(encoding="utf-8")
        metrics.write_text(kept.replace("hazards_fixed_count", "hazards_mended_count"), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "enforcement_reporting", "--definitions", "qingshan", "validate"],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
    finally:
        form.write_text(sound, encoding="utf-8")
        metrics.write_text(kept, encoding="utf-8")
    said = re.search(r"`(expectations/qingshan.*?no indicator .*?)`", PAGE, re.DOTALL)
    assert said and " ".join(said[1].split()) in done.stderr
    assert done.returncode == 3
