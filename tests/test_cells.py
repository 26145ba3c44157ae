"""What a typed cell says: exactly one of the four states, or unreadable; and exactly the number that was typed."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcement_reporting.texts import MONEY
from enforcement_reporting.workbook.cells import Parsed, parse_number, parse_text
from enforcement_reporting.workbook.formats import number_formats
from enforcement_reporting.workbook.grid import as_text, column_letters
from workbooks import styles_xml

MARKS = frozenset({"—", "——", "-", "/", "不适用"})
FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


def parse(text: str, wanted: str = "起", written_in: str = "") -> Parsed:
    return parse_text(text, wanted, written_in, MARKS)


def number(text: str, wanted: str = "起", written_in: str = "") -> tuple[str, int | None]:
    parsed = parse(text, wanted, written_in)
    assert parsed.state in ("value", "zero"), (text, parsed)
    return str(parsed.value), parsed.decimals


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", "12"),
        ("１２", "12"),
        (" 12 ", "12"),
        ("\u300012\u3000", "12"),
        ("12\n", "12"),
        ("12\u00a0", "12"),
        ("\u200b12\ufeff", "12"),
        ("1,234", "1234"),
        ("1,234,567.89", "1234567.89"),
        ("１，２３４", "1234"),
        ("1 234 567", "1234567"),
        ("1\u202f234", "1234"),
        ("12起", "12"),
        ("12 起", "12"),
        ("12\n起", "12"),
        ("-5", "-5"),
        ("－５", "-5"),
        ("−5", "-5"),
        ("+5", "5"),
        (".5", "0.5"),
        ("007", "7"),
        ("1．50", "1.50"),
    ],
)
def test_a_number_is_read_however_it_was_typed(text: str, value: str) -> None:
    assert number(text)[0] == value


@pytest.mark.parametrize(
    "text",
    [
        "约50", "50左右", "五十", "无", "N/A", "abc", "1,23", "1,2345", "12,34,567", ",123", "1 23", "12 34", "12\n34",
        "12\n345\n6", "1.2.3", "1.", "--5", "(5)", "5%", "5‰", "12件", "12万", "1e5", "0x10", "12①", "5²", "½", "٣",
        "2025-09-01", "12/30", "#DIV/0!", "＝A1", "1" * 19, "1,000,000,000,000,000,000", "TRUE", "·", "\\", "。",
    ],
)  # fmt: skip
def test_what_is_no_number_is_unreadable_and_never_guessed(text: str) -> None:
    assert parse(text) == Parsed("unreadable")


@pytest.mark.parametrize("text", ["", " ", "\n", "\u3000", "\u200b", "\ufeff \u00a0"])
def test_white_space_is_blank(text: str) -> None:
    assert parse(text) == Parsed("blank")


@pytest.mark.parametrize("text", ["0", "０", "0.00", "-0", "0起", " 0 "])
def test_a_reported_zero_is_zero_and_not_blank(text: str) -> None:
    parsed = parse(text)
    assert (parsed.state, str(parsed.value)) == ("zero", "0")


@pytest.mark.parametrize("text", ["—", "——", "－", "–", "-", "---", "― ―", "─", "/", "／", "不适用", " 不 适 用 "])
def test_the_marks_of_the_form_mean_not_applicable_with_any_dash(text: str) -> None:
    assert parse(text) == Parsed("not_applicable")


def test_a_mark_the_form_does_not_know_is_unreadable() -> None:
    assert parse_text("—", "起", "", frozenset({"/"})) == Parsed("unreadable")


@pytest.mark.parametrize(
    ("text", "value", "decimals"),
    [("57.14", "57.14", 2), ("113%", "113", 0), ("76.1 ％", "76.1", 1), ("0.7", "0.7", 1), ("100.00%", "100.00", 2)],
)
def test_percent_keeps_the_decimals_that_were_printed(text: str, value: str, decimals: int) -> None:
    assert number(text, "%") == (value, decimals)
    assert number(text, "%", "%") == (value, decimals)


@pytest.mark.parametrize(
    ("text", "wanted", "written_in", "value", "decimals"),
    [
        ("12.5", "元", "万元", "125000", -3),
        ("1737821.088", "万元", "元", "173.7821088", 7),
        ("12.5万元", "元", "", "125000", -3),
        ("5000元", "万元", "万元", "0.5000", 4),  # the unit behind the number outweighs the header's
        ("1.2亿元", "万元", "", "12000", -3),
        ("3千元", "元", "", "3000", -3),
        ("0", "元", "万元", "0", -4),
        ("1,234.56 元", "元", "", "1234.56", 2),
    ],
)
def test_money_is_converted_exactly_in_both_directions(
    text: str, wanted: str, written_in: str, value: str, decimals: int
) -> None:
    assert number(text, wanted, written_in) == (value, decimals)


def test_units_that_do_not_convert_make_a_number_unreadable() -> None:
    assert parse("12", "起", "家") == Parsed("unreadable")
    assert parse("12", "起", "万元") == Parsed("unreadable")
    assert parse("12人", "人次") == Parsed("unreadable")


@pytest.mark.parametrize("bad", ["NaN", "Infinity", "-Infinity", "1E+18", "-1e300"])
def test_numbers_without_measure_are_unreadable(bad: str) -> None:
    assert parse_number(Decimal(bad), "起", "") == Parsed("unreadable")


decimals = st.decimals(
    min_value=-(10**15), max_value=10**15, allow_nan=False, allow_infinity=False, places=None
).filter(lambda value: -15 <= value.as_tuple().exponent <= 0)  # type: ignore[operator]


@st.composite
def printed(draw: st.DrawFn) -> tuple[Decimal, str]:
    """A number and one of the tolerated ways of printing it."""
    value = draw(decimals)
    text = draw(st.sampled_from([f"{value:f}", f"{value:,f}", f"{value:,f}".replace(",", " ")]))
    if draw(st.booleans()):
        text = text.translate(FULL_WIDTH)
    return value, draw(st.sampled_from(["{}", " {}", "{}\n", "\u3000{}\u200b", "{}起", "{} 起", "{}\n起"])).format(text)


@given(printed())
def test_every_number_printed_in_any_tolerated_way_is_read_back_exactly(case: tuple[Decimal, str]) -> None:
    value, text = case
    parsed = parse(text)
    assert parsed.value == value
    assert parsed.state == ("value" if value else "zero")
    assert parsed.decimals == -value.as_tuple().exponent  # type: ignore[operator]


SIGNS = {1: ("", "+", "＋", "+ "), -1: ("-", "－", "−", "–", "- ")}  # of what is not below zero, and of what is


@st.composite
def typed_amounts(draw: st.DrawFn) -> tuple[Decimal, str, int, str]:
    """An amount of money or a share, one of the ways of typing it, its decimals, and the unit of measure behind it."""
    places = draw(st.integers(0, 4))
    value = draw(st.decimals(-(10**9), 10**9, places=places))
    sign = draw(st.sampled_from(SIGNS[-1 if value < 0 else 1]))
    grouped = f"{abs(value):,f}"
    digits = draw(st.sampled_from([f"{abs(value):f}", grouped, grouped.replace(",", " "), grouped.replace(",", "，")]))
    unit = draw(st.sampled_from(["", "%", "％", *MONEY]))
    gap = draw(st.sampled_from(["", " ", "\n", "\u3000"]))
    before, after = draw(st.sampled_from(["", " ", "\u3000", "\n"])), draw(st.sampled_from(["", " ", "\u200b\n"]))
    text = f"{before}{sign}{digits}{gap if unit else ''}{unit}{after}"
    return value, text.translate(FULL_WIDTH) if draw(st.booleans()) else text, places, unit


@given(typed_amounts(), st.sampled_from(["元", "万元", "亿元"]))
def test_amounts_and_shares_are_read_back_exactly_however_they_were_typed(
    case: tuple[Decimal, str, int, str], wanted: str
) -> None:
    value, text, places, unit = case
    is_share = unit in ("%", "％")
    parsed = parse(text, "%" if is_share else wanted, "" if unit else "元")
    power = 0 if is_share else MONEY[unit or "元"] - MONEY[wanted]
    assert parsed.state == ("value" if value else "zero")
    assert parsed.value == value.scaleb(power)
    assert parsed.decimals == places - power


@given(typed_amounts())
def test_a_share_is_no_count_and_money_no_share(case: tuple[Decimal, str, int, str]) -> None:
    _, text, _, unit = case
    if unit:
        assert parse(text, "起") == Parsed("unreadable")
    if unit in MONEY:
        assert parse(text, "%") == Parsed("unreadable")


@given(decimals, st.sampled_from(["元", "千元", "万元", "百万元", "亿元"]), st.sampled_from(["元", "万元", "亿元"]))
def test_money_converted_there_and_back_is_the_same_money(value: Decimal, written_in: str, wanted: str) -> None:
    there = parse_number(value, wanted, written_in)
    assert there.value is not None or abs(value) >= 10**18
    if there.value is not None and abs(there.value) < 10**18:
        assert parse_number(there.value, written_in, wanted).value == value


@given(st.text(), st.sampled_from(["起", "%", "元"]), st.sampled_from(["", "元", "%", "起"]))
def test_no_text_raises_and_each_has_one_state(text: str, wanted: str, written_in: str) -> None:
    parsed = parse(text, wanted, written_in)
    assert (parsed.value is not None) is (parsed.state in ("value", "zero")) is (parsed.decimals is not None)
    assert (parsed.state == "zero") is (parsed.value == 0)


@given(st.text("0123456789０１，,. \n-—%万元起/", max_size=12))
def test_texts_that_look_like_numbers_raise_nothing_and_hold_the_digits_that_were_typed(text: str) -> None:
    parsed = parse(text)
    if parsed.value is not None:
        typed = "".join(
            character for character in text.translate({v: k for k, v in FULL_WIDTH.items()}) if character.isdigit()
        )
        shown = "".join(character for character in f"{parsed.value:f}" if character.isdigit())
        assert typed.lstrip("0").rstrip("0") == shown.lstrip("0").rstrip("0")


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (12.0, "12"),
        (173.7821088, "173.7821088"),
        (0.1 + 0.2, "0.3"),  # fifteen digits, as spreadsheets keep them
        (57.142857142857146, "57.1428571428571"),
        (1e-7, "0.0000001"),
        (1e20, "100000000000000000000"),
        (-0.0, "0"),
        (True, "TRUE"),
        ("a\0b", "ab"),
    ],
)
def test_a_cell_as_text_has_the_digits_that_were_typed(cell: float | str, text: str) -> None:
    assert as_text(cell) == text


@given(st.decimals(-(10**9), 10**9, places=4))
def test_a_number_typed_with_up_to_fifteen_digits_comes_back_as_typed(value: Decimal) -> None:
    assert Decimal(as_text(float(value))) == value


@pytest.mark.parametrize(
    ("code", "number", "shown"),
    [
        ("0.0%", 0.761, "76.1%"),
        ("0%", 0.125, "13%"),  # half up
        ("0.00%", 1.13, "113.00%"),
        ("0.00_ ", 57.142857142857146, "57.14"),
        ("#,##0.0;[Red]-#,##0.0", 1234.55, "1234.6"),
        ('0.0"%"', 57.14, "57.1"),
        ("0", 2.5, "3"),
        ("General", 2.5, None),
        ("0.0,", 25000, None),  # in thousands: not understood, so not believed
        ("yyyy-mm-dd", 45000, None),
        ("0.0%", 1e300, None),
        ("0.0%", float("nan"), None),
    ],
)
def test_a_number_format_with_fixed_decimals_says_what_is_shown(code: str, number: float, shown: str | None) -> None:
    number_format = number_formats(styles_xml([code]).encode()).get(1)
    assert (number_format.show(number) if number_format else None) == shown


def test_broken_number_formats_are_no_number_formats() -> None:
    assert number_formats(b"") == {}
    assert number_formats(b"<styleSheet><cellXfs><xf numFmtId='x'/><xf/></cellXfs></styleSheet>") == {}


def test_columns_are_lettered_as_on_the_sheet() -> None:
    assert [column_letters(n) for n in (0, 25, 26, 701, 702, 16383)] == ["A", "Z", "AA", "ZZ", "AAA", "XFD"]
