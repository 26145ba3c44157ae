"""Great Expectations at work: suites over the wide rows in the database, and Data Docs of what they found."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import great_expectations as gx
from great_expectations.core import ExpectationValidationResult
from great_expectations.core.batch_definition import BatchDefinition
from great_expectations.data_context import EphemeralDataContext
from great_expectations.data_context.types.base import DataContextConfig, ProgressBarsConfig
from great_expectations.datasource.fluent.interfaces import GxDatasourceWarning
from sqlalchemy import make_url

from enforcement_reporting.findings import Severity
from enforcement_reporting.quality.expectation import ExpectRowsToSatisfyRule
from enforcement_reporting.quality.pages import ROWS_SHOWN
from enforcement_reporting.quality.rules import Check
from enforcement_reporting.settings import Settings

_DOCS, _RESULTS = "data_docs", "validation_results"  # folders under the state folder
_GX_SEVERITY = {Severity.ERROR: "critical", Severity.QUESTION: "warning", Severity.NOTICE: "info"}


class Checkable(Protocol):
    """What can be run: checks on the rows of one table in the schema ``quality``, each with a key ``submission_id``."""

    @property
    def name(self) -> str:
        """Return the suite's name."""

    @property
    def subject(self) -> str:
        """Return what stays unchecked where a rule cannot be evaluated."""

    @property
    def wide_table(self) -> str:
        """Return the name of the table."""

    @property
    def checks(self) -> Sequence[Check]:
        """Return the checks."""

    def columns_of(self, check: Check) -> list[str]:
        """Return the columns that a check looks at."""


@dataclass(frozen=True)
class Validated:
    """How many rows fail each rule, the forms with a rule that could not be evaluated, and where the Data Docs are."""

    failures: dict[str, int]
    broken: dict[str, str]
    data_docs: str


def run_suites(settings: Settings, suites: Sequence[Checkable]) -> Validated:
    """Run each suite on its form's wide rows, and build the Data Docs.

    The failing rows themselves stay in the database: Great Expectations would hand out twenty of them, or take
    milliseconds for each.
    """
    context = _context(settings)
    with warnings.catch_warnings():
        # The Postgres data source it would rather have refuses a unix socket.
        warnings.simplefilter("ignore", GxDatasourceWarning)
        source = context.data_sources.add_sql(name="warehouse", connection_string=_url(settings))
    failures: dict[str, int] = {}
    broken: dict[str, str] = {}
    for suite in suites:
        # The docs show the last check of each form: their size follows the catalog, not the years.
        for results in (_RESULTS, f"{_DOCS}/validations"):
            shutil.rmtree(settings.state / results / suite.name, ignore_errors=True)
        asset = source.add_table_asset(name=suite.name, table_name=suite.wide_table)
        batch = asset.add_batch_definition_whole_table("submissions")
        for rule_id, outcome in _run_suite(context, suite, batch):
            if "unexpected_count" in outcome.result:
                failures[rule_id] = outcome.result["unexpected_count"]
            else:
                broken[suite.subject] = f"rule {rule_id}: {_reason(outcome)}"
    context.build_data_docs()
    return Validated(failures, broken, str(settings.state / _DOCS / "index.html"))


def _reason(outcome: ExpectationValidationResult) -> str:
    """Return why a rule could not be evaluated; the reasons are kept by the metric that failed."""
    details = [outcome.exception_info, *outcome.exception_info.values()]
    messages = [str(detail["exception_message"]) for detail in details if _is_reason(detail)]
    return " ".join(messages[0].split()) if messages else "no reason was given"


def _is_reason(detail: object) -> bool:
    return isinstance(detail, dict) and bool(detail.get("exception_message"))


def _url(settings: Settings) -> str:
    """Return the warehouse's URL with the schema of the wide rows as the default one."""
    url = make_url(str(settings.warehouse_url)).update_query_dict({"options": "-csearch_path=quality"})
    return url.render_as_string(hide_password=False)


def _run_suite(
    context: EphemeralDataContext, suite: Checkable, batch: BatchDefinition
) -> Iterator[tuple[str, ExpectationValidationResult]]:
    """Yield the result of each rule of a suite."""
    expectations = [
        ExpectRowsToSatisfyRule(
            column_list=["submission_id", *suite.columns_of(check)],
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
            "result_format": "SUMMARY",
            "unexpected_index_column_names": ["unit_name", "period_name", "submission_id"],
            "partial_unexpected_count": ROWS_SHOWN,
            "return_unexpected_index_query": False,
        }
    )
    for outcome in result.results:
        yield outcome.expectation_config.meta["rule_id"], outcome


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
