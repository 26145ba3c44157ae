"""The one expectation all rules use: a condition in SQL over the wide row, true where nothing is wrong.

What fails is counted by an aggregate: Great Expectations bundles the aggregates of a suite, so that all its rules are
counted in one pass over the rows. Of a rule that fails, and of no other, some rows are fetched to be shown.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

import sqlalchemy as sa
from great_expectations.core.id_dict import IDDict
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.core.metric_function_types import MetricPartialFunctionTypes
from great_expectations.core.result_format import ResultFormat
from great_expectations.execution_engine import ExecutionEngine, SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import (
    BatchExpectation,
    parse_result_format,
    render_suite_parameter_string,
)
from great_expectations.expectations.metrics.metric_provider import metric_partial, metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from great_expectations.render import LegacyRendererType, RenderedStringTemplateContent
from great_expectations.render.renderer.renderer import renderer
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.validator import ValidationDependencies

ROWS_SHOWN = 20
_COUNT, _ROWS, _ALL = "table.rows_failing_rule", "table.rows_failing_rule.shown", "table.row_count"


class RowsFailingRule(TableMetricProvider):
    """How many rows fail a rule."""

    metric_name = _COUNT
    value_keys = ("condition",)

    @metric_partial(
        engine=SqlAlchemyExecutionEngine,
        partial_fn_type=MetricPartialFunctionTypes.AGGREGATE_FN,
        domain_type=MetricDomainTypes.TABLE,
    )
    def _sqlalchemy(
        cls, metric_domain_kwargs: dict[str, Any], metric_value_kwargs: dict[str, Any], **kwargs: Any
    ) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        return sa.func.count().filter(_fails(metric_value_kwargs["condition"])), metric_domain_kwargs, {}


class RowsFailingRuleShown(TableMetricProvider):
    """Some of the rows that fail a rule, with the values it looks at; asked for where there are any."""

    metric_name = _ROWS
    value_keys = ("condition", "columns")

    @metric_value(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(
        cls,
        execution_engine: SqlAlchemyExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],
        **kwargs: Any,
    ) -> list[dict[str, Any]]:
        if not metrics[_COUNT]:
            return []
        rows, _, _ = execution_engine.get_compute_domain(metric_domain_kwargs, domain_type=MetricDomainTypes.TABLE)
        query: sa.Select[*tuple[Any, ...]] = (
            sa.select(*map(sa.column, metric_value_kwargs["columns"]))
            .select_from(rows)
            .where(_fails(metric_value_kwargs["condition"]))
            .limit(ROWS_SHOWN)
        )
        # Great Expectations would keep exact numbers as floating point.
        return [
            {name: format(value, "f") if isinstance(value, Decimal) else value for name, value in row._mapping.items()}
            for row in execution_engine.execute_query(query)
        ]

    @classmethod
    def _get_evaluation_dependencies(
        cls, metric: MetricConfiguration, *arguments: Any, **kwargs: Any
    ) -> dict[str, MetricConfiguration]:
        condition = {"condition": metric.metric_value_kwargs["condition"]}
        return {_COUNT: MetricConfiguration(_COUNT, metric.metric_domain_kwargs, condition)}


class ExpectRowsToSatisfyRule(BatchExpectation):
    """Expect a rule to hold in every row."""

    condition: str
    statement: str
    columns: list[str]  # of the rows that are shown

    metric_dependencies: ClassVar[tuple[str, ...]] = (_COUNT, _ROWS, _ALL)
    success_keys: ClassVar[tuple[str, ...]] = ("condition", "columns")
    args_keys: ClassVar[tuple[str, ...]] = ("condition",)

    def get_validation_dependencies(
        self, execution_engine: ExecutionEngine | None = None, runtime_configuration: dict[str, Any] | None = None
    ) -> ValidationDependencies:
        """Return the metrics to compute, as any expectation would that has a few for a whole table.

        Those work out their configuration anew for each thing that they ask of it, which takes longer than a rule's
        share of the query.
        """
        rows = IDDict(batch_id=self.batch_id, table=None, row_condition=None, condition_parser=None)
        values: dict[str, dict[str, Any]] = {
            _COUNT: {"condition": self.condition},
            _ROWS: {"condition": self.condition, "columns": self.columns},
            _ALL: {},
        }
        result_format = (runtime_configuration or {}).get("result_format", ResultFormat.BASIC)
        return ValidationDependencies(
            {name: MetricConfiguration(name, rows, IDDict(of_metric)) for name, of_metric in values.items()},
            parse_result_format(result_format),
        )

    def _validate(self, metrics: dict[str, Any], *arguments: Any, **kwargs: Any) -> dict[str, Any]:
        rows, failing = metrics[_ALL], metrics[_COUNT]
        return {
            "success": not failing,
            "result": {
                "element_count": rows,
                "missing_count": 0,
                "unexpected_count": failing,
                "unexpected_percent": 100 * failing / rows if rows else 0,
                "partial_unexpected_list": metrics[_ROWS],
            },
        }

    @classmethod
    @renderer(renderer_type=LegacyRendererType.PRESCRIPTIVE)
    @render_suite_parameter_string
    def _prescriptive_renderer(
        cls, configuration: Any = None, result: Any = None, runtime_configuration: Any = None, **kwargs: Any
    ) -> list[RenderedStringTemplateContent]:
        return [
            RenderedStringTemplateContent(
                content_block_type="string_template",
                string_template={"template": configuration.kwargs["statement"].replace("$", "$$"), "params": {}},
            )
        ]


def _fails(condition: str) -> sa.ColumnElement[bool]:
    return sa.literal_column(f"(not ({condition}))", type_=sa.Boolean)
