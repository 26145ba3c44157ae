"""Reporting periods: what a form's calendar calls a period, and which period a text speaks of.

Pure: nothing here reads a clock. A period is identified by an id that sorts by time within one calendar:

    month         2025-09            quarter   2025-Q3         half    2025-H1        year   2025
    year_to_date  2025-M01-M09       campaign  2023-09-26 (an issue, named after its cut-off day)
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache


class CalendarKind(StrEnum):
    """How a form divides time."""

    MONTH = "month"
    QUARTER = "quarter"
    HALF = "half"
    YEAR = "year"
    YEAR_TO_DATE = "year_to_date"
    CAMPAIGN = "campaign"


@dataclass(frozen=True, order=True)
class Period:
    """One reporting period: the days its figures cover and the day its cumulative figures count from."""

    period_id: str
    starts_on: date
    ends_on: date
    accumulates_from: date
    name: str


@dataclass(frozen=True)
class Recognition:
    """What a set of texts says about the period: one period, several that contradict, or none.

    ``evidence`` quotes the text that decided.
    """

    candidates: tuple[Period, ...]
    evidence: str = ""

    @property
    def period(self) -> Period | None:
        """Return the period if the texts agree on exactly one."""
        return self.candidates[0] if len(self.candidates) == 1 else None


class _Manner(StrEnum):
    """How a text speaks of time; it decides which calendars it can mean."""

    DAYS = "days"  # from one day to another, or whole months
    YEAR = "year"  # a year said to be whole: 2025年度, 2025年全年
    BARE_YEAR = "bare year"  # 2025年
    ISSUE = "issue"  # 0912期: up to that day


@dataclass(frozen=True)
class _Mention:
    """Days a text speaks of; a missing year is None and is looked for elsewhere."""

    manner: _Manner
    year: int | None
    first: tuple[int, int]
    last: tuple[int, int]
    last_year: int | None = None

    def days(self, year: int) -> tuple[date, date] | None:
        """Return the days where the mention's own year, or else ``year``, is meant; None where there is no such day."""
        year = self.year or year
        last_year = self.last_year or year + (self.last < self.first and self.last[1] != _LAST_DAY)
        try:
            last = _month_end(last_year, self.last[0]) if self.last[1] == _LAST_DAY else date(last_year, *self.last)
            return date(year, *self.first), last
        except ValueError:
            return None


@dataclass(frozen=True)
class _Said:
    """All that one text says about time: what it may call a period, and the years it names."""

    mentions: tuple[_Mention, ...] = ()
    years: frozenset[int] = frozenset()


_LAST_DAY = 0
_DIGITS = {digit: number for number, digit in enumerate("零一二三四五六七八九十")}
_DASH = r"(?:[-~―—–－～]+|起?至|到)"
_YYYY = r"(?:19|20)[0-9]{2}"
_YEAR = rf"(?P<year>{_YYYY})年?度?"
_MONTH = r"(?:1[0-2]|0?[1-9]|十[一二]?|[一二三四五六七八九])"
_QUARTER = r"[1-4一二三四]"
_M_D = r"(?P<m{0}>1[0-2]|0?[1-9])[月\-./](?P<d{0}>[12][0-9]|3[01]|0?[1-9])(?![0-9])日?"
# Where no year stands before it, an expression starts afresh: not inside a longer number, and not after 去年.
_FRESH = r"(?<![0-9年\-~—–至到./])"

_SPEAKS_OF_TIME = re.compile(r"[0-9月季年]")
_CHINESE_YEAR = re.compile(r"[一二][〇○零一二三四五六七八九]{3}(?=年)")
_CHINESE_YEAR_DIGITS = str.maketrans("〇○零一二三四五六七八九", "000123456789")

# From the most specific to the least. What one pattern has taken, the next does not see. A day on which a form was
# filled in, signed or printed is not a period, nor does it say which year a period is in.
_FILED = re.compile(
    r"(?:填报|填表|填写|上报|报送|报出|制表|编制|打印|审核|签发|印发|发布|成文)(?:日期|时间):?"
    rf"(?:{_YYYY}[年\-./])?(?:1[0-2]|0?[1-9])(?:[月\-./](?:[0-9]{{1,2}}日?)?)?"
)
_DAY_TO_DAY = re.compile(
    rf"(?:(?P<year>{_YYYY})[年\-./]|(?<![0-9.]))"
    + _M_D.format(1)
    + _DASH
    + rf"(?:(?P<year2>{_YYYY})[年\-./])?"
    + _M_D.format(2)
)
_ONE_DAY = re.compile(
    rf"(?:{_YYYY}年)?(?:1[0-2]|0?[1-9])月[0-9]{{1,2}}(?![0-9])日?|{_YYYY}([-./])(?:1[0-2]|0?[1-9])\1[0-9]{{1,2}}(?![0-9])"
)
_ISSUE = re.compile(rf"(?:(?P<year>{_YYYY})年?|(?<![0-9]))(?P<m1>[01][0-9])(?P<d1>[0-3][0-9])期")
_MONTHS = re.compile(rf"(?:{_YEAR}|{_FRESH})(?P<m1>{_MONTH})月?份?{_DASH}(?:(?P<year2>{_YYYY})年)?(?P<m2>{_MONTH})月")
_FIRST_QUARTERS = re.compile(
    rf"(?:{_YEAR})?(?:前(?P<q>{_QUARTER})个?季度|第?[1一](?:季度)?{_DASH}第?(?P<q2>{_QUARTER})季度)"
)
_HALF = re.compile(rf"(?:{_YEAR}|(?<!年))(?P<half>[上下])半年")
_ONE_QUARTER = re.compile(rf"(?:{_YEAR}|{_FRESH}第?)第?(?:(?P<q>{_QUARTER})季度|Q(?P<q2>[1-4])(?![0-9]))")
_ONE_MONTH = re.compile(
    rf"(?:{_YEAR}|{_FRESH})(?P<m1>{_MONTH})月(?![0-9])"
    rf"|(?<![0-9.])(?P<year2>{_YYYY})[\-./](?P<m2>1[0-2]|0?[1-9])(?![0-9\-./万亿元%])"
)
_WHOLE_YEAR = re.compile(rf"(?<![0-9])(?P<year>{_YYYY})(?:年度|年?全年)|(?:年度|年份):?(?P<year2>{_YYYY})(?![0-9])年?")
_BARE_YEAR = re.compile(rf"(?<![0-9])(?P<year>{_YYYY})年")


@dataclass(frozen=True)
class Calendar:
    """The calendar of one form.

    ``starts_on`` is the first day of a campaign; ``counted_from`` the day from which a form's figures were first
    counted, where that is later than the start of the window (a scheme that began in April).
    """

    kind: CalendarKind
    starts_on: date | None = None
    counted_from: date | None = None

    def __post_init__(self) -> None:
        if (self.kind is CalendarKind.CAMPAIGN) != (self.starts_on is not None):
            raise ValueError("starts_on is needed for a campaign calendar, and for no other")

    def period(self, first: date, last: date) -> Period | None:
        """Return the period that runs from ``first`` to ``last``, or None where this calendar has no such period."""
        described = self._describe(first, last)
        if described is None:
            return None
        period_id, name = described
        starts_on = max(first, self.counted_from) if self.counted_from else first
        if starts_on > last:
            return None
        year_start = date(last.year, 1, 1)
        accumulates_from = starts_on if self.starts_on else max(year_start, self.counted_from or year_start)
        return Period(period_id, starts_on, last, accumulates_from, name)

    def recognise(self, *levels: Sequence[str]) -> Recognition:
        """Return the period the texts speak of, trying each level of texts in turn (sheet, workbook, file name).

        The first level that speaks of a period of this calendar decides; a year missing there (``1-6月``) is taken
        from that level or, failing that, from the next that names one. Several different periods on the deciding
        level are all returned: the caller reports the contradiction, nobody guesses. Days on which a form was filled
        in or signed count for nothing. For a year-to-date calendar ``2025年度`` means the whole year only where no
        level names months: titles say it of every issue.
        """
        passes = [set(_Manner)]
        if self.kind is CalendarKind.YEAR_TO_DATE:
            passes = [{_Manner.DAYS}, {_Manner.YEAR}]
        for manners in passes:
            for number, texts in enumerate(levels):
                found: dict[Period, str] = {}
                for text in texts:
                    for mention in _said(text[:_LONGEST_TEXT]).mentions:
                        if mention.manner in manners:
                            for period in self._periods(mention, (*levels[number:], *levels[:number])):
                                found.setdefault(period, text)
                if found:
                    return Recognition(tuple(sorted(found)), " | ".join(dict.fromkeys(found.values())))
        return Recognition(())

    def _periods(self, mention: _Mention, levels: Sequence[Sequence[str]]) -> Iterable[Period]:
        """Yield the periods a mention can mean, one for each year that it can be in."""
        if mention.manner is _Manner.BARE_YEAR and self.kind is not CalendarKind.YEAR:
            return
        if mention.manner is _Manner.ISSUE:
            if self.starts_on is None:
                return
            start = self.starts_on
            year = mention.year or start.year + (mention.last < (start.month, start.day))
            mention = _Mention(_Manner.DAYS, start.year, (start.month, start.day), mention.last, year)
        for year in [mention.year] if mention.year else _years(levels):
            days = mention.days(year)
            if days and (period := self.period(*days)):
                yield period

    def _describe(self, first: date, last: date) -> tuple[str, str] | None:
        """Return id and Chinese name of first..last if that is a period of this calendar."""
        if last < first:
            return None
        if self.kind is CalendarKind.CAMPAIGN:
            if first != self.starts_on:
                return None
            return last.isoformat(), f"{_day(first)}—{_day(last)}（{last:%m%d}期）"
        if first.day != 1 or last != _month_end(last.year, last.month) or first.year != last.year:
            return None
        year, m1, m2 = first.year, first.month, last.month
        match self.kind:
            case CalendarKind.MONTH if m1 == m2:
                return f"{year}-{m1:02}", f"{year}年{m1}月"
            case CalendarKind.QUARTER if m1 % 3 == 1 and m2 == m1 + 2:
                return f"{year}-Q{m2 // 3}", f"{year}年第{'一二三四'[m2 // 3 - 1]}季度"
            case CalendarKind.HALF if (m1, m2) in ((1, 6), (7, 12)):
                return f"{year}-H{m2 // 6}", f"{year}年{'上下'[m2 // 6 - 1]}半年"
            case CalendarKind.YEAR if (m1, m2) == (1, 12):
                return f"{year}", f"{year}年"
            case CalendarKind.YEAR_TO_DATE if m1 == 1:
                named = {6: "上半年", 9: "前三季度", 12: "全年"}
                return f"{year}-M01-M{m2:02}", f"{year}年{named.get(m2, f'1—{m2}月' if m2 > 1 else '1月')}"
        return None


def speaks_of_time(text: str) -> bool:
    """Return whether a text says anything about a period or a year."""
    return _said(text[:_LONGEST_TEXT]) != _NOTHING_SAID


@lru_cache(maxsize=4096)
def _said(text: str) -> _Said:
    """Return what a text says about time."""
    left = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))
    if not _SPEAKS_OF_TIME.search(left):
        return _NOTHING_SAID
    left = _CHINESE_YEAR.sub(lambda match: match[0].translate(_CHINESE_YEAR_DIGITS), left)
    mentions: list[_Mention] = []

    def take(pattern: re.Pattern[str], mention: Callable[[re.Match[str]], _Mention] | None = None) -> None:
        nonlocal left
        if mention:
            mentions.extend(map(mention, pattern.finditer(left)))
        left = pattern.sub(" ", left)

    take(_FILED)
    take(_DAY_TO_DAY, _day_to_day)
    take(_ONE_DAY)
    take(_ISSUE, lambda m: _Mention(_Manner.ISSUE, _int(m["year"]), (1, 1), (int(m["m1"]), int(m["d1"]))))
    take(_MONTHS, lambda m: _months(m, _number(m["m1"]), _number(m["m2"]), _int(m["year2"])))
    take(_FIRST_QUARTERS, lambda m: _months(m, 1, 3 * _number(m["q"] or m["q2"])))
    take(_HALF, lambda m: _months(m, 1, 6) if m["half"] == "上" else _months(m, 7, 12))
    take(_ONE_QUARTER, lambda m: _months(m, 3 * _number(m["q"] or m["q2"]) - 2, 3 * _number(m["q"] or m["q2"])))
    take(_ONE_MONTH, _one_month)
    years = {mention.year for mention in mentions if mention.year}
    named_narrowly = bool(mentions)
    take(_WHOLE_YEAR, lambda m: _whole_year(m, _Manner.YEAR))
    take(_BARE_YEAR, lambda m: _whole_year(m, _Manner.BARE_YEAR))
    years |= {mention.year for mention in mentions if mention.year}
    if named_narrowly:  # in 2025年度上半年 the year is not the period
        whole = (_Manner.YEAR, _Manner.BARE_YEAR)
        mentions = [mention for mention in mentions if mention.manner not in whole]
    return _Said(tuple(dict.fromkeys(mentions)), frozenset(years))


_LONGEST_TEXT = 500
_NOTHING_SAID = _Said()


def _day_to_day(match: re.Match[str]) -> _Mention:
    first, last = (int(match["m1"]), int(match["d1"])), (int(match["m2"]), int(match["d2"]))
    return _Mention(_Manner.DAYS, _int(match["year"]), first, last, _int(match["year2"]))


def _months(match: re.Match[str], first: int, last: int, last_year: int | None = None) -> _Mention:
    return _Mention(_Manner.DAYS, _int(match["year"]), (first, 1), (last, _LAST_DAY), last_year)


def _one_month(match: re.Match[str]) -> _Mention:
    month = _number(match["m1"] or match["m2"])
    return _Mention(_Manner.DAYS, _int(match["year"] or match["year2"]), (month, 1), (month, _LAST_DAY))


def _whole_year(match: re.Match[str], manner: _Manner) -> _Mention:
    year = match["year"] or match.groupdict().get("year2")
    return _Mention(manner, _int(year), (1, 1), (12, _LAST_DAY))


def _years(levels: Iterable[Sequence[str]]) -> list[int]:
    """Return the years named on the first level that names any."""
    for texts in levels:
        years = {year for text in texts for year in _said(text[:_LONGEST_TEXT]).years}
        if years:
            return sorted(years)
    return []


def _number(text: str) -> int:
    """Return the value of a month or quarter written in digits or Chinese numerals up to 十二."""
    if text.isdigit():
        return int(text)
    return sum(_DIGITS[character] for character in text)


def _int(text: str | None) -> int | None:
    return int(text) if text else None


def _month_end(year: int, month: int) -> date:
    return (date(year, month, 28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def _day(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"
