"""What the texts on a sheet say of units: who reports, and in which unit of measure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from enforcement_reporting.catalog import Unit
from enforcement_reporting.texts import plain
from enforcement_reporting.workbook.cells import Cell
from enforcement_reporting.workbook.grid import MAX_CELL_CHARACTERS, as_text

_REPORTING_UNIT = re.compile(
    r"(?:(?P<sure>(?:填报|填表|报送|上报|报告|编报|编制)(?:单位|部门|地区)|单位名称)|^\s*单位)\s*"
    r"(?:[(（]\s*(?:盖章|公章|章|签章)\s*[)）])?\s*[:：](?P<name>.*)",
    re.DOTALL,
)
# 单位 behind 填报, 主管 … is somebody; standing alone it may be either, and what follows decides.
_MEASURED_IN = re.compile(
    r"(?:(?:金额|计量|货币|数额|计价)\s*|(?<![^\s(\[【,;。、/|]))单\s*位\s*:(?P<units>[^)\]】。:]*)"
)
_MONEY = re.compile(r"(?:人民币)?(?P<unit>[十百千万亿]*(?:[美港欧日澳]?元|港币|美金|英镑))(?:人民币)?")
_NEXT_LABEL = re.compile(r"(?:填|报|统计|计量|制表|单位|日期|时间|年度)[^\s:：]{0,6}[:：]")

# How a period may be written on a sheet, by the kind of calendar.
EXAMPLES = {
    "month": "2025年9月",
    "quarter": "2025年第三季度",
    "half": "2025年上半年",
    "year": "2025年度",
    "year_to_date": "2025年1—9月",
    "campaign": "2023年5月1日-2023年9月26日",
    "week": "2025年第37周（9月8日—9月14日）",
    "list": "该期的名称，或起止日期，如2025年1月1日—2025年3月31日",
}


def row_texts(row: Sequence[Cell]) -> list[str]:
    """Return the texts in a row; a text that ends in a colon takes what stands in the next cell with it."""
    filled = [cell for cell in row if cell != ""]
    texts = []
    for position, cell in enumerate(filled):
        if isinstance(cell, str):
            text, is_open = _as_line(cell) if len(cell) <= MAX_CELL_CHARACTERS else _as_line.__wrapped__(cell)
            if is_open and position + 1 < len(filled):
                text += as_text(filled[position + 1])
            if text:
                texts.append(text)
    return texts


@lru_cache(maxsize=4096)
def _as_line(cell: str) -> tuple[str, bool]:
    """Return a cell's text, or nothing where it is white space, and whether what follows belongs to it."""
    text = as_text(cell) if cell.strip() else ""
    return text, text.rstrip().endswith((":", "："))


class UnitLine(NamedTuple):
    """What a line says after 填报单位：, and whether it can be nothing but a unit's name."""

    name: str
    is_sure: bool


def unit_line(text: str) -> UnitLine | None:
    """Return the line of that kind that a text is, or None."""
    match = _REPORTING_UNIT.search(text)
    return UnitLine(_NEXT_LABEL.split(match["name"])[0], bool(match["sure"])) if match else None


def units_named(lines: Iterable[UnitLine], known: Mapping[str, Unit]) -> tuple[list[Unit], list[str]]:
    """Return the units that lines such as 填报单位：… name, and the names there that are no unit's."""
    units: dict[str, Unit] = {}
    strangers = []
    for name, is_sure in lines:
        if unit := _unit_at_start(name, known):
            units[unit.unit_id] = unit
        elif is_sure and name.strip(" _＿\n"):
            strangers.append(" ".join(name.split()))
    return list(units.values()), strangers


def _unit_at_start(text: str, known: Mapping[str, Unit]) -> Unit | None:
    """Return the unit that a text begins with; white space may stand inside the name and has to stand behind it."""
    words = text.split()
    for count in range(min(len(words), 6), 0, -1):
        name = plain("".join(words[:count]))
        if unit := known.get(name) or known.get(name.split("(")[0]):
            return unit
    return None


def units_mentioned(texts: Iterable[str], known: Mapping[str, Unit]) -> list[Unit]:
    """Return the units whose names occur in the texts; 开发区 inside 高新开发区 is not a mention of its own."""
    longest_first = sorted(known, key=len, reverse=True)
    found: dict[str, Unit] = {}
    for text in texts:
        line = plain(text)
        for name in longest_first:
            if name in line:
                line = line.replace(name, "\0")
                found[known[name].unit_id] = known[name]
    return list(found.values())


def money_stated(texts: Iterable[str]) -> list[str]:
    """Return the units of money that lines such as （单位：家、万元） name; 单位：河口镇 names none."""
    return list(dict.fromkeys(unit for text in texts for unit in _money_in(text)))


@lru_cache(maxsize=4096)
def _money_in(text: str) -> tuple[str, ...]:
    return tuple(
        match["unit"]
        for line in _MEASURED_IN.finditer(unicodedata.normalize("NFKC", text))
        for word in re.split(r"[、,;/(|\s和及与]+", line["units"])
        if (match := _MONEY.fullmatch(word))
    )
