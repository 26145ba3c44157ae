"""dlt and dbt: calamine reads, dlt loads dictionaries, a dbt project does the rest; in an environment of its own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dlt
from dbt.cli.main import dbtRunner
from job import FIGURES_ROW, PERIOD_ROW, Job, cell, month_before, period_id, read_job, violated
from python_calamine import CalamineWorkbook

PROJECT = Path(__file__).resolve().parent / "dbt"


def run(workbooks_dir: Path, definitions: Path, database_url: str) -> None:
    """Do the job."""
    job = read_job(definitions)
    state = Path(os.environ["BENCHMARK_STATE"])
    dlt.config["runtime.dlthub_telemetry"] = False
    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=str(state / "dlt"),
        destination=dlt.destinations.postgres(database_url),
        dataset_name="raw",
    )
    resources = [
        dlt.resource(figures(workbooks_dir, job), name="figures", columns={"value": {"data_type": "double"}}),
        dlt.resource(closure(job), name="closure"),
        dlt.resource(counts(job), name="counts"),
    ]
    pipeline.run(resources, write_disposition="replace")
    _transform(job, state, database_url)


def figures(workbooks_dir: Path, job: Job) -> Iterator[dict[str, Any]]:
    """Yield one dictionary a cell."""
    forms = job.form_by_title
    for path in sorted(workbooks_dir.iterdir()):
        workbook = CalamineWorkbook.from_path(str(path))
        for title in workbook.sheet_names:
            form = forms[title]
            rows = workbook.get_sheet_by_name(title).to_python()
            name, *values = rows[FIGURES_ROW - 1]
            period = period_id(rows[PERIOD_ROW - 1][0])
            for place, (indicator, value) in enumerate(zip(form.indicators, values, strict=False)):
                yield {
                    "unit_id": job.unit_ids[name],
                    "form_id": form.form_id,
                    "name": indicator,
                    "period_id": period,
                    "before": month_before(period),
                    "sheet": title,
                    "cell": cell(place),
                    "value": value if isinstance(value, float) else None,
                }


def closure(job: Job) -> Iterator[dict[str, str]]:
    """Yield which unit belongs to which group."""
    for unit_id, group_id in job.closure:
        yield {"unit_id": unit_id, "group_id": group_id}


def counts(job: Job) -> Iterator[dict[str, str]]:
    """Yield which columns are counts."""
    for form in job.forms:
        for name in form.counts:
            yield {"form_id": form.form_id, "name": name}


def _transform(job: Job, state: Path, database_url: str) -> None:
    rules = [
        {
            "id": f"{rule['form']}.{rule['rule_id']}",
            "form": rule["form"],
            "condition": violated(rule, lambda name: f"own.{name}", lambda form, name: f"{form}.{name}"),
            "partners": sorted({reference.split(".")[0] for reference in rule.get("whole", []) if "." in reference}),
        }
        for rule in job.rules
    ]
    variables = {
        "forms": [form.form_id for form in job.forms],
        "columns": job.forms[0].indicators,
        "rules": rules,
        "metrics": job.metrics,
    }
    url = urlsplit(database_url)
    os.environ |= {
        "BENCH_HOST": url.hostname or "",
        "BENCH_PORT": str(url.port),
        "BENCH_USER": url.username or "",
        "DBT_ENV_SECRET_BENCH_PASSWORD": url.password or "",
        "BENCH_DATABASE": url.path.strip("/"),
    }
    arguments = ["run", "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--vars", json.dumps(variables)]
    arguments += ["--target-path", str(state / "target"), "--log-path", str(state / "logs"), "--quiet"]
    if not dbtRunner().invoke(arguments).success:
        sys.exit("dbt failed")


if __name__ == "__main__":
    import job

    job.main("dlt_dbt")
