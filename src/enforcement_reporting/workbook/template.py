"""The workbook that a clerk fills in: one form for one period, of one unit or, with the total row, of all.

Only the cells that are to be filled in can be changed. They are blank, as blank is not zero, and take nothing but
numbers that keep the form's rules about single rows; rates and the total row are formulas, and what does not apply to
a unit is marked so. Every sheet carries its mark: see ``mark``. The same template has the same bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil
from typing import Any

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_range, xl_rowcol_to_cell
from xlsxwriter.worksheet import Worksheet

from enforcement_reporting.catalog import Form, Indicator, Unit
from enforcement_reporting.periods import Period
from enforcement_reporting.workbook import layout
from enforcement_reporting.workbook.measures import measure_of
from enforcement_reporting.workbook.template_mark import NAME, NOTES, Mark, layout_of

# What a formula shows before it is worked out, and as long as there is nothing to work out: a cell that seems blank.
# Without any saved result it would be taken for one that was never worked out.
_NOT_YET = " "
# What Excel takes: a longer prompt or formula is refused.
_LONGEST_PROMPT_TITLE, _LONGEST_PROMPT, _LONGEST_FORMULA = 32, 255, 255
_A3, _A4 = 8, 9
_COLUMNS_ON_A4 = 14
_LINE_HEIGHT = 16
_NONE = "—"


@dataclass(frozen=True)
class PartWhole:
    """Columns that together do not exceed others, by the ids of their indicators."""

    parts: tuple[str, ...]
    whole: tuple[str, ...]
    statement: str


@dataclass(frozen=True)
class Rate:
    """A rate that is worked out from other columns of its row."""

    scale: int
    numerator: tuple[str, ...]
    denominator: tuple[str, ...]


@dataclass(frozen=True)
class Guide:
    """What must hold of a form, as far as a template says or enforces it; statements and rates by indicator."""

    statements: Mapping[str, Sequence[str]] = field(default_factory=dict)
    part_whole: Sequence[PartWhole] = ()
    rates: Mapping[str, Rate] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """A row to fill in. ``counted``: the printed total counts the unit, which lies within no other one."""

    unit: Unit
    counted: bool = True


@dataclass(frozen=True)
class Template:
    """A template: ``heading`` says whose it is, ``deadlines`` until when it is due, ``totals`` whether rows are added.

    ``for_all``: the authority's own table of all units, and not one unit's.
    """

    form: Form
    period: Period
    heading: str
    rows: Sequence[Row]
    deadlines: Sequence[tuple[str, datetime]]
    guide: Guide
    units_of_measure: frozenset[str]
    for_all: bool = False

    def content(self) -> bytes:
        """Return the bytes of the .xlsx file. Raises ValueError where the period cannot be said in words."""
        buffer = io.BytesIO()
        book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
        book.set_properties({"title": self.form.title, "subject": self.period.name, "created": layout.CREATED})
        _Table(self, book).write()
        _write_notes(self, book)
        book.close()
        return buffer.getvalue()

    @property
    def mark(self) -> Mark:
        """Return what the workbook is recognised by when it comes back."""
        unit_id = None if self.for_all else self.rows[0].unit.unit_id
        return Mark(self.form.form_id, self.period.period_id, unit_id, layout_of(self.form))


class _Styles:
    """The cell formats of a template."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        boxed = {"border": 1, "align": "center", "valign": "vcenter", "font_name": "宋体", "font_size": 11}
        plain = {"font_name": "宋体", "font_size": 11, "valign": "vcenter"}
        self.title: Format = book.add_format({**plain, "bold": True, "font_size": 16, "align": "center"})
        self.line: Format = book.add_format({**plain, "align": "left"})
        self.hint: Format = book.add_format({**plain, "align": "left", "font_color": "#7F6000"})
        self.heading: Format = book.add_format({**boxed, "bold": True, "text_wrap": True, "bg_color": "#DDEBF7"})
        self.name: Format = book.add_format({**boxed, "text_wrap": True})
        self.input: Format = book.add_format({**boxed, "locked": False, "bg_color": "#FFFBE6"})
        self.worked_out: Format = book.add_format({**boxed, "bg_color": "#F2F2F2"})
        self.rate: Format = book.add_format({**boxed, "bg_color": "#F2F2F2", "num_format": layout.RATE_FORMAT})
        self.closed: Format = book.add_format({**boxed, "bg_color": "#D0CECE", "font_color": "#7F7F7F"})
        self.note: Format = book.add_format({**boxed, "align": "left", "text_wrap": True})


class _Table:
    """The sheet that is filled in."""

    def __init__(self, template: Template, book: xlsxwriter.Workbook) -> None:
        self.template, self.form, self.styles = template, template.form, _Styles(book)
        self.sheet: Worksheet = book.add_worksheet(layout.sheet_name(self.form.title, 1, ()))
        book.define_name(f"'{self.sheet.get_name()}'!{NAME}", f'="{template.mark.text}"')
        # A unit of measure that does not fit beside its label shall not be torn apart.
        self.paths = [
            (*above, re.sub("（(?=[^（]*$)", "\n（", label))
            for *above, label in layout.headings(self.form, template.units_of_measure)
        ]
        self.first_column = len(self.paths) - len(self.form.indicators)
        self.column = {item.indicator_id: n for n, item in enumerate(self.form.indicators, self.first_column)}

    def write(self) -> None:
        top = self._write_lines()
        depth = max(map(len, self.paths))
        widths = self._widths()
        for column, width in enumerate(widths):
            self.sheet.set_column(column, column, width)
        for row, height in enumerate(_heights(self.paths, widths), top):
            self.sheet.set_row(row, height)
        lowest = layout.write_headings(self.sheet, self.paths, top, self.styles.heading)
        for indicator in self.form.indicators:
            if said := _counting_rule(indicator):
                column = self.column[indicator.indicator_id]
                options = {"x_scale": 2, "y_scale": 1.2, "font_size": 10, "author": ""}
                self.sheet.write_comment(lowest[column], column, said, options)
        first = top + depth
        for row, item in enumerate(self.template.rows, first):
            self.sheet.set_row(row, 24)
            self._write_row(row, item.unit)
        last = first + len(self.template.rows) - 1
        if self.template.for_all and self.form.total_row:
            last += 1
            self.sheet.set_row(last, 24)
            self._write_total(first, last)
        self._set_up_page(top, first, last)

    def _write_lines(self) -> int:
        """Write what stands above the header; return the row in which that begins."""
        form, period = self.form, self.template.period
        layout.merge(self.sheet, 0, 0, 0, len(self.paths) - 1, form.title, self.styles.title)
        self.sheet.set_row(0, 32)
        lines = [self.template.heading, f"统计区间：{layout.period_words(form.calendar.calendar(), period)}"]
        if due := [f"{whom}{_instant(at)}" for whom, at in self.template.deadlines]:
            lines.append(f"报送截止时间：{'；'.join(due)}")
        for row, line in enumerate(lines, 1):
            self.sheet.write_string(row, 0, line, self.styles.line)
        hint = f"只填浅黄色单元格，没有发生的填 0；灰色单元格不填或自动计算。口径见“{NOTES}”。"
        self.sheet.write_string(len(lines) + 1, 0, f"{self._counted_from()}{hint}", self.styles.hint)
        return len(lines) + 2

    def _counted_from(self) -> str:
        """Return that figures count from the beginning of the window, where the period alone would be understood.

        In words without a date: a second one beside the period's would be another answer.
        """
        form, period = self.form, self.template.period
        flows = {form.figures_of(item) for item in form.indicators if item.measure_kind == "flow"}
        if flows != {"cumulative"} or period.accumulates_from >= period.starts_on:
            return ""
        begins = "年初" if (period.accumulates_from.month, period.accumulates_from.day) == (1, 1) else "起算日"
        return f"各项填自{begins}至期末的累计数，不是当期数。"

    def _widths(self) -> list[float]:
        """Return the widths of the columns, in which the title has room as well."""
        widths = [min(16.0, max(9.0, 2.2 * ceil(len(path[-1]) / 3))) for path in self.paths]
        if self.first_column:
            names = [len(row.unit.name) for row in self.template.rows]
            widths[0] = min(32.0, max(12.0, 2.2 * max(names) + 2))
        lacking = 3.2 * len(self.form.title) + 4 - sum(widths)
        return [width + max(0.0, lacking) / len(widths) for width in widths]

    def _write_row(self, row: int, unit: Unit) -> None:
        if self.first_column:
            self.sheet.write_string(row, 0, unit.name, self.styles.name)
        open_columns = set()
        for indicator in self.form.indicators:
            column = self.column[indicator.indicator_id]
            if not indicator.applies(unit.kind):
                self._close(row, column)
            elif indicator.indicator_id in self.template.guide.rates:
                self._write_rate(row, indicator.indicator_id)
            elif indicator.measure_kind in ("rank", "points") and not self.template.for_all:
                self.sheet.write_blank(row, column, None, self.styles.closed)  # the authority works it out
            else:
                self.sheet.write_blank(row, column, None, self.styles.input)
                open_columns.add(indicator.indicator_id)
        for indicator in self.form.indicators:
            if indicator.indicator_id in open_columns:
                self._restrict(row, indicator)

    def _close(self, row: int, column: int) -> None:
        marks = self.form.not_applicable_marks
        if marks:
            self.sheet.write_string(row, column, _NONE if _NONE in marks else marks[0], self.styles.closed)
        else:
            self.sheet.write_blank(row, column, None, self.styles.closed)

    def _write_rate(self, row: int, indicator_id: str) -> None:
        rate = self.template.guide.rates[indicator_id]
        over, under = (self._cells(row, terms) for terms in (rate.numerator, rate.denominator))
        terms = {*rate.numerator, *rate.denominator}
        zero = _NONE if _NONE in self.form.not_applicable_marks else ""
        self.sheet.write_formula(
            row,
            self.column[indicator_id],
            f'=IF(COUNT({self._cells(row, sorted(terms, key=self.column.__getitem__))})<{len(terms)},"",'
            f'IF(SUM({under})=0,"{zero}",ROUND({rate.scale}*SUM({over})/SUM({under}),{layout.RATE_DECIMALS})))',
            self.styles.rate,
            _NOT_YET,
        )

    def _write_total(self, first: int, row: int) -> None:
        """Write the total row: sums of the rows that count, and rates of these sums."""
        assert self.form.total_row is not None
        self.sheet.write_string(row, 0, self.form.total_row.labels[0], self.styles.name)
        counted = [number for number, item in enumerate(self.template.rows, first) if item.counted]
        runs: list[tuple[int, int]] = []
        for number in counted:
            if runs and runs[-1][1] == number - 1:
                runs[-1] = runs[-1][0], number
            else:
                runs.append((number, number))
        for indicator in self.form.indicators:
            column = self.column[indicator.indicator_id]
            if indicator.indicator_id in self.template.guide.rates:
                self._write_rate(row, indicator.indicator_id)
            elif indicator.measure_kind in ("flow", "stock") and runs:
                cells = ",".join(xl_range(top, column, bottom, column) for top, bottom in runs)
                self.sheet.write_formula(
                    row, column, f'=IF(COUNT({cells})=0,"",SUM({cells}))', self.styles.worked_out, _NOT_YET
                )
            else:
                self.sheet.write_blank(row, column, None, self.styles.closed)

    def _restrict(self, row: int, indicator: Indicator) -> None:
        """Let a cell take only what can be right, and say what that is."""
        cell = xl_rowcol_to_cell(row, self.column[indicator.indicator_id])
        rule, wanted, said = _allowed(indicator, cell, self.form.not_applicable_marks)
        conditions = [rule] if rule else [f"ISNUMBER({cell})", f"{cell}>={wanted['value']}"]
        if wanted["validate"] == "integer":
            conditions.append(f"{cell}=INT({cell})")
        held = [
            limit for limit in self.template.guide.part_whole if indicator.indicator_id in limit.parts + limit.whole
        ]
        for limit in held:
            parts, whole = self._cells(row, limit.parts), self._cells(row, limit.whole)
            conditions.append(f"OR(COUNT({whole})<{len(limit.whole)},ROUND(SUM({parts})-SUM({whole}),9)<=0)")
        formula = f"=AND({','.join(conditions)})"
        if rule or (held and len(formula) <= _LONGEST_FORMULA):
            wanted = {"validate": "custom", "value": formula}
        rules = "".join(limit.statement for limit in held)
        prompt = f"{said}{rules}"
        if counting_rule := _counting_rule(indicator):
            prompt += f"\n{counting_rule}"
        self.sheet.data_validation(
            cell,
            {
                **wanted,
                "ignore_blank": True,
                "input_title": _cut(indicator.caption, _LONGEST_PROMPT_TITLE),
                "input_message": _cut(prompt, _LONGEST_PROMPT),
                "error_title": "不能这样填",
                "error_message": _cut(f"“{indicator.caption}”：{said}{rules}", _LONGEST_PROMPT),
            },
        )

    def _cells(self, row: int, indicator_ids: Sequence[str]) -> str:
        return ",".join(xl_rowcol_to_cell(row, self.column[indicator_id]) for indicator_id in indicator_ids)

    def _set_up_page(self, top: int, first: int, last: int) -> None:
        sheet = self.sheet
        # Without a password: whoever has to may change more than the clerk.
        sheet.protect("", {"format_columns": True, "format_rows": True})
        sheet.freeze_panes(first, self.first_column)
        sheet.set_landscape()
        sheet.set_paper(_A4 if len(self.paths) <= _COLUMNS_ON_A4 else _A3)
        sheet.set_margins(0.4, 0.4, 0.5, 0.6)
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(top, first - 1)
        sheet.center_horizontally()
        sheet.set_footer("&C第 &P 页，共 &N 页")
        sheet.print_area(0, 0, last, len(self.paths) - 1)
        sheet.set_selection(first, self.first_column, first, self.first_column)


def _allowed(indicator: Indicator, cell: str, marks: Sequence[str]) -> tuple[str, dict[str, Any], str]:
    """Return a condition in a formula, if one is needed, the kind of validation, and what may be filled in in words."""
    unit = f"（{indicator.unit_of_measure}）"
    is_count = indicator.measure_kind in ("flow", "stock")
    if is_count or indicator.measure_kind in ("rank", "points"):
        least = 1 if indicator.measure_kind == "rank" else 0
        measure = measure_of(indicator.unit_of_measure, "", frozenset(), is_count)
        fraction = measure.may_be_fraction if is_count else indicator.measure_kind == "points"
        said = f"请填不小于 {least} 的{'数' if fraction else '整数'}{unit}，没有发生的填 0。"
        kind = "decimal" if fraction else "integer"
        return (
            "",
            {"validate": kind, "criteria": ">=", "value": least},
            said if least == 0 else said.split("，")[0] + "。",
        )
    dash = f',{cell}="{_NONE}"' if _NONE in marks else ""
    said = f"请填数字{unit}" + (f"，无从计算的填“{_NONE}”。" if dash else "。")
    return f"OR(ISNUMBER({cell}){dash})", {"validate": "custom", "value": ""}, said


def _counting_rule(indicator: Indicator) -> str:
    """Return how an indicator is counted, and where that is laid down."""
    if not indicator.counting_rule:
        return ""
    source = f"（{indicator.counting_rule_source}）" if indicator.counting_rule_source else ""
    return f"口径：{indicator.counting_rule}{source}"


def _write_notes(template: Template, book: xlsxwriter.Workbook) -> None:
    """Write the sheet that explains: each indicator with its unit of measure, its counting rule and what must hold."""
    form, styles = template.form, _Styles(book)
    sheet: Worksheet = book.add_worksheet(NOTES)
    book.define_name(f"'{NOTES}'!{NAME}", f'="{NOTES}"')
    columns = ["指标", "计量单位", "填报口径", "口径依据", "核对条件：出现下列情形会被指出（○ 为所填数字）"]
    widths = [34, 10, 44, 30, 60]
    layout.merge(sheet, 0, 0, 0, len(columns) - 1, f"《{form.title}》{NOTES}", styles.title)
    sheet.set_row(0, 32)
    for column, (name, width) in enumerate(zip(columns, widths, strict=True)):
        sheet.set_column(column, column, width)
        sheet.write_string(1, column, name, styles.heading)
    for row, indicator in enumerate(form.indicators, 2):
        cells = [
            indicator.caption,
            indicator.unit_of_measure,
            indicator.counting_rule or "",
            indicator.counting_rule_source or "",
            "\n".join(template.guide.statements.get(indicator.indicator_id, ())),
        ]
        for column, text in enumerate(cells):
            sheet.write_string(row, column, text, styles.note)
        lines = max(_lines(text, width) for text, width in zip(cells, widths, strict=True))
        sheet.set_row(row, _LINE_HEIGHT * lines + 4)
    sheet.protect("", {"format_columns": True, "format_rows": True})
    sheet.freeze_panes(2, 1)
    sheet.set_landscape()
    sheet.set_paper(_A4)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0, 1)


def _heights(paths: Sequence[tuple[str, ...]], widths: Sequence[float]) -> list[int]:
    """Return how high the rows of a header have to be for its labels to be read."""
    depth = max(map(len, paths))
    heights = [_LINE_HEIGHT + 4] * depth
    for level, column, width, text in _labels(paths, widths):
        is_lowest = level == len(paths[column]) - 1
        rows = slice(level, depth if is_lowest else level + 1)
        lacking = _LINE_HEIGHT * _lines(text, width) + 4 - sum(heights[rows])
        heights[rows.stop - 1] += max(0, lacking)
    return heights


def _labels(paths: Sequence[tuple[str, ...]], widths: Sequence[float]) -> Iterator[tuple[int, int, float, str]]:
    """Yield the labels as (level, first column, width of all the columns below, text)."""
    for column, path in enumerate(paths):
        for level, text in enumerate(path):
            above = path[: level + 1]
            if level == len(path) - 1:
                yield level, column, widths[column], text
            elif not column or paths[column - 1][: level + 1] != above:
                below = [width for other, width in zip(paths, widths, strict=True) if other[: level + 1] == above]
                yield level, column, sum(below), text


def _lines(text: str, width: float) -> int:
    """Return how many lines a text takes in a column of a width; a Chinese character is as wide as two others."""
    room = max(2.0, width - 1.5)
    return sum(
        max(1, ceil(sum(2.15 if ord(sign) > 0x2E7F or sign in "“”—…" else 1.1 for sign in line) / room))
        for line in text.split("\n")
    )


def _instant(at: datetime) -> str:
    return f"{at.year}年{at.month}月{at.day}日 {at:%H:%M}"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
