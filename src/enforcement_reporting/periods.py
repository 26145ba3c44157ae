"""Reporting periods: what a form's calendar calls a period, and which period a text speaks of.

Pure: nothing here reads a clock. A period is identified by an id that sorts by time within one calendar:

    month         2025-09            quarter   2025-Q3         half    2025-H1        year   2025
    year_to_date  2025-M01-M09       campaign  2023-09-26 (an issue, named after its cut-off day)
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum


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


@dataclass(frozen=True)
class _Span:
    """Days a text speaks of; a missing year is None and is looked for elsewhere."""

    year: int | None
    first: tuple[int, int]
    last: tuple[int, int]
    last_year: int | None = None

    def completed(self, year: int) -> _Span:
        return _Span(self.year or year, self.first, self.last, self.last_year)

    def days(self) -> tuple[date, date] | None:
        if self.year is None:
            return None
        try:
            return (
                date(self.year, *self.first),
                _month_end(self.last_year or self.year, self.last[0])
                if self.last[1] == _LAST_DAY
                else date(self.last_year or self.year, *self.last),
            )
        except ValueError:
            return None


_LAST_DAY = 0
_DIGITS = {digit: number for number, digit in enumerate("零一二三四五六七八九十")}
_CN_MONTH = r"(?:1[0-2]|0?[1-9]|十[一二]?|[一二三四五六七八九])"
_QUARTER = r"[1-4一二三四]"
_DASH = r"(?:[-~—–－～]+|至|到)"
_YEAR = r"(?:(?P<year>(?:19|20)\d\d)年?度?)"
_YEAR_ANYWHERE = re.compile(r"(?<!\d)((?:19|20)\d\d)(?:年|[-./]\d)")

_DATES = re.compile(
    r"(?:(?P<year>(?:19|20)\d\d)[年\-./])?(?P<m1>1[0-2]|0?[1-9])[月\-./](?P<d1>[12]\d|3[01]|0?[1-9])日?"
    + _DASH
    + r"(?:(?P<year2>(?:19|20)\d\d)[年\-./])?(?P<m2>1[0-2]|0?[1-9])[月\-./](?P<d2>[12]\d|3[01]|0?[1-9])日?"
)
_MONTHS = re.compile(rf"{_YEAR}?(?P<m1>{_CN_MONTH})月?份?{_DASH}(?P<m2>{_CN_MONTH})月")
_FIRST_QUARTERS = re.compile(rf"{_YEAR}?(?:前(?P<q>{_QUARTER})个?季度|[1一]{_DASH}(?P<q2>{_QUARTER})季度)")
_HALF = re.compile(rf"{_YEAR}?(?P<half>[上下])半年")
_ONE_QUARTER = re.compile(rf"{_YEAR}?(?<![前\-~—–至到])第?(?P<q>{_QUARTER})季度")
_ONE_MONTH = re.compile(rf"{_YEAR}?(?P<m1>{_CN_MONTH})月(?!\d|{_DASH})")
_WHOLE_YEAR = re.compile(r"(?<!\d)(?P<year>(?:19|20)\d\d)(?:年度|年全年|全年|年(?!\d{1,2}月))")
_ISSUE = re.compile(r"(?<!\d)(?P<year>(?:19|20)\d\d)?年?(?P<m1>[01]\d)(?P<d1>[0-3]\d)期")


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
        year_start = date(last.year, 1, 1)
        accumulates_from = starts_on if self.starts_on else max(year_start, self.counted_from or year_start)
        return Period(period_id, starts_on, last, accumulates_from, name)

    def recognise(self, *levels: Sequence[str]) -> Recognition:
        """Return the period the texts speak of, trying each level of texts in turn (sheet, workbook, file name).

        The first level that speaks of a period of this calendar decides; a year missing there (``1-6月``) is taken
        from that level or, failing that, from a later one. Several different periods on the deciding level are all
        returned: the caller reports the contradiction, nobody guesses.
        """
        for number, texts in enumerate(levels):
            found: dict[Period, str] = {}
            for text in texts:
                for span in self._spans(_plain(text)):
                    for year in [span.year] if span.year else _years(levels[number:]):
                        days = span.completed(year).days()
                        period = self.period(*days) if days else None
                        if period:
                            found.setdefault(period, text)
            if found:
                return Recognition(tuple(sorted(found)), " | ".join(dict.fromkeys(found.values())))
        return Recognition(())

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

    def _spans(self, text: str) -> Iterable[_Span]:
        """Yield the spans of days that ``text`` names in the manner of this calendar."""
        for match in _DATES.finditer(text):
            yield _Span(
                _int(match["year"]),
                (int(match["m1"]), int(match["d1"])),
                (int(match["m2"]), int(match["d2"])),
                _int(match["year2"]),
            )
        kind = self.kind
        if kind is CalendarKind.CAMPAIGN:
            assert self.starts_on is not None
            start = self.starts_on
            for match in _ISSUE.finditer(text):
                month, day = int(match["m1"]), int(match["d1"])
                year = _int(match["year"]) or start.year + ((month, day) < (start.month, start.day))
                yield _Span(start.year, (start.month, start.day), (month, day), year)
            return
        if kind is CalendarKind.MONTH:
            for match in _ONE_MONTH.finditer(text):
                yield _months(match, _number(match["m1"]), _number(match["m1"]))
        else:
            for match in _MONTHS.finditer(text):
                yield _months(match, _number(match["m1"]), _number(match["m2"]))
        if kind in (CalendarKind.YEAR_TO_DATE, CalendarKind.HALF):
            for match in _HALF.finditer(text):
                yield _months(match, 1, 6) if match["half"] == "上" else _months(match, 7, 12)
        if kind is CalendarKind.YEAR_TO_DATE:
            for match in _FIRST_QUARTERS.finditer(text):
                yield _months(match, 1, 3 * _number(match["q"] or match["q2"]))
        if kind is CalendarKind.QUARTER:
            for match in _ONE_QUARTER.finditer(text):
                quarter = _number(match["q"])
                yield _months(match, 3 * quarter - 2, 3 * quarter)
        if kind in (CalendarKind.YEAR, CalendarKind.YEAR_TO_DATE):
            for match in _WHOLE_YEAR.finditer(text):
                if kind is CalendarKind.YEAR or not match[0].endswith("年"):
                    yield _months(match, 1, 12)


def _months(match: re.Match[str], first: int, last: int) -> _Span:
    return _Span(_int(match["year"]), (first, 1), (last, _LAST_DAY))


def _years(levels: Iterable[Sequence[str]]) -> list[int]:
    """Return the years named on the first level that names any."""
    for texts in levels:
        years = {int(year) for text in texts for year in _YEAR_ANYWHERE.findall(_plain(text))}
        if years:
            return sorted(years)
    return []


def _plain(text: str) -> str:
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))


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
