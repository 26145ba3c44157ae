"""Reporting periods: every period a form's calendar has, and which of them a text speaks of.

Pure: nothing here reads a clock. A calendar is drawn up as a whole, from FIRST_YEAR to LAST_YEAR and ahead of any
submission; what it does not list is no period. Ids of one kind sort by time, those of a list excepted:

    month         2025-09            quarter   2025-Q3         half    2025-H1        year   2025
    year_to_date  2025-M01-M09       campaign  2023-09-26 (an issue, named after its cut-off day)
    week          2025-W37 (as in ISO 8601, Monday to Sunday)                         list   as declared

Besides the periods that are reported a calendar may have summaries: coarser periods, whose figures are those of the
last reported period inside them (a third quarter says what September's cumulative figures say).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import NamedTuple

# A year of the ISO calendar for weeks; for months that begin in the middle of one, the year they are named after.
FIRST_YEAR, LAST_YEAR = 2010, 2045


class CalendarKind(StrEnum):
    """How a form divides time."""

    MONTH = "month"
    QUARTER = "quarter"
    HALF = "half"
    YEAR = "year"
    YEAR_TO_DATE = "year_to_date"
    CAMPAIGN = "campaign"
    WEEK = "week"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Period:
    """One period of a calendar: the days it covers, and where it stands among the others.

    ``ends_on`` is the cut-off; cumulative figures count from ``accumulates_from``, which tells one accumulation window
    from another. ``sequence`` numbers the periods of one kind in their window from 1. ``reported_as`` is the reported
    period whose figures it has: itself, unless it is a summary. ``previous_period_id`` is the one before it of the same
    kind, for year-to-date periods only within the year; ``year_ago_period_id`` the one with the same name a year
    earlier, which campaigns and their months do not have. Both are None where the calendar has no such period.
    """

    period_id: str
    starts_on: date
    ends_on: date
    accumulates_from: date
    name: str
    kind: CalendarKind
    sequence: int
    reported_as: str
    previous_period_id: str | None
    year_ago_period_id: str | None

    @property
    def opens_window(self) -> bool:
        """Return whether no earlier period of its kind counts from the same day."""
        return self.sequence == 1


@dataclass(frozen=True)
class ListedPeriod:
    """A period of a calendar that is a plain list; it accumulates from its own first day unless another is given."""

    period_id: str
    name: str
    starts_on: date
    ends_on: date
    accumulates_from: date | None = None
    year_ago: str | None = None


@dataclass(frozen=True)
class Recognition:
    """What a set of texts says about the period: one period, several that contradict, or none.

    ``evidence`` quotes the text that decided.
    """

    candidates: tuple[Period, ...]
    evidence: str = ""

    @cached_property
    def period(self) -> Period | None:
        """Return the period if the texts agree on exactly one."""
        return self.candidates[0] if len(self.candidates) == 1 else None


class _Manner(StrEnum):
    """How a text speaks of time; it decides which calendars it can mean."""

    DAYS = "days"  # from one day to another, or whole months
    YEAR = "year"  # a year said to be whole: 2025年度, 2025年全年
    BARE_YEAR = "bare year"  # 2025年
    ISSUE = "issue"  # 0912期: up to that day
    WEEK = "week"  # 第37周


_MANNERS = tuple(_Manner)


@dataclass(frozen=True)
class _Mention:
    """Days or a week a text speaks of; a missing year is None and is looked for elsewhere."""

    manner: _Manner
    year: int | None
    first: tuple[int, int]
    last: tuple[int, int]
    last_year: int | None = None
    week: int = 0

    @property
    def is_whole_months(self) -> bool:
        """Return whether months are named, and not the days they begin and end on."""
        return self.last[1] == _LAST_DAY

    def days(self, year: int) -> tuple[date, date] | None:
        """Return the days where the mention's own year, or else ``year``, is meant; None where there is no such day."""
        year = self.year or year
        last_year = self.last_year or year + (self.last < self.first and not self.is_whole_months)
        try:
            last = _month_end(last_year, self.last[0]) if self.is_whole_months else date(last_year, *self.last)
            return date(year, *self.first), last
        except ValueError:
            return None


@dataclass(frozen=True)
class _Said:
    """All that one text says about time: what it may call a period, and the years it names."""

    mentions: tuple[_Mention, ...] = ()
    years: frozenset[int] = frozenset()


_LAST_DAY = 0
_DIGITS = {digit: number for number, digit in enumerate("零一二三四五六七八九")}
_DASHES = "-~―—–－～至到"
_DASH = r"(?:[-~―—–－～]+|起?至|到)"
_YYYY = r"(?:19|20)[0-9]{2}"
_YEAR = rf"(?P<year>{_YYYY})年?度?"
_MONTH = r"(?:1[0-2]|0?[1-9]|十[一二]?|[一二三四五六七八九])"
_QUARTER = r"[1-4一二三四]"
_WEEK = r"(?:[1-5][0-9]|0?[1-9]|[二三四五]?十[一二三四五六七八九]?|[一二三四五六七八九])"
_M_D = r"(?P<m{0}>1[0-2]|0?[1-9])[月\-./](?P<d{0}>[12][0-9]|3[01]|0?[1-9])(?![0-9])日?"
# Where no year stands before it, an expression starts afresh: not inside a longer number, and not after 去年.
_FRESH = r"(?<![0-9年\-~—–至到./])"

_SPEAKS_OF_TIME = re.compile(r"[0-9月季年周]")
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
# Not the second week of September (9月第2周), not several weeks (第36—37周, 第36周至第37周), no cycle (周期).
_ONE_WEEK = re.compile(
    rf"(?:{_YEAR}|(?<![0-9年月\-~—–至到./]))第(?P<w>{_WEEK})周(?![期年岁]|{_DASH}第?[0-9一二三四五])"
    rf"|(?<![0-9])(?P<year2>{_YYYY})-?W(?P<w2>[0-5][0-9])(?![0-9])"
)
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


# What occurs in none of the patterns.
_NO_WORD_OF_TIME = re.compile(
    "[^0-9"
    + re.escape(
        "".join(
            pattern.pattern
            for pattern in (
                *(_CHINESE_YEAR, _FILED, _DAY_TO_DAY, _ONE_DAY, _ISSUE, _ONE_WEEK, _MONTHS, _FIRST_QUARTERS, _HALF),
                *(_ONE_QUARTER, _ONE_MONTH, _WHOLE_YEAR, _BARE_YEAR),
            )
        )
    )
    + "]"
)
# Every expression has one of these marks, by which `_understood` looks for it. Between two characters that occur in no
# pattern, what has none of them says nothing of time: a serial, a telephone number.
_MARKS = _DASHES + "./年半季月周期间QW"
_OTHER = f"[^□{re.escape(_MARKS)}]*+"
_NOTHING_OF_TIME = re.compile(f"(?:^|□)(?:(?:{_OTHER}□)++(?:{_OTHER}$)?|{_OTHER}$)")


# Which coarser periods the periods of a calendar can be summed up to.
_COARSER = {
    CalendarKind.MONTH: (CalendarKind.QUARTER, CalendarKind.HALF, CalendarKind.YEAR),
    CalendarKind.YEAR_TO_DATE: (CalendarKind.QUARTER, CalendarKind.HALF, CalendarKind.YEAR),
    CalendarKind.QUARTER: (CalendarKind.HALF, CalendarKind.YEAR),
    CalendarKind.HALF: (CalendarKind.YEAR,),
    CalendarKind.CAMPAIGN: (CalendarKind.MONTH,),
}


@dataclass(frozen=True)
class Calendar:
    """The calendar of one form: which periods there are, and which of them a text speaks of.

    ``starts_on`` is the first day of a campaign and ``issues`` are its cut-off days. ``counted_from`` is the day from
    which a form's figures were first counted, where that is later than the start of the window (a scheme that began in
    April). A ``month_starts_on`` 25 makes months run from the 25th to the 24th, named after the month they end in.
    ``listed`` are the periods of a list; ``summaries`` the kinds of coarser periods wanted besides.
    """

    kind: CalendarKind
    starts_on: date | None = None
    counted_from: date | None = None
    issues: tuple[date, ...] = ()
    month_starts_on: int = 1
    listed: tuple[ListedPeriod, ...] = ()
    summaries: tuple[CalendarKind, ...] = ()

    def __post_init__(self) -> None:
        is_campaign, is_list = self.kind is CalendarKind.CAMPAIGN, self.kind is CalendarKind.LIST
        if is_campaign != (self.starts_on is not None):
            raise ValueError("starts_on is needed for a campaign calendar, and for no other")
        if is_campaign != bool(self.issues):
            raise ValueError("issues are needed for a campaign calendar, and for no other: the cut-off day of each")
        if is_list != bool(self.listed):
            raise ValueError("periods are needed for a calendar that is a list, and for no other")
        if self.month_starts_on != 1 and self.kind is not CalendarKind.MONTH:
            raise ValueError("month_starts_on is for a calendar of months only")
        if not 1 <= self.month_starts_on <= 28:
            raise ValueError(f"month_starts_on: expected a day that every month has, found {self.month_starts_on}")
        if is_list and self.counted_from:
            raise ValueError("counted_from is not for a list: its periods have accumulates_from")
        cut_offs = [day for day in (self.starts_on, *self.issues) if day]
        if any(earlier >= later for earlier, later in pairwise(cut_offs)):
            raise ValueError(
                f"issues: expected days after starts_on ({self.starts_on}), each later than the one before"
            )
        listed_days = [day for item in self.listed for day in (item.starts_on, item.ends_on)]
        for day in (*cut_offs, *listed_days, *([self.counted_from] if self.counted_from else [])):
            if not FIRST_YEAR <= day.year <= LAST_YEAR:
                raise ValueError(f"expected days from {FIRST_YEAR} to {LAST_YEAR}, found {day}")
        _check_listed(self.listed)
        coarser = _COARSER.get(self.kind, ())
        for summary in self.summaries:
            if summary not in coarser:
                possible = ", ".join(coarser) or "none"
                raise ValueError(f"summaries: possible for a {self.kind} calendar: {possible}; found {summary}")
        if len(set(self.summaries)) < len(self.summaries):
            raise ValueError("summaries: one of them stands twice")

    def periods(self) -> tuple[Period, ...]:
        """Return everything this calendar has, by cut-off; where cut-offs agree, a summary after what is reported."""
        return _drawn_up(self).periods

    def period(self, first: date, last: date) -> Period | None:
        """Return the reported period from ``first`` to ``last``, or None where this calendar has no such period.

        ``first`` may also be the day the period would begin on if nothing had been counted from a later one.
        """
        return _drawn_up(self).by_days.get((first, last))

    def recognise(self, *levels: Sequence[str]) -> Recognition:
        """Return the reported period the texts speak of, trying each level of texts in turn (sheet, workbook, file).

        The first level that speaks of a period of this calendar decides; a year missing there (``1-6月``) is taken
        from that level or, failing that, from the next that names one. Several different periods on the deciding
        level are all returned: the caller reports the contradiction, nobody guesses. Days on which a form was filled
        in or signed count for nothing. For a year-to-date calendar ``2025年度`` means the whole year only where no
        level names months: titles say it of every issue.
        """
        passes = [_MANNERS]
        if self.kind is CalendarKind.YEAR_TO_DATE:
            passes = [(_Manner.DAYS,), (_Manner.YEAR,)]
        elif self.kind is CalendarKind.LIST:  # 2025年度第一阶段 is not the year
            passes = [(_Manner.DAYS,)]
        for manners in passes:
            for number, texts in enumerate(levels):
                found = self._found(texts, manners, (*levels[number:], *levels[:number]))
                if found:
                    by_time = sorted(found, key=lambda period: (period.ends_on, period.starts_on, period.period_id))
                    return Recognition(tuple(by_time), " | ".join(dict.fromkeys(found.values())))
        return Recognition(())

    def _found(
        self, texts: Sequence[str], manners: Sequence[_Manner], levels: Sequence[Sequence[str]]
    ) -> dict[Period, str]:
        """Return the periods that the texts of one level speak of, each with the text that says so first."""
        found: dict[Period, str] = {}
        numbered: list[tuple[_Mention, str]] = []
        for text in texts:
            left = text[:_LONGEST_TEXT]
            if self.kind is CalendarKind.LIST:
                named, left = _drawn_up(self).take_names(left)
                found |= {period: text for period in named if period not in found}
            for mention in _said(left).mentions:
                if mention.manner in (_Manner.ISSUE, _Manner.WEEK):
                    numbered.append((mention, text))
                elif mention.manner in manners:
                    for period in self._periods(mention, levels):
                        found.setdefault(period, text)
        # A number without a year may stand for several periods; where days say which of them, it adds nothing.
        from_days = frozenset(found)
        for mention, text in numbered:
            if mention.manner in manners:
                periods = self._numbered(mention, levels)
                if from_days.isdisjoint(periods):
                    for period in periods:
                        found.setdefault(period, text)
        return found

    def _periods(self, mention: _Mention, levels: Sequence[Sequence[str]]) -> Iterable[Period]:
        """Yield the periods that days or months can mean, one for each year that they can be in."""
        if mention.manner is _Manner.BARE_YEAR and self.kind is not CalendarKind.YEAR:
            return
        drawn_up = _drawn_up(self)
        known = drawn_up.by_months if mention.is_whole_months else drawn_up.by_days
        for year in [mention.year] if mention.year else _years(levels):
            days = mention.days(year)
            if days and (period := known.get(days)):
                yield period

    def _numbered(self, mention: _Mention, levels: Sequence[Sequence[str]]) -> list[Period]:
        """Return the periods that an issue or a week can mean; of issues on one day, those of a year that is named."""
        reported = _drawn_up(self).reported
        if mention.manner is _Manner.WEEK and self.kind is CalendarKind.WEEK:
            ids = [f"{year}-W{mention.week:02}" for year in ([mention.year] if mention.year else _years(levels))]
            return [reported[period_id] for period_id in ids if period_id in reported]
        if mention.manner is not _Manner.ISSUE or self.kind is not CalendarKind.CAMPAIGN:
            return []
        periods = [period for period in reported.values() if (period.ends_on.month, period.ends_on.day) == mention.last]
        if mention.year:
            return [period for period in periods if period.ends_on.year == mention.year]
        years = _years(levels)
        return [period for period in periods if len(periods) > 1 and period.ends_on.year in years] or periods


def _check_listed(listed: Sequence[ListedPeriod]) -> None:
    """Raise ValueError where the periods of a list cannot be told apart or contradict themselves."""
    by_id = {item.period_id: item for item in listed}
    taken: set[tuple[str, object]] = set()
    for item in listed:
        days = (item.starts_on, item.ends_on)
        for key in (("period_id", item.period_id), ("name", _flat(item.name)), ("days", days)):
            if key in taken:
                raise ValueError(f"periods: {item.period_id}: an earlier one has the same {key[0]}")
            taken.add(key)
        if item.starts_on > item.ends_on:
            raise ValueError(f"periods: {item.period_id}: expected starts_on not after ends_on ({item.ends_on})")
        if item.accumulates_from and item.accumulates_from > item.starts_on:
            raise ValueError(f"periods: {item.period_id}: expected accumulates_from not after starts_on")
        if item.year_ago is not None:
            earlier = by_id.get(item.year_ago)
            if earlier is None or earlier.ends_on >= item.ends_on:
                raise ValueError(
                    f"periods: {item.period_id}: year_ago: expected a period of the list that ended before"
                )
    closed: set[date] = set()
    current: date | None = None
    for item in sorted(listed, key=lambda item: (item.ends_on, item.starts_on)):
        window = item.accumulates_from or item.starts_on
        if window in closed:
            raise ValueError(f"periods: {item.period_id}: goes on with a window after which another has begun")
        if current is not None and window != current:
            closed.add(current)
        current = window


@dataclass(frozen=True)
class _DrawnUp:
    """All periods of a calendar, and the reported ones by what texts call them."""

    periods: tuple[Period, ...]
    reported: dict[str, Period]
    by_days: dict[tuple[date, date], Period]
    by_months: dict[tuple[date, date], Period]  # by the days of the months they are named after
    by_name: dict[str, Period]
    names: re.Pattern[str] | None

    def take_names(self, text: str) -> tuple[list[Period], str]:
        """Return the periods of a list whose names stand in a text, and what else the text says."""
        left = _FILED.sub(" ", _flat(text))
        if self.names is None:
            return [], left
        return [self.by_name[match[0]] for match in self.names.finditer(left)], self.names.sub(" ", left)


class _Span(NamedTuple):
    """A period before it takes its place: its days are those it has where no later day of counting cuts it short."""

    period_id: str
    name: str
    first: date
    last: date
    window: date
    reported_as: str
    year_ago: str | None = None


@lru_cache(maxsize=256)
def _drawn_up(calendar: Calendar) -> _DrawnUp:
    """Return all periods of a calendar. Many forms share one; it is drawn up once."""
    counted_from = calendar.counted_from or date.min
    spans = [span for span in _reported_spans(calendar) if span.last >= counted_from]
    reported = _in_place(calendar.kind, spans, counted_from)
    by_id = {period.period_id: period for period in reported}
    periods = list(reported)
    for kind in CalendarKind:  # in the order of the kinds, however they were declared
        if kind in calendar.summaries:
            summaries = [span for span in _summary_spans(calendar, kind, reported) if span.reported_as in by_id]
            periods += _in_place(kind, summaries, counted_from)
    by_days = {(period.starts_on, period.ends_on): period for period in reported}
    by_days |= {(span.first, span.last): by_id[span.period_id] for span in spans}
    by_months = by_days
    if calendar.month_starts_on != 1:
        months = [(date.fromisoformat(f"{period.period_id}-01"), period) for period in reported]
        by_months = {(first, _month_end(first.year, first.month)): period for first, period in months}
    by_name = {_flat(span.name): by_id[span.period_id] for span in spans} if calendar.listed else {}
    return _DrawnUp(
        periods=tuple(sorted(periods, key=lambda period: period.ends_on)),
        reported=by_id,
        by_days=by_days,
        by_months=by_months,
        by_name=by_name,
        names=_any_of(by_name),
    )


def _in_place(kind: CalendarKind, spans: Sequence[_Span], counted_from: date) -> list[Period]:
    """Return the periods of one kind, given in order, each with its number and its neighbours."""
    ids = {span.period_id for span in spans}
    in_window: dict[date, int] = {}
    periods: list[Period] = []
    for span in spans:
        window = max(span.window, counted_from)
        in_window[window] = sequence = in_window.get(window, 0) + 1
        follows = periods and (sequence > 1 or kind is not CalendarKind.YEAR_TO_DATE)
        periods.append(
            Period(
                span.period_id,
                max(span.first, counted_from),
                span.last,
                window,
                span.name,
                kind,
                sequence,
                span.reported_as,
                periods[-1].period_id if follows else None,
                span.year_ago if span.year_ago in ids else None,
            )
        )
    return periods


def _reported_spans(calendar: Calendar) -> list[_Span]:
    match calendar.kind:
        case CalendarKind.WEEK:
            return list(_weeks())
        case CalendarKind.LIST:
            by_time = sorted(calendar.listed, key=lambda item: (item.ends_on, item.starts_on, item.period_id))
            return [
                _Span(
                    item.period_id,
                    item.name,
                    item.starts_on,
                    item.ends_on,
                    item.accumulates_from or item.starts_on,
                    item.period_id,
                    item.year_ago,
                )
                for item in by_time
            ]
        case CalendarKind.CAMPAIGN:
            start = calendar.starts_on
            assert start is not None
            return [
                _Span(day.isoformat(), f"{_day(start)}—{_day(day)}（{day:%m%d}期）", start, day, start, day.isoformat())
                for day in calendar.issues
            ]
        case _:
            return list(_parts_of_years(calendar.kind, calendar.kind, calendar.month_starts_on))


def _summary_spans(calendar: Calendar, kind: CalendarKind, reported: Sequence[Period]) -> Iterable[_Span]:
    if calendar.kind is CalendarKind.CAMPAIGN:
        return _months_of_issues(reported)
    return _parts_of_years(kind, calendar.kind, calendar.month_starts_on)


def _parts_of_years(kind: CalendarKind, reported: CalendarKind, month_starts_on: int) -> Iterator[_Span]:
    """Yield the months, quarters, halves, years or years to date of all years; their figures are in the reported kind.

    They have whatever the reported period has that ends with them.
    """
    length = _MONTHS_IN.get(kind, 1)
    for year in range(FIRST_YEAR, LAST_YEAR + 1):
        window = _month_start(year, 1, month_starts_on)
        for last in range(length, 13, length):
            first = 1 if kind is CalendarKind.YEAR_TO_DATE else last - length + 1
            yield _Span(
                _ID[kind](year, last),
                _NAME[kind](year, last),
                _month_start(year, first, month_starts_on),
                _month_start(year, last + 1, month_starts_on) - _ONE,
                window,
                _ID[reported](year, last),
                _ID[kind](year - 1, last),
            )


_ONE = timedelta(days=1)
_MONTHS_IN = {CalendarKind.QUARTER: 3, CalendarKind.HALF: 6, CalendarKind.YEAR: 12}
# By the last month they have.
_ID: dict[CalendarKind, Callable[[int, int], str]] = {
    CalendarKind.MONTH: lambda year, last: f"{year}-{last:02}",
    CalendarKind.QUARTER: lambda year, last: f"{year}-Q{last // 3}",
    CalendarKind.HALF: lambda year, last: f"{year}-H{last // 6}",
    CalendarKind.YEAR: lambda year, _: f"{year}",
    CalendarKind.YEAR_TO_DATE: lambda year, last: f"{year}-M01-M{last:02}",
}
_TO_DATE = {1: "1月", 6: "上半年", 9: "前三季度", 12: "全年"}
_NAME: dict[CalendarKind, Callable[[int, int], str]] = {
    CalendarKind.MONTH: lambda year, last: f"{year}年{last}月",
    CalendarKind.QUARTER: lambda year, last: f"{year}年第{'一二三四'[last // 3 - 1]}季度",
    CalendarKind.HALF: lambda year, last: f"{year}年{'上下'[last // 6 - 1]}半年",
    CalendarKind.YEAR: lambda year, _: f"{year}年",
    CalendarKind.YEAR_TO_DATE: lambda year, last: f"{year}年{_TO_DATE.get(last, f'1—{last}月')}",
}


def _months_of_issues(issues: Sequence[Period]) -> Iterator[_Span]:
    """Yield the months of a campaign that have an issue; each also covers those before it that have none."""
    last_issue = {(issue.ends_on.year, issue.ends_on.month): issue for issue in issues}
    first = issues[0].starts_on if issues else date.min
    for (year, month), issue in last_issue.items():
        last = _month_end(year, month)
        if (first.year, first.month) == (year, month):
            name = f"{year}年{month}月"
        elif first.year == year:
            name = f"{year}年{first.month}—{month}月"
        else:
            name = f"{first.year}年{first.month}月—{year}年{month}月"
        yield _Span(f"{year}-{month:02}", name, first, last, issue.accumulates_from, issue.period_id)
        first = last + _ONE


def _weeks() -> Iterator[_Span]:
    """Yield the weeks of all years; the accumulation window is the ISO year, which begins with its first week."""
    for year in range(FIRST_YEAR, LAST_YEAR + 1):
        window = first = date.fromisocalendar(year, 1, 1)
        for number in range(1, date(year, 12, 28).isocalendar().week + 1):
            last, period_id = first + 6 * _ONE, f"{year}-W{number:02}"
            name = f"{year}年第{number}周（{first.month}月{first.day}日—{last.month}月{last.day}日）"
            yield _Span(period_id, name, first, last, window, period_id, f"{year - 1}-W{number:02}")
            first = last + _ONE


def speaks_of_time(text: str) -> bool:
    """Return whether a text says anything about a period or a year."""
    said = _said(text[:_LONGEST_TEXT])
    return bool(said.mentions or said.years)


def words_of_time(text: str) -> str:
    """Return a text that says the same about time and nothing else, and nothing at all where there is nothing said."""
    words = _left_of_time(_one_width(text[:_LONGEST_TEXT]))
    if not speaks_of_time(words):
        return ""
    return words if len(words) <= _LONGEST_TEXT else text


@lru_cache(maxsize=4096)
def _said(text: str) -> _Said:
    """Return what a text says about time."""
    flat = _one_width(text)
    return _understood(_left_of_time(flat)) if _SPEAKS_OF_TIME.search(flat) else _NOTHING_SAID


def _left_of_time(flat: str) -> str:
    """Return a text that says the same about time, however much else there is around it."""
    return _NOTHING_OF_TIME.sub("□", _NO_WORD_OF_TIME.sub("□", flat))


@lru_cache(maxsize=4096)
def _understood(left: str) -> _Said:
    """Return what a text says whose other characters make no difference: 河口镇9月 and 上坡镇9月 are one text here."""
    left = _CHINESE_YEAR.sub(lambda match: match[0].translate(_CHINESE_YEAR_DIGITS), left)
    characters = set(left)
    mentions: list[_Mention] = []

    def take(marks: str, pattern: re.Pattern[str], mention: Callable[[re.Match[str]], _Mention] | None = None) -> None:
        """Take out of the text what a pattern finds; each expression that it finds has one of the marks in it."""
        nonlocal left
        assert set(marks) <= set(_MARKS), marks
        found = [] if characters.isdisjoint(marks) else list(pattern.finditer(left))
        if found:
            mentions.extend(map(mention, found) if mention else ())
            left = pattern.sub(" ", left)

    take("期间", _FILED)
    take(_DASHES, _DAY_TO_DAY, _day_to_day)
    take("月-./", _ONE_DAY)
    take("期", _ISSUE, lambda m: _Mention(_Manner.ISSUE, _int(m["year"]), (1, 1), (int(m["m1"]), int(m["d1"]))))
    take("周W", _ONE_WEEK, _one_week)
    take(_DASHES, _MONTHS, lambda m: _months(m, _number(m["m1"]), _number(m["m2"]), _int(m["year2"])))
    take("季", _FIRST_QUARTERS, lambda m: _months(m, 1, 3 * _number(m["q"] or m["q2"])))
    take("半", _HALF, lambda m: _months(m, 1, 6) if m["half"] == "上" else _months(m, 7, 12))
    take("季Q", _ONE_QUARTER, lambda m: _months(m, 3 * _number(m["q"] or m["q2"]) - 2, 3 * _number(m["q"] or m["q2"])))
    take("月-./", _ONE_MONTH, _one_month)
    years = {year for mention in mentions for year in (mention.year, mention.last_year) if year}
    named_narrowly = bool(mentions)
    take("年", _WHOLE_YEAR, lambda m: _whole_year(m, _Manner.YEAR))
    take("年", _BARE_YEAR, lambda m: _whole_year(m, _Manner.BARE_YEAR))
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


def _one_week(match: re.Match[str]) -> _Mention:
    week = _number(match["w"] or match["w2"])
    return _Mention(_Manner.WEEK, _int(match["year"] or match["year2"]), (1, 1), (1, 1), week=week)


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
    """Return the value of a month, quarter or week written in digits or Chinese numerals below a hundred."""
    if text.isdigit():
        return int(text)
    tens, ten, ones = text.rpartition("十")
    return (10 * (_DIGITS[tens] if tens else 1) if ten else 0) + (_DIGITS[ones] if ones else 0)


def _int(text: str | None) -> int | None:
    return int(text) if text else None


def _one_width(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split())


def _flat(text: str) -> str:
    """Return a text in which names are looked for: no white space, one width, one dash."""
    return re.sub(r"[-~―—–]+", "-", _one_width(text))


def _any_of(names: Iterable[str]) -> re.Pattern[str] | None:
    """Return what finds the names in a flat text: the longest there, and none that is cut out of a number or a date."""
    bounded = []
    for name in sorted(names, key=len, reverse=True):
        before = (
            r"(?<![0-9〇零一二三四五六七八九十年月\-至到./])"
            if re.match(r"[0-9〇零一二三四五六七八九十]", name)
            else ""
        )
        after = r"(?![0-9〇零一二三四五六七八九十])" if re.search(r"[0-9〇零一二三四五六七八九十年月]$", name) else ""
        bounded.append(before + re.escape(name) + after)
    return re.compile("|".join(bounded)) if bounded else None


def _month_start(year: int, month: int, day: int) -> date:
    """Return the first day of a month, which is a day of the calendar month before where months begin in its middle."""
    months = 12 * year + month - 1 - (day > 1)
    return date(months // 12, months % 12 + 1, day)


@lru_cache(maxsize=4096)
def _month_end(year: int, month: int) -> date:
    return _month_start(year, month + 1, 1) - _ONE


def _day(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"
