"""The expectation that all rules use."""

from __future__ import annotations

from typing import Any

import pytest

from enforcement_reporting import quality

quality.import_great_expectations()

from great_expectations.expectations.expectation import BatchExpectation  # noqa: E402

from enforcement_reporting.quality.expectation import ExpectRowsToSatisfyRule  # noqa: E402


@pytest.mark.parametrize(
    "asked", [None, {}, {"result_format": "COMPLETE"}, {"result_format": {"result_format": "BASIC"}}]
)
def test_it_asks_for_the_metrics_that_any_expectation_of_a_whole_table_would_ask_for(
    asked: dict[str, Any] | None,
) -> None:
    rule = ExpectRowsToSatisfyRule(
        condition="a = b", columns=["unit_name", "a", "b"], statement="r1 甲＝乙", meta={"rule_id": "r1"}, batch_id="b1"
    )
    ours, usual = (of.get_validation_dependencies(rule, None, asked) for of in (type(rule), BatchExpectation))
    assert [metric.id for metric in ours.get_metric_configurations()] == [
        metric.id for metric in usual.get_metric_configurations()
    ]
    assert ours.get_metric_names() == usual.get_metric_names()
    assert ours.result_format == usual.result_format
