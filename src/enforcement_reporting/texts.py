"""Texts as people type them, made comparable: what counts as the same label, title or name, wherever that is asked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

# Units of money convert into one another, each worth 10 to this power of 元; everything else has to match.
MONEY = {"元": 0, "千元": 3, "万元": 4, "百万元": 6, "亿元": 8}

_SAME_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("，,", "、"),
        **dict.fromkeys("“”\"‘’'「」『』《》\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad", None),
        **dict.fromkeys("－—–―−─", "-"),
    }
)
_UNIT_OF_MEASURE = re.compile(r"^(.*)\((?:单位:)?([^()]+)\)$")
_JOINTS = str.maketrans("", "", "-/·:>、")


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
