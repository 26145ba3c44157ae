"""The working days of China: weekends, public holidays, and the weekends that are worked in exchange.

Pure: nothing here reads a clock. The State Council announces a year's holidays in the autumn before it; for years not
announced yet the statutory holidays are known and the exchanged weekends are not.
"""

from __future__ import annotations

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache
from itertools import accumulate

from enforcement_reporting.periods import FIRST_YEAR, LAST_YEAR

# Deadlines of the last periods lie in the year after.
FIRST_DAY, LAST_DAY = date(FIRST_YEAR, 1, 1), date(LAST_YEAR + 1, 12, 31)


def is_working_day(day: date) -> bool:
    """Return whether offices work on a day, exchanged weekends included."""
    return day in _working()


def nth_working_day_after(day: date, number: int) -> date:
    """Return the ``number``-th working day after a day; for 0 the day itself, or the working day next after it."""
    days = _in_order()
    if number == 0 and is_working_day(day):
        return day
    return days[bisect_right(days, day) + max(number, 1) - 1]


def day_of_month_after(day: date, months: int, number: int) -> date:
    """Return a day of the month so many months later; the last one where that month is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(number, monthrange(year, month + 1)[1]))


def days_counted() -> Iterator[tuple[date, bool, int]]:
    """Yield each day with whether it is worked on, and how many working days there were up to and including it."""
    days = [FIRST_DAY + timedelta(number) for number in range((LAST_DAY - FIRST_DAY).days + 1)]
    working = [is_working_day(day) for day in days]
    return zip(days, working, accumulate(map(int, working)), strict=True)


@lru_cache(maxsize=1)
def _working() -> frozenset[date]:
    # Imported here: it costs a quarter of a second, and most commands never ask for a working day.
    import holidays

    china = holidays.country_holidays("CN", years=range(FIRST_YEAR, LAST_YEAR + 2))
    count = (LAST_DAY - FIRST_DAY).days + 1
    return frozenset(
        day for day in (FIRST_DAY + timedelta(number) for number in range(count)) if china.is_working_day(day)
    )


@lru_cache(maxsize=1)
def _in_order() -> tuple[date, ...]:
    return tuple(sorted(_working()))
