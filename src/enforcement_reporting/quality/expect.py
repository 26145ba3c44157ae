"""Great Expectations at work: suites over the wide rows in the database, and Data Docs of what they found."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Sequence
from typing import Any

import great_expectations as gx
from great_expectations.core.batch_definition import BatchDefinition
from great_expectations.data_context import EphemeralDataContext
from great_expectations.data_context.types.base import DataContextConfig, ProgressBarsConfig
from great_expectations.datasource.fluent.interfaces import GxDatasourceWarning
from sqlalchemy import make_url

from enforcement_reporting.findings import Severity
from enforcement_reporting.quality.expectation import ExpectRowsToSatisfyRule
from enforcement_reporting.quality.rules import Suite, column_name
from enforcement_reporting.settings import Settings

_DOCS, _RESULTS = "data_docs", "validation_results"  # folders under the state folder
_GX_SEVERITY = {Severity.ERROR: "critical", Severity.QUESTION: "warning", Severity.NOTICE: "info"}


def run_suites(settings: Settings, suites: Sequence[Suite]) -> tuple[dict[str, list[str]], str]:
    """Run each suite on its form's wide rows.

    Returns the submission ids that fail, by rule id (all of them, however many), and the path of the Data Docs.
    Raises RuntimeError where a rule could not be evaluated at all.
    """
    context = _context(settings)
    with warnings.catch_warnings():
        # The Postgres data source it would rather have refuses a unix socket.
        warnings.simplefilter("ignore", GxDatasourceWarning)
        source = context.data_sources.add_sql(name="warehouse", connection_string=_url(settings))
    failing: dict[str, list[str]] = {}
    for suite in suites:
        # The docs show the last check of each form: their size follows the catalog, not the years.
        for results in (_RESULTS, f"{_DOCS}/validations"):
            shutil.rmtree(settings.state / results / suite.name, ignore_errors=True)
        asset = source.add_table_asset(name=suite.name, table_name=suite.wide_table)
        batch = asset.add_batch_definition_whole_table("submissions")
        failing |= _run_suite(context, suite, batch)
    context.build_data_docs()
    return failing, str(settings.state / _DOCS / "index.html")


def _url(settings: Settings) -> str:
    """Return the warehouse's URL with the schema of the wide rows as the default one."""
    url = make_url(str(settings.warehouse_url)).update_query_dict({"options": "-csearch_path=quality"})
    return url.render_as_string(hide_password=False)


def _run_suite(context: EphemeralDataContext, suite: Suite, batch: BatchDefinition) -> dict[str, list[str]]:
    form_id = suite.form.form_id
    expectations = [
        ExpectRowsToSatisfyRule(
            column_list=["submission_id", *(column_name(column, form_id) for column in check.columns)],
            condition=check.condition,
            statement=f"{check.rule_id}（{check.severity}）{check.statement}",
            ignore_row_if="never",
            severity=_GX_SEVERITY[check.severity],
            meta={"rule_id": check.rule_id},
        )
        for check in suite.checks
    ]
    gx_suite = context.suites.add(gx.ExpectationSuite(name=suite.name, expectations=expectations))
    validation = context.validation_definitions.add(
        gx.ValidationDefinition(name=suite.name, data=batch, suite=gx_suite)
    )
    result = validation.run(
        result_format={
            "result_format": "COMPLETE",
            "unexpected_index_column_names": ["unit_name", "period_name", "submission_id"],
            # Failing keys are cut at this count, and the default is 20.
            "partial_unexpected_count": 10_000_000,
            "return_unexpected_index_query": False,
        }
    )
    failing: dict[str, list[str]] = {}
    for outcome in result.results:
        rule_id = outcome.expectation_config.meta["rule_id"]
        if outcome.exception_info.get("raised_exception"):
            raise RuntimeError(f"rule {rule_id} could not be evaluated: {outcome.exception_info['exception_message']}")
        failing[rule_id] = _failing_ids(rule_id, outcome.result)
    return failing


def _failing_ids(rule_id: str, result: dict[str, Any]) -> list[str]:
    ids = [row["submission_id"] for row in result.get("unexpected_index_list") or ()]
    if len(ids) != result.get("unexpected_count", 0):
        raise RuntimeError(f"rule {rule_id}: {result['unexpected_count']} rows fail, but {len(ids)} were returned")
    return ids


def _context(settings: Settings) -> EphemeralDataContext:
    """Return a context that keeps nothing but its results and their pages, both under the state folder."""

    def store(folder: str) -> dict[str, Any]:
        return {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(settings.state / folder),
        }

    def own(class_name: str) -> dict[str, str]:
        return {"module_name": "enforcement_reporting.quality.pages", "class_name": class_name}

    config = DataContextConfig(
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
        expectations_store_name="expectations",
        validation_results_store_name="results",
        checkpoint_store_name="checkpoint_store",
        stores={
            "expectations": {"class_name": "ExpectationsStore"},
            "validation_definition_store": {"class_name": "ValidationDefinitionStore"},
            "checkpoint_store": {"class_name": "CheckpointStore"},
            "results": {
                **own("SampledResultsStore"),
                "store_backend": store(_RESULTS),
            },
        },
        data_docs_sites={
            "docs": {
                "class_name": "SiteBuilder",
                "store_backend": store(_DOCS),
                "show_how_to_buttons": False,
                "site_index_builder": {"class_name": "DefaultSiteIndexBuilder", "view": own("SelfContainedIndex")},
                "site_section_builders": {
                    "expectations": {"view": own("SelfContainedPage")},
                    "validations": {"view": own("SelfContainedPage")},
                    "profiling": "None",
                },
            }
        },
    )
    return gx.get_context(project_config=config, mode="ephemeral")
