"""Texts as people type them, made comparable: labels, titles, and the names of units."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from enforcement_reporting.catalog import Unit
from enforcement_reporting.workbook.grid import Cell, as_text

_SAME_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("，,", "、"),
        **dict.fromkeys("“”\"‘’'「」『』《》\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad", None),
        **dict.fromkeys("－—–―−─", "-"),
    }
)
_UNIT_OF_MEASURE = re.compile(r"^(.*)\((?:单位:)?([^()]+)\)$")
_JOINTS = str.maketrans("", "", "-/·:>、")
_REPORTING_UNIT = re.compile(
    r"(?:(?P<sure>(?:填报|填表|报送|上报|报告|编报|编制)(?:单位|部门|地区)|单位名称)|^\s*单位)\s*"
    r"(?:[(（]\s*(?:盖章|公章|章|签章)\s*[)）])?\s*[:：](?P<name>.*)",
    re.DOTALL,
)
_NEXT_LABEL = re.compile(r"(?:填|报|统计|计量|制表|单位|日期|时间|年度)[^\s:：]{0,6}[:：]")


@lru_cache(maxsize=16_384)
def plain(text: str) -> str:
    """Return a label for comparison: no white space or quotation marks, one width, one comma, one dash."""
    normal = unicodedata.normalize("NFKC", text.translate(_SAME_CHARACTERS))
    return "".join(normal.split()).translate(_SAME_CHARACTERS).lower()


@lru_cache(maxsize=16_384)
def split_unit(label: str, units_of_measure: frozenset[str]) -> tuple[str, str]:
    """Return (plain label, unit of measure in brackets at its end, or '')."""
    text = plain(label)
    match = _UNIT_OF_MEASURE.match(text)
    if match and match[2] in units_of_measure:
        return match[1], match[2]
    return text, ""


def joined(path: Iterable[str]) -> str:
    """Return a label path as one text, however its steps are parted from one another."""
    return "".join(path).translate(_JOINTS)


def row_texts(row: Sequence[Cell]) -> list[str]:
    """Return the texts in a row; a text that ends in a colon takes what stands in the next cell with it."""
    filled = [cell for cell in row if cell != ""]
    texts = []
    for position, cell in enumerate(filled):
        if isinstance(cell, str) and cell.strip():
            text = as_text(cell)
            if text.rstrip().endswith((":", "：")) and position + 1 < len(filled):
                text += as_text(filled[position + 1])
            texts.append(text)
    return texts


def unit_lines(texts: Iterable[str], known: Mapping[str, Unit]) -> tuple[list[Unit], list[str]]:
    """Return the units that lines such as 填报单位：… name, and the names there that are no unit's."""
    units: dict[str, Unit] = {}
    strangers = []
    for text in texts:
        if match := _REPORTING_UNIT.search(text):
            name = _NEXT_LABEL.split(match["name"])[0]
            if unit := _unit_at_start(name, known):
                units[unit.unit_id] = unit
            elif match["sure"] and name.strip(" _＿\n"):
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
