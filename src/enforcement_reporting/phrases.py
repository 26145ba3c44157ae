"""Phrases: how a bulletin says a figure, declared as text with places for the figures in it.

    执法检查企业{inspections_count}[，同比{inspections_change}]
    {units}未报典型案例
    挂牌督办{supervised_count}（{each:supervised_count}）

``{indicator}`` is a number with the indicator's unit of measure or without it, ``{units}`` one unit of the authority or
several, ``{each:indicator}`` several units with a number each. What stands in ``[…]`` may be missing; ``…`` stands for
a few words without a figure. White space, quotation marks and the width of characters never matter.

Pure: what a phrase means in a form is for whoever reads with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal, NamedTuple

from enforcement_reporting.texts import plain

PlaceKind = Literal["figure", "each", "units"]

_TOKEN = re.compile(r"\{(each:)?([a-z][a-z0-9_]*)\}|([\[\]…])|([^\[\]{}…]+)|(.)")
_ELLIPSIS = r"[^0-9。;!?]{0,30}?"
_THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")

# What may stand between units and what is said of them.
_ALL_OF_THEM = "(?:等?[0-9]*[家个]?(?:单位|部门|县市|镇街|地区|乡镇)|等)?(?:均|都|也)?"

# A word that says which way a figure has changed; what it says of the sign.
_DOWN = ("下降", "减少", "降低", "回落", "下滑", "少", "降", "减")
_UP = ("上升", "增长", "增加", "提高", "提升", "上涨", "多", "升", "增")
DIRECTION = f"(?:{'|'.join((*_DOWN, *_UP))})了?"
NUMBER = r"(?<![0-9.])[0-9]++(?:\.[0-9]++)?+(?!\.+[0-9])"
# A number that is one figure: no end of a range, and no part of what is parted in some other way.
EXACT = rf"(?<![0-9.][-~/至到]){NUMBER}(?![-~/至到][0-9]|、[0-9]{{3}}(?![0-9]))"
# What stands behind a number, or its unit of measure, that is no exact figure.
INEXACT = "以上|以下|以内|左右|上下|[-~/至到][0-9]"


class Place(NamedTuple):
    """A place in a phrase: a figure of an indicator, one of each unit named, or the units themselves."""

    kind: PlaceKind
    indicator_id: str = ""


@dataclass(frozen=True)
class Phrase:
    """A phrase as a pattern over flattened text, and its places by the names of their groups."""

    pattern: re.Pattern[str]
    places: dict[str, Place]


def places_in(text: str) -> list[Place]:
    """Return the places of a phrase in their order. Raises ValueError where it is not well-formed."""
    places, depth = [], 0
    for each, name, bracket, _, stray in _TOKEN.findall(text):
        if stray or (each and name == "units"):
            raise ValueError(f"phrase {text!r}: expected every brace to enclose a name")
        if name:
            places.append(Place("each" if each else "units" if name == "units" else "figure", name))
        depth += {"[": 1, "]": -1}.get(bracket, 0)
        if depth not in (0, 1):
            break
    if depth:
        raise ValueError(f"phrase {text!r}: expected every [ to have its ]")
    if [place.kind for place in places].count("units") > 1:
        raise ValueError(f"phrase {text!r}: expected {{units}} once at most")
    return [Place(kind, "" if kind == "units" else name) for kind, name in places]


def named(names: Iterable[str], indicator_id: str, figure: str) -> Phrase:
    """Return the phrase that says an indicator by one of its names: where a clause begins, right before the number."""
    known = "|".join(sorted(map(re.escape, map(plain, names)), key=len, reverse=True))
    pattern = f"(?:^|(?<=[、,。;:()的]))(?:{known})(?:为|达到?|共|累计)?(?P<p0>{figure})"
    return Phrase(re.compile(pattern), {"p0": Place("figure", indicator_id)})


def compiled(text: str, figure: Callable[[str, str], str], unit_names: Iterable[str]) -> Phrase:
    """Return a phrase as a pattern.

    ``figure`` gives the pattern of an indicator's number with its unit of measure, given what stands right behind it.
    """
    names = "|".join(sorted(map(re.escape, map(plain, unit_names)), key=len, reverse=True)) or "(?!)"
    # As many as an authority may have: an end to it keeps a long text from being read again from each name in it.
    units = f"(?:{names})(?:[、和及与]{{1,3}}(?:{names})){{0,99}}"
    pattern: list[str] = []
    places: dict[str, Place] = {}
    tokens = _TOKEN.findall(text)
    for (each, name, bracket, literal, _), behind in zip_longest(tokens, tokens[1:], fillvalue=("",) * 5):
        group = f"p{len(places)}"
        if name == "units":
            places[group] = Place("units")
            pattern.append(f"(?P<{group}>{units}){_ALL_OF_THEM}")
        elif name:
            places[group] = Place("each" if each else "figure", name)
            one = figure(name, plain(behind[3])[:1])
            several = f"(?:{names})(?:为|:)?{one}(?:[、和及,]{{1,3}}(?:{names})(?:为|:)?{one}){{0,99}}"
            pattern.append(f"(?P<{group}>{several if each else one})")
        elif bracket == "…":
            pattern.append(_ELLIPSIS)
        elif bracket:
            pattern.append("(?:" if bracket == "[" else ")?")
        else:
            pattern.append(re.escape(plain(literal)))
    return Phrase(re.compile("".join(pattern)), places)


def flat(sentence: str) -> str:
    """Return a sentence as phrases are compared with it: thousands are not parted, see ``texts.plain``."""
    return plain(_THOUSANDS.sub("", sentence))


def signed(text: str) -> str:
    """Return the number in a text that may say which way it changed: 下降12.1% is -12.1%, 上升 0.5 个百分点 is 0.5."""
    match = re.fullmatch(f"({DIRECTION})?(-?.*)", text, re.DOTALL)
    assert match is not None
    word, number = (match[1] or "").removesuffix("了"), match[2]
    return f"-{number}" if word in _DOWN else number
