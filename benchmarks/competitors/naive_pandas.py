"""Pandas from end to end: read_excel, to_sql, groupby; the way it is written first."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import sqlalchemy as sa
from job import PERIOD_ROW, UNIT_ROW, Job, cell, month_before, period_id, read_job


def run(workbooks_dir: Path, definitions: Path, database_url: str) -> None:
    """Do the job."""
    job = read_job(definitions)
    engine = sa.create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(sa.text("create schema result"))
    frames = [_read(path, job) for path in sorted(workbooks_dir.iterdir())]
    observations = pd.concat(frames, ignore_index=True)
    _save(observations.drop(columns="form_id"), "observations", engine)

    observations["name"] = observations["indicator_id"].str.partition(".")[2]
    wide = observations.pivot_table(
        index=["form_id", "unit_id", "period_id"], columns="name", values="value", dropna=False, aggfunc="first"
    )
    _save(_rule_violations(job, wide), "rule_violations", engine)
    units = _unit_values(job, observations)
    _save(units, "unit_values", engine)
    _save(_group_values(job, units), "group_values", engine)
    _save(_metric_values(job, units), "metric_values", engine)


def _read(path: Path, job: Job) -> pd.DataFrame:
    rows = []
    for title, sheet in pd.read_excel(path, sheet_name=None, header=None, engine="openpyxl").items():
        form = job.form_by_title[title]
        unit_id = job.unit_ids[sheet.iloc[UNIT_ROW - 1, 0]]
        period = period_id(sheet.iloc[PERIOD_ROW - 1, 0])
        for place, name in enumerate(form.indicators):
            value = pd.to_numeric(sheet.iloc[UNIT_ROW - 1, place + 1], errors="coerce")
            rows.append((unit_id, form.form_id, f"{form.form_id}.{name}", period, title, cell(place), value))
    return pd.DataFrame(rows, columns=["unit_id", "form_id", "indicator_id", "period_id", "sheet", "cell", "value"])


def _rule_violations(job: Job, wide: pd.DataFrame) -> pd.DataFrame:
    found = []
    by_form = {form.form_id: wide.loc[form.form_id] for form in job.forms}
    for rule in job.rules:
        own = by_form[rule["form"]]

        def column(reference: str, rule=rule, own=own) -> pd.Series:
            form_id, _, name = reference.rpartition(".")
            if form_id and form_id != rule["form"]:
                return by_form[form_id][name].reindex(own.index)
            return own[name]

        match rule["kind"]:
            case "sum":
                whole = column(rule["whole"])
                broken = whole.notna() & (whole != sum(column(part).fillna(0) for part in rule["parts"]))
            case "part_whole" | "part_whole_across_forms":
                broken = sum(column(part).fillna(0) for part in rule["parts"]) > sum(map(column, rule["whole"]))
            case "amount_count":
                amount, count = (sum(column(name).fillna(0) for name in rule[side]) for side in ("amount", "count"))
                broken = (amount > 0) & (count == 0)
            case "rate":
                stated, over, under = (
                    column(name) for name in (rule["stated"], rule["numerator"][0], rule["denominator"][0])
                )
                # Rounded half-up and cut off, in whole hundredths: floats must not decide.
                known = stated.notna() & (under > 0)
                down = (10_000 * over) // under
                up = (20_000 * over + under) // (2 * under)
                hundredths = (100 * stated).round()
                broken = known & (hundredths != up) & (hundredths != down)
        found.append((f"{rule['form']}.{rule['rule_id']}", int(broken.sum())))
    return pd.DataFrame(found, columns=["rule_id", "violations"])


def _unit_values(job: Job, observations: pd.DataFrame) -> pd.DataFrame:
    counts = {f"{form.form_id}.{name}" for form in job.forms for name in form.counts}
    units = observations.loc[observations["indicator_id"].isin(counts), ["unit_id", "indicator_id", "period_id"]].copy()
    units["stated"] = units["cumulative"] = observations["value"]
    units["before"] = units["period_id"].map(month_before)
    former = units[["unit_id", "indicator_id", "period_id", "cumulative"]]
    former = former.rename(columns={"period_id": "before", "cumulative": "former"})
    units = units.merge(former, on=["unit_id", "indicator_id", "before"], how="left")
    first = units["before"].isna()
    units["single"] = units["cumulative"] - units["former"].mask(first, 0)
    return units[["unit_id", "indicator_id", "period_id", "stated", "cumulative", "single"]]


def _group_values(job: Job, units: pd.DataFrame) -> pd.DataFrame:
    closure = pd.DataFrame(job.closure, columns=["unit_id", "group_id"])
    expected = closure.groupby("group_id").size().rename("expected_units")
    groups = (
        units.merge(closure, on="unit_id")
        .groupby(["group_id", "indicator_id", "period_id"])["cumulative"]
        .agg(cumulative="sum", reported_units="count")
        .reset_index()
    )
    return groups.merge(expected, on="group_id")


def _metric_values(job: Job, units: pd.DataFrame) -> pd.DataFrame:
    closure = pd.DataFrame(job.closure, columns=["unit_id", "group_id"])
    itself = pd.DataFrame({"unit_id": list(job.unit_ids.values()), "group_id": list(job.unit_ids.values())})
    closure = pd.concat([closure, itself])
    frames = []
    for metric in job.metrics:
        sums = {}
        for side in ("numerator", "denominator"):
            wanted = {f"{metric['form']}.{name}" for name in metric[side]}
            rows = units[units["indicator_id"].isin(wanted)].merge(closure, on="unit_id")
            sums[side] = rows.groupby(["group_id", "period_id"])["cumulative"].sum()
        value = metric["scale"] * sums["numerator"] / sums["denominator"].replace(0, float("nan"))
        frame = value.rename("value").reset_index().rename(columns={"group_id": "unit_id"})
        frames.append(frame.assign(metric_id=metric["metric_id"]))
    return pd.concat(frames)


def _save(frame: pd.DataFrame, table: str, engine: sa.Engine) -> None:
    frame.to_sql(table, engine, schema="result", index=False)


if __name__ == "__main__":
    import job

    job.main("naive_pandas")
