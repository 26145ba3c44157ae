"""Until when what is due: the working days as the State Council announced them, and every way to declare a deadline.

The schedules below are typed in from the yearly notices (国务院办公厅关于部分节假日安排的通知), by none of the packages
that the product takes its working days from.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from conftest import settings_for
from enforcement_reporting.catalog import CatalogError, Deadline, load_catalog
from enforcement_reporting.periods import Calendar, CalendarKind, Period
from enforcement_reporting.settings import Settings
from enforcement_reporting.warehouse import connect
from enforcement_reporting.warehouse.load import load_catalog_tables
from enforcement_reporting.workdays import (
    FIRST_DAY,
    LAST_DAY,
    day_of_month_after,
    days_counted,
    is_working_day,
    nth_working_day_after,
)

# A year's holidays from first to last day, and the weekend days worked in exchange.
Schedule = tuple[tuple[tuple[str, str], ...], tuple[str, ...]]
ANNOUNCED: dict[int, Schedule] = {
    2023: (  # 国办发明电〔2022〕16号
        (
            ("2022-12-31", "2023-01-02"),  # 元旦
            ("2023-01-21", "2023-01-27"),  # 春节
            ("2023-04-05", "2023-04-05"),  # 清明节
            ("2023-04-29", "2023-05-03"),  # 劳动节
            ("2023-06-22", "2023-06-24"),  # 端午节
            ("2023-09-29", "2023-10-06"),  # 中秋节、国庆节
        ),
        ("2023-01-28", "2023-01-29", "2023-04-23", "2023-05-06", "2023-06-25", "2023-10-07", "2023-10-08"),
    ),
    2024: (  # 国办发明电〔2023〕7号; 2024-02-09, the eve of the festival, was only encouraged and is a working day
        (
            ("2024-01-01", "2024-01-01"),
            ("2024-02-10", "2024-02-17"),
            ("2024-04-04", "2024-04-06"),
            ("2024-05-01", "2024-05-05"),
            ("2024-06-10", "2024-06-10"),
            ("2024-09-15", "2024-09-17"),
            ("2024-10-01", "2024-10-07"),
        ),
        (
            *("2024-02-04", "2024-02-18", "2024-04-07", "2024-04-28", "2024-05-11", "2024-09-14"),
            *("2024-09-29", "2024-10-12"),
        ),
    ),
    2025: (  # 国办发明电〔2024〕12号
        (
            ("2025-01-01", "2025-01-01"),
            ("2025-01-28", "2025-02-04"),
            ("2025-04-04", "2025-04-06"),
            ("2025-05-01", "2025-05-05"),
            ("2025-05-31", "2025-06-02"),
            ("2025-10-01", "2025-10-08"),
        ),
        ("2025-01-26", "2025-02-08", "2025-04-27", "2025-09-28", "2025-10-11"),
    ),
}
MONTHS = {period.period_id: period for period in Calendar(CalendarKind.MONTH).periods()}
# Long enough before the last day that is known for any deadline to lie inside.
ENDS = st.dates(date(2010, 2, 1), date(2044, 6, 30))


def day(text: str) -> date:
    return date.fromisoformat(text)


def days(first: date, last: date) -> list[date]:
    return [first + timedelta(number) for number in range((last - first).days + 1)]


def month(period_id: str) -> Period:
    return MONTHS[period_id]


def ending(on: date) -> Period:
    """Return a period of one month that ends on a day, whatever day that is."""
    calendar = Calendar(CalendarKind.CAMPAIGN, starts_on=on - timedelta(20), issues=(on,))
    (period,) = calendar.periods()
    return period


def due(period: Period, **declared: Any) -> date | None:
    return Deadline(at="17:30", **declared).due_on(period)


# --- working days ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("year", ANNOUNCED)
def test_the_working_days_of_a_year_are_those_that_were_announced(year: int) -> None:
    holidays, exchanged = ANNOUNCED[year]
    off = {item for first, last in holidays for item in days(day(first), day(last))}
    worked = {day(text) for text in exchanged}
    assert all(item.weekday() >= 5 for item in worked) and not off & worked
    for item in days(date(year, 1, 1), date(year, 12, 31)):
        announced = item in worked or (item.weekday() < 5 and item not in off)
        assert is_working_day(item) == announced, item


@pytest.mark.parametrize("year", range(2010, 2027))
def test_two_independent_packages_know_the_same_working_days(year: int) -> None:
    differing = [
        item
        for item in days(date(year, 1, 1), date(year, 12, 31))
        if is_working_day(item) != chinese_calendar.is_workday(item)
    ]
    assert differing == []


def test_every_day_is_counted_once_from_the_first_to_the_last() -> None:
    counted = list(days_counted())
    assert [item for item, _, _ in counted] == days(FIRST_DAY, LAST_DAY)
    number = 0
    for item, is_working, working_days in counted:
        number += is_working_day(item)
        assert (is_working, working_days) == (is_working_day(item), number)


@pytest.mark.parametrize(
    ("after", "number", "expected"),
    [
        ("2023-09-28", 1, "2023-10-07"),  # the Saturday after National Day week is worked
        ("2023-09-28", 2, "2023-10-08"),  # and so is the Sunday
        ("2023-09-28", 3, "2023-10-09"),
        ("2024-02-09", 1, "2024-02-18"),
        ("2024-10-11", 1, "2024-10-12"),
        ("2025-09-30", 2, "2025-10-10"),
        ("2025-09-30", 3, "2025-10-11"),
        ("2025-10-08", 0, "2025-10-09"),  # a holiday is followed by the working day next after it
        ("2025-10-11", 0, "2025-10-11"),  # a Saturday that is worked is one
    ],
)
def test_working_days_are_counted_over_holidays_and_exchanged_weekends(after: str, number: int, expected: str) -> None:
    assert nth_working_day_after(day(after), number) == day(expected)


@pytest.mark.parametrize(
    ("after", "months", "number", "expected"),
    [
        ("2025-01-31", 1, 31, "2025-02-28"),
        ("2024-01-31", 1, 30, "2024-02-29"),
        ("2024-12-31", 1, 5, "2025-01-05"),
        ("2024-11-30", 13, 31, "2025-12-31"),
        ("2025-03-24", 0, 28, "2025-03-28"),
    ],
)
def test_a_day_of_a_later_month_is_the_last_one_where_that_month_is_shorter(
    after: str, months: int, number: int, expected: str
) -> None:
    assert day_of_month_after(day(after), months, number) == day(expected)


# --- deadlines ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("period", "declared", "expected"),
    [
        # the n-th working day: over the New Year, over National Day week, over a Spring Festival
        ("2023-12", {"working_day": 1}, "2024-01-02"),
        ("2023-09", {"working_day": 1}, "2023-10-07"),
        ("2023-09", {"working_day": 5}, "2023-10-11"),
        ("2025-01", {"working_day": 3}, "2025-02-07"),
        ("2025-01", {"working_day": 4}, "2025-02-08"),
        ("2025-08", {"working_day": 0}, "2025-09-01"),  # the 31st is a Sunday
        ("2025-09", {"working_day": 0}, "2025-09-30"),
        # a day of the month after, of the next but one, of the same
        ("2025-01", {"day": 5}, "2025-02-05"),
        ("2025-01", {"day": 31}, "2025-02-28"),
        ("2025-12", {"day": 31, "months_later": 2}, "2026-02-28"),
        ("2023-12", {"day": 30, "months_later": 2}, "2024-02-29"),
        ("2025-11", {"day": 30, "months_later": 0}, "2025-11-30"),
        # so many days later
        ("2025-02", {"days_after": 0}, "2025-02-28"),
        ("2025-02", {"days_after": 10}, "2025-03-10"),
        ("2024-12", {"days_after": 365}, "2025-12-31"),
        # moved where it falls on a day off, and left where it does not
        ("2025-09", {"day": 5, "postponed": True}, "2025-10-09"),
        ("2025-09", {"day": 5}, "2025-10-05"),
        ("2025-09", {"day": 11, "postponed": True}, "2025-10-11"),
        ("2024-01", {"days_after": 4, "postponed": True}, "2024-02-04"),
        ("2024-01", {"days_after": 10, "postponed": True}, "2024-02-18"),
        ("2025-09", {"dates": {"2025-09": "2025-10-05"}, "postponed": True}, "2025-10-09"),
        # a day for each period by itself
        ("2025-09", {"dates": {"2025-09": "2025-10-05"}}, "2025-10-05"),
        ("2025-08", {"dates": {"2025-09": "2025-10-05"}}, None),
    ],
)
def test_a_deadline_falls_on(period: str, declared: dict[str, Any], expected: str | None) -> None:
    assert due(month(period), **declared) == (day(expected) if expected else None)


def test_a_month_that_ends_on_the_24th_is_due_in_the_month_after_it_ended_in() -> None:
    shifted = {period.period_id: period for period in Calendar(CalendarKind.MONTH, month_starts_on=25).periods()}
    (period,) = [item for item in shifted.values() if item.ends_on == date(2025, 9, 24)]
    assert due(period, day=3) == date(2025, 10, 3)
    assert due(period, working_day=5) == date(2025, 9, 30)  # the 28th, a Sunday, is worked


def test_it_is_due_at_an_hour_of_the_authoritys_day() -> None:
    deadline = Deadline(working_day=1, at="17:30")
    assert deadline.due_at(date(2025, 9, 1), ZoneInfo("Asia/Shanghai")) == datetime.fromisoformat("2025-09-01T09:30Z")
    assert deadline.due_at(date(2025, 9, 1), ZoneInfo("Asia/Urumqi")) == datetime.fromisoformat("2025-09-01T11:30Z")


@pytest.mark.parametrize(
    "declared",
    [
        {"at": "17:30"},
        {"at": "17:30", "working_day": 1, "day": 5},
        {"at": "17:30", "working_day": 1, "months_later": 2},
        {"at": "17:30", "days_after": 1, "dates": {"2025-09": "2025-10-05"}},
        {"at": "17:30", "day": 0},
        {"at": "17:30", "day": 32},
        {"at": "17:30", "working_day": -1},
        {"at": "25:30", "day": 5},
        {"at": 1050, "day": 5},
        {"at": "17:30", "day": 5, "grace": 2},
    ],
)
def test_a_deadline_that_says_two_things_or_nothing_is_refused(declared: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Deadline.model_validate(declared)


# --- properties -----------------------------------------------------------------------------------------------------

WAYS = st.one_of(
    st.builds(lambda number: {"working_day": number}, st.integers(0, 60)),
    st.builds(
        lambda number, later, postponed: {"day": number, "months_later": later, "postponed": postponed},
        st.integers(1, 31),
        st.integers(1, 12),
        st.booleans(),
    ),
    st.builds(
        lambda number, postponed: {"days_after": number, "postponed": postponed}, st.integers(0, 365), st.booleans()
    ),
)


@hypothesis_settings(deadline=None)
@given(ends_on=ENDS, declared=WAYS)
def test_nothing_is_due_before_its_period_has_ended(ends_on: date, declared: dict[str, Any]) -> None:
    on = due(ending(ends_on), **declared)
    assert on is not None and on >= ends_on


@hypothesis_settings(deadline=None)
@given(ends_on=ENDS, later=st.integers(0, 400), declared=WAYS)
def test_a_later_period_is_not_due_sooner(ends_on: date, later: int, declared: dict[str, Any]) -> None:
    one, other = due(ending(ends_on), **declared), due(ending(ends_on + timedelta(later)), **declared)
    assert one is not None and other is not None and one <= other


@hypothesis_settings(deadline=None)
@given(ends_on=ENDS, number=st.integers(1, 60))
def test_the_nth_working_day_has_exactly_n_working_days_up_to_it(ends_on: date, number: int) -> None:
    on = due(ending(ends_on), working_day=number)
    assert on is not None and is_working_day(on)
    assert sum(map(is_working_day, days(ends_on + timedelta(1), on))) == number


@hypothesis_settings(deadline=None)
@given(ends_on=ENDS, number=st.integers(0, 365))
def test_what_is_postponed_is_moved_over_days_off_only(ends_on: date, number: int) -> None:
    plain, moved = (due(ending(ends_on), days_after=number, postponed=postponed) for postponed in (False, True))
    assert plain is not None and moved is not None and is_working_day(moved)
    assert not any(map(is_working_day, days(plain, moved - timedelta(1))))


# --- in the catalog and in the warehouse ----------------------------------------------------------------------------

FILES = {
    "catalog/landing.yaml": "places: [{place_id: inbox, path: inbox, policy: collect}]",
    "catalog/au/authority.yaml": """
authority_id: au
name: 市应急局
time_zone: Asia/Urumqi
units:
  unit_id: all
  name: 全市
  kind: 全市
  members:
    - {unit_id: county, name: 甲县, kind: 县}
    - {unit_id: city, name: 市本级, kind: 市}
""",
    "catalog/au/forms/f.yaml": """
form_id: f
authority_id: au
title: 执法情况月报
calendar: {kind: month, summaries: [quarter]}
figures: single
unit_labels: [单位]
deadlines:
  - {unit_kinds: [县], day: 3, postponed: true, at: "18:00"}
  - {working_day: 6, at: "12:00"}
owed_from: 2025-09-30
owed_to: 2025-12-31
indicators: [{indicator_id: checks, label: [检查], unit_of_measure: 家次}]
""",
}


def written(folder: Path, **changes: tuple[str, str]) -> Path:
    """Write the definitions, with one text in the place of another in the form."""
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for old, new in changes.values() if name.endswith("f.yaml") else ():
            assert old in content
            content = content.replace(old, new)
        path.write_text(content, encoding="utf-8")
    return folder


def test_two_levels_owe_the_same_form_by_days_of_their_own_and_no_period_before_or_after(
    warehouse: Settings, tmp_path: Path
) -> None:
    catalog = load_catalog(written(tmp_path / "definitions"))
    with connect(settings_for(tmp_path, url=warehouse.warehouse_url)) as connection:
        connection.execute("set timezone = 'UTC'")
        load_catalog_tables(connection, catalog)
        rows = connection.execute(
            "select unit_kind, period_id, due_on, due_at from catalog.deadlines order by unit_kind, period_id"
        ).fetchall()
        counted = dict(connection.execute("select day, working_days from catalog.days").fetchall())
    assert [(kind, period, f"{on:%m-%d}", f"{at:%Y-%m-%d %H:%M}") for kind, period, on, at in rows] == [
        ("县", "2025-09", "10-09", "2025-10-09 12:00"),  # 3 October lies in National Day week
        ("县", "2025-10", "11-03", "2025-11-03 12:00"),
        ("县", "2025-11", "12-03", "2025-12-03 12:00"),
        ("县", "2025-12", "01-04", "2026-01-04 12:00"),  # 4 January 2026 is a Sunday that is worked
        ("市", "2025-09", "10-15", "2025-10-15 06:00"),
        ("市", "2025-10", "11-10", "2025-11-10 06:00"),
        ("市", "2025-11", "12-08", "2025-12-08 06:00"),
        ("市", "2025-12", "01-09", "2026-01-09 06:00"),
    ]
    assert counted[date(2025, 10, 9)] - counted[date(2025, 9, 30)] == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("unit_kinds: [县]", "unit_kinds: [乡]", "no unit of kind '乡'"),
        ("  - {working_day: 6, at", "  - {unit_kinds: [县], working_day: 6, at", "declared twice"),
        ('  - {working_day: 6, at: "12:00"}\n', "", "expected one for units of kind '市' too"),
        ("owed_from: 2025-09-30\nowed_to: 2025-12-31\n", "", "deadlines and owed_from"),
        ("owed_to: 2025-12-31", "owed_to: 2025-08-31", "owed_to"),
        ("working_day: 6", "dates: {2025-13: 2025-12-01}", "'2025-13' is no period"),
    ],
)
def test_deadlines_for_nobody_or_for_some_only_are_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(CatalogError, match=said):
        load_catalog(written(tmp_path, form=(old, new)))
