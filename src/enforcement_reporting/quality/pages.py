"""What Great Expectations keeps for its Data Docs, and their pages; its configuration names these classes.

Its own pages load their looks from the internet; these carry theirs and open anywhere. Its own store keeps every
failing row and writes exact numbers as floating point; this one keeps a few to look at. The findings have them all.
"""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

from great_expectations.core import ExpectationSuiteValidationResult
from great_expectations.data_context.store import ValidationResultsStore
from great_expectations.render.view.view import DefaultJinjaIndexPageView, DefaultJinjaPageView
from jinja2 import ChoiceLoader, PackageLoader

ROWS_SHOWN = 20


class SampledResultsStore(ValidationResultsStore):
    """Validation results with no more failing rows than a page shows."""

    def set(self, key: Any, value: ExpectationSuiteValidationResult, **kwargs: Any) -> Any:
        """Keep a sample of the result; the result itself stays whole."""
        sampled = copy.copy(value)
        sampled.results = [copy.copy(outcome) for outcome in value.results]
        for outcome in sampled.results:
            outcome.result = {name: _sample(found) for name, found in outcome.result.items()}
        return super().set(key, sampled, **kwargs)


def _sample(found: Any) -> Any:
    """Return the first failing rows, their numbers as the text of their exact value."""
    if isinstance(found, list):
        return [_sample(item) for item in found[:ROWS_SHOWN]]
    if isinstance(found, tuple):
        return tuple(_sample(item) for item in found)
    if isinstance(found, dict):
        return {name: _sample(item) for name, item in found.items()}
    return format(found, "f") if isinstance(found, Decimal) else found


class SelfContainedPage(DefaultJinjaPageView):
    """A page of the Data Docs."""

    def __init__(self, **directories: Any) -> None:
        super().__init__(**directories)
        _prefer_own_templates(self)


class SelfContainedIndex(DefaultJinjaIndexPageView):
    """The first page of the Data Docs."""

    def __init__(self, **directories: Any) -> None:
        super().__init__(**directories)
        _prefer_own_templates(self)


def _prefer_own_templates(view: DefaultJinjaPageView) -> None:
    own = PackageLoader("enforcement_reporting", "quality/pages")
    view.env.loader = ChoiceLoader([own, view.env.loader])
