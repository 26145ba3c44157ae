"""The job as every competitor may know it beforehand: units, forms, rules, metrics, and where the figures stand.

Needs nothing but PyYAML, so that it also serves competitors that live in an environment of their own.

The results are five tables in the schema ``result``:

    observations     unit_id, indicator_id (form.indicator), period_id (2025-03), sheet, cell, value
    rule_violations  rule_id (form.rule), violations
    unit_values      unit_id, indicator_id, period_id, stated, cumulative, single        of the counts
    group_values     group_id, indicator_id, period_id, cumulative, reported_units, expected_units
    metric_values    unit_id (of a unit or a group), metric_id, period_id, value
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import re
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

FORKED = "forked.json"  # in the folder of a run: what the fork cost, seconds of the clock and of CPU, kilobytes
UNIT_ROW = FIGURES_ROW = 7  # counted from 1, as people see them
PERIOD_ROW = 4
PERIOD = re.compile(r"(\d{4})年(\d{1,2})月")


@dataclass(frozen=True)
class Form:
    """A form: its columns from left to right, and those of them that are counts."""

    form_id: str
    title: str
    indicators: list[str]
    counts: list[str]


@dataclass(frozen=True)
class Job:
    """What there is to do."""

    unit_ids: dict[str, str]  # by name
    closure: list[tuple[str, str]]  # (unit, group above it)
    forms: list[Form]
    rules: list[dict[str, Any]]  # as declared, with the form beside it
    metrics: list[dict[str, Any]]

    @property
    def form_by_title(self) -> dict[str, Form]:
        """Return the forms by the names of their sheets."""
        return {form.title: form for form in self.forms}


def read_job(definitions: Path) -> Job:
    """Return the job that the definitions describe."""
    (home,) = (path for path in (definitions / "catalog").iterdir() if path.is_dir())
    units: dict[str, str] = {}
    closure: list[tuple[str, str]] = []

    def walk(unit: dict[str, Any], above: list[str]) -> None:
        if not unit.get("members"):
            units[unit["name"]] = unit["unit_id"]
            closure.extend((unit["unit_id"], group) for group in above)
        for member in unit.get("members", []):
            walk(member, [*above, unit["unit_id"]])

    walk(_read(home / "authority.yaml")["units"], [])
    forms = []
    for path in sorted((home / "forms").iterdir()):
        form = _read(path)
        columns = [item["indicator_id"] for item in form["indicators"]]
        counts = [item["indicator_id"] for item in form["indicators"] if item["measure_kind"] == "flow"]
        forms.append(Form(form["form_id"], form["title"], columns, counts))
    return Job(units, closure, forms, read_rules(definitions), _read(home / "metrics.yaml")["metrics"])


def read_rules(definitions: Path) -> list[dict[str, Any]]:
    """Return the rules as declared, with the form beside them."""
    suites = [_read(path) for path in sorted((definitions / "expectations").iterdir())]
    return [{**rule, "form": suite["form"]} for suite in suites for rule in suite["rules"]]


def period_id(text: str) -> str:
    """Return the id of the month that a line such as 统计期：2025年3月 names."""
    match = PERIOD.search(text)
    assert match, text
    return f"{match[1]}-{int(match[2]):02}"


def month_before(period: str) -> str | None:
    """Return the month before in the same year, None for January."""
    year, month = period.split("-")
    return f"{year}-{int(month) - 1:02}" if month != "01" else None


def cell(column: int) -> str:
    """Return the address of a figure; its column is counted from 0 behind the unit's name."""
    letters, rest = "", column + 2
    while rest:
        rest, place = divmod(rest - 1, 26)
        letters = chr(65 + place) + letters
    return f"{letters}{FIGURES_ROW}"


def violated(rule: dict[str, Any], own: Any, other: Any) -> str:
    """Return the SQL condition under which a rule is broken; ``own`` and ``other`` turn a column into SQL.

    Blank is not zero: what is compared with a blank is not wrong. A rate that was cut off instead of rounded passes.
    """

    def total(references: list[str], nothing: str = "{}") -> str:
        terms = []
        for reference in references:
            form, _, name = reference.rpartition(".")
            terms.append(nothing.format(other(form, name) if form and form != rule["form"] else own(name)))
        return " + ".join(terms)

    match rule["kind"]:
        case "sum":
            return f"{total([rule['whole']])} <> {total(rule['parts'], 'coalesce({}, 0)')}"
        case "part_whole" | "part_whole_across_forms":
            return f"{total(rule['parts'], 'coalesce({}, 0)')} > {total(rule['whole'])}"
        case "amount_count":
            zero = "coalesce({}, 0)"
            return f"{total(rule['amount'], zero)} > 0 and {total(rule['count'], zero)} = 0"
        case "rate":
            exact = f"(100 * ({total(rule['numerator'])})::numeric / nullif({total(rule['denominator'])}, 0)::numeric)"
            stated = f"({total([rule['stated']])})::numeric"
            return f"{stated} not in (round({exact}, 2), trunc({exact}, 2))"
    raise ValueError(rule["kind"])


def main(module: str) -> None:
    """Run a competitor: workbooks, definitions and the database's URL are on the command line.

    One with ``prepare`` is at work already when the job comes: it is prepared, the job is done in a fork, and what that
    cost is written into the folder of the run.
    """
    workbooks, definitions, url = sys.argv[1:]
    competitor = importlib.import_module(module)
    job = partial(competitor.run, Path(workbooks), Path(definitions), url)
    if not hasattr(competitor, "prepare"):
        job()
        return
    competitor.prepare(Path(definitions), url)
    gc.freeze()  # as Airflow's executor does before it forks: what is there is not looked through for garbage again
    started = time.perf_counter()
    if not (child := os.fork()):
        job()
        os._exit(0)  # as Airflow ends a task: what it holds is not taken apart first
    _, status, usage = os.wait4(child, 0)
    cost = [time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss]
    Path(os.environ["BENCHMARK_STATE"], FORKED).write_text(json.dumps(cost))
    sys.exit(os.waitstatus_to_exitcode(status))


def _read(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
