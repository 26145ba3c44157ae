"""The example workbooks carry every figure of the CSVs, in the printed shape, with the same bytes on every run."""

from __future__ import annotations

import csv
import importlib.util
import re
import subprocess
import sys
from collections import Counter
from datetime import date, datetime, time, timedelta
from pathlib import Path
from types import ModuleType

import pytest
from python_calamine import CalamineSheet, CalamineWorkbook

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
LICHENG = "附件1.荔城区专项行动进展情况调度表.xlsx"
KEZHOU = "克州应急管理系统2025年前三季度安全生产执法统计表.xlsx"
ZHUMADIAN = "驻马店市2020年1-6月安全生产监管综合执法成效统计表.xlsx"
ALAR = "第一师阿拉尔市应急管理局2024年度行政执法数据统计表.xlsx"

# Where each table stands: file, sheet, CSV, first header row, first row of figures (both counted from 1).
TABLES = [
    (LICHENG, "调度表", "licheng/dispatch.csv", 3, 7),
    (KEZHOU, "1.1", "kezhou/plan.csv", 3, 4),
    (KEZHOU, "1.2", "kezhou/cases.csv", 2, 3),
    (KEZHOU, "1.3", "kezhou/penalty.csv", 2, 3),
    (KEZHOU, "1.4", "kezhou/hazard.csv", 1, 2),
    (KEZHOU, "1.5", "kezhou/exam.csv", 1, 2),
    (KEZHOU, "1.6", "kezhou/exam_posts.csv", 2, 3),
    (KEZHOU, "1.7", "kezhou/staff.csv", 2, 3),
    (KEZHOU, "1.8", "kezhou/attendance.csv", 2, 3),
    (KEZHOU, "1.9", "kezhou/caseload.csv", 2, 3),
    (KEZHOU, "2.0", "kezhou/scan.csv", 2, 3),
    (ZHUMADIAN, "Sheet1", "zhumadian/score.csv", 3, 5),
    (ALAR, "表一", "alar/license.csv", 4, 6),
    (ALAR, "表二", "alar/penalty.csv", 4, 6),
    (ALAR, "表三", "alar/coercion.csv", 4, 7),
    (ALAR, "表四", "alar/other_acts.csv", 4, 6),
]
NAMES = {"地区/部门", "名称", "单位"}
FIGURES = 28 * 28 + 5 * 38 + 10 * 11 + (5 + 10 + 13 + 11)

Cell = int | float | str | bool | time | date | datetime | timedelta


def load_builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_workbooks", EXAMPLES / "build_workbooks.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out_dir = tmp_path_factory.mktemp("examples")
    load_builder().build_all(out_dir)
    return out_dir


def read_sheet(built: Path, file: str, name: str) -> tuple[CalamineSheet, list[list[Cell]]]:
    sheet = CalamineWorkbook.from_path(str(built / file)).get_sheet_by_name(name)
    return sheet, sheet.to_python(skip_empty_area=False)


def read_table(path: str) -> list[dict[str, str]]:
    with (EXAMPLES / "tables" / path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def squeeze(cell: Cell) -> str:
    return re.sub(r"\s", "", str(cell))


def header_paths(sheet: CalamineSheet, rows: list[list[Cell]], top: int, figures: int) -> list[str]:
    """Return the path of labels over each column, read from the cells and the merged ranges alone.

    ``top`` is the first header row and ``figures`` the first row of figures, counted from 0. A last row of units of
    measure takes part only where the labels above it leave two columns with the same path.
    """
    labels = [[squeeze(cell) for cell in row] for row in rows[:figures]]
    merged_from: dict[tuple[int, int], tuple[int, int]] = {}
    for (first_row, first_column), (last_row, last_column) in sheet.merged_cell_ranges or []:
        for row in range(first_row, last_row + 1):
            for column in range(first_column, last_column + 1):
                merged_from[row, column] = (first_row, first_column)
    has_units = "万元" in labels[figures - 1]
    paths = []
    for column in range(len(labels[top])):
        origins = dict.fromkeys(merged_from.get((row, column), (row, column)) for row in range(top, figures))
        paths.append([labels[row][column] for row, column in origins])
    if not has_units:
        return [" > ".join(path) for path in paths]
    short_paths = [" > ".join(path[:-1] or path) for path in paths]
    count = Counter(short_paths)
    return [short if count[short] == 1 else " > ".join(path) for short, path in zip(short_paths, paths, strict=True)]


def test_builds_the_same_bytes_twice(built: Path, tmp_path: Path) -> None:
    script = EXAMPLES / "build_workbooks.py"
    run = subprocess.run(
        [sys.executable, script, tmp_path],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={"PYTHONHASHSEED": "1", "TZ": "Asia/Shanghai", "PYTHONUTF8": "1"},
        check=True,
    )
    assert run.stdout.splitlines()[:4] == [str(tmp_path / file) for file in (LICHENG, KEZHOU, ZHUMADIAN, ALAR)]
    for path in sorted(tmp_path.glob("*.xlsx")):
        assert path.read_bytes() == (built / path.name).read_bytes(), path.name


def test_every_figure_of_the_csvs_is_in_its_cell(built: Path) -> None:
    compared = 0
    for file, name, table, header_row, figures_row in TABLES:
        sheet, rows = read_sheet(built, file, name)
        paths = header_paths(sheet, rows, header_row - 1, figures_row - 1)
        records = read_table(table)
        for record, row in zip(records, rows[figures_row - 1 : figures_row - 1 + len(records)], strict=True):
            cells = dict(zip(paths, row, strict=True))
            for column, text in record.items():
                if column in NAMES:
                    assert table.startswith("alar/") or squeeze(cells[column]) == text
                    continue
                cell = cells[column]
                if isinstance(cell, str):
                    assert cell == text, (table, column)
                else:
                    assert isinstance(cell, (int, float)) and cell == float(text), (table, column)
                compared += 1
    assert compared == FIGURES


def test_the_csvs_hold_all_tables_and_nothing_else() -> None:
    found = {path.relative_to(EXAMPLES / "tables").as_posix() for path in (EXAMPLES / "tables").rglob("*.csv")}
    assert found == {table for _, _, table, _, _ in TABLES}


def test_a_changed_csv_changes_the_workbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures come from the CSVs alone: with all digits replaced, no former figure is left."""
    here = tmp_path / "examples"
    for path in EXAMPLES.rglob("*"):
        if path.suffix in {".csv", ".yaml"}:
            text = path.read_text(encoding="utf-8")
            if path.suffix == ".csv":
                header, figures = text.split("\n", 1)
                text = header + "\n" + re.sub(r"\d+", "7", figures)
            copy = here / path.relative_to(EXAMPLES)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(text, encoding="utf-8")
    builder = load_builder()
    monkeypatch.setattr(builder, "HERE", here)
    builder.build_all(tmp_path / "out")
    for file, name, table, _, figures_row in TABLES:
        _, rows = read_sheet(tmp_path / "out", file, name)
        for row in rows[figures_row - 1 : figures_row - 1 + len(read_table(table))]:
            counted = row[1:] if file == KEZHOU else row
            printed = {re.sub(r"\.0$", "", str(cell)).rstrip("%") for cell in counted if re.search(r"\d", str(cell))}
            assert printed <= {"7", "7.7"}, (file, name, row)


def test_printed_rates_are_text_and_counts_are_numbers(built: Path) -> None:
    _, plan = read_sheet(built, KEZHOU, "1.1")
    _, hazard = read_sheet(built, KEZHOU, "1.4")
    _, caseload = read_sheet(built, KEZHOU, "1.9")
    assert plan[6] == [4.0, "乌恰县", 46.0, 52.0, "113%"]
    assert hazard[2][-1] == "57.14"
    assert caseload[4][-1] == "0.7"


def test_blank_stays_blank_and_zero_stays_zero(built: Path) -> None:
    _, penalty = read_sheet(built, ALAR, "表二")
    _, coercion = read_sheet(built, ALAR, "表三")
    assert penalty[5] == ["", 27.0, 10.0, "", "", "", "", "", 37.0, 173.7821088]
    assert coercion[6] == [0.0, 0.0, 10.0, *[0.0] * 9, 10.0]


def test_the_header_is_merged_as_printed(built: Path) -> None:
    expected = {
        (LICHENG, "调度表"): {
            "A1:AC1",
            "A2:AC2",
            "A3:A6",
            "B3:C4",
            "D3:I3",
            "D4:E4",
            "J3:L3",
            "J4:J5",
            "M3:T3",
            "M4:N4",
            "U3:AC3",
            "Z4:AA5",
            "AB4:AC4",
        },
        (KEZHOU, "1.1"): {"A1:E1", "A2:E2"},
        (KEZHOU, "1.4"): {"A7:G7"},
        (ZHUMADIAN, "Sheet1"): {"A3:A4", "B3:B4", "C3:C4", "D3:F3", "G3:I3", "J3:L3"},
        (ALAR, "表二"): {"A4:J4"},
        (ALAR, "表三"): {"A4:E5", "F4:L4", "F5:K5", "L5:L6", "M4:M6"},
        (ALAR, "表四"): {"A4:B4", "D4:E4", "F4:G4", "I4:J4"},
    }
    for (file, name), ranges in expected.items():
        sheet, _ = read_sheet(built, file, name)
        merged = {f"{address(*first)}:{address(*last)}" for first, last in sheet.merged_cell_ranges or []}
        assert ranges <= merged, (file, name, ranges - merged)


def address(row: int, column: int) -> str:
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return f"{letters}{row + 1}"


def test_titles_units_and_broken_names_stand_as_printed(built: Path) -> None:
    _, dispatch = read_sheet(built, LICHENG, "调度表")
    assert dispatch[0][0] == "荔城区专项行动进展情况调度表"
    assert dispatch[1][0] == "（数据统计区间：2023年5月1日-2023年9月26日）"
    assert dispatch[5][1:4] == ["条", "条", "条"] and dispatch[5][25:27] == ["场次", "人次"]
    assert dispatch[6][0] == "累计"
    assert "区公安\n\n分局" in [row[0] for row in dispatch]
    _, hazard = read_sheet(built, KEZHOU, "1.4")
    assert hazard[0][0] == "序号" and hazard[6][0] == "1.4事故隐患整改况统计表"
    _, scan = read_sheet(built, KEZHOU, "2.0")
    assert scan[1][2] == "应扫码\n企业家次"
    _, license_form = read_sheet(built, ALAR, "表一")
    assert [row[0] for row in license_form[:3]] == [
        "表一",
        "行政许可实施情况统计表",
        "填报单位：第一师阿拉尔市应急管理局",
    ]
    assert "统计年度：2024年" in license_form[2]
