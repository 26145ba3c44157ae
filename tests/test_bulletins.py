"""Bulletins: which figures of a sentence are bound to what, and what they are held against."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from conftest import new_database, settings_for
from enforcement_reporting import intake, marts
from enforcement_reporting.catalog import Catalog, CatalogError, load_catalog
from enforcement_reporting.cli import main
from enforcement_reporting.local.postgres import LocalServer
from enforcement_reporting.phrases import DIRECTION, NUMBER, compiled, flat, places_in, signed
from enforcement_reporting.quality import check_submissions, load_suites
from enforcement_reporting.quality.at_hand import RuleFinding, check_at_hand
from enforcement_reporting.settings import PROJECT_ROOT, Settings
from enforcement_reporting.warehouse import connect
from enforcement_reporting.workbook import Reader, ReadWorkbook, UnreadableWorkbook
from test_formats import cell, document, paragraph, run
from test_formats import table as word_table
from workbooks import Formatted, Sheet, workbook

FILES = {
    "catalog/landing.yaml": "places: [{place_id: inbox, path: inbox, policy: archive}]",
    "catalog/testland/authority.yaml": """
authority_id: testland
name: 测试局
units:
  unit_id: all_units
  name: 全区
  kind: 汇总
  members:
    - {unit_id: east, name: 东镇, kind: 镇街, aliases: [东镇人民政府]}
    - {unit_id: west, name: 西镇, kind: 镇街}
    - {unit_id: zone, name: 园区, kind: 园区, within: west}
""",
    "catalog/testland/forms/hazards.yaml": """
form_id: hazards
authority_id: testland
title: 隐患统计表
calendar: {kind: month}
figures: single
unit_labels: [单位]
indicators:
  - {indicator_id: found, label: [排查], unit_of_measure: 条}
  - {indicator_id: fixed, label: [整改], unit_of_measure: 条}
  - {indicator_id: fines, label: [罚款], unit_of_measure: 万元}
  - {indicator_id: stations, label: [站点数], unit_of_measure: 个, applies_to: [镇街]}
  - {indicator_id: rate, label: [整改率], unit_of_measure: "%", measure_kind: rate}
""",
    "catalog/testland/forms/bulletin.yaml": """
form_id: bulletin
authority_id: testland
title: 执法情况通报
calendar: {kind: month}
figures: single
bulletin:
  speaks_of: all_units
  phrases:
    - 排查隐患{found}[，同比{found_change}]
    - 其中重大隐患{major}（{each:major}）
    - 整改率{fixed_rate}[（{each:fixed_rate}）]
    - 上月整改率{last_rate}
    - 已整改{fixed}，占{share}
    - 罚款{fines}
    - {text: "{units}未排查出隐患", states: {found: 0}}
    - 站点{stations}
indicators:
  - {indicator_id: found, label: [隐患数], unit_of_measure: 条}
  - {indicator_id: found_change, label: [隐患数, 同比], unit_of_measure: "%", measure_kind: rate}
  - {indicator_id: major, label: [重大隐患数], unit_of_measure: 条}
  - {indicator_id: fixed_rate, label: [整改率], unit_of_measure: "%", measure_kind: rate}
  - {indicator_id: last_rate, label: [上月整改率], unit_of_measure: "%", measure_kind: rate}
  - {indicator_id: fixed, label: [已整改隐患], unit_of_measure: 条}
  - {indicator_id: share, label: [已整改占比], unit_of_measure: "%", measure_kind: rate}
  - {indicator_id: fines, label: [罚款金额], unit_of_measure: 万元}
  - {indicator_id: stations, label: [站点数], unit_of_measure: 个}
""",
    "expectations/testland/bulletin.yaml": """
form: bulletin
rules:
  - {rule_id: found, kind: stated_figure, stated: found, of: [hazards.found]}
  - {rule_id: fixed_rate, kind: rate, stated: fixed_rate, numerator: [hazards.fixed], denominator: [hazards.found],
     unit_rates: hazards.rate}
  - {rule_id: last, kind: wrong_period, stated: last_rate, numerator: [hazards.fixed], denominator: [hazards.found]}
  - {rule_id: share, kind: rate, stated: share, numerator: [fixed], denominator: [found], unit_rates: hazards.rate}
  - {rule_id: fines, kind: stated_figure, stated: fines, of: [hazards.fines]}
  - {rule_id: stations, kind: stated_figure, stated: stations, of: [hazards.stations]}
""",
}
HEADER = ["单位", "排查", "整改", "罚款（万元）", "站点数", "整改率"]
# The zone lies in the west: its figures are in those of the west already.
UNITS = [["东镇", 8, 5, 1.26, 1, "62.5%"], ["西镇", 4, 4, 2, 1, "100%"], ["园区", 3, 3, 0, None, "100%"]]


def definitions(folder: Path, **changed: str) -> Path:
    """Write the definitions, some files changed."""
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(changed.get(path.stem, content), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return load_catalog(definitions(tmp_path_factory.mktemp("definitions")))


def bulletin(*paragraphs: str) -> bytes:
    """Return a bulletin of September 2025 as a sheet of paragraphs."""
    return workbook(Sheet([["2025年9月执法情况通报"], *([text] for text in paragraphs)], name="正文"))


def table(rows: list[list[object]] | None = None) -> bytes:
    """Return the units' table of September 2025."""
    return workbook(Sheet([["2025年9月隐患统计表"], HEADER, *(rows or UNITS)], name="表"))  # type: ignore[list-item]


def said(read: ReadWorkbook) -> dict[str, dict[str, Decimal | None]]:
    """Return the figures by unit and indicator."""
    return {
        item.unit_id: {seen.indicator_id.removeprefix("bulletin."): seen.value for seen in item.observations}
        for item in read.submissions
        if item.form_id == "bulletin"
    }


# --- phrases --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["排查{found", "排查[，整改{fixed}", "排查{found}]", "{units}和{units}排查{found}"])
def test_a_phrase_that_is_not_well_formed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="phrase"):
        places_in(text)


@given(st.decimals(min_value=0, max_value=10**9, allow_nan=False, places=2), st.sampled_from(["下降", "上升了", ""]))
def test_a_change_has_the_sign_of_its_word(number: Decimal, word: str) -> None:
    assert Decimal(signed(f"{word}{number:f}")) == (-number if word == "下降" else number)


@given(st.integers(0, 10**12))
def test_a_number_parted_by_commas_is_one_number(number: int) -> None:
    phrase = compiled("排查隐患{found}", lambda *_: f"{NUMBER}条", [])
    match = phrase.pattern.search(flat(f"全区共排查隐患 {number:,} 条，"))
    assert match is not None
    assert match["p0"] == f"{number}条"


def test_what_may_be_missing_may_be_missing() -> None:
    phrase = compiled("罚款{fines}[，同比{change}]", lambda *_: f"(?:{DIRECTION})?{NUMBER}", [])
    for text, figures in (("罚款3，同比下降5", ("3", "下降5")), ("罚款3。", ("3", None))):
        match = phrase.pattern.search(flat(text))
        assert match is not None
        assert (match["p0"], match["p1"]) == figures


# --- reading --------------------------------------------------------------------------------------------------------


def test_figures_are_bound_by_the_phrases_declared(catalog: Catalog) -> None:
    text = "9月，全区共排查隐患 1,234 条，同比下降12.5%；其中重大隐患6条（东镇5条，西镇1条），整改率 98.50％。"
    read = Reader(catalog).read(bulletin(text), "通报.xlsx")
    assert said(read) == {
        "all_units": {
            "found": Decimal(1234),
            "found_change": Decimal("-12.5"),
            "major": Decimal(6),
            "fixed_rate": Decimal("98.50"),
        },
        "east": {"major": Decimal(5)},
        "west": {"major": Decimal(1)},
    }
    (whole,) = [item for item in read.submissions if item.unit_id == "all_units"]
    assert (whole.row_role, whole.period.period_id) == ("total", "2025-09")
    assert {seen.cell for seen in whole.observations} == {"A2"}
    assert whole.said["bulletin.major"].startswith("其中重大隐患6条") or "重大隐患6条" in whole.said["bulletin.major"]
    assert not read.unbound


def test_a_figure_said_without_a_number_is_bound_for_each_unit_named(catalog: Catalog) -> None:
    read = Reader(catalog).read(bulletin("东镇人民政府、西镇等单位未排查出隐患，须引起重视。"), "通报.xlsx")
    assert said(read) == {"east": {"found": Decimal(0)}, "west": {"found": Decimal(0)}}


@pytest.mark.parametrize(
    "text",
    [
        "全区查封企业 7 家，成效明显。",  # no phrase
        "排查隐患300余条，成效明显。",  # no exact figure
        "排查隐患45%，成效明显。",  # no count
        "罚款3次，成效明显。",  # no money
        "排查隐患8家，成效明显。",  # no such measure
        "排查隐患8条次，成效明显。",
    ],
)
def test_what_no_phrase_binds_is_listed_and_not_guessed(catalog: Catalog, text: str) -> None:
    read = Reader(catalog).read(bulletin(text), "通报.xlsx")
    assert said(read) == {}
    (left,) = read.unbound
    assert (left.cell, left.sentence) == ("A2", text)
    assert [finding.kind for findings in read.sheet_findings.values() for finding in findings] == [
        "statement_not_bound"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "排查隐患1.2万条，成效明显。",
        "排查隐患12万余条，成效明显。",
        "排查隐患3—5条，成效明显。",
        "排查隐患3至5条，成效明显。",
        "排查隐患3条至5条，成效明显。",
        "排查隐患1, 234条，成效明显。",
        "排查隐患300条以上，成效明显。",
        "排查隐患300条左右，成效明显。",
        "站点3个月，成效明显。",
        "整改率提高1.2个百分点，成效明显。",
        "整改率下降1.2%，成效明显。",
        "整改率98.5%—99%，成效明显。",
        "罚款3.2万元以上，成效明显。",
    ],
)
def test_what_is_no_exact_figure_is_none(catalog: Catalog, text: str) -> None:
    read = Reader(catalog).read(bulletin(text), "通报.xlsx")
    assert said(read) == {}
    assert read.unbound


@pytest.mark.parametrize(
    "text",
    [
        "东镇排查隐患12条，向好。",
        "东镇、西镇共排查隐患12条，向好。",
        "其中，东镇人民政府全年排查隐患12条，向好。",
        "全区总体平稳，东镇排查隐患12条，向好。",
        "去年同期，全区排查隐患12条，向好。",
        "上月排查隐患12条，向好。",
    ],
)
def test_what_is_said_of_a_unit_or_of_an_earlier_time_is_not_bound_to_the_whole(catalog: Catalog, text: str) -> None:
    read = Reader(catalog).read(bulletin(text), "通报.xlsx")
    assert said(read) == {}
    assert [left.figures for left in read.unbound] == [("12条",)]


@pytest.mark.parametrize(
    "text",
    [
        "东镇较为落后，全区共排查隐患12条，向好。",
        "东镇等三家单位发力，排查隐患12条，向好。",
        "在东镇召开现场会，排查隐患12条，向好。",
        "较去年同期有进步，排查隐患12条，向好。",
        "去年同期未开展，今年排查隐患12条，向好。",
        "东镇未排查出隐患，排查隐患12条，向好。",
    ],
)
def test_what_is_said_of_the_whole_is_bound_to_it(catalog: Catalog, text: str) -> None:
    assert said(Reader(catalog).read(bulletin(text), "通报.xlsx"))["all_units"] == {"found": Decimal(12)}


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        ("全区查封企业2012家，成效明显。", ("2012家",)),
        ("全区查封企业20123家，成效明显。", ("20123家",)),
        ("发放调查表120份，成效明显。", ("120份",)),
        ("2012年以来，查封企业7家，成效明显。", ("7家",)),
    ],
)
def test_a_figure_like_a_year_or_the_number_of_a_table_is_listed(
    catalog: Catalog, text: str, figures: tuple[str, ...]
) -> None:
    assert [left.figures for left in Reader(catalog).read(bulletin(text), "通报.xlsx").unbound] == [figures]


@pytest.mark.parametrize(
    "text", ["东镇、" * 30_000, "1" * 100_000, "排查隐患12条，" * 12_000], ids=lambda text: text[:3]
)
def test_a_long_paragraph_is_read_in_seconds(catalog: Catalog, text: str) -> None:
    began = time.monotonic()
    Reader(catalog).read(f"2025年9月执法情况通报\n\n全区，{text}。\n".encode(), "通报.txt")
    assert time.monotonic() - began < 10


def test_days_numbers_of_documents_and_headings_are_no_figures(catalog: Catalog) -> None:
    texts = ["1.根据〔2023〕50号文件，9月26日前（第3季度），1-9月各项工作已完成。", "表1.2 各镇情况"]
    assert Reader(catalog).read(bulletin(*texts, "排查隐患1条。"), "通报.xlsx").unbound == []


def test_a_sentence_broken_over_lines_is_whole_again(catalog: Catalog) -> None:
    first = "2025年9月，全区上下认真贯彻落实各项部署要求，累计排查隐"
    assert said(Reader(catalog).read(bulletin(first, "患12条。"), "通报.xlsx")) == {"all_units": {"found": Decimal(12)}}


def test_what_is_stated_twice_and_differently_is_a_finding(catalog: Catalog) -> None:
    def kinds(*texts: str) -> list[str]:
        read = Reader(catalog).read(bulletin(*texts), "通报.xlsx")
        return [finding.kind for item in read.submissions for finding in item.findings]

    assert kinds("一、全区整改率69.1%，向好。", "二、全区整改率67.56%，偏低。") == ["stated_differently"]
    assert kinds("一、全区整改率69.1%，向好。", "二、全区整改率69.13%，偏低。") == []  # the same, rounded


def test_an_enumeration_that_adds_up_to_something_else_is_a_question(catalog: Catalog) -> None:
    def kinds(text: str) -> list[str]:
        read = Reader(catalog).read(bulletin(text), "通报.xlsx")
        return [finding.kind for findings in read.sheet_findings.values() for finding in findings]

    assert kinds("其中重大隐患20条（东镇10条，西镇4条）。") == ["enumeration_differs"]
    assert kinds("其中重大隐患14条（东镇10条，西镇4条）。") == []
    assert kinds("其中重大隐患14条（东镇10条，西镇4条，园区2条）。") == []  # the zone is in the west
    assert kinds("其中重大隐患16条（东镇10条，西镇4条，园区2条）。") == []  # or named beside it
    assert kinds("各镇整改率80%（东镇75%，西镇90%）。") == []  # rates have no sum


def test_a_list_of_statements_is_bound_by_the_names_in_it(catalog: Catalog) -> None:
    rows = [
        ["2025年9月执法情况通报所述数字"],
        ["序号", "指标", "范围", "期", "数值", "陈述"],
        [1, "隐患数", None, None, "12条", None],
        [2, "隐患数", "东镇", "2025年8月", "0", None],
        [3, "罚款金额", "全区", None, "12600元", None],
        [4, None, None, None, ">100", "计划基本超额完成"],
        [5, "隐患数", "北镇", None, "3", None],
    ]
    read = Reader(catalog).read(workbook(Sheet(rows, name="所述")), "陈述.xlsx")
    found = {(item.unit_id, item.period.period_id): list(item.observations) for item in read.submissions}
    assert {
        key: [(seen.indicator_id, seen.value, seen.cell) for seen in seen_all] for key, seen_all in found.items()
    } == {
        ("all_units", "2025-09"): [("bulletin.found", Decimal(12), "E3"), ("bulletin.fines", Decimal("1.26"), "E5")],
        ("east", "2025-08"): [("bulletin.found", Decimal(0), "E4")],
    }
    assert [(left.cell, left.figures) for left in read.unbound] == [("E6", (">100",)), ("E7", ("3",))]


def test_a_figure_in_a_list_may_stand_on_two_lines(catalog: Catalog) -> None:
    rows = [["2025年9月执法情况通报所述数字"], ["指标", "数值"], ["隐患数", "12\n条"], ["整改率", "98.5\n（估）"]]
    read = Reader(catalog).read(workbook(Sheet(rows, name="所述")), "陈述.xlsx")
    assert said(read) == {"all_units": {"found": Decimal(12), "fixed_rate": None}}


def test_a_bulletin_of_no_period_is_not_taken(catalog: Catalog) -> None:
    read = Reader(catalog).read(
        workbook(
            Sheet(
                [["执法情况通报"], ["全区上下认真贯彻落实各项部署要求，累计排查隐患12条，成效明显，形势总体平稳可控。"]]
            )
        ),
        "通报.xlsx",
    )
    assert [finding.kind for finding in read.file_findings] == ["period_not_recognised"]
    assert not read.submissions


# --- what it is held against ----------------------------------------------------------------------------------------

SENTENCES = {
    "全区共排查隐患12条，向好。": set(),  # 8 + 4: the zone is in the west
    "全区共排查隐患15条，向好。": {"found"},
    "全区隐患整改率75%，向好。": set(),
    "全区隐患整改率75.5%，向好。": {"fixed_rate"},
    "全区隐患整改率81.3%，向好。": {"fixed_rate", "fixed_rate_mean"},  # of 62.5 and 100
    "全区隐患整改率81.4%，向好。": {"fixed_rate"},
    "上月整改率75.0%，向好。": {"last"},
    "上月整改率75.1%，向好。": set(),
    "全区共排查隐患12条，已整改9条，占75%，向好。": set(),
    "全区共排查隐患12条，已整改9条，占81.3%，向好。": {"share", "share_mean"},
    "全区共罚款3.3万元，向好。": set(),  # 3.26 at the decimals printed
    "全区共罚款3.2万元，向好。": {"fines_truncated"},
    "全区共罚款3.4万元，向好。": {"fines"},
    "全区共罚款32600元，向好。": set(),
    "站点2个，向好。": set(),  # only towns owe it
    "站点3个，向好。": {"stations"},
    "东镇未排查出隐患，须加强。": {"found"},
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_bulletin_is_held_against_the_tables_at_hand(catalog: Catalog, tmp_path: Path, sentence: str) -> None:
    assert set(found_at_hand(catalog, tmp_path, bulletin(sentence), table())) == SENTENCES[sentence]


def test_where_a_unit_is_missing_a_sum_is_not_held_against(catalog: Catalog, tmp_path: Path) -> None:
    sentence = bulletin("全区共排查隐患15条，东镇未排查出隐患，站点3个，须加强。")
    assert set(found_at_hand(catalog, tmp_path, sentence, table(UNITS[:1]))) == {"found"}  # of the east alone


def test_where_a_unit_is_missing_the_rule_is_said_not_to_be_checked_or_its_figure_is_asked_for(
    catalog: Catalog, tmp_path: Path
) -> None:
    suites, reader = load_suites(definitions(tmp_path), catalog), Reader(catalog)
    workbooks = [reader.read(item, "a.xlsx") for item in (bulletin("全区共排查隐患15条，向好。"), table(UNITS[:1]))]
    _, skipped = check_at_hand(catalog, suites, workbooks, as_printed=True)
    assert "bulletin.found" in skipped.across_forms

    def known(form_id: str, unit_id: str, period_id: str) -> dict[str, Decimal | None] | None:
        return (
            {"hazards.found": Decimal(4)} if (form_id, unit_id, period_id) == ("hazards", "west", "2025-09") else None
        )

    submissions, skipped = check_at_hand(catalog, suites, workbooks, as_printed=True, known=known)
    (found,) = [finding for item in submissions for finding in item.findings if finding.rule_id == "bulletin.found"]
    assert (found.stated, found.expected) == ("15条", "12")
    assert "bulletin.found" not in skipped.across_forms


def found_at_hand(catalog: Catalog, folder: Path, *workbooks: bytes) -> dict[str, RuleFinding]:
    """Return what the rules find in the bulletin among workbooks, by rule."""
    reader = Reader(catalog)
    suites = load_suites(definitions(folder), catalog)
    submissions, _ = check_at_hand(
        catalog, suites, [reader.read(item, "a.xlsx") for item in workbooks], as_printed=True
    )
    found = [finding for item in submissions if item.read.form_id == "bulletin" for finding in item.findings]
    return {finding.rule_id.removeprefix("bulletin."): finding for finding in found}


@pytest.fixture
def settings(server: LocalServer, template: str, tmp_path: Path) -> Settings:
    """A warehouse with these definitions."""
    made = settings_for(tmp_path / "state", definitions(tmp_path / "definitions"), new_database(server, template))
    intake.prepare(made)
    return made


def take_in(settings: Settings, name: str, content: bytes, day: int) -> None:
    path = settings.state / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    intake.ingest_files(settings, [str(path)], "archive", datetime(2025, 10, day, tzinfo=UTC))


def found_in(settings: Settings) -> set[tuple[str, str]]:
    check_submissions(settings)
    with connect(settings) as connection:
        rows = connection.execute(
            "select unit_id, replace(rule_id, 'bulletin.', '') from quality.findings where origin = 'across_forms'"
        ).fetchall()
    return set(rows)


def test_the_warehouse_finds_what_the_check_at_hand_finds(settings: Settings) -> None:
    take_in(settings, "table.xlsx", table(), 1)
    for day, sentence in enumerate(SENTENCES, 2):
        take_in(settings, f"{day}.xlsx", bulletin(sentence), day)
    check_submissions(settings)
    with connect(settings) as connection:
        rows = connection.execute(
            """
            select x.file_name, replace(f.rule_id, 'bulletin.', ''), f.severity
            from quality.findings f join intake.files x using (file_id) where f.origin <> 'reading'
            """
        ).fetchall()
    found = {(name, rule) for name, rule, _ in rows}
    expected = {(f"{day}.xlsx", rule) for day, rules in enumerate(SENTENCES.values(), 2) for rule in rules}
    assert found == expected


def test_a_bulletin_is_checked_again_when_what_it_speaks_of_arrives(settings: Settings) -> None:
    take_in(settings, "bulletin.xlsx", bulletin("全区共排查隐患15条，向好。"), 1)
    take_in(settings, "two.xlsx", table(UNITS[:1]), 2)
    assert found_in(settings) == set()  # the west has not reported
    take_in(settings, "table.xlsx", table(), 3)
    assert found_in(settings) == {("all_units", "found")}
    take_in(settings, "more.xlsx", table([["东镇", 11, 5, 1.26, 1, "45.5%"]]), 4)
    assert found_in(settings) == set()
    assert found_in(settings) == set()


def test_the_marts_hold_a_bulletin_as_statements_and_count_none_of_it(settings: Settings) -> None:
    take_in(settings, "table.xlsx", table(), 1)
    take_in(settings, "bulletin.xlsx", bulletin("全区共排查隐患15条，东镇未排查出隐患，须加强。"), 2)
    check_submissions(settings)
    marts.build(settings)
    with connect(settings) as connection:
        stated = connection.execute(
            "select unit_id, indicator_id, stated_value from marts.fct_stated_totals"
        ).fetchall()
        totals = connection.execute(
            "select value from marts.fct_indicator_totals where unit_id = 'all_units' and indicator_id like '%found'"
        ).fetchall()
        others = connection.execute("select 1 from marts.fct_indicator_totals where form_id = 'bulletin'").fetchall()
    assert set(stated) == {("all_units", "bulletin.found", 15), ("east", "bulletin.found", 0)}
    assert totals == [(12,)]
    assert others == []


def test_proofreading_names_the_sentence_and_asks_the_marts_where_the_tables_are_not_at_hand(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in(settings, "table.xlsx", table(), 1)
    check_submissions(settings)
    marts.build(settings)
    path = settings.state / "draft.xlsx"
    path.write_bytes(bulletin("全区共排查隐患15条，向好。", "查封企业7家，成效明显。"))
    monkeypatch.setenv("ENFORCEMENT_WAREHOUSE_URL", str(settings.warehouse_url))

    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["--definitions", str(settings.definitions), "proofread", *arguments])
        return result.exit_code, result.stdout

    status, text = run(str(path))
    assert status == 1
    assert "隐患数写为 15条，按各单位报送的《隐患统计表》排查应为 12。" in text
    assert "原句：全区共排查隐患15条，向好。" in text
    assert "正文!A3 7家：查封企业7家，成效明显。" in text
    status, text = run("--alone", str(path))
    assert status == 0
    assert "应为 12" not in text
    assert "条规则须与未提供" in text.splitlines()[-1]


# --- definitions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "right", "message"),
    [
        ("speaks_of: north", "speaks_of: all_units", "bulletin.speaks_of: expected a unit of the authority"),
        ("{fine}", "罚款{fines}", "this form has no indicator 'fine'"),
        ("罚款", "罚款{fines}", "expected a figure in it"),
        ("罚款{fines", "罚款{fines}", "expected every brace"),
        ("title: 执法情况通报\nunit_labels: [单位]", "title: 执法情况通报", "a bulletin is no table"),
    ],
)
def test_a_bulletin_that_cannot_be_read_is_refused(tmp_path: Path, wrong: str, right: str, message: str) -> None:
    text = FILES["catalog/testland/forms/bulletin.yaml"].replace(f"- {right}", f"- '{wrong}'").replace(right, wrong)
    with pytest.raises(CatalogError, match=r"bulletin\.yaml") as error:
        load_catalog(definitions(tmp_path, bulletin=text))
    assert message in str(error.value)


def test_only_a_bulletin_states_figures(tmp_path: Path) -> None:
    folder = definitions(tmp_path)
    rules = "form: hazards\nrules: [{rule_id: x, kind: stated_figure, stated: found, of: [fixed]}]"
    (folder / "expectations/testland/hazards.yaml").write_text(rules, encoding="utf-8")
    with pytest.raises(CatalogError, match="form hazards is no bulletin"):
        load_suites(folder, load_catalog(folder))


def test_the_units_that_owe_a_bulletin_are_those_whose_own_figures_it_states(catalog: Catalog) -> None:
    assert catalog.expected_units(catalog.form_by_id["bulletin"]) == []
    own = load_catalog(PROJECT_ROOT).form_by_id["chuxiong_bulletin"]
    assert [unit.unit_id for unit in load_catalog(PROJECT_ROOT).expected_units(own)] == ["chuxiong_bodies"]


def test_a_document_without_tables_is_a_bulletin_or_refused(catalog: Catalog) -> None:
    reader = Reader(catalog)
    text = "2025年9月执法情况通报\n\n全区共排查隐患12条，向好。\n"
    for content in (text.encode(), text.encode("gb18030"), document(*(paragraph(run(x)) for x in text.split("\n")))):
        assert said(reader.read(content, "通报")) == {"all_units": {"found": Decimal(12)}}
    for content in ("你好，再见。".encode(), document(paragraph(run("你好，再见。")))):
        with pytest.raises(UnreadableWorkbook) as refused:
            reader.read(content, "通报")
        assert "没有表格" in refused.value.reason


def test_what_stands_above_a_table_in_a_document_is_read_once(catalog: Catalog) -> None:
    lines = ["2025年9月执法情况通报", "全区共排查隐患15条，向好。", "附件：2025年9月隐患统计表"]
    rows = ["".join(cell(str(value or "")) for value in row) for row in [HEADER, *UNITS]]
    content = document(*(paragraph(run(line)) for line in lines), word_table(*rows))
    read = Reader(catalog).read(content, "通报.docx")
    assert sorted((item.form_id, item.unit_id) for item in read.submissions) == [
        ("bulletin", "all_units"),
        *(("hazards", unit) for unit in ("east", "west", "zone")),
    ]
    assert not read.file_findings


def test_a_sentence_that_begins_with_another_time_speaks_of_that(catalog: Catalog) -> None:
    read = Reader(catalog).read(bulletin("8月，全区排查隐患10条；9月，全区排查隐患12条。"), "通报.xlsx")
    found = {item.period.period_id: [seen.value for seen in item.observations] for item in read.submissions}
    assert found == {"2025-08": [10], "2025-09": [12]}
    assert not any(item.findings for item in read.submissions)


def test_what_is_denied_is_no_figure(catalog: Catalog) -> None:
    read = Reader(catalog).read(bulletin("全区未排查隐患12条，向好。", "排查隐患12，345条已整改。"), "通报.xlsx")
    assert said(read) == {}
    assert [left.cell for left in read.unbound] == ["A2", "A3"]


@pytest.mark.parametrize("names", ["东镇和西镇均", "东镇、西镇2家单位", "东镇、西镇等"])
def test_units_may_be_summed_up_before_something_is_said_of_them(catalog: Catalog, names: str) -> None:
    read = Reader(catalog).read(bulletin(f"{names}未排查出隐患，须加强。"), "通报.xlsx")
    assert said(read) == {"east": {"found": Decimal(0)}, "west": {"found": Decimal(0)}}


def test_a_list_says_a_rate_as_its_cell_shows_it_and_a_period_in_words_of_its_own(catalog: Catalog) -> None:
    rows = [
        ["2025年9月执法情况通报所述数字"],
        ["指标", "期", "数值"],
        ["整改率", None, Formatted(0.755, "0.0%")],
        ["隐患数", "去年同期", "9条"],
        ["隐患数", 45900, "8条"],
        ["隐患数", "8月", "7条"],
        ["隐患数", None, None],
    ]
    read = Reader(catalog).read(workbook(Sheet(rows, name="所述")), "陈述.xlsx")
    found = {item.period.period_id: [seen.value for seen in item.observations] for item in read.submissions}
    assert found == {"2025-09": [Decimal("75.5")], "2025-08": [7]}
    assert [left.cell for left in read.unbound] == ["C4", "C5", "C7"]
