"""Every period a calendar has, and which of them a text speaks of: recognised exactly, or not at all."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import groupby, pairwise
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from enforcement_reporting.periods import (
    FIRST_YEAR,
    LAST_YEAR,
    Calendar,
    CalendarKind,
    ListedPeriod,
    Period,
    _said,
    _understood,
    speaks_of_time,
    words_of_time,
)

MONTH = Calendar(CalendarKind.MONTH)
QUARTER = Calendar(CalendarKind.QUARTER)
HALF = Calendar(CalendarKind.HALF)
YEAR = Calendar(CalendarKind.YEAR)
TO_DATE = Calendar(CalendarKind.YEAR_TO_DATE)
CAMPAIGN = Calendar(
    CalendarKind.CAMPAIGN,
    starts_on=date(2023, 5, 1),
    issues=(date(2023, 6, 28), date(2023, 8, 29), date(2023, 9, 4), date(2023, 9, 12), date(2023, 9, 26)),
    summaries=(CalendarKind.MONTH,),
)
FROM_THE_25TH = Calendar(CalendarKind.MONTH, month_starts_on=25, summaries=(CalendarKind.QUARTER, CalendarKind.YEAR))
WEEK = Calendar(CalendarKind.WEEK)
PHASES = Calendar(
    CalendarKind.LIST,
    listed=(
        ListedPeriod("phase_2", "第二阶段", date(2025, 3, 16), date(2025, 6, 30), accumulates_from=date(2025, 2, 1)),
        ListedPeriod("phase_1", "第一阶段（动员）", date(2025, 2, 1), date(2025, 3, 15)),
        ListedPeriod("again_1", "回头看1", date(2026, 3, 1), date(2026, 3, 31), year_ago="phase_1"),
        ListedPeriod("again_12", "回头看12", date(2026, 4, 1), date(2026, 4, 30)),
    ),
)
ALL = (MONTH, QUARTER, HALF, YEAR, TO_DATE, CAMPAIGN, FROM_THE_25TH, WEEK, PHASES)

NUMERALS = ["零", "一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二"]
years = st.integers(FIRST_YEAR, LAST_YEAR)
months = st.integers(1, 12)
# What may stand around the period in a title.
surroundings = st.sampled_from(
    ["{}", "荔城区{}安全生产执法统计表", "统计期间：{}", "（{}）", "附件1.{}汇总", " {} ", "截至{}"]
)
to = st.sampled_from(["-", "—", "--", "~", "～", "至", "到", "－", "–", " - "])


def ids(calendar: Calendar, *levels: str | list[str]) -> list[str]:
    recognition = calendar.recognise(*([level] if isinstance(level, str) else level for level in levels))
    return [period.period_id for period in recognition.candidates]


@pytest.mark.parametrize(
    ("calendar", "text", "period_id"),
    [
        (MONTH, "2025年9月", "2025-09"),
        (MONTH, "2025年09月份统计表", "2025-09"),
        (MONTH, "2025 年 9 月", "2025-09"),
        (MONTH, "２０２５年９月", "2025-09"),
        (MONTH, "2025年\n十二月", "2025-12"),
        (MONTH, "二〇二五年十一月", "2025-11"),
        (MONTH, "二○二五年一月", "2025-01"),
        (MONTH, "2025年度9月执法统计", "2025-09"),
        (MONTH, "2025-09", "2025-09"),
        (MONTH, "（2025.09）", "2025-09"),
        (MONTH, "2025年9月1日—9月30日", "2025-09"),
        (MONTH, "2025.9.1-2025.9.30", "2025-09"),
        (QUARTER, "2025年第三季度", "2025-Q3"),
        (QUARTER, "2025年三季度", "2025-Q3"),
        (QUARTER, "2025年3季度", "2025-Q3"),
        (QUARTER, "2025Q3", "2025-Q3"),
        (QUARTER, "2025年7-9月", "2025-Q3"),
        (HALF, "2025年上半年", "2025-H1"),
        (HALF, "2025年度下半年", "2025-H2"),
        (HALF, "2025年7月至12月", "2025-H2"),
        (YEAR, "2024年度", "2024"),
        (YEAR, "2024年", "2024"),
        (YEAR, "2024年全年", "2024"),
        (YEAR, "2024年1-12月", "2024"),
        (YEAR, "统计年度：2024", "2024"),
        (TO_DATE, "2025年1-9月", "2025-M01-M09"),
        (TO_DATE, "2025年1月—9月", "2025-M01-M09"),
        (TO_DATE, "2025年1月-2025年9月", "2025-M01-M09"),
        (TO_DATE, "2025年一至九月", "2025-M01-M09"),
        (TO_DATE, "2025年前三季度", "2025-M01-M09"),
        (TO_DATE, "2025年前3个季度", "2025-M01-M09"),
        (TO_DATE, "2025年第一至第三季度", "2025-M01-M09"),
        (TO_DATE, "2025年一季度", "2025-M01-M03"),
        (TO_DATE, "2025年上半年", "2025-M01-M06"),
        (TO_DATE, "2025年1月", "2025-M01-M01"),
        (TO_DATE, "2025年全年", "2025-M01-M12"),
        (TO_DATE, "2025年1月1日至2025年9月30日", "2025-M01-M09"),
        (CAMPAIGN, "（数据统计区间：2023年5月1日-2023年9月26日）", "2023-09-26"),
        (CAMPAIGN, "2023年5月1日-9月26日", "2023-09-26"),
        (CAMPAIGN, "2023年5月1日起至2023年9月26日", "2023-09-26"),
        (CAMPAIGN, "2023.5.1-9.26", "2023-09-26"),
        (CAMPAIGN, "2023-05-01至2023-09-26", "2023-09-26"),
        (CAMPAIGN, "调度表（0912期）", "2023-09-12"),
        (CAMPAIGN, "第０９１２期", "2023-09-12"),
        (CAMPAIGN, "20230912期", "2023-09-12"),
        (FROM_THE_25TH, "2025年9月", "2025-09"),
        (FROM_THE_25TH, "2025年8月25日—9月24日", "2025-09"),
        (FROM_THE_25TH, "2024年12月25日至2025年1月24日", "2025-01"),
        (WEEK, "2025年第37周", "2025-W37"),
        (WEEK, "2025年度第三十七周", "2025-W37"),
        (WEEK, "2025-W37", "2025-W37"),
        (WEEK, "2025年9月8日—9月14日", "2025-W37"),
        (WEEK, "第37周（2025.9.8-9.14）", "2025-W37"),
        (WEEK, "第1周（2024年12月30日—2025年1月5日）", "2025-W01"),
        (WEEK, "2025年第十周", "2025-W10"),
        (PHASES, "2025年度专项整治第二阶段统计表", "phase_2"),
        (PHASES, "第一阶段(动员)", "phase_1"),
        (PHASES, "2025年2月1日—3月15日", "phase_1"),
        (PHASES, "第一阶段（动员）（2025年2月1日—3月15日）", "phase_1"),
        (PHASES, "2026年3月", "again_1"),
        (PHASES, "回头看12", "again_12"),
    ],
)
def test_a_period_is_recognised_as_people_write_it(calendar: Calendar, text: str, period_id: str) -> None:
    assert ids(calendar, text) == [period_id]


def test_days_and_numbers_that_contradict_are_both_returned() -> None:
    assert ids(WEEK, "第36周（2025年9月8日—9月14日）") == ["2025-W36", "2025-W37"]
    assert ids(PHASES, "第二阶段（2025年2月1日—3月15日）") == ["phase_1", "phase_2"]


@pytest.mark.parametrize(
    ("calendar", "text"),
    [
        (MONTH, "2025年1-9月"),  # nine months are not September
        (MONTH, "2025年前三季度"),
        (MONTH, "2025年"),
        (MONTH, "2025年13月"),
        (MONTH, "2025年9月30日"),
        (MONTH, "去年9月"),
        (MONTH, "填报日期：2025年10月"),
        (MONTH, "制表时间：2025年10月8日"),
        (MONTH, "荔安办〔2023〕121号"),
        (MONTH, "2009年12月"),  # before anything was reported
        (MONTH, "2046年1月"),
        (QUARTER, "2025年前三季度"),
        (QUARTER, "2025年5-9月"),
        (HALF, "2025年1-7月"),
        (YEAR, "2025年上半年"),  # half a year is not the year
        (YEAR, "2025年第三季度"),
        (YEAR, "2025年1-6月"),
        (YEAR, "2025年度上半年"),
        (YEAR, "2025年1月15日"),
        (TO_DATE, "2025年第三季度"),
        (TO_DATE, "2025年9月"),  # that month alone, or up to it?
        (TO_DATE, "2025年4-9月"),
        (TO_DATE, "2025年"),
        (TO_DATE, "2025年9-1月"),
        (CAMPAIGN, "2023年5月2日-2023年9月26日"),  # another campaign
        (CAMPAIGN, "2023年5月1日-2023年4月1日"),
        (CAMPAIGN, "0932期"),
        (CAMPAIGN, "2023年5月1日-2023年9月31日"),
        (CAMPAIGN, "0919期"),  # no cut-off day of it
        (CAMPAIGN, "2023年5月1日-2023年9月19日"),
        (CAMPAIGN, "20240912期"),
        (CAMPAIGN, "2023年9月"),  # a summary is not reported
        (FROM_THE_25TH, "2025年9月1日—9月30日"),
        (FROM_THE_25TH, "2025年第三季度"),
        (WEEK, "2025年第53周"),
        (WEEK, "2025年9月9日—9月15日"),
        (WEEK, "2025年9月第2周"),  # which day does that one begin on?
        (WEEK, "第36—37周"),
        (WEEK, "2025年第36周至第37周"),
        (WEEK, "第3周期"),
        (WEEK, "2025年9月"),
        (MONTH, "第9周"),
        (PHASES, "2025年度"),
        (PHASES, "第一阶段"),
        (PHASES, "回头看11"),
        (PHASES, "2025年2月1日—3月16日"),
    ],
)
def test_what_is_no_period_of_the_calendar_is_not_guessed(calendar: Calendar, text: str) -> None:
    assert ids(calendar, text, [] if calendar is YEAR else "2025年报表") == []


def test_a_missing_year_is_looked_for_on_the_same_level_and_then_further_out() -> None:
    assert ids(TO_DATE, ["1-6月", "2020年统计"]) == ["2020-M01-M06"]
    assert ids(TO_DATE, ["1-6月"], [], "驻马店市2020年执法.xlsx") == ["2020-M01-M06"]
    assert ids(TO_DATE, ["1-6月"], "2020年", "2021年.xlsx") == ["2020-M01-M06"]
    assert ids(TO_DATE, ["1-6月"], [], "执法.xlsx") == []


def test_a_number_before_the_month_is_not_part_of_it() -> None:
    assert ids(MONTH, "附件1.1月汇总", "2025年") == []
    assert ids(MONTH, "第3季度至9月", "2025年") == []


def test_the_day_of_filling_in_does_not_say_the_year() -> None:
    assert ids(TO_DATE, ["1-12月", "填报日期：2025年1月5日"]) == []
    assert ids(TO_DATE, ["1-12月", "2025年1月5日"], "2024年度.xlsx") == ["2024-M01-M12"]


def test_contradicting_periods_are_all_returned() -> None:
    recognition = MONTH.recognise(["2025年8月统计表", "统计期间：2025年9月"])
    assert [period.period_id for period in recognition.candidates] == ["2025-08", "2025-09"]
    assert recognition.period is None
    assert recognition.evidence == "2025年8月统计表 | 统计期间：2025年9月"


def test_a_missing_year_with_two_years_at_hand_leaves_both() -> None:
    assert ids(TO_DATE, ["1-6月", "2024年与2025年"]) == ["2024-M01-M06", "2025-M01-M06"]


def test_the_first_level_that_speaks_decides() -> None:
    assert ids(MONTH, "2025年9月", "2025年8月", "2025年7月.xlsx") == ["2025-09"]
    assert ids(MONTH, "安全生产", "2025年8月", "2025年7月.xlsx") == ["2025-08"]


def test_the_same_period_said_twice_is_one() -> None:
    assert ids(TO_DATE, ["2025年前三季度", "2025年1-9月"]) == ["2025-M01-M09"]


def test_in_a_year_to_date_title_the_year_gives_way_to_the_months() -> None:
    assert ids(TO_DATE, ["2025年度执法统计表", "统计期间：1-6月"]) == ["2025-M01-M06"]
    assert ids(TO_DATE, "2025年度执法统计表", "1-6月.xlsx") == ["2025-M01-M06"]
    assert ids(TO_DATE, "2025年度执法统计表", "汇总.xlsx") == ["2025-M01-M12"]


def test_a_campaign_runs_across_the_new_year() -> None:
    campaign = Calendar(CalendarKind.CAMPAIGN, starts_on=date(2023, 11, 1), issues=(date(2024, 1, 15),))
    for text in ("0115期", "2023年11月1日-2024年1月15日", "2023年11月1日-1月15日", "20240115期"):
        assert ids(campaign, text) == ["2024-01-15"], text
    period = campaign.period(date(2023, 11, 1), date(2024, 1, 15))
    assert period and period.accumulates_from == date(2023, 11, 1)


def test_a_scheme_that_began_in_april_counts_from_april() -> None:
    calendar = Calendar(CalendarKind.YEAR_TO_DATE, counted_from=date(2025, 4, 1))
    (period,) = calendar.recognise(["2025年1-9月"]).candidates
    assert (period.starts_on, period.accumulates_from) == (date(2025, 4, 1), date(2025, 4, 1))
    assert ids(calendar, "2025年1-3月") == []
    (later,) = calendar.recognise(["2026年1-9月"]).candidates
    assert (later.starts_on, later.accumulates_from) == (date(2026, 1, 1), date(2026, 1, 1))
    assert ids(calendar, "2025年4-9月") == ["2025-M01-M09"]
    assert calendar.periods()[0].period_id == "2025-M01-M04"
    assert calendar.periods()[0].opens_window


def test_in_a_campaign_of_years_the_year_tells_issues_on_one_day_apart() -> None:
    days = (date(2023, 9, 26), date(2024, 9, 26))
    campaign = Calendar(CalendarKind.CAMPAIGN, starts_on=date(2023, 5, 1), issues=days)
    assert ids(campaign, "0926期") == ["2023-09-26", "2024-09-26"]
    assert ids(campaign, "0926期", "2024年.xlsx") == ["2024-09-26"]
    assert ids(campaign, "2023年5月1日—2024年9月26日（0926期）") == ["2024-09-26"]


def by_id(calendar: Calendar) -> dict[str, Period]:
    return {period.period_id: period for period in calendar.periods()}


def test_the_months_of_a_campaign_cover_those_before_them_that_had_no_issue() -> None:
    months = [period for period in CAMPAIGN.periods() if period.kind is CalendarKind.MONTH]
    assert [(p.period_id, p.name, p.starts_on, p.ends_on, p.reported_as) for p in months] == [
        ("2023-06", "2023年5—6月", date(2023, 5, 1), date(2023, 6, 30), "2023-06-28"),
        ("2023-08", "2023年7—8月", date(2023, 7, 1), date(2023, 8, 31), "2023-08-29"),
        ("2023-09", "2023年9月", date(2023, 9, 1), date(2023, 9, 30), "2023-09-26"),
    ]
    assert [(p.sequence, p.previous_period_id, p.accumulates_from) for p in months] == [
        (1, None, date(2023, 5, 1)),
        (2, "2023-06", date(2023, 5, 1)),
        (3, "2023-08", date(2023, 5, 1)),
    ]


def test_a_month_of_a_campaign_can_cover_the_new_year() -> None:
    campaign = Calendar(
        CalendarKind.CAMPAIGN,
        starts_on=date(2023, 11, 15),
        issues=(date(2023, 11, 30), date(2024, 2, 9)),
        summaries=(CalendarKind.MONTH,),
    )
    periods = by_id(campaign)
    assert (periods["2023-11"].starts_on, periods["2023-11"].name) == (date(2023, 11, 15), "2023年11月")
    assert (periods["2024-02"].starts_on, periods["2024-02"].name) == (date(2023, 12, 1), "2023年12月—2024年2月")
    assert periods["2024-02"].ends_on == date(2024, 2, 29)


def test_the_issues_of_a_campaign_follow_one_another() -> None:
    issue = by_id(CAMPAIGN)["2023-09-12"]
    assert (issue.starts_on, issue.accumulates_from) == (date(2023, 5, 1), date(2023, 5, 1))
    assert (issue.sequence, issue.previous_period_id, issue.year_ago_period_id) == (4, "2023-09-04", None)


def test_a_month_from_the_25th_is_named_after_the_month_it_ends_in() -> None:
    periods = by_id(FROM_THE_25TH)
    september, january = periods["2025-09"], periods["2025-01"]
    assert (september.name, september.starts_on, september.ends_on) == (
        "2025年9月",
        date(2025, 8, 25),
        date(2025, 9, 24),
    )
    assert september.accumulates_from == january.starts_on == date(2024, 12, 25)
    assert (september.sequence, september.previous_period_id, september.year_ago_period_id) == (9, "2025-08", "2024-09")
    assert (january.opens_window, january.previous_period_id) == (True, "2024-12")
    quarter = periods["2025-Q3"]
    assert (quarter.starts_on, quarter.ends_on, quarter.reported_as) == (
        date(2025, 6, 25),
        date(2025, 9, 24),
        "2025-09",
    )
    assert periods["2024-03"].starts_on == date(2024, 2, 25)
    assert FROM_THE_25TH.period(date(2024, 12, 25), date(2025, 1, 24)) == january


def test_summaries_stand_after_what_is_reported_and_say_what_it_says() -> None:
    calendar = Calendar(
        CalendarKind.YEAR_TO_DATE, summaries=(CalendarKind.YEAR, CalendarKind.QUARTER, CalendarKind.HALF)
    )
    in_june = [period for period in calendar.periods() if period.ends_on == date(2025, 6, 30)]
    assert [(p.period_id, p.name, p.reported_as) for p in in_june] == [
        ("2025-M01-M06", "2025年上半年", "2025-M01-M06"),
        ("2025-Q2", "2025年第二季度", "2025-M01-M06"),
        ("2025-H1", "2025年上半年", "2025-M01-M06"),
    ]
    assert [p.previous_period_id for p in in_june] == ["2025-M01-M05", "2025-Q1", "2024-H2"]
    assert [p.year_ago_period_id for p in in_june] == ["2024-M01-M06", "2024-Q2", "2024-H1"]


def test_a_year_to_date_has_none_before_it_in_another_year() -> None:
    assert by_id(TO_DATE)["2025-M01-M01"].previous_period_id is None
    assert by_id(TO_DATE)["2025-M01-M02"].previous_period_id == "2025-M01-M01"


def test_a_summary_needs_the_reported_period_that_ends_it() -> None:
    calendar = Calendar(
        CalendarKind.MONTH, counted_from=date(2025, 5, 10), summaries=(CalendarKind.QUARTER, CalendarKind.YEAR)
    )
    periods = by_id(calendar)
    assert "2025-Q1" not in periods
    assert (periods["2025-Q2"].starts_on, periods["2025-Q2"].previous_period_id) == (date(2025, 5, 10), None)
    assert (periods["2025"].accumulates_from, periods["2025"].reported_as) == (date(2025, 5, 10), "2025-12")
    assert periods["2025-Q3"].year_ago_period_id is None


def test_a_53rd_week_has_no_counterpart_a_year_ago() -> None:
    periods = by_id(WEEK)
    last = periods["2026-W53"]
    assert (last.name, last.year_ago_period_id) == ("2026年第53周（12月28日—1月3日）", None)
    assert (last.starts_on, last.ends_on, last.sequence) == (date(2026, 12, 28), date(2027, 1, 3), 53)
    first = periods["2027-W01"]
    assert (first.previous_period_id, first.year_ago_period_id, first.opens_window) == ("2026-W53", "2026-W01", True)
    assert periods["2025-W01"].accumulates_from == date(2024, 12, 30)
    assert "2025-W53" not in periods


def test_a_leap_day_belongs_to_february() -> None:
    for calendar, leap, common in ((MONTH, "2024-02", "2025-02"), (TO_DATE, "2024-M01-M02", "2025-M01-M02")):
        periods = by_id(calendar)
        assert (periods[leap].ends_on, periods[common].ends_on) == (date(2024, 2, 29), date(2025, 2, 28))
        assert periods[common].year_ago_period_id == leap
        assert calendar.period(periods[leap].starts_on, date(2024, 2, 28)) is None


def test_a_list_goes_by_its_cut_off_days() -> None:
    assert [period.period_id for period in PHASES.periods()] == ["phase_1", "phase_2", "again_1", "again_12"]
    assert [period.sequence for period in PHASES.periods()] == [1, 2, 1, 1]
    assert [period.previous_period_id for period in PHASES.periods()] == [None, "phase_1", "phase_2", "again_1"]
    assert by_id(PHASES)["again_1"].year_ago_period_id == "phase_1"
    assert by_id(PHASES)["again_1"].accumulates_from == date(2026, 3, 1)


PHASE = ListedPeriod("a", "第一阶段", date(2025, 1, 1), date(2025, 3, 31))
CAMPAIGN_DAY = date(2023, 5, 1)


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("campaign", {}, "starts_on is needed"),
        ("month", {"starts_on": CAMPAIGN_DAY}, "starts_on is needed"),
        ("campaign", {"starts_on": CAMPAIGN_DAY}, "issues are needed"),
        ("week", {"issues": (CAMPAIGN_DAY,)}, "issues are needed"),
        ("campaign", {"starts_on": CAMPAIGN_DAY, "issues": (CAMPAIGN_DAY,)}, "issues: expected days after starts_on"),
        (
            "campaign",
            {"starts_on": CAMPAIGN_DAY, "issues": (date(2023, 7, 1), date(2023, 6, 1))},
            "each later than the one before",
        ),
        ("campaign", {"starts_on": date(2009, 5, 1), "issues": (CAMPAIGN_DAY,)}, "from 2010 to 2045, found 2009-05-01"),
        ("list", {}, "periods are needed"),
        ("quarter", {"month_starts_on": 25}, "month_starts_on is for a calendar of months"),
        ("month", {"month_starts_on": 29}, "month_starts_on: expected a day that every month has"),
        ("week", {"summaries": (CalendarKind.MONTH,)}, "possible for a week calendar: none; found month"),
        ("list", {"listed": (PHASE,), "summaries": (CalendarKind.YEAR,)}, "possible for a list calendar: none"),
        ("month", {"summaries": (CalendarKind.MONTH,)}, "quarter, half, year; found month"),
        (
            "campaign",
            {"starts_on": CAMPAIGN_DAY, "issues": (date(2023, 7, 1),), "summaries": (CalendarKind.QUARTER,)},
            "month; found",
        ),
        ("month", {"summaries": (CalendarKind.YEAR, CalendarKind.YEAR)}, "stands twice"),
        ("list", {"listed": (PHASE,), "counted_from": CAMPAIGN_DAY}, "counted_from is not for a list"),
        ("list", {"listed": (PHASE, ListedPeriod("a", "乙", date(2025, 4, 1), date(2025, 4, 2)))}, "same period_id"),
        (
            "list",
            {"listed": (PHASE, ListedPeriod("b", "第一 阶段", date(2025, 4, 1), date(2025, 4, 2)))},
            "b: .* same name",
        ),
        ("list", {"listed": (PHASE, ListedPeriod("b", "乙", PHASE.starts_on, PHASE.ends_on))}, "same days"),
        ("list", {"listed": (ListedPeriod("b", "乙", PHASE.ends_on, PHASE.starts_on),)}, "starts_on not after ends_on"),
        (
            "list",
            {
                "listed": (
                    ListedPeriod("a", "甲", date(2025, 1, 1), date(2025, 3, 31)),
                    ListedPeriod("x", "丙", date(2025, 2, 1), date(2025, 4, 30)),
                    ListedPeriod("b", "乙", date(2025, 4, 1), date(2025, 6, 30), accumulates_from=date(2025, 1, 1)),
                )
            },
            "goes on with a window",
        ),
        (
            "list",
            {"listed": (ListedPeriod("b", "乙", PHASE.starts_on, PHASE.ends_on, accumulates_from=PHASE.ends_on),)},
            "accumulates_from not after starts_on",
        ),
        (
            "list",
            {"listed": (PHASE, ListedPeriod("b", "乙", date(2025, 4, 1), date(2025, 4, 2), year_ago="c"))},
            "b: year_ago",
        ),
    ],
)
def test_a_calendar_that_cannot_be_meant_is_refused(kind: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Calendar(CalendarKind(kind), **given)


days = st.dates(date(FIRST_YEAR, 1, 1), date(LAST_YEAR, 12, 31))
COARSER = [CalendarKind.QUARTER, CalendarKind.HALF, CalendarKind.YEAR]
months_and_years_to_date = st.builds(
    Calendar,
    kind=st.sampled_from([CalendarKind.MONTH, CalendarKind.YEAR_TO_DATE]),
    counted_from=st.none() | days,
    summaries=st.lists(st.sampled_from(COARSER), unique=True).map(tuple),
)
months_from_any_day = st.builds(
    Calendar,
    kind=st.just(CalendarKind.MONTH),
    counted_from=st.none() | days,
    month_starts_on=st.integers(1, 28),
    summaries=st.lists(st.sampled_from(COARSER), unique=True).map(tuple),
)
quarters = st.builds(
    Calendar,
    kind=st.just(CalendarKind.QUARTER),
    counted_from=st.none() | days,
    summaries=st.lists(st.sampled_from(COARSER[1:]), unique=True).map(tuple),
)
halves = st.builds(
    Calendar, kind=st.just(CalendarKind.HALF), counted_from=st.none() | days, summaries=st.just((CalendarKind.YEAR,))
)
years_and_weeks = st.builds(
    Calendar, kind=st.sampled_from([CalendarKind.YEAR, CalendarKind.WEEK]), counted_from=st.none() | days
)
campaigns = st.lists(days, min_size=2, max_size=40, unique=True).map(
    lambda drawn: Calendar(
        CalendarKind.CAMPAIGN,
        starts_on=min(drawn),
        issues=tuple(sorted(drawn)[1:]),
        summaries=(CalendarKind.MONTH,),
    )
)


@st.composite
def dense_campaigns(draw: st.DrawFn) -> Calendar:
    first = draw(st.dates(date(FIRST_YEAR, 1, 1), date(LAST_YEAR - 5, 1, 1)))
    steps = draw(st.lists(st.integers(1, 50), min_size=1, max_size=30))
    issues = tuple(first + timedelta(sum(steps[: number + 1])) for number in range(len(steps)))
    counted_from = draw(st.none() | st.integers(0, 100).map(lambda later: first + timedelta(later)))
    return Calendar(CalendarKind.CAMPAIGN, first, counted_from, issues, summaries=(CalendarKind.MONTH,))


@st.composite
def lists_of_periods(draw: st.DrawFn) -> Calendar:
    names = draw(
        st.lists(st.text("0123456789年月第一二三期批", min_size=1, max_size=6), min_size=1, max_size=8, unique=True)
    )
    spans = []
    for number in range(len(names)):
        first, last = sorted((draw(days), draw(days)))
        last = last.replace(month=1 + number, day=min(28, last.day))  # no two on the same days
        spans.append((min(first, last), last))
    # Windows of their own, or one from the first day of all; none goes on after another has begun.
    assume(len({date(FIRST_YEAR, 1, 1), *(first for first, _ in spans)}) == len(spans) + 1)
    together = draw(st.integers(0, len(spans)))
    spans.sort(key=lambda span: span[1])
    listed = [
        ListedPeriod(f"p{number}", name, *span, accumulates_from=date(FIRST_YEAR, 1, 1) if number < together else None)
        for number, (name, span) in enumerate(zip(names, spans, strict=True))
    ]
    return Calendar(CalendarKind.LIST, listed=tuple(listed))


calendars = st.one_of(
    months_and_years_to_date,
    months_from_any_day,
    quarters,
    halves,
    years_and_weeks,
    campaigns,
    dense_campaigns(),
    lists_of_periods(),
)


def kinds(calendar: Calendar) -> list[tuple[CalendarKind, list[Period]]]:
    """Return the periods of each kind, in order."""
    by_kind = sorted(calendar.periods(), key=lambda period: period.kind)
    return [(kind, list(periods)) for kind, periods in groupby(by_kind, key=lambda period: period.kind)]


def windows(periods: list[Period]) -> list[list[Period]]:
    by_window = sorted(periods, key=lambda period: period.accumulates_from)
    return [list(window) for _, window in groupby(by_window, key=lambda period: period.accumulates_from)]


@given(calendars)
def test_all_periods_are_there_once_and_in_order(calendar: Calendar) -> None:
    periods = calendar.periods()
    assert [period.ends_on for period in periods] == sorted(period.ends_on for period in periods)
    assert len({period.period_id for period in periods}) == len(periods)
    assert {period.kind for period in periods} <= {calendar.kind, *calendar.summaries}
    for period in periods:
        assert (calendar.counted_from or date.min) <= period.accumulates_from <= period.starts_on <= period.ends_on
    for kind, of_kind in kinds(calendar):
        if kind is not CalendarKind.LIST:
            assert [period.period_id for period in of_kind] == sorted(period.period_id for period in of_kind)


@given(calendars)
def test_periods_of_a_kind_tile_their_window_or_nest_in_it(calendar: Calendar) -> None:
    for kind, periods in kinds(calendar):
        if kind is CalendarKind.LIST:
            continue
        for window in windows(periods):
            assert window[0].starts_on == window[0].accumulates_from
            if kind in (CalendarKind.YEAR_TO_DATE, CalendarKind.CAMPAIGN):
                assert {period.starts_on for period in window} == {window[0].accumulates_from}
                assert all(earlier.ends_on < later.ends_on for earlier, later in pairwise(window))
        if kind not in (CalendarKind.YEAR_TO_DATE, CalendarKind.CAMPAIGN):
            assert all(later.starts_on - earlier.ends_on == timedelta(1) for earlier, later in pairwise(periods))


@given(calendars)
def test_the_sequence_counts_from_one_in_each_window(calendar: Calendar) -> None:
    for _, periods in kinds(calendar):
        for window in windows(periods):
            assert [period.sequence for period in window] == list(range(1, len(window) + 1))
            assert [period for period in window if period.opens_window] == window[:1]


@given(calendars)
def test_the_previous_period_is_the_one_before(calendar: Calendar) -> None:
    for kind, periods in kinds(calendar):
        expected = [None, *(period.period_id for period in periods[:-1])]
        if kind is CalendarKind.YEAR_TO_DATE:
            expected = [None if p.opens_window else before for p, before in zip(periods, expected, strict=True)]
        assert [period.previous_period_id for period in periods] == expected


@given(calendars)
def test_a_year_ago_is_the_same_cut_off_a_year_before(calendar: Calendar) -> None:
    for kind, periods in kinds(calendar):
        ids = {period.period_id: period for period in periods}
        if calendar.kind in (CalendarKind.CAMPAIGN, CalendarKind.LIST):
            assert not any(period.year_ago_period_id for period in periods)
            continue
        by_end = {period.ends_on: period for period in periods}
        for period in periods:
            earlier = ids[period.year_ago_period_id] if period.year_ago_period_id else None
            if kind is CalendarKind.WEEK:
                year, week, _ = period.starts_on.isocalendar()
                assert earlier is None or earlier.starts_on.isocalendar()[:2] == (year - 1, week)
                assert earlier or f"{year - 1}-W{week:02}" not in ids
            else:  # by the day after: the last day of February is not the same every year
                after = period.ends_on + timedelta(1)
                assert earlier == by_end.get(after.replace(year=after.year - 1) - timedelta(1))


@given(calendars)
def test_a_summary_says_what_the_last_reported_period_in_it_says(calendar: Calendar) -> None:
    reported = {period.period_id: period for period in calendar.periods() if period.kind is calendar.kind}
    for period in calendar.periods():
        if period.kind is calendar.kind:
            assert period.reported_as == period.period_id
        else:
            inside = [p for p in reported.values() if period.starts_on <= p.ends_on <= period.ends_on]
            last = max(inside, key=lambda p: p.ends_on)
            assert period.reported_as == last.period_id
            assert period.accumulates_from == last.accumulates_from
            assert last.ends_on == period.ends_on or calendar.kind is CalendarKind.CAMPAIGN


@given(calendars, st.data())
def test_a_reported_period_is_found_by_its_name_and_its_days_and_a_summary_is_not(
    calendar: Calendar, data: st.DataObject
) -> None:
    period = data.draw(st.sampled_from(calendar.periods())) if calendar.periods() else None
    if period and period.kind is calendar.kind:
        assert calendar.recognise([period.name]).candidates == (period,)
        assert calendar.period(period.starts_on, period.ends_on) == period
    elif period:
        assert period not in calendar.recognise([period.name]).candidates


def test_very_long_texts_cost_little() -> None:
    assert ids(MONTH, ["1-" * 500_000, "2025年9月" + "。" * 1_000_000]) == ["2025-09"]


@given(years, months, surroundings)
def test_every_month_is_recognised_in_every_way_of_writing_it(year: int, month: int, around: str) -> None:
    ways = (f"{year}年{month}月", f"{year}年{month:02}月", f"{year}年{NUMERALS[month]}月", f"{year} 年 {month} 月份")
    for text in (*ways, f"{year}年{month}月".translate({48 + n: 0xFF10 + n for n in range(10)})):
        assert ids(MONTH, around.format(text)) == [f"{year}-{month:02}"], text
    assert ids(MONTH, f"安全生产{NUMERALS[month]}月统计表", f"{year}年") == [f"{year}-{month:02}"]


@given(years, st.integers(1, 4), surroundings)
def test_every_quarter_is_recognised_in_every_way_of_writing_it(year: int, quarter: int, around: str) -> None:
    months_of_it = f"{3 * quarter - 2}-{3 * quarter}月"
    for text in (f"第{NUMERALS[quarter]}季度", f"{NUMERALS[quarter]}季度", f"第{quarter}季度", months_of_it):
        assert ids(QUARTER, around.format(f"{year}年{text}")) == [f"{year}-Q{quarter}"], text
        assert ids(QUARTER, f"安全生产{text}统计表", f"{year}年") == [f"{year}-Q{quarter}"], text


@given(years, st.sampled_from([1, 2]), surroundings)
def test_every_half_is_recognised_in_every_way_of_writing_it(year: int, half: int, around: str) -> None:
    for text in ("上下"[half - 1] + "半年", f"{6 * half - 5}-{6 * half}月", f"{6 * half - 5}月至{6 * half}月"):
        assert ids(HALF, around.format(f"{year}年{text}")) == [f"{year}-H{half}"], text


@given(years, surroundings)
def test_every_year_is_recognised_in_every_way_of_writing_it(year: int, around: str) -> None:
    for text in (f"{year}年度", f"{year}年", f"{year}年全年", f"{year}全年", f"{year}年1-12月"):
        assert ids(YEAR, around.format(text)) == [f"{year}"], text


@given(years, months, to, surroundings)
def test_every_year_to_date_is_recognised_in_every_way_of_writing_it(
    year: int, month: int, dash: str, around: str
) -> None:
    wanted = f"{year}-M01-M{month:02}"
    for text in (f"1{dash}{month}月", f"1月{dash}{month}月", f"一{dash}{NUMERALS[month]}月", f"01{dash}{month:02}月"):
        assert ids(TO_DATE, around.format(f"{year}年{text}")) == [wanted], text
        assert ids(TO_DATE, f"安全生产{text}统计表", f"{year}年") == [wanted], text
    assert ids(MONTH, around.format(f"{year}年1{dash}{month}月")) == ([f"{year}-01"] if month == 1 else [])


@given(st.dates(date(FIRST_YEAR, 1, 1), date(LAST_YEAR - 1, 1, 1)), st.integers(1, 364), to)
def test_every_campaign_issue_is_recognised_also_across_the_new_year(first: date, later: int, dash: str) -> None:
    last = first + timedelta(later)
    campaign = Calendar(CalendarKind.CAMPAIGN, starts_on=first, issues=(last,))
    assert ids(campaign, f"{last:%m%d}期") == [last.isoformat()]
    assert ids(campaign, f"{last:%Y%m%d}期") == [last.isoformat()]
    begin, end = (f"{day.year}年{day.month}月{day.day}日" for day in (first, last))
    assert ids(campaign, f"统计区间：{begin}{dash}{end}") == [last.isoformat()]


@given(st.sampled_from(WEEK.periods()), to, surroundings)
def test_every_week_is_recognised_in_every_way_of_writing_it(week: Period, dash: str, around: str) -> None:
    year, number, _ = week.starts_on.isocalendar()
    tens, ones = divmod(number, 10)
    numeral = ("" if tens < 2 else NUMERALS[tens]) + ("十" if tens else "") + (NUMERALS[ones] if ones else "")
    begin, end = (f"{day.year}年{day.month}月{day.day}日" for day in (week.starts_on, week.ends_on))
    for text in (
        f"{year}年第{number}周",
        f"{year}年第{numeral}周",
        f"{year}年度第{number:02}周",
        f"{begin}{dash}{end}",
    ):
        assert ids(WEEK, around.format(text)) == [week.period_id], text
    assert ids(WEEK, f"安全生产第{number}周统计表", f"{year}年") == [week.period_id]


@given(st.lists(st.text(max_size=60), max_size=4))
def test_no_text_breaks_the_recognition(texts: list[str]) -> None:
    for calendar in ALL:
        calendar.recognise(texts, texts)


@given(st.text("0123456789年月日第前一二三四十上下半季度期周W-—至.全 ", max_size=14))
def test_whatever_is_recognised_is_a_period_of_the_calendar_with_one_name(text: str) -> None:
    for calendar in ALL:
        for period in calendar.recognise([text], ["2025年"]).candidates:
            assert calendar.period(period.starts_on, period.ends_on) == period
            assert period.kind is calendar.kind


@given(st.text("0129年月日第前一三上下半季度期周间WQ-—至./填报镇乡△□Ab:", max_size=24))
@example("合成00001号镇2025年9月表3")
@example("△202509△10月")
def test_characters_that_are_no_words_of_time_make_no_difference(text: str) -> None:
    said = _said(text)
    assert _understood(text) == said
    assert _said(words_of_time(text)) == said
    assert bool(words_of_time(text)) == speaks_of_time(text)
