"""Reading a workbook: form, unit, period and figures are recognised from the content; what is doubtful is a finding."""

from __future__ import annotations

import io
import random
import re
import runpy
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enforcement_reporting.catalog import Catalog, load_catalog
from enforcement_reporting.findings import READING_KINDS, ReadingFinding
from enforcement_reporting.settings import PROJECT_ROOT
from enforcement_reporting.workbook import Observation, Reader, ReadSubmission, ReadWorkbook, UnreadableWorkbook, xlsx
from enforcement_reporting.workbook.formats import read_styles
from enforcement_reporting.workbook.grid import OpenedWorkbook
from enforcement_reporting.workbook.package import open_package
from workbooks import (
    MAIN,
    OFFICE,
    Error,
    Formatted,
    Formula,
    Rows,
    Sheet,
    Value,
    relations,
    styles_xml,
    workbook,
    zipped,
)

CATALOG = {
    "landing.yaml": "places: [{place_id: inbox, path: inbox, policy: collect}]",
    "dongshan/authority.yaml": """
authority_id: dongshan
name: 东山县应急管理局
units:
  unit_id: dongshan_all
  name: 东山县
  kind: 汇总
  members:
    - {unit_id: hekou, name: 河口镇, kind: 镇街, aliases: [河口镇人民政府]}
    - {unit_id: shangpo, name: 上坡街道, kind: 镇街, aliases: [上坡街道办事处]}
    - {unit_id: gongan, name: 县公安局, kind: 部门}
    - {unit_id: kaifaqu, name: 开发区, kind: 园区}
    - {unit_id: gaoxin, name: 高新开发区, kind: 园区, valid_from: 2025-07-01}
    - {unit_id: laozhen, name: 老镇, kind: 镇街, valid_to: 2024-12-31}
""",
    "dongshan/forms/hazards.yaml": """
form_id: hazards
authority_id: dongshan
title: 隐患排查情况表
calendar: {kind: month}
figures: single
unit_labels: [单位, 单位名称]
total_row: {labels: [合计, 累计], states: dongshan_all}
indicators:
  - {indicator_id: found, label: [一般隐患, 排查], unit_of_measure: 条}
  - {indicator_id: fixed, label: [一般隐患, 已整改], unit_of_measure: 条}
  - {indicator_id: major_found, label: [重大隐患, 排查], unit_of_measure: 条}
  - {indicator_id: major_fixed, label: [重大隐患, 已整改], unit_of_measure: 条}
  - {indicator_id: fines, label: [罚款金额], aliases: [[罚款]], unit_of_measure: 万元}
  - {indicator_id: fixed_percent, label: [整改率], unit_of_measure: '%', measure_kind: rate, optional: true}
""",
    "dongshan/forms/penalties.yaml": """
form_id: penalties
authority_id: dongshan
title: 行政处罚情况统计表
calendar: {kind: year_to_date}
figures: cumulative
indicators:
  - {indicator_id: warnings, label: [处罚数量, 警告], unit_of_measure: 宗}
  - {indicator_id: fined, label: [处罚数量, 罚款], unit_of_measure: 宗}
  - {indicator_id: other, label: [处罚数量, 其他], unit_of_measure: 宗}
  - {indicator_id: total, label: [合计], unit_of_measure: 宗}
  - {indicator_id: fines, label: [罚没金额], unit_of_measure: 万元}
""",
    "dongshan/forms/serious_penalties.yaml": """
form_id: serious_penalties
authority_id: dongshan
title: 重大行政处罚情况统计表
calendar: {kind: year_to_date}
figures: cumulative
indicators:
  - {indicator_id: serious, label: [重大处罚], unit_of_measure: 宗}
  - {indicator_id: serious_fines, label: [重大罚没金额], unit_of_measure: 万元}
""",
    "dongshan/forms/visits.yaml": """
form_id: visits
authority_id: dongshan
title: 检查情况表
calendar: {kind: month}
figures: single
unit_labels: [单位]
indicators:
  - {indicator_id: visits, label: [检查次数], unit_of_measure: 次}
  - {indicator_id: cases, label: [立案数], unit_of_measure: 起}
""",
    "xishan/authority.yaml": """
authority_id: xishan
name: 西山县应急管理局
units:
  unit_id: xishan_all
  name: 西山县
  kind: 汇总
  members:
    - {unit_id: zhongcun, name: 中村镇, kind: 镇街}
    - {unit_id: xiacun, name: 下村镇, kind: 镇街}
""",
    "xishan/forms/xishan_visits.yaml": """
form_id: xishan_visits
authority_id: xishan
title: 检查情况表
calendar: {kind: month}
figures: single
unit_labels: [单位]
indicators:
  - {indicator_id: visits, label: [检查次数], unit_of_measure: 次}
  - {indicator_id: cases, label: [立案数], unit_of_measure: 起}
""",
}

TITLE = "2025年8月隐患排查情况表"
HEADER: Rows = [
    ["单位", "一般隐患", None, "重大隐患", None, "罚款金额"],
    [None, "排查", "已整改", "排查", "已整改", None],
    [None, "条", "条", "条", "条", "万元"],
]
MERGES = ["A2:A4", "B2:C2", "D2:E2", "F2:F3"]
HEKOU: list[Value] = ["河口镇", 5, 4, 1, 0, 2.5]
SHANGPO: list[Value] = ["上坡街道", 3, 3, 0, 0, 0]

MERGED = [("AA", 1), ("BC", 0), ("DE", 0), ("FF", 1)]

Read = Callable[..., ReadWorkbook]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Return the catalog above."""
    root = tmp_path_factory.mktemp("definitions")
    for name, text in CATALOG.items():
        path = root / "catalog" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return load_catalog(Path(root))


@pytest.fixture(scope="module")
def read(catalog: Catalog) -> Read:
    """Return a function that reads sheets with the catalog above."""
    reader = Reader(catalog)

    def read(
        *sheets: Sheet | Rows, file_name: str = "报表.xlsx", parts: dict[str, bytes] | None = None
    ) -> ReadWorkbook:
        content = workbook(*sheets, parts=parts)
        result = reader.read(content, file_name)
        # The same with texts stored as spreadsheet software stores them, and by a reader that has seen nothing before.
        assert reader.read(with_shared_texts(content), file_name) == result
        assert Reader(catalog).read(with_shared_texts(content), file_name) == result
        return result

    return read


INLINE = re.compile(r't="inlineStr"><is>(<t[^>]*>[^<]*</t>)</is>')


def with_shared_texts(content: bytes) -> bytes:
    """Return a workbook with the texts of its cells in a part of their own, and cells without a value left empty."""
    archive = zipfile.ZipFile(io.BytesIO(content))
    files = {name: archive.read(name).decode() for name in archive.namelist()}
    texts: dict[str, int] = {}
    for name in [name for name in files if name.startswith("xl/worksheets/")]:
        files[name] = INLINE.sub(lambda m: f't="s"><v>{texts.setdefault(m[1], len(texts))}</v>', files[name])
    strings = "".join(f"<si>{text}</si>" for text in texts)
    files["xl/sharedStrings.xml"] = f'<sst xmlns="{MAIN}" count="9">{strings}</sst>'
    link = f'<Relationship Id="texts" Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/></Relationships>'
    relations = "xl/_rels/workbook.xml.rels"
    files[relations] = files[relations].replace("</Relationships>", link)
    return zipped({name: text.encode() for name, text in files.items()})


def hazards(*rows: list[Value], title: str = TITLE, header: Rows = HEADER, merges: list[str] | None = None) -> Sheet:
    """Return a sheet of the form hazards."""
    return Sheet([[title], *header, *rows], MERGES if merges is None else merges, name="隐患")


def penalties(*rows: list[Value], above: Rows = (["填报单位：河口镇", None, "2025年1-9月"],)) -> Sheet:
    """Return a sheet of the one-unit form penalties."""
    header: Rows = [["处罚数量", None, None, "合计", "罚没金额（万元）"], ["警告", "罚款", "其他"]]
    merge_row = len(above) + 2
    merges = [f"A{merge_row}:C{merge_row}", f"D{merge_row}:D{merge_row + 1}", f"E{merge_row}:E{merge_row + 1}"]
    return Sheet([["行政处罚情况统计表"], *above, *header, *rows], merges, name="处罚")


def visits(*rows: list[Value], title: str = "2025年8月检查情况表") -> Rows:
    """Return a sheet of the form that two authorities have with the same title and headers."""
    return [[title], ["单位", "检查次数", "立案数"], *rows]


def figures(submission: ReadSubmission) -> dict[str, str]:
    """Return a submission's values, or states where there is none, by short indicator id."""
    return {
        item.indicator_id.split(".")[1]: item.state if item.value is None else str(item.value)
        for item in submission.observations
    }


def observed(submission: ReadSubmission, indicator: str) -> Observation:
    return next(item for item in submission.observations if item.indicator_id.endswith(f".{indicator}"))


def findings(result: ReadWorkbook) -> list[ReadingFinding]:
    """Return all findings, having looked at the words of each."""
    found = [
        *result.file_findings,
        *(item for items in result.sheet_findings.values() for item in items),
        *(item for submission in result.submissions for item in submission.findings),
    ]
    for item in found:
        assert "{" not in item.message() + item.log()
        assert "“”" not in item.message() and "（）" not in item.message(), item.message()
        assert item.message().endswith(("。", "”。")) and not item.message().isascii()
    return found


def only(result: ReadWorkbook) -> ReadingFinding:
    (finding,) = findings(result)
    return finding


def kinds(result: ReadWorkbook) -> list[str]:
    return [item.kind for item in findings(result)]


def by_unit(result: ReadWorkbook) -> dict[str, dict[str, str]]:
    return {item.unit_id: figures(item) for item in result.submissions}


FULL = {"found": "5", "fixed": "4", "major_found": "1", "major_fixed": "0", "fines": "2.5"}


def test_a_table_of_units_becomes_one_submission_a_unit(read: Read) -> None:
    result = read(hazards(HEKOU, SHANGPO, ["合计", 8, 7, 1, 0, 2.5]))
    assert findings(result) == []
    assert [(item.unit_id, item.row_role, item.period.period_id, item.sheet) for item in result.submissions] == [
        ("hekou", "unit", "2025-08", "隐患"),
        ("shangpo", "unit", "2025-08", "隐患"),
        ("dongshan_all", "total", "2025-08", "隐患"),
    ]
    assert figures(result.submissions[0]) == FULL
    assert observed(result.submissions[1], "major_found").cell == "D6"


def test_a_sheet_of_one_unit_becomes_one_submission(read: Read) -> None:
    result = read(penalties([1, 2, 0, 3, "12.50"]))
    assert findings(result) == []
    (submission,) = result.submissions
    assert (submission.unit_id, submission.period.period_id) == ("hekou", "2025-M01-M09")
    assert figures(submission) == {"warnings": "1", "fined": "2", "other": "0", "total": "3", "fines": "12.50"}
    assert observed(submission, "fines") == Observation(
        "penalties.fines", "value", observed(submission, "fines").value, "12.50", 2, "E5"
    )


class TestWhereTheTableStands:
    """The table is found wherever and however it stands."""

    def test_columns_may_be_moved_and_rows_reordered(self, read: Read) -> None:
        header: Rows = [
            ["罚款金额", "重大隐患", None, "单位", "一般隐患", None],
            [None, "已整改", "排查", None, "已整改", "排查"],
            ["万元", "条", "条", None, "条", "条"],
        ]
        merges = ["A2:A3", "B2:C2", "D2:D4", "E2:F2"]
        result = read(hazards([0, 0, 0, "上坡街道", 3, 3], [2.5, 0, 1, "河口镇", 4, 5], header=header, merges=merges))
        assert findings(result) == []
        assert by_unit(result)["hekou"] == FULL
        assert observed(result.submissions[1], "found").cell == "F6"

    def test_blank_rows_and_columns_around_and_inside_change_nothing(self, read: Read) -> None:
        rows = [[None, None, *row[:3], None, *row[3:]] for row in ([TITLE], [], *HEADER, HEKOU, [], SHANGPO)]
        merges = ["C5:C7", "D5:E5", "G5:H5", "I5:I6"]
        result = read(Sheet([[], [], *rows], merges))
        assert findings(result) == []
        assert by_unit(result)["hekou"] == FULL
        assert observed(result.submissions[1], "fines").cell == "I10"

    @pytest.mark.parametrize(
        ("header", "merges"),
        [
            ([["单位", "一般隐患-排查", "一般隐患-已整改", "重大隐患-排查", "重大隐患-已整改", "罚款金额"]], []),
            (
                [
                    ["单位", "一般隐患", "一般隐患", "重大隐患", "重大隐患", "罚款金额"],
                    ["", "排查", "已整改", "排查", "已整改", ""],
                ],
                [],
            ),
            (HEADER[:2], ["A2:A3", "B2:C2", "D2:E2", "F2:F3"]),
            (HEADER, []),  # group labels over two columns, but not merged
        ],
    )
    def test_a_header_of_one_to_three_rows_is_read_merged_or_not(
        self, read: Read, header: Rows, merges: list[str]
    ) -> None:
        result = read(hazards(HEKOU, header=header, merges=merges))
        assert findings(result) == []
        assert by_unit(result) == {"hekou": FULL}

    def test_group_labels_typed_over_the_middle_of_their_columns_are_not_carried_anywhere(self, read: Read) -> None:
        header: Rows = [["单位", None, "一般隐患", None, "重大隐患", "罚款金额"], *HEADER[1:]]
        result = read(hazards(HEKOU, header=header, merges=[]))
        assert by_unit(result)["hekou"] == {"fixed": "4", "major_fixed": "0", "fines": "2.5"}
        assert kinds(result) == ["missing_header", "missing_header", "unknown_header", "unknown_header"]

    def test_labels_are_compared_without_spaces_line_breaks_and_width(self, read: Read) -> None:
        header: Rows = [["单 位", "一般\n隐患", None, "“重大”隐患 ", None, "罚款\n\n金额（万元）"], HEADER[1]]
        result = read(hazards(HEKOU, header=header, merges=["B2:C2", "D2:E2"]))
        assert findings(result) == []

    def test_a_header_printed_again_in_the_middle_is_no_row(self, read: Read) -> None:
        result = read(hazards(HEKOU, *map(list, HEADER), SHANGPO))
        assert findings(result) == []
        assert list(by_unit(result)) == ["hekou", "shangpo"]

    def test_rows_above_a_fuller_second_header_are_not_lost(self, read: Read) -> None:
        first: Rows = [["单位", "一般隐患", None, "重大隐患", None, "罚款金额（写错）"], *HEADER[1:]]
        result = read(hazards(HEKOU, *map(list, HEADER), SHANGPO, header=first))
        assert list(by_unit(result)) == ["hekou", "shangpo"]

    def test_a_row_of_column_numbers_is_no_row_of_figures(self, read: Read) -> None:
        result = read(hazards(["甲", 1, 2, 3, 4, 5], HEKOU), penalties(["1", "2", "3", "4", "5"], [7, 0, 0, 7, 0]))
        assert findings(result) == []
        assert [figures(item).get("found", figures(item).get("warnings")) for item in result.submissions] == ["5", "7"]

    def test_notes_and_signatures_below_the_table_are_no_rows(self, read: Read) -> None:
        result = read(
            hazards(
                HEKOU,
                ["注：一般隐患含2025年7月未整改的5条。"],
                ["填表人：张三", None, "审核人：李四", None, "电话", 13800000000],
                ["填报日期：2025年9月3日"],
            )
        )
        assert findings(result) == []
        assert list(by_unit(result)) == ["hekou"]


class TestUnitsOfMeasure:
    """Figures arrive in the declared unit of measure, rates as the sheet shows them."""

    @pytest.mark.parametrize(
        ("label", "typed", "value"),
        [
            ("罚款金额（元）", 25000, "2.5000"),
            ("罚款金额(万元)", 2.5, "2.5"),
            ("罚款金额", "25000元", "2.5000"),
            ("罚款", 2.5, "2.5"),
        ],
    )
    def test_money_is_converted_as_header_or_cell_say(
        self, read: Read, label: str, typed: float | str, value: str
    ) -> None:
        header: Rows = [[*HEADER[0][:5], label], HEADER[1]]
        result = read(hazards([*HEKOU[:5], typed], header=header, merges=["A2:A3", "B2:C2", "D2:E2", "F2:F3"]))
        assert findings(result) == []
        assert by_unit(result)["hekou"]["fines"] == value
        assert observed(result.submissions[0], "fines").text == (typed if isinstance(typed, str) else f"{typed}")

    def test_a_unit_that_does_not_convert_leaves_the_column_out(self, read: Read) -> None:
        header: Rows = [*HEADER[:2], [None, "条", "%", "条", "条", "万元"]]
        result = read(hazards(HEKOU, header=header))
        finding = only(result)
        assert (finding.kind, finding.cells, finding.stated, finding.expected) == (
            "unit_of_measure_mismatch",
            "隐患!C3",
            "%",
            "条",
        )
        assert "fixed" not in by_unit(result)["hekou"]

    @pytest.mark.parametrize(
        ("cell", "text", "value", "decimals"),
        [
            (Formatted(0.761, "0.0%"), "76.1%", "76.1", 1),
            (Formatted(0.761, "0%"), "76%", "76", 0),
            (Formatted(76.09999, "0.0"), "76.1", "76.1", 1),
            ("76.1%", "76.1%", "76.1", 1),
            (0.761, "0.761", "0.761", 3),
            (Formula("B6/C6", 66.66666666666667), "66.6666666666667", "66.6666666666667", 13),
        ],
    )
    def test_a_rate_is_what_the_sheet_shows(
        self, read: Read, cell: Value, text: str, value: str, decimals: int
    ) -> None:
        header: Rows = [[*HEADER[0], "整改率"], HEADER[1], [*HEADER[2], None]]
        result = read(hazards([*HEKOU, cell], header=header, merges=[*MERGES, "G2:G4"]))
        assert findings(result) == []
        rate = observed(result.submissions[0], "fixed_percent")
        assert (rate.text, str(rate.value), rate.decimals, rate.cell) == (text, value, decimals, "G5")

    def test_a_count_is_what_is_stored_and_not_rounded_to_what_is_shown(self, read: Read) -> None:
        result = read(hazards([*HEKOU[:5], Formatted(2.54, "0.0")]))
        assert by_unit(result)["hekou"]["fines"] == "2.54"

    def test_a_count_shown_as_a_percentage_is_unreadable(self, read: Read) -> None:
        result = read(hazards(["河口镇", Formatted(5, "0%"), *HEKOU[2:]]))
        assert (only(result).kind, only(result).stated, only(result).cells) == ("unreadable_cell", "500%", "隐患!B5")


class TestMoneyStatedBesideTheTable:
    """A line such as 单位：元 above the table holds for the columns of money whose header states no unit."""

    def money(self, read: Read, *lines: list[Value], label: str = "罚款金额") -> ReadWorkbook:
        header: Rows = [*lines, [*HEADER[0][:5], label], HEADER[1]]
        first = 2 + len(lines)
        merges = [f"{columns[0]}{first}:{columns[1]}{first + down}" for columns, down in MERGED]
        return read(hazards([*HEKOU[:5], 20000], SHANGPO, header=header, merges=merges))

    @pytest.mark.parametrize(
        "line",
        [
            ["单位：元"],
            ["（单位：元）"],
            ["单位:", "元"],
            ["单 位：人民币元"],
            ["金额单位：人民币元"],
            ["计量单位：条、元"],
            ["单位：条，元"],
            ["填报日期：2025年9月3日  单位：元"],
            ["填报单位：县应急管理局 金额单位：人民币（元）"],
        ],
    )
    def test_money_is_converted_from_the_unit_stated_above_the_table(self, read: Read, line: list[Value]) -> None:
        result = self.money(read, line)
        assert findings(result) == []
        assert (by_unit(result)["hekou"]["fines"], by_unit(result)["hekou"]["found"]) == ("2.0000", "5")

    @pytest.mark.parametrize("line", ["单位：河口镇", "填报单位：元", "单位：条", "主管单位：县公安局", "单位：万元"])
    def test_a_line_that_names_no_other_unit_of_money_changes_nothing(self, read: Read, line: str) -> None:
        result = self.money(read, [line])
        assert findings(result) == []
        assert by_unit(result)["hekou"]["fines"] == "20000"

    def test_what_the_header_states_outweighs_the_line(self, read: Read) -> None:
        result = self.money(read, ["单位：元"], label="罚款金额（万元）")
        assert by_unit(result)["hekou"]["fines"] == "20000"

    @pytest.mark.parametrize(
        ("lines", "stated"),
        [([["单位：元"], ["金额单位：万元"]], "元、万元"), ([["单位：美元"]], "美元"), ([["单位：十万元"]], "十万元")],
    )
    def test_several_or_unknown_units_of_money_leave_the_column_out(
        self, read: Read, lines: list[list[Value]], stated: str
    ) -> None:
        result = self.money(read, *lines)
        finding = only(result)
        assert (finding.kind, finding.stated, finding.expected) == ("unit_of_measure_mismatch", stated, "万元")
        assert finding.cells == f"隐患!F{2 + len(lines)}"
        assert "fines" not in by_unit(result)["hekou"]


class TestSeveralTablesOnASheet:
    """A second table on a sheet is read by its own header and period, or not at all; a new page is no second table."""

    SECOND = "2025年9月隐患排查情况表"

    def periods(self, result: ReadWorkbook) -> list[tuple[str, str, str]]:
        return [(item.unit_id, item.period.period_id, figures(item).get("found", "")) for item in result.submissions]

    def test_a_second_table_has_its_own_period(self, read: Read) -> None:
        result = read(hazards(HEKOU, [], [self.SECOND], *map(list, HEADER), ["河口镇", 6, 4, 1, 0, 2.5], SHANGPO))
        assert findings(result) == []
        assert self.periods(result) == [
            ("hekou", "2025-08", "5"),
            ("hekou", "2025-09", "6"),
            ("shangpo", "2025-09", "3"),
        ]

    def test_a_second_table_has_its_own_unit_of_money(self, read: Read) -> None:
        header: Rows = [[*HEADER[0]], HEADER[1]]
        result = read(
            hazards(HEKOU, [self.SECOND], ["单位：元"], *map(list, header), [*SHANGPO[:5], 20000], header=header)
        )
        assert findings(result) == []
        assert [figures(item)["fines"] for item in result.submissions] == ["2.5", "2.0000"]

    def test_a_header_in_another_order_is_read_by_its_own_columns(self, read: Read) -> None:
        header = [
            list(reversed(row))
            for row in ([*HEADER[0][:1], "一般隐患", "一般隐患", "重大隐患", "重大隐患", "罚款金额"], HEADER[1])
        ]
        result = read(hazards(HEKOU, *header, list(reversed(SHANGPO))))
        assert findings(result) == []
        assert by_unit(result)["hekou"] == FULL
        assert observed(result.submissions[1], "found").cell == "E8"

    @pytest.mark.parametrize(
        "between", [[], [[TITLE]], [["第2页"]], [["注：含2025年7月未整改的5条。"]], [["2025年8月"]]]
    )
    def test_a_header_printed_again_on_a_new_page_goes_on(self, read: Read, between: list[list[Value]]) -> None:
        result = read(hazards(HEKOU, *between, *map(list, HEADER), SHANGPO))
        assert findings(result) == []
        assert {item.period.period_id for item in result.submissions} == {"2025-08"}
        assert list(by_unit(result)) == ["hekou", "shangpo"]

    @pytest.mark.parametrize(
        "between",
        [
            [["2025年9月隐患排查情况表"]],
            [["2025年9月"]],
            [["2025年9月、10月隐患排查情况表"], *map(list, HEADER)],
            [["2025年8月检查情况表"], ["单位", "检查次数", "立案数"]],
            [["单位", "检查次数", "立案数"]],
            [["行政处罚情况统计表"]],
        ],
    )
    def test_what_cannot_be_read_as_a_second_table_is_left_out_and_named(
        self, read: Read, between: list[list[Value]]
    ) -> None:
        result = read(hazards(HEKOU, *between, SHANGPO))
        finding = only(result)
        assert (finding.kind, finding.cells, finding.stated) == ("another_table", "隐患!A6", "6")
        assert list(by_unit(result)) == ["hekou"]

    def test_a_second_table_below_a_blank_one_of_one_unit_is_not_its_figures(self, read: Read) -> None:
        again: Rows = [["处罚数量", None, None, "合计", "罚没金额（万元）"], ["警告", "罚款", "其他"]]
        result = read(penalties(["填报单位：河口镇 2025年1-6月"], *map(list, again), [9, 0, 0, 9, 0]))
        assert sorted(kinds(result)) == ["another_table", "blank_submission"]
        assert set(figures(result.submissions[0]).values()) == {"blank"}


class TestHeaders:
    """A column is taken for what its labels say, or not at all."""

    def test_an_unknown_column_is_named_and_the_rest_goes_on(self, read: Read) -> None:
        header: Rows = [[*HEADER[0], "其他工作"], HEADER[1], [*HEADER[2], None]]
        result = read(hazards([*HEKOU, 9], header=header))
        finding = only(result)
        assert (finding.kind, finding.cells, finding.stated) == ("unknown_header", "隐患!G2", "其他工作")
        assert by_unit(result) == {"hekou": FULL}

    def test_an_unknown_column_under_a_known_group_is_pointed_at_itself(self, read: Read) -> None:
        header: Rows = [[*HEADER[0][:5], None, "罚款金额"], ["", *HEADER[1][1:5], "销号", ""]]
        result = read(hazards([*HEKOU[:5], 9, 2.5], header=header, merges=["A2:A3", "B2:C2", "D2:F2", "G2:G3"]))
        finding = only(result)
        assert (finding.kind, finding.cells, finding.stated) == ("unknown_header", "隐患!F3", "重大隐患 / 销号")

    def test_ignored_columns_are_not_mentioned(self, read: Read) -> None:
        header: Rows = [["序号", *HEADER[0], "备注"], [None, *HEADER[1]]]
        result = read(
            hazards([1, *HEKOU, "第3条已销号"], header=header, merges=["A2:A3", "B2:B3", "C2:D2", "E2:F2", "G2:G3"])
        )
        assert findings(result) == []
        assert by_unit(result) == {"hekou": FULL}

    def test_a_missing_column_is_named_and_the_rest_goes_on(self, read: Read) -> None:
        result = read(hazards(HEKOU[:5], header=[row[:5] for row in HEADER], merges=["A2:A4", "B2:C2", "D2:E2"]))
        finding = only(result)
        assert (finding.kind, finding.expected, finding.cells) == ("missing_header", "罚款金额", "隐患!A2:E4")
        assert by_unit(result)["hekou"] == {key: value for key, value in FULL.items() if key != "fines"}

    def test_two_columns_for_one_indicator_are_both_left_out(self, read: Read) -> None:
        header: Rows = [[*HEADER[0], "罚款"], HEADER[1], [*HEADER[2], "万元"]]
        result = read(hazards([*HEKOU, 7], header=header, merges=[*MERGES, "G2:G3"]))
        finding = only(result)
        assert (finding.kind, finding.cells, finding.expected) == ("ambiguous_header", "隐患!F2、隐患!G2", "罚款金额")
        assert "fines" not in by_unit(result)["hekou"]

    def test_a_label_that_ends_like_two_indicators_belongs_to_neither(self, read: Read) -> None:
        header: Rows = [
            ["单位", "一般隐患", None, None, None, "罚款金额"],
            [None, "排查", "已整改", "排查", "已整改", None],
        ]
        result = read(hazards(HEKOU, header=header, merges=["A2:A3", "B2:C2", "F2:F3"]))
        assert by_unit(result)["hekou"] == {"found": "5", "fixed": "4", "fines": "2.5"}
        assert sorted(kinds(result)) == ["missing_header"] * 2 + ["unknown_header"] * 2

    def test_last_years_column_is_not_taken_for_this_years(self, read: Read) -> None:
        header: Rows = [[*HEADER[0][:5], "上年同期"], [*HEADER[1][:5], "罚款金额"]]
        result = read(hazards(HEKOU, header=header, merges=["A2:A3", "B2:C2", "D2:E2"]))
        assert kinds(result) == ["missing_header", "unknown_header"]
        assert "fines" not in by_unit(result)["hekou"]

    def test_a_lost_group_label_is_made_up_for_where_only_one_indicator_ends_so(self, read: Read) -> None:
        rows: Rows = [["行政处罚情况统计表"], ["填报单位：河口镇", "2025年1-9月"]]
        result = read([*rows, ["警告", "罚款", "其他", "合计", "罚没金额"], [1, 2, 0, 3, 4]])
        assert findings(result) == []
        assert figures(result.submissions[0])["fined"] == "2"

    def test_a_label_above_the_whole_table_changes_nothing(self, read: Read) -> None:
        rows: Rows = [["2025年8月"], ["单位", "检查情况", None], [None, "检查次数", "立案数"], ["河口镇", 3, 1]]
        result = read(Sheet([["检查情况表"], *rows], ["A3:A4", "B3:C3"]))
        assert findings(result) == []
        assert by_unit(result) == {"hekou": {"visits": "3", "cases": "1"}}

    def test_without_the_column_of_units_nothing_is_taken_and_the_file_says_why(self, read: Read) -> None:
        result = read(Sheet([["2025年8月检查情况表"], ["镇", "检查次数", "立案数"], ["河口镇", 3, 1]], name="检查"))
        finding = only(result)
        assert (finding.kind, finding.cells, result.submissions) == ("unit_column_missing", "检查!A2:C2", [])


class TestTotals:
    """A printed total row is a statement about all units, and never a unit."""

    @pytest.mark.parametrize(
        ("total", "merges"),
        [(["合计", None], ["A7:B7"]), (["合 计", None], []), ([None, "累计"], []), (["—", "合计"], [])],
    )
    def test_the_total_may_be_written_left_of_the_units(
        self, read: Read, total: list[Value], merges: list[str]
    ) -> None:
        header: Rows = [["序号", *HEADER[0]], [None, *HEADER[1]], [None, *HEADER[2]]]
        header_merges = ["A2:A4", "B2:B4", "C2:D2", "E2:F2", "G2:G3"]
        result = read(
            hazards([1, *HEKOU], [2, *SHANGPO], [*total, 8, 7, 1, 0, 2.5], header=header, merges=header_merges + merges)
        )
        assert findings(result) == []
        assert [(item.unit_id, item.row_role) for item in result.submissions][2:] == [("dongshan_all", "total")]
        assert observed(result.submissions[2], "found").cell == "C7"

    def test_a_blank_total_row_states_nothing(self, read: Read) -> None:
        result = read(hazards(HEKOU, ["合计"]))
        assert findings(result) == []
        assert list(by_unit(result)) == ["hekou"]

    def test_a_second_total_row_is_a_finding(self, read: Read) -> None:
        result = read(hazards(HEKOU, SHANGPO, ["合计", 8, 7, 1, 0, 2.5], ["累计", 9, 9, 9, 9, 9]))
        assert (only(result).kind, only(result).cells) == ("submission_repeated", "隐患!B8")

    def test_the_total_of_a_table_of_one_unit_is_no_statement_about_all(self, read: Read) -> None:
        result = read(hazards(HEKOU, ["合计", *HEKOU[1:]]))
        assert findings(result) == []
        assert list(by_unit(result)) == ["hekou"]

    def test_the_total_of_a_table_of_one_unit_has_to_be_what_the_unit_states(self, read: Read) -> None:
        result = read(hazards(HEKOU, ["合计", HEKOU[1], 1, *HEKOU[3:]]))
        finding = only(result)
        assert (finding.kind, finding.cells, finding.stated) == ("total_of_one_differs", "隐患!C6", "1")
        assert finding.expected == str(HEKOU[2]) and finding in result.submissions[0].findings

    def test_the_total_of_a_table_of_one_unit_may_be_rounded(self, read: Read) -> None:
        result = read(hazards([*HEKOU[:-1], 2.54], ["合计", *HEKOU[1:-1], 2.5]))
        assert findings(result) == []

    def test_another_unit_above_a_table_of_one_is_asked_about(self, read: Read) -> None:
        result = read(
            Sheet([["2025年8月检查情况表"], ["填报单位：上坡街道"], ["单位", "检查次数", "立案数"], ["河口镇", 3, 1]])
        )
        finding = only(result)
        assert (finding.kind, finding.stated, finding.expected) == ("unit_line_differs", "上坡街道", "河口镇")
        assert (finding.cells, list(by_unit(result))) == ("Sheet1!A4", ["hekou"])

    def test_where_a_row_is_left_out_the_total_is_not_that_of_one_unit(self, read: Read) -> None:
        result = read(hazards(HEKOU, ["下游镇", 1, 1, 0, 0, 0], ["合计", 6, 5, 1, 0, 2.5]))
        assert only(result).kind == "unknown_unit"
        assert [(item.unit_id, item.row_role) for item in result.submissions][1:] == [("dongshan_all", "total")]


class TestUnits:
    """A unit is known by its names, and never replaced by a guess."""

    def test_an_unknown_unit_is_named_and_the_other_rows_go_on(self, read: Read) -> None:
        result = read(hazards(["下游镇", 1, 1, 0, 0, 0], HEKOU))
        finding = only(result)
        assert (finding.kind, finding.cells, finding.stated) == ("unknown_unit", "隐患!A5", "下游镇")
        assert list(by_unit(result)) == ["hekou"]

    def test_a_second_row_of_a_unit_is_left_out_and_named(self, read: Read) -> None:
        result = read(hazards(HEKOU, ["河口镇人民政府", 9, 9, 9, 9, 9]))
        finding = only(result)
        assert (finding.kind, finding.cells, finding.stated) == ("unit_repeated", "隐患!A6", "河口镇")
        assert by_unit(result) == {"hekou": FULL}

    def test_a_row_of_figures_without_a_name_is_named(self, read: Read) -> None:
        result = read(hazards(HEKOU, [None, 9, 9, 9, 9, 9]))
        assert (only(result).kind, only(result).cells) == ("row_without_unit", "隐患!A6")

    @pytest.mark.parametrize("name", ["河口镇人民政府", "河口\n\n镇", "河 口 镇", "“河口镇”", "河口镇\u200b"])
    def test_a_unit_is_known_by_its_aliases_and_over_line_breaks(self, read: Read, name: str) -> None:
        assert list(by_unit(read(hazards([name, *HEKOU[1:]])))) == ["hekou"]

    @pytest.mark.parametrize(("name", "period"), [("老镇", "2025年8月"), ("高新开发区", "2025年6月")])
    def test_a_unit_outside_its_dates_is_not_taken(self, read: Read, name: str, period: str) -> None:
        result = read(hazards([name, *HEKOU[1:]], SHANGPO, title=f"{period}隐患排查情况表"))
        finding = only(result)
        assert (finding.kind, finding.cells, finding.stated) == ("unit_not_in_force", "隐患!A5", name)
        assert finding.expected == period
        assert list(by_unit(result)) == ["shangpo"]

    @pytest.mark.parametrize(
        "above",
        [
            ["填报单位：河口镇", "2025年1-9月"],
            ["填报单位（盖章）：河口镇人民政府   填报日期：2025年10月8日", "2025年1-9月"],
            ["填报单位：河口镇 单位：万元 统计期间：2025年1-9月"],
            ["填报单位:", "河口镇", "2025年1-9月"],
            ["单位名称：河口\n镇", "2025年1-9月"],
            ["河口镇2025年1-9月"],
            ["填报单位：河口镇", "主管部门：县公安局", "2025年1-9月"],
        ],
    )
    def test_the_unit_of_a_sheet_is_found_where_it_is_named(self, read: Read, above: list[Value]) -> None:
        result = read(penalties([1, 2, 0, 3, 4], above=[above]))
        assert findings(result) == []
        assert [item.unit_id for item in result.submissions] == ["hekou"]

    def test_a_longer_name_is_not_the_shorter_one_inside_it(self, read: Read) -> None:
        result = read(penalties([1, 2, 0, 3, 4], above=[["高新开发区2025年1-9月"]]))
        assert [item.unit_id for item in result.submissions] == ["gaoxin"]

    def test_a_stranger_on_the_line_of_the_unit_is_not_replaced_by_a_name_found_elsewhere(self, read: Read) -> None:
        result = read(
            penalties([1, 2, 0, 3, 4], above=[["填报单位：河口镇派出所", "2025年1-9月"]]), file_name="河口镇.xlsx"
        )
        finding = only(result)
        assert (finding.kind, finding.stated, result.submissions) == ("unknown_unit", "河口镇派出所", [])

    def test_the_unit_may_stand_on_another_sheet_or_in_the_file_name(self, read: Read) -> None:
        without = penalties([1, 2, 0, 3, 4], above=[["2025年1-9月"]])
        cover = Sheet([["封面"], ["填报单位：上坡街道"]], name="封面")
        explanations = Sheet([["填表说明"], ["填报单位：填写本单位全称"]], name="说明")
        assert [item.unit_id for item in read(cover, without).submissions] == ["shangpo"]
        assert [item.unit_id for item in read(without, file_name="河口镇.xlsx").submissions] == ["hekou"]
        assert [item.unit_id for item in read(explanations, without, file_name="河口镇.xlsx").submissions] == ["hekou"]

    def test_without_any_unit_nothing_is_taken(self, read: Read) -> None:
        result = read(penalties([1, 2, 0, 3, 4], above=[["2025年1-9月"]]))
        assert (only(result).kind, result.submissions) == ("unit_not_found", [])

    def test_two_units_on_one_sheet_are_a_question_and_not_a_choice(self, read: Read) -> None:
        result = read(penalties([1, 2, 0, 3, 4], above=[["河口镇、上坡街道2025年1-9月"]]))
        assert (only(result).kind, sorted(only(result).stated.split("、"))) == (
            "ambiguous_unit",
            ["上坡街道", "河口镇"],
        )

    def test_a_second_row_on_a_sheet_of_one_unit_is_named(self, read: Read) -> None:
        result = read(penalties([1, 2, 0, 3, 4], [5, 0, 0, 5, 0]))
        assert (only(result).kind, only(result).cells) == ("row_left_out", "处罚!A6")
        assert figures(result.submissions[0])["warnings"] == "1"


class TestForms:
    """A form is known by its title and header, together."""

    def test_a_title_inside_a_longer_title_is_not_meant(self, read: Read) -> None:
        result = read(
            [["重大行政处罚情况统计表"], ["填报单位：河口镇", "2025年1-9月"], ["重大处罚", "重大罚没金额"], [1, 2]]
        )
        assert [item.form_id for item in result.submissions] == ["serious_penalties"]
        assert findings(result) == []

    def test_two_authorities_with_the_same_form_are_told_apart_by_their_units(self, read: Read) -> None:
        result = read(visits(["河口镇", 3, 1]), visits(["下村镇", 4, 2]))
        assert findings(result) == []
        assert [(item.form_id, item.unit_id) for item in result.submissions] == [
            ("visits", "hekou"),
            ("xishan_visits", "xiacun"),
        ]

    def test_two_candidates_for_the_form_are_a_finding_and_nothing_is_taken(self, read: Read) -> None:
        result = read(Sheet(visits(["某镇", 3, 1]), name="检查"), hazards(HEKOU))
        (finding,) = result.file_findings
        assert (finding.kind, finding.sheet, finding.stated) == (
            "ambiguous_form",
            "检查",
            "《检查情况表》、《检查情况表》",
        )
        assert list(by_unit(result)) == ["hekou"]

    def test_a_form_is_known_by_its_header_alone(self, read: Read) -> None:
        result = read(hazards(HEKOU, title="2025年8月"))
        assert findings(result) == []
        assert by_unit(result) == {"hekou": FULL}

    def test_a_few_of_its_labels_in_another_table_do_not_make_a_form(self, read: Read) -> None:
        ledger: Rows = [
            ["2025年8月台账"],
            ["单位", "日期", "企业", "检查次数", "立案数", "案由", "经办人"],
            ["河口镇", "9月3日", "甲厂", 1, 1, "无证", "王五"],
        ]
        result = read(Sheet(ledger, name="台账"))
        assert (only(result).kind, result.submissions) == ("sheet_not_recognised", [])

    def test_a_sheet_of_explanations_is_a_notice(self, read: Read) -> None:
        explanations: Rows = [
            ["《隐患排查情况表》填表说明"],
            ["指标", "说明"],
            ["一般隐患", "按条计"],
            ["排查", "本月新排查的条数"],
            ["已整改", "本月整改完毕的条数"],
            ["罚款金额", "按决定书，万元"],
            ["填报单位：各镇街"],
        ]
        result = read(hazards(HEKOU), Sheet(explanations, name="填表说明"))
        finding = only(result)
        assert (finding.kind, finding.sheet, finding.severity.value) == ("table_not_found", "填表说明", "notice")
        assert by_unit(result) == {"hekou": FULL}

    def test_any_other_sheet_is_a_notice_and_an_empty_one_nothing(self, read: Read) -> None:
        result = read(
            hazards(HEKOU), Sheet([["通讯录"], ["张三", 13800000000]], name="通讯录"), Sheet([], name="Sheet3")
        )
        assert (only(result).kind, only(result).sheet) == ("sheet_not_recognised", "通讯录")

    def test_hidden_sheets_are_not_read_and_named(self, read: Read) -> None:
        hidden = hazards(["河口镇", 9, 9, 9, 9, 9], title="2025年7月隐患排查情况表")
        result = read(
            Sheet(hidden.rows, hidden.merges, "上月", "hidden"),
            hazards(HEKOU),
            Sheet([["字典"]], (), "字典", "veryHidden"),
        )
        assert [(item.kind, item.sheet) for item in findings(result)] == [
            ("hidden_sheet", "上月"),
            ("hidden_sheet", "字典"),
        ]
        assert by_unit(result) == {"hekou": FULL}

    def test_the_same_unit_and_form_on_two_sheets_is_taken_once(self, read: Read) -> None:
        second = hazards(["河口镇", 9, 9, 9, 9, 9])
        result = read(hazards(HEKOU), Sheet(second.rows, second.merges, "隐患 (2)"))
        finding = only(result)
        assert (finding.kind, finding.cells, finding.stated) == ("submission_repeated", "隐患 (2)!B5", "隐患")
        assert by_unit(result) == {"hekou": FULL}


class TestPeriods:
    """The period is said by the sheet, then by the workbook, then by the file name."""

    def test_two_periods_around_the_table_are_a_finding(self, read: Read) -> None:
        sheet = hazards(HEKOU, title="2025年8月隐患排查情况表（2025年9月）")
        result = read(sheet, hazards(SHANGPO))
        (finding,) = result.file_findings
        assert (finding.kind, finding.stated) == ("ambiguous_period", "2025年8月、2025年9月")

    def test_no_period_is_a_finding_with_an_example(self, read: Read) -> None:
        result = read(hazards(HEKOU, title="隐患排查情况表"))
        assert (only(result).kind, only(result).expected, result.submissions) == (
            "period_not_recognised",
            "2025年9月",
            [],
        )

    def test_the_period_may_stand_in_the_file_name(self, read: Read) -> None:
        result = read(hazards(HEKOU, title="8月隐患排查情况表"), file_name="东山县2025年隐患.xlsx")
        assert findings(result) == []
        assert result.submissions[0].period.period_id == "2025-08"

    def test_the_extension_of_a_file_is_no_part_of_a_number_in_its_name(self, read: Read) -> None:
        result = read(hazards(HEKOU, title="隐患排查情况表"), file_name="东山县2025-08.xlsx")
        assert findings(result) == []
        assert result.submissions[0].period.period_id == "2025-08"

    @pytest.mark.parametrize("file_name", ["2025年9月隐患.xlsx", "隐患_2025-09.xlsx", "2025.9.XLS"])
    def test_a_file_name_that_says_another_period_is_a_notice(self, read: Read, file_name: str) -> None:
        result = read(hazards(HEKOU), file_name=file_name)
        finding = only(result)
        assert (finding.kind, finding.stated, finding.expected) == ("file_name_differs", "2025年9月", "2025年8月")
        assert result.submissions[0].period.period_id == "2025-08"

    def test_a_note_does_not_outweigh_the_title(self, read: Read) -> None:
        result = read(hazards(HEKOU, ["说明：2025年9月起统计口径调整。"]))
        assert findings(result) == []
        assert result.submissions[0].period.period_id == "2025-08"

    @pytest.mark.parametrize(
        ("note", "stated"),
        [
            ("注：统计时间：2024年8月", "2024年8月"),
            ("本表统计2025年7月数据。", "2025年7月"),
            ("注：数据截至2025年9月30日。", "2025年9月"),
            ("注：数据截止2024年8月底", "2024年8月"),
            ("注：数据截至2025年8月31日。", None),
            ("统计时间：8月", None),
            ("注：本表数据与2024年8月相比有较大增长。", None),
            ("注：一般隐患含2025年7月未整改的5条。", None),
            ("说明：本表统计口径2025年7月调整。", None),
            ("依据〔2024〕8号文件，数据截至当月。", None),
            ("填报日期：2025年9月2日", None),
        ],
    )
    def test_a_note_that_dates_the_table_otherwise_is_a_notice(self, read: Read, note: str, stated: str | None) -> None:
        result = read(hazards(HEKOU, [note]))
        said = [(item.kind, item.stated, item.expected, item.cells) for item in findings(result)]
        assert said == ([("note_differs", stated, "2025年8月", "隐患!A6")] if stated else [])
        assert result.submissions[0].period.period_id == "2025-08"

    def test_the_title_may_stand_below_the_table(self, read: Read) -> None:
        rows: Rows = [["单位", "检查次数", "立案数"], ["河口镇", 3, 1], ["2025年8月检查情况表"]]
        result = read(rows)
        assert findings(result) == []
        assert result.submissions[0].period.period_id == "2025-08"


class TestCells:
    """A cell is in one of four states, or unreadable with a finding."""

    def test_zero_blank_and_not_applicable_are_three_things(self, read: Read) -> None:
        result = read(hazards(["河口镇", 0, None, "—", "0", " "]))
        states = [(item.state, item.text) for item in result.submissions[0].observations[:5]]
        assert states == [("zero", "0"), ("blank", ""), ("not_applicable", "—"), ("zero", "0"), ("blank", "")]
        assert findings(result) == []

    @pytest.mark.parametrize(
        ("cell", "stated"),
        [
            ("约五十", "约五十"),
            ("5条左右", "5条左右"),
            (True, "TRUE"),
            (Error("#DIV/0!"), "#DIV/0!"),
            (Error("#SPILL!"), "#SPILL!"),
        ],
    )
    def test_what_is_no_number_is_named_with_its_cell_and_the_rest_goes_on(
        self, read: Read, cell: Value, stated: str
    ) -> None:
        result = read(hazards(["河口镇", 5, cell, 1, 0, 2.5], SHANGPO))
        finding = only(result)
        assert (finding.kind, finding.cells, finding.stated) == ("unreadable_cell", "隐患!C5", stated)
        assert finding.indicator == "一般隐患·已整改"
        assert (
            finding.message()
            == f"“一般隐患·已整改”填写的“{stated}”不是数字，无法采集。应填写数字（条），没有发生的填 0。"
        )
        assert finding.log() == f"隐患!C5: {stated!r} is not a number"
        assert by_unit(result)["hekou"] == FULL | {"fixed": "unreadable"}
        assert list(by_unit(result)) == ["hekou", "shangpo"]

    @pytest.mark.parametrize(
        ("row", "kind", "cells"),
        [
            (["河口镇", -5, 4, 1, 0, 2.5], "negative_value", "隐患!B5"),
            (["河口镇", 5, 4, 1, 0, "-2.5"], "negative_value", "隐患!F5"),
            (["河口镇", 5, 4, 1.5, 0, 2.5], "fractional_count", "隐患!D5"),
        ],
    )
    def test_what_cannot_have_been_counted_is_taken_and_named(
        self, read: Read, row: list[Value], kind: str, cells: str
    ) -> None:
        result = read(hazards(row))
        assert (only(result).kind, only(result).cells) == (kind, cells)
        assert "unreadable" not in by_unit(result)["hekou"].values()

    def test_rates_may_be_fractions_and_below_zero(self, read: Read) -> None:
        header: Rows = [[*HEADER[0], "整改率"], HEADER[1], [*HEADER[2], None]]
        assert findings(read(hazards([*HEKOU, -1.5], header=header, merges=[*MERGES, "G2:G4"]))) == []

    def test_a_date_where_a_number_belongs_is_unreadable(self, read: Read) -> None:
        result = read(hazards(["河口镇", Formatted(45, "yyyy-mm-dd"), *HEKOU[2:]]))
        assert (only(result).kind, only(result).stated) == ("unreadable_cell", "1900-02-14")

    def test_a_formula_counts_with_its_saved_result(self, read: Read) -> None:
        result = read(hazards(["河口镇", Formula("2+3", 5), Formula('IF(B5="","",4)', "4"), *HEKOU[3:]]))
        assert findings(result) == []
        assert by_unit(result) == {"hekou": FULL}

    def test_a_formula_without_a_saved_result_is_a_finding(self, read: Read) -> None:
        result = read(hazards(["河口镇", Formula("SUM(C5:D5)"), *HEKOU[2:]]))
        finding = only(result)
        assert (finding.kind, finding.cells) == ("formula_without_value", "隐患!B5")
        assert by_unit(result)["hekou"] == FULL | {"found": "unreadable"}

    def test_a_formula_whose_result_is_the_empty_text_is_blank(self, read: Read) -> None:
        result = read(hazards(["河口镇", Formula('IF(C5="","",C5)', ""), *HEKOU[2:]]))
        assert findings(result) == []
        assert by_unit(result)["hekou"] == FULL | {"found": "blank"}

    def test_a_row_without_figures_is_a_blank_submission(self, read: Read) -> None:
        result = read(hazards(["河口镇"], SHANGPO))
        finding = only(result)
        assert (finding.kind, finding.cells, finding.stated) == ("blank_submission", "隐患!B5", "河口镇")
        assert set(by_unit(result)["hekou"].values()) == {"blank"}

    def test_a_form_with_nothing_below_its_header_is_a_blank_submission(self, read: Read) -> None:
        result = read(penalties())
        finding = only(result)
        assert (finding.kind, finding.cells) == ("blank_submission", "处罚!A5")
        assert set(figures(result.submissions[0]).values()) == {"blank"}

    def test_a_table_without_rows_is_a_finding(self, read: Read) -> None:
        result = read(hazards())
        assert (only(result).kind, result.submissions) == ("no_rows", [])


FINDINGS_ABOUT_A_FORM = {
    "unknown_unit": (hazards(HEKOU, ["下游镇", 1, 1, 0, 0, 0]), "2025-08", "隐患!A6"),
    "unit_not_in_force": (hazards(HEKOU, ["老镇", 1, 1, 0, 0, 0]), "2025-08", "隐患!A6"),
    "unit_repeated": (hazards(HEKOU, HEKOU), "2025-08", "隐患!A6"),
    "no_rows": (hazards(), "2025-08", "隐患!A2:F4"),
    "another_table": (hazards(HEKOU, ["2025年9月"], SHANGPO), "2025-09", "隐患!A6"),
    "missing_header": (hazards(HEKOU, header=[row[:5] for row in HEADER]), "2025-08", "隐患!A2:E4"),
    "unreadable_cell": (hazards(["河口镇", "约五", *HEKOU[2:]]), "2025-08", "隐患!B5"),
    "blank_submission": (hazards(["河口镇"]), "2025-08", "隐患!B5"),
    "period_not_recognised": (hazards(HEKOU, title="隐患排查情况表"), "", "隐患!A2:F4"),
    "ambiguous_period": (hazards(HEKOU, title="2025年7月、2025年8月隐患排查情况表"), "", "隐患!A1"),
    "file_name_differs": (hazards(HEKOU), "2025-08", "隐患!A1"),
    "table_not_found": (Sheet([["隐患排查情况表"], ["略"]], name="隐患"), "", ""),
    "row_left_out": (penalties([1, 2, 0, 3, 4], [5, 0, 0, 5, 0]), "2025-M01-M09", "处罚!A6"),
    "unit_not_found": (penalties([1, 2, 0, 3, 4], above=[["2025年1-9月"]]), "2025-M01-M09", "处罚!A3:E4"),
    "ambiguous_unit": (
        penalties([1, 2, 0, 3, 4], above=[["2025年1-9月"], ["河口镇"], ["上坡街道"]]),
        "2025-M01-M09",
        "处罚!A3、处罚!A4",
    ),
}


@pytest.mark.parametrize("kind", FINDINGS_ABOUT_A_FORM)
def test_a_finding_says_which_form_and_period_it_concerns_and_where(read: Read, kind: str) -> None:
    sheet, period_id, cells = FINDINGS_ABOUT_A_FORM[kind]
    result = read(sheet, file_name="2025年6月.xlsx" if kind == "file_name_differs" else "报表.xlsx")
    finding = next(item for item in findings(result) if item.kind == kind)
    form_id = "penalties" if sheet.name == "处罚" else "hazards"
    assert (finding.form_id, finding.period_id, finding.cells) == (form_id, period_id, cells)


@pytest.mark.parametrize(("name", "period_id"), [("下游镇", "2025-M01-M09"), ("老镇", "2025-M01-M09")])
def test_a_finding_about_the_one_unit_of_a_sheet_points_at_its_name(read: Read, name: str, period_id: str) -> None:
    finding = only(read(penalties([1, 2, 0, 3, 4], above=[[f"填报单位：{name}", None, "2025年1-9月"]])))
    assert (finding.form_id, finding.period_id, finding.cells) == ("penalties", period_id, "处罚!A2")


def test_every_kind_of_finding_has_words_for_the_clerk_and_for_the_log() -> None:
    for kind in READING_KINDS:
        finding = ReadingFinding(kind, "表一", "表一!B7", "甲", "乙", "丙", "丁")
        assert not finding.message().isascii() and finding.message().endswith("。")
        assert finding.log().isascii() or "表一" in finding.log()
        assert "表一" in finding.log() or kind == "macros_ignored"


def test_a_workbook_with_nothing_in_it_has_no_submissions_and_no_findings(read: Read) -> None:
    result = read([], [[None]], [[" "]])
    assert (result.submissions, kinds(result)) == ([], ["sheet_not_recognised"])


def test_bytes_that_are_no_workbook_raise(read: Read) -> None:
    with pytest.raises(UnreadableWorkbook, match="malformed"):
        read([], parts={"xl/worksheets/sheet1.xml": b'<worksheet><sheetData><row><c r="A1" <c></row></sheetData>'})


def read_in_general(content: bytes) -> OpenedWorkbook:
    """Return what the general reader sees, whether or not a workbook is written as usual."""
    package = open_package(content)
    return xlsx._open_unusual(package, read_styles(package.styles).shown)


@pytest.fixture
def only_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("not written as usual")

    monkeypatch.setattr(xlsx, "_open_unusual", refuse)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    build_all = runpy.run_path(str(PROJECT_ROOT / "examples" / "build_workbooks.py"))["build_all"]
    tables = (path for path in build_all(tmp_path_factory.mktemp("examples")) if "所述数字" not in path.name)
    return [path.read_bytes() for path in tables]


def number_cell(digits: str) -> str:
    """Return a cell from behind its address."""
    return f"><v>{digits}</v></c>"


def text_cell(number: int | str) -> str:
    return f' t="s"><v>{number}</v></c>'


FIGURES = [number_cell(digits) for digits in ("0", "7", "2658", "12.5", "0.30000000000000004", "-3", "1E-3", "5e2")]
ODD = ["", "01", "1.", ".5", "-", "1.2.3", "1e400", "9" * 30, "9" * 400, "NaN", "null", "1,2", "[1]", "1_0", "٣", " 5"]
OTHERS = [' t="b"><v>1</v></c>', ' t="e"><v>#N/A</v></c>', ' t="n"><v>4</v></c>', "><f>1+1</f><v>2</v></c>"]
CELLS = st.sampled_from(
    [*FIGURES, "/>", "", *map(text_cell, [0, 2, 3, 9, "01", "-1", ""]), *map(number_cell, ODD), *OTHERS]
)


def with_figures(rows: list[list[str]], first: int, attributes: str) -> bytes:
    """Return a workbook of a row of labels and, from row ``first`` on, rows of cells; of '' there is no cell."""
    labels = "".join(f'<c r="{letter}1" s="1" t="s"><v>{number}</v></c>' for number, letter in enumerate("ABC"))
    below = "".join(
        f'<row r="{number}"{attributes}>'
        + "".join(f'<c r="{letter}{number}" s="0"{cell}' for letter, cell in zip("ABC", row, strict=True) if cell)
        + "</row>"
        for number, row in enumerate(rows, first)
    )
    texts = "".join(f"<si><t>{text}</t></si>" for text in ("单位", "检查次数", "立案数", "—"))
    xml = f'<worksheet xmlns="{MAIN}"><sheetData><row r="1">{labels}</row>{below}</sheetData></worksheet>'
    targets = ("worksheet", "worksheets/sheet1.xml"), ("styles", "styles.xml"), ("sharedStrings", "sharedStrings.xml")
    return workbook(
        [],
        parts={
            "xl/worksheets/sheet1.xml": xml.encode(),
            "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}" count="9">{texts}</sst>'.encode(),
            "xl/styles.xml": styles_xml(["0.0"]).encode(),
            "xl/_rels/workbook.xml.rels": relations(*targets).encode(),
        },
    )


class TestWorkbooksWrittenAsUsual:
    """Most workbooks are read by a grammar of their own; what it takes is read as the general reader reads it."""

    def test_the_examples_are_read_the_same_both_ways_and_a_second_time(self, examples: list[bytes]) -> None:
        catalog = load_catalog(PROJECT_ROOT)
        kept = Reader(catalog)
        for _ in range(2):
            for content in examples:
                assert xlsx.open_xlsx(content) == read_in_general(content)
                assert kept.read(content, "报表.xlsx") == Reader(catalog).read(content, "报表.xlsx")

    @pytest.mark.usefixtures("only_usual")
    def test_the_examples_are_written_as_usual(self, examples: list[bytes]) -> None:
        assert [len(xlsx.open_xlsx(content).grids) for content in examples] == [1, 10, 1, 4]

    @pytest.mark.usefixtures("only_usual")
    @pytest.mark.parametrize(
        "cell", [5, -1.5, "文字", Formatted(0.5, "0.0%"), Formula("1+1", 2), Formula("A1", "文"), None, "", "1e-05"]
    )
    def test_what_units_send_is_written_as_usual(self, cell: Value) -> None:
        (found,) = xlsx.open_xlsx(with_shared_texts(workbook([["甲", cell or None, 1]]))).grids
        assert found.address(0, 2) == "C1" and found.rows[0][2] == 1.0

    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(
            st.lists(
                st.none()
                | st.integers(-(10**6), 10**6)
                | st.floats(allow_nan=False, allow_infinity=False)
                | st.text("甲乙 &<_x000D\n\t'\"1,.。", max_size=6)
                | st.builds(
                    Formatted, st.floats(0, 1e6), st.sampled_from(["0%", "0.00_ ", "yyyy-mm-dd", "[h]:mm", "0"])
                )
                | st.builds(Formula, st.just("A1"), st.none() | st.floats(0, 9) | st.sampled_from(["", "文", " a "]))
                | st.just(Error("#DIV/0!"))
                | st.booleans(),
                max_size=5,
            ),
            max_size=6,
        ),
        st.sampled_from([(), ("A1:B2",), ("B2:B3", "C1:E1")]),
    )
    def test_whatever_is_in_the_cells_both_readers_see_the_same(self, rows: Rows, merges: tuple[str, ...]) -> None:
        content = with_shared_texts(workbook(Sheet(rows, merges), Sheet(rows[::-1], name="二")))
        assert xlsx.open_xlsx(content) == read_in_general(content)

    def test_workbooks_that_differ_in_their_structure_alone_are_told_apart(self) -> None:
        rows: Rows = [["甲"], [1]]
        for _ in range(2):
            for name, state in [("一", "visible"), ("二", "visible"), ("一", "hidden")]:
                opened = xlsx.open_xlsx(workbook(Sheet(rows, name=name, state=state), Sheet(rows, name="末")))
                assert [item.name for item in opened.grids] == [*([name] if state == "visible" else []), "末"]
                assert opened.hidden == ([] if state == "visible" else [name])

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=4),
        st.integers(2, 5),
        st.sampled_from(["", ' spans="1:3"']),
    )
    def test_rows_like_those_seen_before_are_read_as_the_general_reader_reads_them_or_left_to_it(
        self, rows: list[list[str]], first: int, attributes: str
    ) -> None:
        for cells in (rows, rows[::-1]):  # the second time by what was learnt the first time
            content = with_figures(cells, first, attributes)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(xlsx, "_open_unusual", lambda *_: None)
                seen = xlsx.open_xlsx(content)
            assert seen is None or seen == read_in_general(content)

    @pytest.mark.usefixtures("only_usual")
    def test_figures_blanks_and_dashes_in_any_order_are_written_as_usual(self) -> None:
        chance = random.Random(20250904)
        for _ in range(20):
            rows = [[chance.choice([*FIGURES, "/>", text_cell(0)]) for _ in range(3)] for _ in range(5)]
            assert len(xlsx.open_xlsx(with_figures(rows, 2, "")).grids[0].rows) >= 1

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(
            st.lists(
                st.none() | st.integers(-5, 5000) | st.floats(0, 10**6) | st.sampled_from(["—", "12 条", " "]),
                min_size=5,
                max_size=5,
            ),
            min_size=1,
            max_size=3,
        )
    )
    def test_a_workbook_is_understood_alike_by_whichever_reader(self, catalog: Catalog, rows: Rows) -> None:
        content = with_shared_texts(
            workbook(
                hazards(*([unit, *row] for unit, row in zip(["河口镇", "上坡街道", "合计"], rows, strict=False))),
                penalties(*rows[:1]),
            )
        )
        reader = Reader(catalog)
        read = [reader.read(content, "2025年9月.xlsx") for _ in range(2)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(xlsx, "usual_sheets", lambda *_: None)
            read.append(Reader(catalog).read(content, "2025年9月.xlsx"))
        assert read[0] == read[1] == read[2]

    def test_whatever_is_damaged_is_read_as_the_general_reader_reads_it_or_left_to_it(self) -> None:
        chance = random.Random(20250902)
        content = with_shared_texts(
            workbook(hazards(HEKOU, SHANGPO), Sheet([["甲", Formatted(0.5, "0%"), 3]], ["A1:B1"]))
        )
        archive = zipfile.ZipFile(io.BytesIO(content))
        files = {name: archive.read(name) for name in archive.namelist()}
        scraps = [
            b"<",
            b'"',
            b"&",
            b"</c>",
            b't="s"',
            b't="str"',
            b"1e9",
            b"\xff",
            b' r="A0"',
            b"</v>",
            b"<v>",
            b"",
            b"7",
        ]
        scraps += [
            b"</row>",
            b"<row>",
            b"<f>1</f>",
            b"\n",
            b"-",
            b".",
            b"_x000D_",
            b"</t>",
            b"<si>",
            b"<sheetData>",
            b"/>",
        ]
        read = 0
        for _ in range(2000):
            name = chance.choice([name for name in files if name.startswith("xl/") and "rels" not in name])
            data = bytearray(files[name])
            place = chance.randrange(len(data))
            data[place : place + chance.choice([0, 0, 1, 2, 5])] = chance.choice(scraps)
            damaged = zipped(files | {name: bytes(data)})
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(xlsx, "_open_unusual", lambda *_: None)
                try:
                    seen = xlsx.open_xlsx(damaged)
                except UnreadableWorkbook:
                    continue
            if seen is not None:
                read += 1
                assert seen == read_in_general(damaged)
        assert read > 50
