"""Findings: what is wrong with a submission, said to the clerk who must act.

Findings come from two places: reading a workbook (the kinds below) and the suites under ``expectations/``. Both end
in the same table, in the same words.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Severity(StrEnum):
    """What a finding asks for: an error returns the submission, a question wants an explanation, a notice nothing."""

    ERROR = "error"
    QUESTION = "question"
    NOTICE = "notice"


Scope = Literal["file", "sheet", "submission"]


@dataclass(frozen=True)
class ReadingKind:
    """A kind of finding that reading a workbook can raise, with its messages for the clerk and for the log."""

    severity: Severity
    scope: Scope
    message: str
    log: str


READING_KINDS: dict[str, ReadingKind] = {
    "sheet_not_recognised": ReadingKind(
        Severity.NOTICE,
        "file",
        "工作表“{sheet}”未能识别为任何报表，其中内容未采集。",
        "sheet {sheet}: no form recognised, nothing taken from it",
    ),
    "macros_ignored": ReadingKind(
        Severity.NOTICE,
        "file",
        "文件带有宏，宏未运行，只采集了单元格中的内容。",
        "the workbook carries macros; they were not run",
    ),
    "table_not_found": ReadingKind(
        Severity.NOTICE,
        "file",
        "工作表“{sheet}”提到{stated}，但找不到该报表的表头，其中内容未采集。",
        "sheet {sheet}: the title {stated} but not its header, nothing taken from it",
    ),
    "hidden_sheet": ReadingKind(
        Severity.NOTICE,
        "file",
        "工作表“{sheet}”是隐藏的，其中内容未采集。需要报送的请取消隐藏后重报。",
        "sheet {sheet}: hidden, nothing taken from it",
    ),
    "ambiguous_form": ReadingKind(
        Severity.ERROR,
        "file",
        "工作表“{sheet}”同时符合多张报表：{stated}，无法确定是哪一张，未采集。请保留报表标题后重报。",
        "sheet {sheet}: fits several forms equally well ({stated}), nothing taken from it",
    ),
    "period_not_recognised": ReadingKind(
        Severity.ERROR,
        "file",
        "工作表“{sheet}”（{form}）看不出是哪一期，未采集。请在标题或统计区间中写明，例如“{expected}”。",
        "sheet {sheet}: form {form} recognised but no period; expected something like {expected}",
    ),
    "ambiguous_period": ReadingKind(
        Severity.ERROR,
        "file",
        "工作表“{sheet}”（{form}）写着多个不同的期：{stated}，无法确定是哪一期，未采集。",
        "sheet {sheet}: form {form} names several periods ({stated}), nothing taken from it",
    ),
    "file_name_differs": ReadingKind(
        Severity.NOTICE,
        "file",
        "工作表“{sheet}”（{form}）写的是{expected}，文件名写的是{stated}，已按表内的{expected}采集，请核对。",
        "sheet {sheet}: form {form} says {expected}, the file name {stated}; the sheet was believed",
    ),
    "note_differs": ReadingKind(
        Severity.NOTICE,
        "file",
        "工作表“{sheet}”（{form}）是{expected}的，表下却注明{stated}，已按{expected}采集，请核对。",
        "{cells}: a note below form {form} says {stated}, its title {expected}; the title was believed",
    ),
    "template_differs": ReadingKind(
        Severity.ERROR,
        "file",
        "工作表“{sheet}”写的是{stated}，所用模板却是为{expected}制作的，无法确定填的是哪一个，未采集。请用相应的模板重报。",
        "{cells}: the sheet says {stated}, its template was made for {expected}; nothing taken from it",
    ),
    "template_outdated": ReadingKind(
        Severity.NOTICE,
        "file",
        "工作表“{sheet}”用的是旧版模板（{form}），已按表头采集。下期请用新版模板。",
        "sheet {sheet}: a template of another version of form {form}; columns were found by their labels",
    ),
    "unit_column_missing": ReadingKind(
        Severity.ERROR,
        "file",
        "工作表“{sheet}”（{form}）的表头中找不到“{expected}”这一列，不知道各行属于哪个单位，未采集。",
        "{cells}: form {form} has no column {expected}, nothing taken from it",
    ),
    "no_rows": ReadingKind(
        Severity.ERROR,
        "file",
        "工作表“{sheet}”（{form}）的表头下没有任何填报单位的数据，未采集。",
        "sheet {sheet}: form {form} has no rows of units",
    ),
    "explanations_alone": ReadingKind(
        Severity.ERROR,
        "file",
        "文件中没有报表，只有核对清单，其中的说明未采集。请把核对清单与报表放在同一个工作簿中报送。",
        "{cells}: explanations without any form they could belong to, none was taken",
    ),
    "explanation_not_taken": ReadingKind(
        Severity.NOTICE,
        "file",
        "核对清单中的说明“{stated}”未采集：它所答复的问题已不存在，或者不是本次报送单位的。",
        "{cells}: an explanation of no finding on the units reported, left out",
    ),
    "wrong_version": ReadingKind(
        Severity.ERROR,
        "sheet",
        "表式版本不对：《{form}》用的是{stated}，该期应当用{expected}。已按所用表式读取，请按该期的表式重报。",
        "{cells}: form {form} in the version {stated}, its period is reported by {expected}; read as it stands",
    ),
    "missing_header": ReadingKind(
        Severity.ERROR,
        "sheet",
        "表头中找不到“{expected}”这一列。请恢复原表头后重报。",
        "{cells}: no column for {expected}",
    ),
    "unknown_header": ReadingKind(
        Severity.QUESTION,
        "sheet",
        "表头“{stated}”不是本报表的指标，该列未采集。多出的列请删去，改过名称的请恢复原名。",
        "{cells}: column {stated} belongs to no indicator and was left out",
    ),
    "ambiguous_header": ReadingKind(
        Severity.ERROR,
        "sheet",
        "指标“{expected}”对应多列（{cells}），无法确定采用哪一列，未采集。",
        "sheet {sheet}: several columns for {expected} ({cells}), none was taken",
    ),
    "unit_not_found": ReadingKind(
        Severity.ERROR,
        "file",
        "工作表“{sheet}”（{form}）看不出填报单位，未采集。请写明“填报单位：……”。",
        "sheet {sheet}: form {form} recognised but no unit of the authority is named",
    ),
    "ambiguous_unit": ReadingKind(
        Severity.ERROR,
        "file",
        "工作表“{sheet}”（{form}）写着多个填报单位：{stated}，无法确定是哪一个，未采集。",
        "sheet {sheet}: form {form} names several units ({stated}), nothing taken from it",
    ),
    "unknown_unit": ReadingKind(
        Severity.ERROR,
        "file",
        "“{stated}”不在填报单位名录中，其数据未采集。",
        "sheet {sheet} {cells}: {stated} is not a unit of this authority, its figures were left out",
    ),
    "row_without_unit": ReadingKind(
        Severity.ERROR,
        "file",
        "{cells} 一行有数字，但没有写单位名称，该行未采集。",
        "{cells}: a row of figures without the name of a unit, left out",
    ),
    "total_of_one_differs": ReadingKind(
        Severity.ERROR,
        "submission",
        "本表只有一个单位，合计行的“{indicator}”为 {stated}，与该单位一行的 {expected} 不符。",
        "{cells}: the total row of a table of one unit says {stated}, the unit's row {expected}",
    ),
    "unit_line_differs": ReadingKind(
        Severity.QUESTION,
        "submission",
        "表上写的填报单位是“{stated}”，表内填的却是“{expected}”，已按“{expected}”采集，请核对。",
        "{cells}: the sheet names {stated} as its unit, its row {expected}; the row was believed",
    ),
    "unit_not_in_force": ReadingKind(
        Severity.ERROR,
        "file",
        "“{stated}”在{expected}不是填报单位（名录中的有效期不含该期），其数据未采集。",
        "sheet {sheet} {cells}: {stated} is no unit of this authority in {expected}, its figures were left out",
    ),
    "unit_repeated": ReadingKind(
        Severity.ERROR,
        "submission",
        "“{stated}”在本表中出现多次，只采集了第一行，其余各行未采集。",
        "{cells}: a second row of unit {stated}, only the first was taken",
    ),
    "submission_repeated": ReadingKind(
        Severity.ERROR,
        "submission",
        "工作表“{sheet}”与“{stated}”是同一单位、同一报表、同一期，只采集了“{stated}”。",
        "{cells}: same unit, form and period as sheet {stated}, which was taken",
    ),
    "row_left_out": ReadingKind(
        Severity.ERROR,
        "submission",
        "“{stated}”的本表只应填一行，{cells} 起的一行数字未采集。",
        "{cells}: a second row of figures of {stated} was left out",
    ),
    "unreadable_cell": ReadingKind(
        Severity.ERROR,
        "submission",
        "“{indicator}”填写的“{stated}”不是数字，无法采集。应填写{expected}，没有发生的填 0。",
        "{cells}: {stated!r} is not a number",
    ),
    "formula_without_value": ReadingKind(
        Severity.ERROR,
        "submission",
        "“{indicator}”是公式，文件中没有保存计算结果。请用表格软件打开、重新计算并保存后再报。",
        "{cells}: a formula without a saved value",
    ),
    "unit_of_measure_mismatch": ReadingKind(
        Severity.ERROR,
        "sheet",
        "“{indicator}”的计量单位写为“{stated}”，应为“{expected}”，无法换算，该列未采集。",
        "{cells}: column {indicator} is in {stated}, expected {expected}; no conversion is known",
    ),
    "another_table": ReadingKind(
        Severity.ERROR,
        "file",
        "工作表“{sheet}”（{form}）第 {stated} 行起是另一张表，其中内容未采集。请每张工作表只放一张表后重报。",
        "{cells}: another table than form {form} begins in row {stated}, nothing below was taken",
    ),
    "negative_value": ReadingKind(
        Severity.ERROR,
        "submission",
        "“{indicator}”填写的“{stated}”小于 0，应为 0 或正数。",
        "{cells}: {stated} is below zero",
    ),
    "fractional_count": ReadingKind(
        Severity.QUESTION,
        "submission",
        "“{indicator}”填写的“{stated}”不是整数，计量单位是“{expected}”，请核对。",
        "{cells}: {stated} is no whole number of {expected}",
    ),
    "stated_differently": ReadingKind(
        Severity.ERROR,
        "submission",
        "“{indicator}”前后不一：一处为 {expected}，另一处为 {stated}。",
        "{cells}: {indicator} is stated as {expected} and as {stated}",
    ),
    "enumeration_differs": ReadingKind(
        Severity.QUESTION,
        "sheet",
        "“{indicator}”写为 {stated}，同一句逐个列出的单位相加却是 {expected}：请核对，或说明未列出哪些单位。",
        "{cells}: {indicator} is {stated}, the units named with it add up to {expected}",
    ),
    "statement_not_bound": ReadingKind(
        Severity.NOTICE,
        "sheet",
        "未能对应到指标：“{stated}”，请人工核对。",
        "{cells}: no phrase binds all figures in {stated!r}",
    ),
    "blank_submission": ReadingKind(
        Severity.ERROR,
        "submission",
        "“{stated}”一行全部空白。没有发生的请填 0。",
        "{cells}: every cell of {stated} is blank",
    ),
}


# The kinds, of reading and of rules, that know what should stand there. What others are held against, a bound or the
# figure of the period before, is in their message, and nothing to be filled in.
SAYS_WHAT_IS_RIGHT = frozenset(
    (
        *("missing_header", "unit_of_measure_mismatch", "unreadable_cell"),
        *("sum", "rate", "total_row", "stated_figure", "change_triple", "accumulates", "stated_change"),
    )
)

# Rows of a sheet were not taken: a printed total cannot be held against the others.
LEFT_OUT = ("unknown_unit", "row_without_unit", "unit_repeated", "unit_not_in_force", "row_left_out", "another_table")


@dataclass(frozen=True)
class ReadingFinding:
    """Something wrong that was seen while reading: its kind, where it stands, and the words to fill in.

    ``form`` is the title that the message says; ``form_id`` and ``period_id`` are what it concerns, where known.
    """

    kind: str
    sheet: str
    cells: str = ""
    stated: str = ""
    expected: str = ""
    indicator: str = ""
    form: str = ""
    form_id: str = ""
    period_id: str = ""

    @property
    def severity(self) -> Severity:
        """Return how serious the kind is."""
        return READING_KINDS[self.kind].severity

    @property
    def scope(self) -> Scope:
        """Return what the finding is about: the file, one sheet of it, or one submission."""
        return READING_KINDS[self.kind].scope

    def message(self) -> str:
        """Return the message for the clerk, in Chinese."""
        return self._fill(READING_KINDS[self.kind].message)

    def log(self) -> str:
        """Return the message for the log, in English."""
        return self._fill(READING_KINDS[self.kind].log)

    def _fill(self, template: str) -> str:
        return template.format(
            sheet=self.sheet,
            cells=self.cells,
            stated=self.stated,
            expected=self.expected,
            indicator=self.indicator,
            form=self.form,
        )
