"""The one expectation all rules use: a condition in SQL over the wide row, true where nothing is wrong.

Great Expectations counts the failures of all rules of a suite in one query and returns the keys of failing rows.
"""

from __future__ import annotations

from typing import Any, ClassVar

import sqlalchemy as sa
from great_expectations.execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import MulticolumnMapExpectation, render_suite_parameter_string
from great_expectations.expectations.metrics.map_metric_provider import MulticolumnMapMetricProvider
from great_expectations.expectations.metrics.map_metric_provider.multicolumn_condition_partial import (
    multicolumn_condition_partial,
)
from great_expectations.render import LegacyRendererType, RenderedStringTemplateContent
from great_expectations.render.renderer.renderer import renderer


class RowsSatisfyRule(MulticolumnMapMetricProvider):
    """The metric behind the expectation."""

    condition_metric_name = "multicolumn_values.satisfy_rule"
    condition_domain_keys = (
        "batch_id",
        "table",
        "column_list",
        "row_condition",
        "condition_parser",
        "ignore_row_if",
    )
    condition_value_keys = ("condition",)

    @multicolumn_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, column_list: Any, *, condition: str, **kwargs: Any) -> sa.ColumnElement[bool]:
        return sa.literal_column(f"({condition})", type_=sa.Boolean)


class ExpectRowsToSatisfyRule(MulticolumnMapExpectation):
    """Expect a rule to hold in every row."""

    condition: str
    statement: str

    map_metric: ClassVar[str] = "multicolumn_values.satisfy_rule"
    success_keys: ClassVar[tuple[str, ...]] = ("condition", "mostly")
    args_keys: ClassVar[tuple[str, ...]] = ("column_list", "condition")

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
