"""However a table is laid out, and in whatever kind of file it is sent, the same figures are read from it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enforcement_reporting.catalog import load_catalog
from enforcement_reporting.workbook import Reader, read_grids
from enforcement_reporting.workbook.grid import as_text
from other_formats import WRITERS
from test_reading import CATALOG, TITLE
from workbooks import Sheet, Value, letters

GROUPS = {
    "一般隐患": [("found", "排查", "条"), ("fixed", "已整改", "条")],
    "重大隐患": [("major_found", "排查", "条"), ("major_fixed", "已整改", "条")],
    "": [("fines", "罚款金额", "万元")],
}
UNITS = {
    "hekou": ["河口镇", "河口镇人民政府", "河 口 镇"],
    "shangpo": ["上坡街道", "上坡\n街道"],
    "gongan": ["县公安局"],
}
LABELS = {"排查": ["排查", "排 查", "排\n查"], "已整改": ["已整改", "已\n整改"], "罚款金额": ["罚款金额", "罚款"]}


@dataclass
class Laid:
    """A sheet, and the cell and the figure of each unit and indicator in it."""

    sheet: Sheet
    figures: dict[tuple[str, str], tuple[str, Decimal | None]]


@st.composite
def layouts(draw: st.DrawFn) -> Laid:
    """A table of three units: its columns in any order, its header in two or three rows, some of them blank."""
    units_have_a_row, has_blank_columns = draw(st.booleans()), draw(st.booleans())
    above, between, below = (draw(st.integers(0, 2)) for _ in range(3))
    columns: list[tuple[str, str, str, str] | None] = []  # indicator, group, label, unit of measure; None is blank
    for group in draw(st.permutations(list(GROUPS))):
        if has_blank_columns and draw(st.booleans()):
            columns.append(None)
        for indicator, label, unit in draw(st.permutations(GROUPS[group])):
            columns.append((indicator, group, draw(st.sampled_from(LABELS[label])), unit))
    left = draw(st.integers(0, 2))
    rows: list[list[Value]] = [[] for _ in range(above)]
    rows.append([None] * left + [TITLE])
    rows += [[] for _ in range(between)]
    top = len(rows)
    header: list[list[Value]] = [[None] * left + ["单位"], [None] * (left + 1), [None] * (left + 1)]
    merges = []
    last_group = None
    for column, item in enumerate(columns, left + 1):
        if item is None:
            for row in header:
                row.append(None)
            last_group = None
            continue
        _, group, label, unit = item
        said = label if units_have_a_row else f"{label}（{unit}）"
        header[0].append((group if group != last_group else None) if group else said)
        header[1].append(said if group else None)
        header[2].append(unit)
        if group and group == last_group:
            merges.append(f"{letters(column - 1)}{top + 1}:{letters(column)}{top + 1}")
        if not group:
            merges.append(f"{letters(column)}{top + 1}:{letters(column)}{top + 2}")
        last_group = group
    merges.append(f"{letters(left)}{top + 1}:{letters(left)}{top + (3 if units_have_a_row else 2)}")
    rows += header if units_have_a_row else header[:2]
    figures = {}
    for unit_id in draw(st.permutations(list(UNITS))):
        row: list[Value] = [None] * left + [draw(st.sampled_from(UNITS[unit_id]))]
        for column, item in enumerate(columns, left + 1):
            whole = draw(st.none() | st.integers(0, 10**6)) if item else None
            value = whole if item is None or whole is None or item[0] != "fines" else whole / 100
            row.append(value)
            if item:
                cell = f"{letters(column)}{len(rows) + 1}"
                figures[unit_id, item[0]] = (cell, None if value is None else Decimal(str(value)))
        rows.append(row)
    rows += [[] for _ in range(below)]
    rows.append([None] * left + ["填报人：王五"])
    return Laid(Sheet(rows, merges, "表1"), figures)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    root: Path = tmp_path_factory.mktemp("definitions")
    for name, text in CATALOG.items():
        path = root / "catalog" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Reader(load_catalog(root))


@settings(max_examples=60)
@given(layouts(), st.sampled_from([kind for kind in WRITERS if kind != "docx"]))
def test_the_same_figures_are_read_from_every_layout(reader: Reader, laid: Laid, kind: str) -> None:
    content = WRITERS[kind](laid.sheet)
    read = reader.read(content, "报表")
    found = {
        (item.unit_id, seen.indicator_id.partition(".")[2]): (seen.cell, seen.value)
        for item in read.submissions
        for seen in item.observations
    }
    assert found == laid.figures
    assert not read.file_findings


@settings(max_examples=40)
@given(layouts())
def test_a_document_holds_the_same_figures_and_its_cells_are_where_they_are_said_to_be(
    reader: Reader, laid: Laid
) -> None:
    content = WRITERS["docx"](laid.sheet)
    (grid,) = read_grids(content)
    cells = {
        grid.address(row, column): as_text(cell)
        for row, values in enumerate(grid.rows)
        for column, cell in enumerate(values)
    }
    read = reader.read(content, "报表")
    found = {}
    for item in read.submissions:
        for seen in item.observations:
            found[item.unit_id, seen.indicator_id.partition(".")[2]] = seen.value
            assert cells.get(seen.cell, "") == seen.text
    assert found == {key: value for key, (_, value) in laid.figures.items()}
