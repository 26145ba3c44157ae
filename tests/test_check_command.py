"""Checking before sending: the same findings as in the warehouse, without one, and quickly."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import openpyxl
import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg import sql

from conftest import new_database
from enforcement_reporting import checking, generator, intake
from enforcement_reporting.catalog import load_catalog
from enforcement_reporting.cli import main
from enforcement_reporting.generator import Submission
from enforcement_reporting.local.postgres import LocalServer
from enforcement_reporting.quality import check_submissions
from enforcement_reporting.quality.check import message_sql
from enforcement_reporting.quality.conditions import worked_out
from enforcement_reporting.quality.rules import Column, Source, Suite, column_name, load_suites
from enforcement_reporting.settings import PROJECT_ROOT, Settings
from enforcement_reporting.warehouse import connect
from other_formats import WRITERS
from test_rule_kinds import write_kinds
from test_rules import HEADER, write_definitions, write_monthly_definitions, write_workbook
from test_rules_over_time import write_months_definitions
from test_versions import DEFINITIONS as VERSIONS
from test_versions import written
from workbooks import Sheet

CATALOG = load_catalog(PROJECT_ROOT)
STARTS = {"kezhou": date(2025, 7, 1)}


# One declaration, two ways to work it out.


@pytest.fixture(scope="module")
def database(server: LocalServer, template: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(new_database(server, template).replace("+psycopg", "")) as connection:
        yield connection


def all_suites(tmp_path: Path) -> Iterator[Suite]:
    yield from load_suites(PROJECT_ROOT, CATALOG)
    monthly: Any = lambda folder: write_monthly_definitions(folder, 1)  # noqa: E731
    versions: Any = lambda folder: written(folder, VERSIONS)  # noqa: E731
    writers = (write_definitions, monthly, write_kinds, write_months_definitions, versions)
    for number, write in enumerate(writers):
        folder = tmp_path / str(number)
        write(folder)
        yield from load_suites(folder, load_catalog(folder))


def types_of(suite: Suite) -> dict[str, str]:
    """Return the columns of a suite's wide row with their types."""
    home = suite.form.form_id
    fixed = dict.fromkeys(("unit_name", "unit_kind", "row_role", "period_name", "previous_period_name"), "text")
    fixed |= {"year_ago_period_name": "text", "opens_window": "boolean", "ends_on": "date"}
    fixed |= {"rows_summed": "bigint", "rows_left_out": "bigint"}
    columns = {column_name(column, home): "numeric" for column in suite.columns}
    columns |= {column_name(column, home, "__sum"): "numeric" for column in suite.columns}
    columns |= {column_name(c, home, end): "numeric" for c in suite.spread for end in ("__min", "__max", "__count")}
    columns |= {past.name(home): "numeric" for past in suite.past}
    columns |= {column_name(column, home, "__decimals"): "integer" for column in suite.stated_rates}
    columns |= {column_name(column, home, "__text"): "text" for column in suite.stated_rates}
    sources = dict.fromkeys((Source(home), *suite.partners))
    return fixed | columns | {column_name(source.column("cells_unread"), home): "text[]" for source in sources}


NUMBERS = [
    Decimal(0),
    Decimal("0.0"),
    Decimal(1),
    Decimal(2),
    Decimal(3),
    Decimal("1.50"),
    Decimal("999999999999999.99"),
]


def number(random: Random) -> Decimal | None:
    match random.randrange(8):
        case 0:
            return None
        case 1 | 2:
            return random.choice(NUMBERS)
        case 3:
            return Decimal(random.randint(0, 10 ** random.randint(1, 18))).scaleb(-random.randint(0, 6))
        case 4:
            return Decimal(-random.randint(0, 20))
        case _:
            return Decimal(random.randint(0, 12))


def random_row(suite: Suite, random: Random) -> dict[str, Any]:
    """Return a wide row: figures that meet often, stated rates and totals that are right, or nearly so."""
    home = suite.form.form_id
    row: dict[str, Any] = {
        name: {"numeric": number(random), "text": random.choice(["镇街", "部门", "9'月", None]), "integer": None}.get(
            kind
        )
        for name, kind in types_of(suite).items()
    }
    row |= {"row_role": random.choice(["unit", "total"]), "opens_window": random.random() < 0.3}
    row["ends_on"] = random.choice(["2024-12-31", "2025-01-31", "2025-12-31", "2026-01-01"])
    row |= {
        "rows_summed": Decimal(random.randint(1, 30)),
        "rows_left_out": random.choice([None, *map(Decimal, (0, 0, 1))]),
    }
    by_source: dict[Source, list[Column]] = {}
    for column in suite.columns:
        by_source.setdefault(column.source, []).append(column)
    for source in dict.fromkeys((Source(home), *suite.partners)):  # in the same order each time
        keys = frozenset(column.key for column in by_source.get(source, []) if random.random() < 0.03)
        row[column_name(source.column("cells_unread"), home)] = keys if keys or random.random() < 0.95 else None
    for column in suite.columns if random.random() < 0.1 else ():
        row[column_name(column, home)] = Decimal(0)
    for column in suite.columns:
        if random.random() < 0.7:
            row[column_name(column, home, "__sum")] = row[column_name(column, home)]
    repeated = random.choice([None, None, "previous", "year_ago"])
    for column in suite.columns:
        if repeated and column.when in ("now", repeated):
            row[column_name(column, home)] = Decimal(30 + len(column.indicator_id))
    for past in suite.past:
        if past.what in ("known", "zeros"):
            row[past.name(home)] = random.choice([None, *map(Decimal, (0, past.periods, past.periods))])
    for check in suite.checks:
        if check.rule_kind == "never_fixed" and random.random() < 0.3:
            half = len(check.columns) // 2
            for place, column in enumerate(check.columns):
                row[column_name(column, home)] = Decimal(30 if place < half else 0)
            for past in check.past:
                figure = 0 if past.column in check.columns[half:] else 30
                row[past.name(home)] = Decimal(past.periods if past.what == "known" else figure)
    for column in suite.stated_rates:
        typed, decimals = column_name(column, home, "__text"), column_name(column, home, "__decimals")
        row[decimals] = random.choice([None, *map(Decimal, (0, 1, 2, 2, 2, 3, -1))])
        row[typed] = random.choice(["12%", "12", "%5", None])
        check = next(check for check in suite.checks if check.columns[0] == column)
        right = str(worked_out(check.expected)(row) or "—").removesuffix("%")
        if "～" not in right and right[-1].isdigit() and random.random() < 0.9:
            off = Decimal(random.choice([0, 0, 0, 1, -1])).scaleb(-int(row[decimals] or 0))
            row[column_name(column, home)] = Decimal(right) + off
        for other in suite.checks:
            if other.rule_kind == "rate" and other.rule_id.endswith("_mean") and other.columns[0] == column:
                mean = row[column_name(other.columns[1], home)]
                if mean is not None and random.random() < 0.2:
                    row |= {decimals: Decimal(6), column_name(column, home): mean}
    for column in suite.spread if random.random() < 0.7 else ():
        stated = row[column_name(column, home)] or Decimal(0)
        around = (2 * stated, stated - random.randint(0, 1), stated + random.randint(0, 1), Decimal(2))
        names = (column_name(column, home, end) for end in ("__sum", "__min", "__max", "__count"))
        row |= dict(zip(names, around, strict=True))
    return row


def test_every_rule_says_of_every_row_in_python_what_it_says_in_the_database(
    database: psycopg.Connection, tmp_path: Path
) -> None:
    random, broken, seen = Random(5), set(), set()
    for suite in all_suites(tmp_path):
        types = types_of(suite)
        # What a bulletin cuts off instead of rounding needs figures with decimals: they are few.
        rows = [random_row(suite, random) for _ in range(1000 if suite.form.bulletin else 800)]
        names = sql.SQL(", ").join(map(sql.Identifier, types))
        columns = sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(n), sql.SQL(k)) for n, k in types.items())
        database.execute("drop table if exists pg_temp.wide")
        database.execute(sql.SQL("create temporary table wide (number integer, {})").format(columns))
        with database.cursor().copy(sql.SQL("copy wide (number, {}) from stdin").format(names)) as copy:
            for place, row in enumerate(rows):
                copy.write_row([place, *(list(v) if isinstance(v := row[name], frozenset) else v for name in types)])
        for check in suite.checks:
            seen.add(check.rule_kind)
            said = f"{check.condition}, {check.stated}, {check.expected}, {message_sql(check)}"
            in_database = database.execute(f"select {said} from wide order by number".encode()).fetchall()
            for row, expected in zip(rows, in_database, strict=True):
                here = tuple(worked_out(text)(row) for text in (check.condition, check.stated, check.expected))
                assert (*here, worked_out(message_sql(check))(row)) == expected, (check.rule_id, row)
                if expected[0] is False:
                    broken.add(check.rule_id)
    every = {check.rule_id for suite in all_suites(tmp_path) for check in suite.checks}
    assert len(seen) == 22 and len(every) > 100
    assert every - broken == set()


def test_a_quotient_has_the_digits_that_the_database_gives_it(database: psycopg.Connection) -> None:
    random = Random(7)

    def one() -> Decimal:
        digits = random.choice([random.randint(0, 9), random.randint(0, 10**8), random.randint(1, 10**24)])
        return Decimal(random.choice([1, -1]) * digits).scaleb(-random.choice([0, 0, 1, 2, 5, 13]))

    pairs = [(one(), one(), random.randint(-2, 5)) for _ in range(4000)]
    expressions = (
        '("a" / nullif("b", 0))::text',
        'round("a" / nullif("b", 0), "n")::text',
        'trunc(100 * "a" / nullif("b", 0), "n")::text',
        'trim_scale("a" * "b" - "a" + abs("b"))::text',
        '"a" - "b" <= "b" or "a" = "b" and not "a" < 0',
    )
    database.execute("create temporary table pairs (number integer, a numeric, b numeric, n integer)")
    with database.cursor().copy("copy pairs from stdin") as copy:
        for place, pair in enumerate(pairs):
            copy.write_row((place, *pair))
    for expression in expressions:
        there = [row[0] for row in database.execute(f"select {expression} from pairs order by number".encode())]
        here = [worked_out(expression)({"a": a, "b": b, "n": Decimal(n)}) for a, b, n in pairs]
        assert here == there, expression


@pytest.mark.parametrize(
    "expression", ["", "1 +", "sum(a)", "a ~ 'x'", "(1", "1)", "a; drop table b", "case when a then 1", "'open"]
)
def test_what_rules_are_not_compiled_to_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"expected|not understood|not known"):
        worked_out(expression)


Found = set[tuple[Any, ...]]


def in_warehouse(settings: Settings, paths: list[Path]) -> Found:
    intake.prepare(settings)
    intake.ingest_files(settings, map(str, paths), "collect", datetime(2025, 11, 1, tzinfo=UTC))
    check_submissions(settings)
    with connect(settings) as connection:
        rows = connection.execute(
            "select f.file_name, q.unit_id, q.form_id, q.period_id, q.rule_id, q.severity, q.cells,"
            " nullif(q.stated, ''), nullif(q.expected, ''), q.message from quality.findings q"
            " join intake.files f using (file_id) where q.origin <> 'across_periods'"
        ).fetchall()
    return set(rows)


def at_hand(definitions: Path, paths: list[Path]) -> Found:
    checked = checking.check_files(definitions, [str(path) for path in paths])
    return {
        (f.file, f.unit, f.form, f.period, f.rule_id, f.severity.value, f.cells, f.stated, f.expected, f.message)
        for file in checked.files
        for f in file.findings
    }


def disturbed(seed: int, stranger: str) -> Any:
    """Return what alters some figures of a submission a little, so that many rules are broken, some of them just so.

    The unit ``stranger`` goes by a name that nobody knows.
    """
    random = Random(seed)

    def revise(item: Submission) -> None:
        share = random.choice([0, 0.1, 0.1, 0.4])
        for name, figure in list(item.figures.items()):
            if random.random() < share:
                typed: list[Any] = ["—", "x", None, Decimal(0)]
                if isinstance(figure, Decimal):
                    typed += [figure + 1, figure + 1, max(figure - 1, Decimal(0)), figure * 3, figure + Decimal("0.01")]
                item.figures[name] = random.choice(typed)
        for indicator in item.form.indicators:
            rate = item.figures[indicator.indicator_id]
            if indicator.measure_kind == "rate" and isinstance(rate, Decimal) and random.random() < 0.4:
                item.figures[indicator.indicator_id] = max(rate - Decimal("0.01"), Decimal(0))
        if item.unit_id == stranger:
            item.name = "某镇"

    return revise


def spoil_total_row(path: Path) -> None:
    """Make what a total row says wrong in two columns and unreadable in a third."""
    book = openpyxl.load_workbook(path)
    for sheet in book.worksheets:
        for cell in sheet["A"]:
            if cell.value == "累计":
                for column, value in ((3, 1_000_000), (4, -1), (5, "x")):
                    sheet.cell(cell.row, column).value = value
                book.save(path)


@pytest.mark.parametrize(
    ("layout", "stranger"), [("unit", ""), ("consolidated", ""), ("consolidated", "licheng_xitianwei")]
)
def test_the_findings_are_those_of_the_warehouse(
    warehouse: Settings, tmp_path: Path, layout: Any, stranger: str
) -> None:
    paths = [
        path
        for seed, authority in enumerate(sorted({form.authority_id for form in CATALOG.tables}))
        for path in generator.generate(
            PROJECT_ROOT,
            tmp_path / "in",
            authority=authority,
            starting=STARTS.get(authority),
            layout=layout,
            revise=disturbed(seed, stranger),
        )
    ]
    for path in paths:
        spoil_total_row(path)
    here, there = at_hand(PROJECT_ROOT, paths), in_warehouse(warehouse, paths)
    assert here == there
    assert len(here) > 50
    assert {severity for *_, severity, _, _, _, _ in here} == {"error", "question", "notice"}
    rules = {rule_id for _, _, _, _, rule_id, *_ in here}
    across = {c.rule_id for s in load_suites(PROJECT_ROOT, CATALOG) if s.reach == "across_forms" for c in s.checks}
    assert rules & across
    has_total = any(rule_id.startswith("licheng_dispatch.total") for rule_id in rules)
    assert has_total == (layout == "consolidated" and not stranger)


# The command.


@pytest.fixture
def definitions(tmp_path: Path) -> Path:
    return write_definitions(tmp_path / "definitions")


def call(definitions: Path, *arguments: object) -> Result:
    return CliRunner().invoke(main, ["--definitions", str(definitions), "check", *map(str, arguments)])


def hazards(path: Path, *rows: tuple[Any, ...]) -> Path:
    return write_workbook(path, "隐患统计表", HEADER, list(rows))


GOOD, WRONG = ("镇街01", 5, 5, 0, "100%", 0, 0, 0), ("镇街02", 5, 6, -1, "120%", 0, 0, 0)


def test_a_clean_workbook_says_what_was_understood_and_what_was_not_checked(definitions: Path, tmp_path: Path) -> None:
    done = call(definitions, hazards(tmp_path / "好.xlsx", GOOD))
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "好.xlsx",
        "  《隐患统计表》 2025年9月：镇街01",
        "共 1 个文件：错误 0 处，核实 0 处，提示 0 处。",
        "本次未核对：2 条规则须与未提供（或自身有错误）的报表比较。",
    ]


def test_a_finding_names_its_cells_and_the_command_ends_with_1(definitions: Path, tmp_path: Path) -> None:
    path = hazards(tmp_path / "错.xlsx", GOOD, WRONG)
    done = call(definitions, path)
    assert done.exit_code == 1
    assert "  ✗ 错误 镇街02 Sheet1!C4、Sheet1!B4 整改（6）不应大于排查（5）。" in done.stdout.splitlines()
    done = call(definitions, "--json", path)
    assert done.exit_code == 1
    found = {item["rule_id"]: item for item in json.loads(done.stdout)}
    assert found["hazards.fixed_within_found"] == {
        "file": "错.xlsx",
        "unit": "unit_02",
        "form": "hazards",
        "period": "2025-09",
        "rule_id": "hazards.fixed_within_found",
        "severity": "error",
        "cells": "Sheet1!C4、Sheet1!B4",
        "stated": "6",
        "expected": "5",
        "message": "整改（6）不应大于排查（5）。",
        "sentences": [],
        "proposals": [],
    }
    assert "本次未核对" in done.stderr


def test_what_would_mend_a_finding_stands_below_it(definitions: Path, tmp_path: Path) -> None:
    path = hazards(tmp_path / "错.xlsx", ("镇街01", 584, 423, 125, "77.2%", 0, 0, 0))
    done = call(definitions, path).stdout.splitlines()
    place = next(number for number, line in enumerate(done) if "填报 584，各项相加为 548" in line)
    mend = "可能是两个数字颠倒：若将 B3（排查）由 584 改为 548，则相符，另有 1 处问题也随之消除。"
    assert done[place + 1] == f"      → {mend}"
    found = {item["rule_id"]: item["proposals"] for item in json.loads(call(definitions, "--json", path).stdout)}
    change = {"cell": "Sheet1!B3", "from": "584", "to": "548"}
    assert found["hazards.found_adds_up"] == [
        {"kind": "swapped_digits", "changes": [change], "is_choice": False, "text": mend}
    ]
    assert [item["changes"] for item in found["hazards.rate"]] == [[change]]


def test_forms_are_held_against_one_another_where_both_are_given(definitions: Path, tmp_path: Path) -> None:
    one = hazards(tmp_path / "a.xlsx", GOOD)
    other = write_workbook(
        tmp_path / "b.xlsx", "检查统计表", ["单位", "发现隐患（条）", "检查（家次）"], [("镇街01", 4, 0)]
    )
    done = call(definitions, one, other)
    assert done.exit_code == 1
    assert "  ？ 核实 镇街01 Sheet1!B3、Sheet1!B3 " in done.stdout
    assert "本次未核对" not in done.stdout


def test_what_cannot_be_read_ends_with_2_and_the_others_go_on(definitions: Path, tmp_path: Path) -> None:
    broken = tmp_path / "坏.xlsx"
    broken.write_bytes(b"no workbook")
    other = tmp_path / "别的.xlsx"
    write_workbook(other, "会议通知", ["议题"], [("一",)])
    done = call(definitions, broken, hazards(tmp_path / "好.xlsx", GOOD), tmp_path / "没有.xlsx", tmp_path, other)
    assert done.exit_code == 2
    assert "《隐患统计表》 2025年9月：镇街01" in done.stdout
    assert done.stdout.count("✗ 无法采集：") == 4
    assert "共 5 个文件，无法采集 4 个" in done.stdout
    done = call(definitions, "--json", broken)
    assert done.exit_code == 2
    assert [item["rule_id"] for item in json.loads(done.stdout)] == ["reading.unreadable"]


def test_a_file_that_is_too_large_is_refused_before_it_is_read(definitions: Path, tmp_path: Path) -> None:
    with (tmp_path / "大.xlsx").open("wb") as file:
        file.truncate(50_000_000_000)  # of which the disk holds nothing
    done = call(definitions, tmp_path / "大.xlsx", hazards(tmp_path / "好.xlsx", GOOD))
    assert "文件有 50000 MB，超过 30 MB 的上限。" in done.stdout
    assert "《隐患统计表》 2025年9月：镇街01" in done.stdout


@pytest.mark.parametrize("kind", WRITERS)
def test_any_kind_of_file_is_checked_and_the_findings_name_its_cells(
    definitions: Path, tmp_path: Path, kind: str
) -> None:
    rows = [["2025年9月隐患统计表"], HEADER, WRONG]
    (tmp_path / f"报表.{kind}").write_bytes(WRITERS[kind](Sheet(rows, name="表1")))
    done = call(definitions, tmp_path / f"报表.{kind}")
    assert done.exit_code == 1
    assert "表1!C3" in done.stdout


def test_definitions_that_are_not_sound_end_with_3(tmp_path: Path) -> None:
    done = call(tmp_path, "a.xlsx")
    assert done.exit_code == 3
    assert "expected a folder with landing.yaml" in done.stderr


def test_it_starts_without_what_only_the_warehouse_needs(definitions: Path, tmp_path: Path) -> None:
    path = hazards(tmp_path / "好.xlsx", GOOD)
    code = (
        "import sys, time\n"
        "from enforcement_reporting.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as end:\n    status = end.code\n"
        "heavy = {'great_expectations', 'dbt', 'pandas', 'sqlalchemy', 'airflow', 'alembic', 'psycopg', 'numpy'}\n"
        "heavy |= {'lxml', 'xlsxwriter'}\n"
        "print(status, sorted(heavy & sys.modules.keys()), time.process_time(), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--definitions", str(definitions), "check", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    status, heavy, seconds = done.stderr.strip().split(" ")
    assert (status, heavy) == ("0", "[]")
    assert float(seconds) < 2  # about 0.5 where nothing else is at work
