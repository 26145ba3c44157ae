"""Great Expectations at work: suites over the wide rows in the database, and Data Docs of what they found."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Sequence
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
from enforcement_reporting.quality.rules import Check
from enforcement_reporting.settings import Settings

_DOCS, _RESULTS = "data_docs", "validation_results"  # folders under the state folder
_SHOWN = ("unit_name", "period_name", "submission_id")  # of a failing row, before what the rule looks at
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


class Validation:
    """A check by Great Expectations: suites over the wide rows, batch after batch, and in the end their Data Docs.

    Its context is made once for all of them: making one costs as much as running a few suites.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._context = _context(settings)
        with warnings.catch_warnings():
            # The Postgres data source it would rather have refuses a unix socket.
            warnings.simplefilter("ignore", GxDatasourceWarning)
            self._source = self._context.data_sources.add_sql(name="warehouse", connection_string=_url(settings))
        self._names: set[str] = set()

    def run(self, suites: Sequence[Checkable]) -> tuple[dict[str, int], dict[str, str]]:
        """Run suites; return how many rows fail each rule, and what could not be checked, by its subject.

        The failing rows themselves stay in the database: Great Expectations would hand out twenty of them, or take
        milliseconds for each.
        """
        failures: dict[str, int] = {}
        broken: dict[str, str] = {}
        for suite in suites:
            # The docs show the last check of each form: their size follows the catalog, not the years.
            for results in (_RESULTS, f"{_DOCS}/validations"):
                shutil.rmtree(self._settings.state / results / suite.name, ignore_errors=True)
            asset = self._source.add_table_asset(name=suite.name, table_name=suite.wide_table)
            batch = asset.add_batch_definition_whole_table("submissions")
            outcomes = self._outcomes(suite.name, suite, suite.checks, batch)
            if len(outcomes) > 1 and not all(map(_was_counted, outcomes.values())):
                # One query counts them all, and one rule breaks it: which one, each of them alone will tell.
                for check in suite.checks:
                    outcomes |= self._outcomes(check.rule_id, suite, [check], batch)
            for rule_id, outcome in outcomes.items():
                if _was_counted(outcome):
                    failures[rule_id] = outcome.result["unexpected_count"]
                else:
                    broken[suite.subject] = f"rule {rule_id}: {_reason(outcome)}"
        return failures, broken

    def close(self) -> None:
        """Close the connections, which would else stay open until garbage is looked for."""
        self._source.get_execution_engine().close()
        self._source.get_engine().dispose()

    def build_data_docs(self) -> str:
        """Build the pages of the suites that were run; return the path of the first page."""
        results = self._context.validation_results_store.list_keys()
        of_suites = {key.expectation_suite_identifier: key for key in results}
        self._context.build_data_docs(
            resource_identifiers=[
                identifier
                for suite, result in of_suites.items()
                if suite.name in self._names
                for identifier in (suite, result)
            ]
        )
        return str(self._settings.state / _DOCS / "index.html")

    def _outcomes(
        self, name: str, suite: Checkable, checks: Sequence[Check], batch: BatchDefinition
    ) -> dict[str, ExpectationValidationResult]:
        """Run checks of a suite under this name; return the outcome of each rule."""
        expectations = [
            ExpectRowsToSatisfyRule(
                condition=check.condition,
                columns=[*_SHOWN, *suite.columns_of(check)],
                statement=f"{check.rule_id}（{check.severity}）{check.statement}",
                severity=_GX_SEVERITY[check.severity],
                meta={"rule_id": check.rule_id},
            )
            for check in checks
        ]
        gx_suite = self._context.suites.add(gx.ExpectationSuite(name=name, expectations=expectations))
        validation = gx.ValidationDefinition(name=name, data=batch, suite=gx_suite)
        result = self._context.validation_definitions.add(validation).run()
        self._names.add(name)
        return {outcome.expectation_config.meta["rule_id"]: outcome for outcome in result.results}


def _was_counted(outcome: ExpectationValidationResult) -> bool:
    return "unexpected_count" in outcome.result


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
            "results": {"class_name": "ValidationResultsStore", "store_backend": store(_RESULTS)},
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
    context = gx.get_context(project_config=config, mode="ephemeral")
    # It would write all it holds as YAML into memory, twice for each suite, and nobody reads it.
    context.variables.save = lambda: None
    return context
