"""What reading a workbook costs, against the bare reader of cells on the same bytes.

Builds a batch of workbooks in memory, the same on every run: five sheets each, one form a sheet, one unit and one
period a workbook, thirty figures under a header of two rows. No two workbooks are of the same unit, and each is read
once, as in a run of the intake: in turns with the bare reader, some at a time. The medians are of CPU time, so that a
busy machine disturbs them little. All values are compared with what was written.

    python benchmarks/reading.py [--workbooks 300] [--publish]
"""

from __future__ import annotations

import argparse
import io
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import xlsxwriter
import yaml
from python_calamine import CalamineWorkbook

from enforcement_reporting.catalog import Catalog, load_catalog
from enforcement_reporting.garbage import seldom_collected
from enforcement_reporting.workbook import Reader, ReadWorkbook
from report import publish, table

PLACES = (
    *("河口", "上坡", "东门", "西桥", "南关", "北山", "柳林", "石湾", "白塔", "青泉"),
    *("黄庄", "红旗", "新华", "建设", "解放", "和平", "胜利", "光明", "前进", "幸福"),
)
UNITS = [f"{part}{place}{kind}" for part in ("", *"东西南北中") for kind in ("镇", "街道", "乡") for place in PLACES]
PERIODS = [f"2025年{month}月" for month in range(1, 13)]
FORMS = {
    "inspections": "安全生产执法检查情况统计表",
    "hazards": "事故隐患排查治理情况统计表",
    "penalties": "安全生产行政处罚情况统计表",
    "licences": "安全生产行政许可情况统计表",
    "training": "安全生产宣传培训情况统计表",
}
GROUPS = ["危险化学品", "非煤矿山", "烟花爆竹", "工贸行业", "其他行业"]
# What is counted in each group, with the unit of measure; figures in 万元 have decimals.
COUNTED = {
    "inspections": ["检查企业（家）", "检查次数（次）", "出动人员（人次）", "文书（份）", "复查（次）", "督办（件）"],
    "hazards": [
        "排查隐患（条）",
        "已整改（条）",
        "重大隐患（条）",
        "挂牌督办（条）",
        "停产整顿（家）",
        "投入资金（万元）",
    ],
    "penalties": ["警告（宗）", "罚款（宗）", "没收（宗）", "责令停产（宗）", "暂扣证照（宗）", "罚没金额（万元）"],
    "licences": ["申请（件）", "受理（件）", "许可（件）", "不予许可（件）", "延期（件）", "撤销（件）"],
    "training": [
        "培训班（期）",
        "参训（人次）",
        "考核合格（人次）",
        "发放资料（份）",
        "宣传活动（场次）",
        "经费（万元）",
    ],
}

CHUNK = 20

Row = list[str | float | None]


def definitions() -> dict[str, Any]:
    """Return the definition files of the forms and units, by path."""
    units = [{"unit_id": f"unit_{n}", "name": name, "kind": "镇街"} for n, name in enumerate(UNITS)]
    files: dict[str, Any] = {
        "landing.yaml": {"places": [{"place_id": "inbox", "path": "inbox", "policy": "collect"}]},
        "county/authority.yaml": {
            "authority_id": "county",
            "name": "东山县应急管理局",
            "units": {"unit_id": "all_units", "name": "东山县", "kind": "汇总", "members": units},
        },
    }
    for form_id, title in FORMS.items():
        labels = [(group, *label.rstrip("）").split("（")) for group in GROUPS for label in COUNTED[form_id]]
        files[f"county/forms/{form_id}.yaml"] = {
            "form_id": form_id,
            "authority_id": "county",
            "title": title,
            "calendar": {"kind": "month"},
            "figures": "single",
            "indicators": [
                {"indicator_id": f"figure_{n}", "label": [group, label], "unit_of_measure": unit_of_measure}
                for n, (group, label, unit_of_measure) in enumerate(labels)
            ],
        }
    return files


def catalog() -> Catalog:
    """Return the catalog of the forms above."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in definitions().items():
            path = Path(folder, "catalog", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
        return load_catalog(Path(folder))


def figures(form_id: str, chance: random.Random) -> Row:
    """Return a row of figures as units type them: mostly whole numbers, many zeros, some blanks and dashes."""
    row: Row = []
    for label in COUNTED[form_id] * len(GROUPS):
        typed = chance.random()
        if typed < 0.03:
            row.append(None)
        elif typed < 0.05:
            row.append("—")
        elif typed < 0.35:
            row.append(0)
        else:
            row.append(chance.randrange(1, 50_000) / 100 if "万元" in label else chance.randrange(1, 3_000))
    return row


def build(unit: str, period: str, chance: random.Random) -> tuple[bytes, list[Row]]:
    """Return a workbook of one unit and period, and the figures on its sheets."""
    buffer = io.BytesIO()
    rows = []
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        title = book.add_format({"bold": True, "font_size": 18, "align": "center"})
        heading = book.add_format({"bold": True, "border": 1, "align": "center", "text_wrap": True})
        cell = book.add_format({"border": 1, "align": "center"})
        for form_id, form in FORMS.items():
            sheet = book.add_worksheet(form[4:])
            last = len(GROUPS) * len(COUNTED[form_id]) - 1
            sheet.merge_range(0, 0, 0, last, form, title)
            sheet.write(1, 0, f"填报单位：{unit}")
            sheet.write(1, 10, f"统计期间：{period}")
            sheet.write(1, 20, "填报人：王五")
            for number, group in enumerate(GROUPS):
                left = number * len(COUNTED[form_id])
                sheet.merge_range(2, left, 2, left + len(COUNTED[form_id]) - 1, group, heading)
                sheet.write_row(3, left, COUNTED[form_id], heading)
            rows.append(figures(form_id, chance))
            sheet.write_row(4, 0, rows[-1], cell)
    return buffer.getvalue(), rows


def read_bare(content: bytes) -> list[list[list[Any]]]:
    """Return the cells of every sheet."""
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    return [book.get_sheet_by_name(name).to_python() for name in book.sheet_names]


def timed(work: Callable[[str, bytes], Any], chunk: list[tuple[str, bytes, list[Row]]]) -> tuple[list[Any], float]:
    """Return what some work makes of workbooks, and the milliseconds of CPU that it takes for each."""
    begun = time.process_time()
    made = [work(name, content) for name, content, _ in chunk]
    return made, (time.process_time() - begun) * 1000 / len(chunk)


def check(read: ReadWorkbook, rows: list[Row]) -> Decimal:
    """Return the sum of a workbook's values, having compared each with what was written."""
    found = [[item.value for item in submission.observations] for submission in read.submissions]
    written = [[Decimal(str(cell)) if isinstance(cell, int | float) else None for cell in row] for row in rows]
    assert found == written, (found, written)
    assert not read.file_findings and not any(item.findings for item in read.submissions)
    return sum((value for row in found for value in row if value is not None), Decimal(0))


@seldom_collected()
def main(arguments: list[str] | None = None) -> int:
    """Print what the two cost, with garbage looked for as seldom as the intake does."""
    parser = argparse.ArgumentParser(description="Measure what reading workbooks costs.")
    parser.add_argument("--workbooks", type=int, default=300)
    parser.add_argument("--publish", action="store_true", help="write the table into docs/benchmarks.md")
    options = parser.parse_args(arguments)
    chance = random.Random(20250901)
    written = []
    for number in range(options.workbooks):
        unit, period = UNITS[number % len(UNITS)], PERIODS[number % len(PERIODS)]
        written.append((f"{unit}{period}报表.xlsx", *build(unit, period, chance)))
    reader = Reader(catalog())
    bare: list[float] = []
    own: list[float] = []
    total = Decimal(0)
    for begin in range(0, len(written), CHUNK):
        chunk = written[begin : begin + CHUNK]
        # Neither holds what the other has read: the garbage collector would go through it in both their turns.
        bare_ms = timed(lambda _, content: read_bare(content), chunk)[1]
        read, own_ms = timed(lambda name, content: reader.read(content, name), chunk)
        bare.append(bare_ms)
        own.append(own_ms)
        total += sum(check(one, rows) for one, (_, _, rows) in zip(read, chunk, strict=True))
        del read
    size = sum(len(content) for _, content, _ in written) / len(written) / 1000
    ratios = [one / other for one, other in zip(own, bare, strict=True)]
    rows = [
        [name, *(f"{figure:.{decimals}f}" for figure in (statistics.median(each), each[0], min(each)))]
        for name, each, decimals in (("bare calamine", bare, 3), ("this project", own, 3), ("ratio", ratios, 2))
    ]
    text = (
        f"{len(written)} workbooks of {len(FORMS)} sheets with thirty figures each, {size:.1f} kB; sum of all values"
        f" {total}, as written. Of {len(ratios)} turns of {CHUNK} workbooks the median, the first, when nothing is"
        f" known of the template, and the lowest.\n\n{table(['CPU ms a workbook', 'median', 'first', 'lowest'], rows)}"
    )
    print(text)
    if options.publish:
        publish("Reading a workbook", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
