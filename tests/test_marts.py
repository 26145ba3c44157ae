"""What the marts say about a handful of submissions, and that building them in steps says the same.

The steps are taken once, on one warehouse; each test looks at the state it is about.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from dbt.contracts.graph.manifest import Manifest

from conftest import new_database, settings_for
from enforcement_reporting import marts
from enforcement_reporting.local.postgres import LocalServer
from enforcement_reporting.periods import Calendar, CalendarKind
from enforcement_reporting.settings import Settings
from enforcement_reporting.warehouse import connect
from warehouse import Cell, state_figures

CATALOG = """
insert into catalog.authorities values ('au', '市应急局', 'Asia/Shanghai');
insert into catalog.units values
    ('au_all', 'au', '全市', '全市', null, true, 1, null, null),
    ('au_east', 'au', '东片', '片区', 'au_all', true, 2, null, null),
    ('a', 'au', '甲镇', '镇街', 'au_east', false, 3, null, null),
    ('b', 'au', '乙镇', '镇街', 'au_east', false, 4, null, null),
    ('c', 'au', '丙镇', '镇街', 'au_all', false, 5, null, null),
    ('d', 'au', '区住建局', '部门', 'au_all', false, 6, null, null),
    ('gone', 'au', '撤并镇', '镇街', 'au_all', false, 7, null, '2024-12-31');
insert into catalog.unit_closure values
    ('a', 'a', 0, true), ('b', 'b', 0, true), ('c', 'c', 0, true), ('d', 'd', 0, true), ('gone', 'gone', 0, true),
    ('au_east', 'au_east', 0, true), ('au_all', 'au_all', 0, true),
    ('a', 'au_east', 1, true), ('b', 'au_east', 1, true), ('au_east', 'au_all', 1, true),
    ('a', 'au_all', 2, true), ('b', 'au_all', 2, true), ('c', 'au_all', 1, true), ('d', 'au_all', 1, true),
    ('gone', 'au_all', 1, true);
insert into catalog.forms values
    ('f', 'au', '执法情况月报', 'cumulative', 'month', null, 1), ('plan', 'au', '检查计划', 'single', 'month', null, 2);
insert into catalog.form_units select form_id, unit_id from catalog.forms cross join catalog.units where not is_group;
insert into catalog.indicators values
    ('f.checks', 'f', '检查企业', '检查企业', '家次', 'flow', 'cumulative', null, null, null, 1),
    ('f.cases', 'f', '立案', '立案', '起', 'flow', 'cumulative', null, null, null, 2),
    ('f.towns', 'f', '帮扶镇街', '帮扶镇街', '个', 'flow', 'cumulative', null, null, null, 3),
    ('f.rate', 'f', '立案率', '立案率', '%', 'rate', 'cumulative', null, null, null, 4),
    ('plan.checks', 'plan', '计划检查', '计划检查', '家次', 'flow', 'single', null, null, null, 1);
insert into catalog.indicator_unit_kinds values ('f.towns', '部门');
insert into catalog.metrics values
    ('case_rate', 'f', '立案率', '%', 100, 1, true, false, 1),
    ('plan_rate', 'f', '计划完成率', '%', 100, 1, true, true, 2),
    ('towns', 'f', '帮扶镇街数', '个', 1, 0, false, false, 3);
insert into catalog.metric_terms values
    ('case_rate', 'numerator', 'f', 'f.cases'), ('case_rate', 'denominator', 'f', 'f.checks'),
    ('plan_rate', 'numerator', 'f', 'f.checks'), ('plan_rate', 'denominator', 'plan', 'plan.checks'),
    ('towns', 'numerator', 'f', 'f.towns');
insert into catalog.scoreboards values ('board', 'f', '执法评比', 'gap');
insert into catalog.scoreboard_items values
    ('board', 'checks', '检查', 1, 'f.checks', null, 'stated', 'higher', null, 1, 10, 1, 0),
    ('board', 'rate', '立案率', 2, null, 'case_rate', 'stated', 'higher', null, 1, 10, 1, 0);
insert into catalog.scoreboard_units select 'board', unit_id from catalog.units where not is_group;
update catalog.state set catalog_sha256 = 'first';
"""

JANUARY, FEBRUARY, MARCH = "2025-01", "2025-02", "2025-03"
Row = dict[str, Any]
State = dict[str, list[Row]]


@dataclass
class Source:
    """Submissions as the intake and the check leave them."""

    connection: psycopg.Connection
    files: int = 0
    ids: dict[str, int] = field(default_factory=dict)

    def submit(
        self,
        unit: str,
        period: str,
        outcome: str | None,
        form: str = "f",
        role: str = "unit",
        day: int = 1,
        **cells: Any,
    ) -> str:
        """Record one submission of one file, received on that day of March; return its id."""
        self.files += 1
        submission, received_at = f"s{self.files}", f"2025-03-{day:02} 00:00+00"
        file_id = self.file(f"{submission}.xlsx", "taken_in", received_at)
        self.execute(
            "insert into intake.submissions values (%s, %s, %s, %s, %s, %s, %s, 'collect', %s, '月报')",
            [submission, unit, form, period, role, file_id, f"sha{self.files}", received_at],
        )
        stated = {}
        for letter, (name, text) in zip("BCDE", cells.items(), strict=False):
            value = Decimal(text) if text not in ("", "—") else None
            state = "blank" if text == "" else "not_applicable" if value is None else "value" if value else "zero"
            stated[f"{form}.{name}"] = Cell(f"{letter}5", state, value, text)
        state_figures(self.connection, unit, submission, "月报", stated)
        self.execute(
            "insert into intake.touched (form_id, period_id, unit_id) values (%s, %s, %s)", [form, period, unit]
        )
        if outcome:
            self.check(unit, submission, outcome)
        return submission

    def file(self, name: str, outcome: str, received_at: str = "2025-03-01 00:00+00") -> int:
        """Record a file; return its id."""
        row = self.connection.execute(
            "insert into intake.files (file_sha256, file_name, landing_key, size_bytes, policy, received_at, outcome)"
            " values (%s, %s, %s, 1, 'collect', %s, %s) returning file_id",
            [f"sha{self.files}", name, name, received_at, outcome],
        ).fetchone()
        assert row
        self.execute("insert into intake.touched (file_id) values (%s)", [row[0]])
        return int(row[0])

    def check(self, unit: str, submission: str, outcome: str) -> None:
        """Give a submission its verdict, replacing an earlier one."""
        self.execute("delete from quality.verdicts where submission_id = %s", [submission])
        self.execute("insert into quality.verdicts values (%s, %s, %s)", [unit, submission, outcome])
        self.execute(
            "insert into intake.touched (form_id, period_id, unit_id)"
            " select form_id, period_id, unit_id from intake.submissions where submission_id = %s",
            [submission],
        )

    def find(self, finding: str, file_id: int, severity: str, submission: str | None = None, **where: str) -> None:
        """Record a finding."""
        self.execute(
            "insert into quality.findings values (%s, 'reading', %s, %s, %s, %s, %s, %s, %s, 'rule', 'kind', %s,"
            " '月报!B5', '月报', '1', '2', '=请核对')",
            [
                finding,
                "submission" if submission else "file",
                file_id,
                submission,
                *(where.get(key) for key in ("authority_id", "form_id", "unit_id", "period_id")),
                severity,
            ],
        )

    def execute(self, statement: str, values: list[Any] | None = None) -> None:
        """Run a statement."""
        self.connection.execute(statement.encode(), values)


def copy_periods(connection: psycopg.Connection, forms: list[str]) -> None:
    """Give each form the calendar of months, with quarters as summaries."""
    calendar = Calendar(CalendarKind.MONTH, summaries=(CalendarKind.QUARTER,))
    names = "period_id, period_name, period_kind, starts_on, ends_on, accumulates_from, sequence, reported_as"
    names += ", previous_period_id, year_ago_period_id, opens_window"
    with connection.cursor() as cursor, cursor.copy(f"copy catalog.periods (form_id, {names}) from stdin") as copy:
        for form in forms:
            for p in calendar.periods():
                days = (p.starts_on, p.ends_on, p.accumulates_from)
                row = (form, p.period_id, p.name, p.kind.value, *days, p.sequence, p.reported_as)
                copy.write_row((*row, p.previous_period_id, p.year_ago_period_id, p.opens_window))
    connection.execute("analyze catalog.periods")


@dataclass
class Story:
    """The states of the marts after each step, and the warehouse at the end."""

    settings: Settings
    after: dict[str, State]
    outcomes: dict[str, dict[str, Any]]


@contextmanager
def autocommit(settings: Settings) -> Iterator[psycopg.Connection]:
    """Connect for statements that stand for themselves."""
    with connect(settings) as connection:
        connection.autocommit = True
        yield connection


def everything(settings: Settings) -> State:
    """Return all rows of all marts, as export writes them."""
    state = {}
    for mart in marts.MARTS:
        out = io.StringIO()
        marts.export(settings, mart, {}, "json", out)
        state[mart] = json.loads(out.getvalue(), parse_float=Decimal)
    return state


@pytest.fixture(scope="module")
def story(server: LocalServer, template: str, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Play the story: a first build, new submissions, nothing new, a withdrawal, and everything anew."""
    settings = settings_for(tmp_path_factory.mktemp("marts"), url=new_database(server, template))
    after: dict[str, State] = {}
    outcomes: dict[str, dict[str, Any]] = {}

    def build(step: str, full_refresh: bool = False) -> None:
        outcomes[step] = marts.build(settings, full_refresh)
        after[step] = everything(settings)

    with autocommit(settings) as connection:
        connection.execute(CATALOG.encode())
        copy_periods(connection, ["f", "plan"])
        source = Source(connection)
        source.submit("a", JANUARY, "accepted", checks="3", cases="1", rate="33.3")
        source.submit("b", JANUARY, "accepted", checks="6", cases="2", rate="")
        source.submit("c", JANUARY, "questioned", checks="0", cases="0")
        source.submit("au_all", JANUARY, "accepted", role="total", checks="10", cases="3", rate="33.3")
        source.submit("a", FEBRUARY, "accepted", checks="5", cases="2")
        build("first")

        # February goes on: a revision that is returned, one that counts, one not checked yet; and the plan.
        returned = source.submit("a", FEBRUARY, "returned", day=3, checks="500", cases="2")
        source.find(
            "n1", source.files, "error", returned, authority_id="au", form_id="f", unit_id="a", period_id=FEBRUARY
        )
        source.submit("b", FEBRUARY, "accepted", day=4, checks="20", cases="8")
        source.submit("b", FEBRUARY, "accepted", day=2, checks="19", cases="8")  # received before, arrives after
        source.submit("c", FEBRUARY, None, day=5, checks="7", cases="7")
        source.submit("d", FEBRUARY, "accepted", checks="5", cases="0", towns="4")
        source.submit("a", FEBRUARY, "accepted", form="plan", checks="4")
        march = source.submit("a", MARCH, "accepted", checks="9", cases="9")
        broken = source.file("坏的.xlsx", "unreadable")
        source.find("n2", broken, "error")
        source.file("s1.xlsx", "duplicate")
        build("second")

        build("nothing new")
        source.check("a", march, "returned")
        source.submit("b", FEBRUARY, "accepted", form="plan", checks="40")  # touches form f by its metric
        build("withdrawn")
        build("anew", full_refresh=True)
    return Story(settings, after, outcomes)


def rows(state: State, mart: str, **where: Any) -> list[Row]:
    """Return the rows of a mart in which the columns have these values."""
    return [row for row in state[mart] if all(row[column] == value for column, value in where.items())]


def one(state: State, mart: str, **where: Any) -> Row:
    """Return the only such row."""
    (row,) = rows(state, mart, **where)
    return row


def test_a_returned_revision_does_not_replace_the_one_that_stands(story: Story) -> None:
    revisions = rows(story.after["second"], "fct_submissions", unit_id="a", form_id="f", period_id=FEBRUARY)
    assert {(row["revision"], row["outcome"], row["is_standing"], row["errors"]) for row in revisions} == {
        (1, "accepted", True, 0),
        (2, "returned", False, 1),
    }
    value = one(story.after["second"], "fct_indicator_values", unit_id="a", period_id=FEBRUARY, indicator_id="f.checks")
    assert (value["stated_value"], value["sheet"], value["cell"]) == (5, "月报", "B5")


def test_revisions_follow_the_time_received_not_the_order_of_arrival(story: Story) -> None:
    revisions = rows(story.after["second"], "fct_submissions", unit_id="b", form_id="f", period_id=FEBRUARY)
    assert {(row["file_name"], row["revision"], row["is_standing"]) for row in revisions} == {
        ("s8.xlsx", 1, False),
        ("s7.xlsx", 2, True),
    }


def test_a_submission_that_nobody_checked_is_listed_and_its_figures_are_not(story: Story) -> None:
    submission = one(story.after["second"], "fct_submissions", unit_id="c", period_id=FEBRUARY)
    assert (submission["outcome"], submission["is_standing"]) == ("received", False)
    assert not rows(story.after["second"], "fct_indicator_values", unit_id="c", period_id=FEBRUARY)


def test_files_without_a_submission_are_listed_with_what_became_of_them(story: Story) -> None:
    loose = [row for row in story.after["second"]["fct_submissions"] if row["form_id"] is None]
    assert {(row["file_name"], row["outcome"], row["errors"]) for row in loose} == {
        ("坏的.xlsx", "unreadable", 1),
        ("s1.xlsx", "duplicate", 0),
    }
    assert len(story.after["second"]["fct_files"]) == 14
    assert {row["file_name"]: row["submissions"] for row in story.after["second"]["fct_files"]}["坏的.xlsx"] == 0


def test_no_finding_is_dropped_even_if_it_names_neither_unit_nor_form(story: Story) -> None:
    findings = {row["finding_id"]: row for row in story.after["second"]["fct_findings"]}
    assert findings.keys() == {"n1", "n2"}
    assert (findings["n1"]["unit_name"], findings["n1"]["is_standing"]) == ("甲镇", False)
    assert (findings["n2"]["file_name"], findings["n2"]["unit_name"]) == ("坏的.xlsx", None)


def test_cumulative_and_single_value_are_given_where_they_are_known(story: Story) -> None:
    def known(**where: str) -> tuple[Any, Any]:
        row = one(story.after["second"], "fct_indicator_values", unit_id="a", **where)
        return row["cumulative_value"], row["single_value"]

    assert known(period_id=JANUARY, indicator_id="f.checks") == (3, 3)
    assert known(period_id=JANUARY, indicator_id="f.rate") == (None, None)
    assert known(period_id=FEBRUARY, indicator_id="f.checks") == (5, 2)
    assert known(period_id=FEBRUARY, indicator_id="plan.checks") == (None, 4)


def test_a_group_has_the_ratio_of_sums_not_the_mean_of_ratios(story: Story) -> None:
    group = one(
        story.after["second"], "fct_metric_values", unit_id="au_east", period_id=FEBRUARY, metric_id="case_rate"
    )
    assert (group["numerator"], group["denominator"], group["value"], group["value_text"]) == (10, 25, 40, "40.0%")
    assert (group["reported_units"], group["expected_units"], group["is_complete"], group["is_group"]) == (
        2,
        2,
        True,
        True,
    )


def test_a_unit_that_did_not_report_is_there_and_its_group_is_incomplete(story: Story) -> None:
    silent = one(story.after["first"], "fct_metric_values", unit_id="d", period_id=JANUARY, metric_id="case_rate")
    assert (silent["value"], silent["value_text"], silent["is_complete"]) == (None, None, False)
    assert (silent["reported_units"], silent["expected_units"]) == (0, 1)
    group = one(story.after["first"], "fct_metric_values", unit_id="au_all", period_id=JANUARY, metric_id="case_rate")
    assert (group["reported_units"], group["expected_units"], group["is_complete"]) == (3, 4, False)
    assert group["value_text"] == "33.3%"


def test_nothing_over_nothing_prints_a_dash(story: Story) -> None:
    row = one(story.after["first"], "fct_metric_values", unit_id="c", period_id=JANUARY, metric_id="case_rate")
    assert (row["value"], row["value_text"], row["is_complete"]) == (None, "—", True)


def test_what_does_not_apply_to_a_kind_of_unit_is_not_expected_of_it(story: Story) -> None:
    town = one(story.after["second"], "fct_metric_values", unit_id="a", period_id=FEBRUARY, metric_id="towns")
    assert (town["value"], town["value_text"], town["expected_units"]) == (None, "不适用", 0)
    group = one(story.after["second"], "fct_metric_values", unit_id="au_all", period_id=FEBRUARY, metric_id="towns")
    assert (group["value"], group["reported_units"], group["expected_units"], group["is_complete"]) == (4, 1, 1, True)


def test_a_unit_is_neither_expected_nor_ranked_after_its_end(story: Story) -> None:
    assert not rows(story.after["second"], "fct_metric_values", unit_id="gone")
    assert not rows(story.after["second"], "fct_rankings", unit_id="gone")


def test_a_metric_over_two_forms_follows_both(story: Story) -> None:
    def plan(step: str) -> tuple[Any, ...]:
        row = one(story.after[step], "fct_metric_values", unit_id="au_east", period_id=FEBRUARY, metric_id="plan_rate")
        # What was planned for January nobody says: since January there is nothing to set against it.
        assert (row["value"], row["reported_units"], row["expected_units"]) == (None, 0, 2)
        return row["single_numerator"], row["single_denominator"], row["single_is_complete"]

    assert plan("second") == (5 - 3, 4, False)
    assert plan("withdrawn") == (5 - 3 + 20 - 6, 4 + 40, True)


def test_a_printed_total_stands_beside_the_sum_of_the_units(story: Story) -> None:
    total = one(story.after["first"], "fct_stated_totals", indicator_id="f.checks")
    assert (total["stated_value"], total["summed_value"], total["difference"]) == (10, 9, 1)
    assert (total["reported_units"], total["expected_units"], total["is_complete"]) == (3, 4, False)
    assert one(story.after["first"], "fct_stated_totals", indicator_id="f.rate")["summed_value"] is None
    assert not rows(story.after["first"], "fct_indicator_values", unit_id="au_all")


def test_equal_values_share_a_rank_and_who_has_none_is_listed_last(story: Story) -> None:
    def ranks(item: str, period: str) -> dict[str, tuple[Any, Any]]:
        items = rows(story.after["second"], "fct_rankings", item_id=item, period_id=period)
        return {row["unit_id"]: (row["rank"], row["points"]) for row in items}

    assert ranks("checks", FEBRUARY) == {"a": (2, 9), "b": (1, 10), "c": (None, None), "d": (2, 9)}
    assert ranks("rate", JANUARY) == {"a": (1, 10), "b": (1, 10), "c": (None, None), "d": (None, None)}
    assert ranks("total", JANUARY) == {"a": (2, 19), "b": (1, 20), "c": (None, None), "d": (None, None)}
    total = one(story.after["second"], "fct_rankings", item_id="total", period_id=JANUARY, unit_id="b")
    assert (total["ranked_units"], total["expected_units"], total["is_complete"]) == (2, 4, False)


def test_a_period_whose_last_submission_is_returned_keeps_no_figure_and_says_that_nobody_reported(
    story: Story,
) -> None:
    facts = ("fct_indicator_values", "fct_metric_values", "fct_rankings")
    assert all(rows(story.after["second"], mart, period_id=MARCH) for mart in facts)
    assert rows(story.after["withdrawn"], "fct_indicator_values", period_id=MARCH) == []
    metrics = rows(story.after["withdrawn"], "fct_metric_values", period_id=MARCH)
    owed = [row for row in metrics if row["expected_units"]]
    assert {(row["value"], row["reported_units"], row["is_complete"]) for row in owed} == {(None, 0, False)}
    assert {row["rank"] for row in rows(story.after["withdrawn"], "fct_rankings", period_id=MARCH)} == {None}
    assert one(story.after["withdrawn"], "fct_submissions", period_id=MARCH)["outcome"] == "returned"


def test_building_in_steps_says_the_same_as_building_anew(story: Story) -> None:
    assert [story.outcomes[step].get("full_refresh") for step in ("first", "second", "withdrawn", "anew")] == [
        True,
        False,
        False,
        True,
    ]
    assert story.after["withdrawn"] == story.after["anew"]


def test_whoever_reads_while_everything_is_built_anew_finds_every_mart_whole(story: Story) -> None:
    names = ("fct_indicator_values", "fct_indicator_totals", "fct_comparisons", "wide_indicator_values")
    found: dict[str, set[int]] = {name: set() for name in names}
    with autocommit(story.settings) as connection, ThreadPoolExecutor(1) as pool:
        connection.execute("set role bi_reader")
        before = {name: count_of(connection, name) for name in names}
        build = pool.submit(marts.build, story.settings, full_refresh=True)
        while not build.done():
            for name in names:
                found[name].add(count_of(connection, name))
    assert build.result()["full_refresh"]
    assert found == {name: {count} for name, count in before.items()}


def count_of(connection: psycopg.Connection[Any], name: str) -> int:
    row = connection.execute(f"select count(*) from marts.{name}".encode()).fetchone()
    assert row is not None
    return int(row[0])


def test_nothing_is_built_where_nothing_changed(story: Story) -> None:
    assert story.outcomes["nothing new"] == {"built": False}
    assert story.after["nothing new"] == story.after["second"]
    with autocommit(story.settings) as connection:
        assert connection.execute("select count(*) from intake.touched").fetchone() == (0,)


def test_bi_reader_reads_the_marts_and_nothing_else(story: Story) -> None:
    with autocommit(story.settings) as connection:
        readable = connection.execute(
            "select table_schema || '.' || table_name from information_schema.tables"
            " where has_table_privilege('bi_reader', format('%I.%I', table_schema, table_name), 'select')"
            " and has_schema_privilege('bi_reader', table_schema, 'usage')"
            " and table_schema not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        assert sorted(name for (name,) in readable) == [f"marts.{mart}" for mart in marts.MARTS]
        connection.execute("set role bi_reader")
        assert connection.execute("select count(*) from marts.dim_unit").fetchone() == (7,)
        for forbidden in (
            "intake.observations",
            "intake.figures",
            "staging.stg_intake__observations",
            "intermediate.int_periods_touched",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"select * from {forbidden}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("delete from marts.dim_unit")


def test_every_mart_and_column_is_described_with_its_grain_and_owner(story: Story) -> None:
    with autocommit(story.settings) as connection:
        described = dict(
            connection.execute(
                "select relname, obj_description(oid, 'pg_class') from pg_class"
                " where relnamespace = 'marts'::regnamespace and relkind in ('r', 'p', 'v') and not relispartition"
            ).fetchall()
        )
        bare = connection.execute(
            "select attrelid::regclass, attname from pg_attribute join pg_class on attrelid = pg_class.oid"
            " where relnamespace = 'marts'::regnamespace and relkind in ('r', 'p', 'v') and not relispartition"
            " and attnum > 0 and not attisdropped"
            " and col_description(attrelid, attnum) is null"
        ).fetchall()
    assert sorted(described) == list(marts.MARTS)
    assert all("粒度：" in text for text in described.values())
    assert not bare
    marts.run_dbt(story.settings, ["parse"])
    manifest = json.loads((story.settings.state / "dbt" / "target" / "manifest.json").read_text(encoding="utf-8"))
    grains = {
        node["name"]: set(node["config"]["meta"]["grain"])
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and "grain" in node["config"]["meta"]
    }
    with autocommit(story.settings) as connection:
        unique = connection.execute(
            "select r.relname, array_agg(a.attname::text) from pg_index i join pg_class r on r.oid = i.indrelid"
            " join pg_attribute a on a.attrelid = r.oid and a.attnum = any(i.indkey)"
            " where i.indisunique and r.relnamespace = 'marts'::regnamespace and not r.relispartition"
            " group by r.relname, i.indexrelid"
        ).fetchall()
        tables = connection.execute(
            "select relname from pg_class where relnamespace = 'marts'::regnamespace and relkind in ('r', 'p')"
            " and not relispartition"
        ).fetchall()
    # A partitioned table's unique index carries the key of its partitions, which follows from the period.
    enforced = {(name, frozenset(set(columns) - {"year"})) for name, columns in unique}
    assert {(name, frozenset(grains[name])) for (name,) in tables} <= enforced
    owned = {
        node["name"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["config"]["meta"].get("owner") and node["contract"]["enforced"]
    }
    assert sorted(owned) == list(marts.MARTS)


def export(story: Story, mart: str, where: dict[str, str], file_format: Any = "csv") -> str:
    out = io.StringIO()
    marts.export(story.settings, mart, where, file_format, out)
    return out.getvalue()


def test_export_keeps_every_digit(story: Story) -> None:
    where = {"unit_id": "a", "period_id": JANUARY, "metric_id": "case_rate"}
    exact = "33.33333333333333333333"
    assert f'"value":{exact},' in export(story, "fct_metric_values", where, "json")
    (row,) = csv.DictReader(io.StringIO(export(story, "fct_metric_values", where)))
    assert (row["value"], row["is_complete"], row["unit_name"]) == (exact, "true", "甲镇")


def test_export_is_ordered_by_the_grain_and_counts_its_rows(story: Story) -> None:
    out = io.StringIO()
    count = marts.export(story.settings, "fct_indicator_values", {"form_id": "f"}, "csv", out)
    keys = [
        (row["form_id"], row["period_id"], row["unit_id"], row["indicator_id"])
        for row in csv.DictReader(io.StringIO(out.getvalue()))
    ]
    assert len(keys) == count > 10
    assert keys == sorted(keys)


def test_export_writes_no_formula_into_a_csv(story: Story) -> None:
    (row,) = csv.DictReader(io.StringIO(export(story, "fct_findings", {"finding_id": "n2"})))
    assert row["message"] == "'=请核对"
    assert json.loads(export(story, "fct_findings", {"finding_id": "n2"}, "json"))[0]["message"] == "=请核对"


def test_export_of_nothing_is_still_a_table(story: Story) -> None:
    assert json.loads(export(story, "fct_rankings", {"unit_id": "nobody"}, "json")) == []
    assert export(story, "fct_rankings", {"unit_id": "nobody"}).startswith("scoreboard_id,")


def test_export_says_which_marts_and_columns_there_are(story: Story) -> None:
    with pytest.raises(ValueError, match=r"no mart 'fct_value'.*fct_indicator_values"):
        export(story, "fct_value", {})
    with pytest.raises(ValueError, match=r"no column 'unit'.*unit_id, unit_name"):
        export(story, "dim_unit", {"unit": "a"})


def test_the_unit_tests_of_the_dbt_project_pass(story: Story) -> None:
    assert marts.run_dbt(story.settings, ["test", "--select", "test_type:unit"])["tests"] > 5


def test_a_mart_that_cannot_be_built_is_named_and_nothing_is_forgotten(story: Story) -> None:
    with autocommit(story.settings) as connection:
        source = Source(connection, files=100)
        # A file said to be a duplicate, with a submission from it: no list of ours may say so.
        source.submit("a", MARCH, "accepted", checks="1")
        outcome = "update intake.files set outcome = %s where file_name = 's101.xlsx'"
        connection.execute(outcome, ["duplicate"])
        with pytest.raises(marts.MartsError, match=r"fct_files: .*violates check constraint"):
            marts.build(story.settings)
        connection.execute(outcome, ["taken_in"])
    assert marts.build(story.settings)["built"]
    assert one(everything(story.settings), "fct_indicator_values", period_id=MARCH)["stated_value"] == 1


def test_who_forks_others_reads_the_project_and_a_project_that_cannot_be_read_hinders_nobody(
    story: Story, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = replace(story.settings, state=tmp_path)
    marts.read_project(settings)
    content = (tmp_path / "dbt/target/partial_parse.msgpack").read_bytes()
    assert "model.enforcement_reporting.fct_rankings" in Manifest.from_msgpack(content).nodes
    assert not caplog.records
    marts.read_project(replace(settings, dbt_project=tmp_path))
    assert "could not be read beforehand" in caplog.text


def test_one_run_takes_the_project_as_it_was_read_unless_it_has_changed_since(story: Story, tmp_path: Path) -> None:
    project = tmp_path / "dbt_project"
    shutil.copytree(story.settings.dbt_project, project)
    settings = replace(story.settings, state=tmp_path / "state", dbt_project=project)
    parsed = tmp_path / "state/dbt/target/partial_parse.msgpack"  # written whenever the project is read

    def is_read_by_a_run() -> bool:
        parsed.unlink(missing_ok=True)
        marts.run_dbt(settings, ["compile", "--select", "dim_form", "--no-write-json"])
        return parsed.exists()

    marts.read_project(settings)
    assert not is_read_by_a_run()
    assert is_read_by_a_run()  # what a run has worked on is not for another
    marts.read_project(settings)
    with (project / "models/marts/dimensions/dim_form.sql").open("a", encoding="utf-8") as model:
        model.write("-- changed\n")
    assert is_read_by_a_run()


def test_a_build_opens_a_connection_for_each_thread_and_not_for_each_model(story: Story) -> None:
    opened = "select sessions from pg_stat_database where datname = current_database()"
    with autocommit(story.settings) as connection:
        Source(connection, files=300).submit("b", MARCH, "accepted", checks="3")
        (before,) = connection.execute(opened).fetchone() or (0,)
        models = marts.build(story.settings)["models"]
        connection.execute("select pg_stat_clear_snapshot()")
        (after,) = connection.execute(opened).fetchone() or (0,)
    assert 0 < after - before < 8 < models


def test_two_builds_at_once_do_the_work_once(story: Story) -> None:
    with autocommit(story.settings) as connection:
        Source(connection, files=200).submit("b", MARCH, "accepted", checks="2")
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(marts.build, [story.settings] * 2))
    assert sorted(outcome["built"] for outcome in outcomes) == [False, True]
    assert len(rows(everything(story.settings), "fct_indicator_values", period_id=MARCH)) == 2
