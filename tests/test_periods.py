"""Which period a text speaks of: recognised exactly, or not at all."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcement_reporting.periods import Calendar, CalendarKind, Period

MONTH = Calendar(CalendarKind.MONTH)
QUARTER = Calendar(CalendarKind.QUARTER)
HALF = Calendar(CalendarKind.HALF)
YEAR = Calendar(CalendarKind.YEAR)
TO_DATE = Calendar(CalendarKind.YEAR_TO_DATE)
CAMPAIGN = Calendar(CalendarKind.CAMPAIGN, starts_on=date(2023, 5, 1))

NUMERALS = ["零", "一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二"]
years = st.integers(1990, 2089)
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
    ],
)
def test_a_period_is_recognised_as_people_write_it(calendar: Calendar, text: str, period_id: str) -> None:
    assert ids(calendar, text) == [period_id]


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
    campaign = Calendar(CalendarKind.CAMPAIGN, starts_on=date(2023, 11, 1))
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


def test_only_a_campaign_has_a_first_day() -> None:
    with pytest.raises(ValueError, match="starts_on"):
        Calendar(CalendarKind.CAMPAIGN)
    with pytest.raises(ValueError, match="starts_on"):
        Calendar(CalendarKind.MONTH, starts_on=date(2023, 5, 1))


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


@given(st.dates(date(1990, 1, 1), date(2080, 1, 1)), st.integers(0, 364), to)
def test_every_campaign_issue_is_recognised_also_across_the_new_year(first: date, days: int, dash: str) -> None:
    campaign, last = Calendar(CalendarKind.CAMPAIGN, starts_on=first), first + timedelta(days)
    assert ids(campaign, f"{last:%m%d}期") == [last.isoformat()]
    assert ids(campaign, f"{last:%Y%m%d}期") == [last.isoformat()]
    begin, end = (f"{day.year}年{day.month}月{day.day}日" for day in (first, last))
    assert ids(campaign, f"统计区间：{begin}{dash}{end}") == [last.isoformat()]


@given(st.sampled_from([MONTH, QUARTER, HALF, YEAR, TO_DATE]), st.data())
def test_period_ids_sort_by_time(calendar: Calendar, data: st.DataObject) -> None:
    def one() -> Period | None:
        year, first, last = data.draw(years), data.draw(months), data.draw(months)
        end = date(year + last // 12, last % 12 + 1, 1) - timedelta(days=1)
        return calendar.period(date(year, first, 1), end)

    left, right = one(), one()
    if left and right:
        by_time = ((left.ends_on, left.starts_on) < (right.ends_on, right.starts_on)) is (left < right)
        assert by_time or left == right
        assert left.accumulates_from <= left.starts_on <= left.ends_on or calendar is not TO_DATE


@given(st.lists(st.text(max_size=60), max_size=4))
def test_no_text_breaks_the_recognition(texts: list[str]) -> None:
    for calendar in (MONTH, QUARTER, HALF, YEAR, TO_DATE, CAMPAIGN):
        calendar.recognise(texts, texts)


@given(st.text("0123456789年月日第前一二三四十上下半季度期-—至.全 ", max_size=14))
def test_whatever_is_recognised_is_a_period_of_the_calendar_with_one_name(text: str) -> None:
    for calendar in (MONTH, QUARTER, HALF, YEAR, TO_DATE, CAMPAIGN):
        for period in calendar.recognise([text], ["2025年"]).candidates:
            first = calendar.starts_on or period.starts_on
            assert calendar.period(first, period.ends_on) == period
            assert period.name in {again.name for again in calendar.recognise([period.name]).candidates}
