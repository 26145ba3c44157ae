"""openpyxl and the ORM: an object a cell, an object a mart row, rules in Python; nothing but what the ORM offers."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import openpyxl
import sqlalchemy as sa
from job import FIGURES_ROW, PERIOD_ROW, Job, month_before, period_id, read_job
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    """All tables."""

    metadata = sa.MetaData(schema="result")
    type_annotation_map = {Decimal: sa.Numeric}  # noqa: RUF012


class Observation(Base):
    """A cell."""

    __tablename__ = "observations"
    id: Mapped[int] = mapped_column(primary_key=True)
    unit_id: Mapped[str]
    indicator_id: Mapped[str]
    period_id: Mapped[str]
    sheet: Mapped[str]
    cell: Mapped[str]
    value: Mapped[Decimal | None]


class RuleViolations(Base):
    """How often a rule is broken."""

    __tablename__ = "rule_violations"
    rule_id: Mapped[str] = mapped_column(primary_key=True)
    violations: Mapped[int]


class UnitValue(Base):
    """A unit's figure."""

    __tablename__ = "unit_values"
    unit_id: Mapped[str] = mapped_column(primary_key=True)
    indicator_id: Mapped[str] = mapped_column(primary_key=True)
    period_id: Mapped[str] = mapped_column(primary_key=True)
    stated: Mapped[Decimal | None]
    cumulative: Mapped[Decimal | None]
    single: Mapped[Decimal | None]


class GroupValue(Base):
    """A group's figure."""

    __tablename__ = "group_values"
    group_id: Mapped[str] = mapped_column(primary_key=True)
    indicator_id: Mapped[str] = mapped_column(primary_key=True)
    period_id: Mapped[str] = mapped_column(primary_key=True)
    cumulative: Mapped[Decimal | None]
    reported_units: Mapped[int]
    expected_units: Mapped[int]


class MetricValue(Base):
    """A metric of a unit or a group."""

    __tablename__ = "metric_values"
    unit_id: Mapped[str] = mapped_column(primary_key=True)
    metric_id: Mapped[str] = mapped_column(primary_key=True)
    period_id: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Decimal | None]


Sheet = dict[str, Decimal | None]
HUNDREDTH = Decimal("0.01")


def run(workbooks_dir: Path, definitions: Path, database_url: str) -> None:
    """Do the job."""
    job = read_job(definitions)
    engine = sa.create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(sa.text("create schema result"))
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        for path in sorted(workbooks_dir.iterdir()):
            _load(session, job, path)
            session.commit()
        sheets: dict[tuple[str, str, str], Sheet] = defaultdict(dict)
        for item in session.scalars(sa.select(Observation)):
            form_id, _, name = item.indicator_id.partition(".")
            sheets[form_id, item.unit_id, item.period_id][name] = item.value
        _rules(session, job, sheets)
        _marts(session, job, sheets)
        session.commit()


def _load(session: Session, job: Job, path: Path) -> None:
    for sheet in openpyxl.load_workbook(path, read_only=True, data_only=True):
        form = job.form_by_title[sheet.title]
        rows = list(sheet.iter_rows(max_row=FIGURES_ROW))
        period = period_id(rows[PERIOD_ROW - 1][0].value)
        unit, *figures = rows[FIGURES_ROW - 1]
        for name, figure in zip(form.indicators, figures, strict=False):
            number = isinstance(figure.value, int | float)
            session.add(
                Observation(
                    unit_id=job.unit_ids[unit.value],
                    indicator_id=f"{form.form_id}.{name}",
                    period_id=period,
                    sheet=sheet.title,
                    cell=figure.coordinate,
                    value=Decimal(repr(figure.value)) if number else None,
                )
            )


def _rules(session: Session, job: Job, sheets: dict[tuple[str, str, str], Sheet]) -> None:
    violations: Counter[str] = Counter()
    for (form_id, unit_id, period), sheet in sheets.items():
        for rule in job.rules:
            if rule["form"] == form_id:

                def figure(reference: str, sheet: Sheet = sheet, key: Any = (unit_id, period)) -> Decimal | None:
                    partner, _, name = reference.rpartition(".")
                    return (sheets.get((partner, *key), {}) if partner else sheet).get(name)

                violations[f"{form_id}.{rule['rule_id']}"] += _is_broken(rule, figure)
    for rule in job.rules:
        rule_id = f"{rule['form']}.{rule['rule_id']}"
        session.add(RuleViolations(rule_id=rule_id, violations=violations[rule_id]))


def _is_broken(rule: dict[str, Any], figure: Any) -> bool:
    match rule["kind"]:
        case "sum":
            whole = figure(rule["whole"])
            return whole is not None and whole != sum(figure(part) or 0 for part in rule["parts"])
        case "part_whole" | "part_whole_across_forms":
            wholes = [figure(name) for name in rule["whole"]]
            return None not in wholes and sum(figure(part) or 0 for part in rule["parts"]) > sum(wholes)
        case "amount_count":
            amount, count = (sum(figure(name) or 0 for name in rule[side]) for side in ("amount", "count"))
            return amount > 0 and count == 0
        case _:
            stated, over, under = (
                figure(name) for name in (rule["stated"], rule["numerator"][0], rule["denominator"][0])
            )
            if stated is None or over is None or not under:
                return False
            exact = 100 * over / under
            return stated not in (exact.quantize(HUNDREDTH, ROUND_HALF_UP), exact.quantize(HUNDREDTH, ROUND_DOWN))


def _marts(session: Session, job: Job, sheets: dict[tuple[str, str, str], Sheet]) -> None:
    groups_of: dict[str, list[str]] = defaultdict(list)
    for unit_id, group_id in job.closure:
        groups_of[unit_id].append(group_id)
    expected = Counter(group_id for _, group_id in job.closure)
    sums: dict[tuple[str, str, str], list[Decimal]] = defaultdict(list)
    terms: dict[tuple[str, str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    counts = {form.form_id: form.counts for form in job.forms}
    for (form_id, unit_id, period), sheet in sheets.items():
        month = month_before(period)
        former = sheets.get((form_id, unit_id, month), {}) if month else None
        for name in counts[form_id]:
            value = sheet[name]
            single = value
            if former is not None:
                single = None if value is None or former.get(name) is None else value - former[name]
            indicator_id = f"{form_id}.{name}"
            session.add(
                UnitValue(
                    unit_id=unit_id,
                    indicator_id=indicator_id,
                    period_id=period,
                    stated=value,
                    cumulative=value,
                    single=single,
                )
            )
            for group_id in groups_of[unit_id]:
                sums[group_id, indicator_id, period].append(value)
        for metric in job.metrics:
            if metric["form"] == form_id:
                for holder in (unit_id, *groups_of[unit_id]):
                    for side, key in enumerate(("numerator", "denominator")):
                        terms[holder, metric["metric_id"], period][side] += sum(sheet[name] for name in metric[key])
    for (group_id, indicator_id, period), values in sums.items():
        session.add(
            GroupValue(
                group_id=group_id,
                indicator_id=indicator_id,
                period_id=period,
                cumulative=sum(values),
                reported_units=len(values),
                expected_units=expected[group_id],
            )
        )
    scale = {metric["metric_id"]: metric["scale"] for metric in job.metrics}
    for (holder, metric_id, period), (over, under) in terms.items():
        value = scale[metric_id] * over / under if under else None
        session.add(MetricValue(unit_id=holder, metric_id=metric_id, period_id=period, value=value))


if __name__ == "__main__":
    import job

    job.main("orm")
