"""The pages of the Data Docs; the configuration of Great Expectations names these classes.

Its own pages load their looks from the internet; these carry theirs and open anywhere.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from great_expectations.render.view.view import DefaultJinjaIndexPageView, DefaultJinjaPageView
from jinja2 import ChoiceLoader, Environment, PackageLoader


class SelfContainedPage(DefaultJinjaPageView):
    """A page of the Data Docs."""

    def __init__(self, **directories: Any) -> None:
        super().__init__(**directories)
        self.env = _own_templates()


class SelfContainedIndex(DefaultJinjaIndexPageView):
    """The first page of the Data Docs."""

    def __init__(self, **directories: Any) -> None:
        super().__init__(**directories)
        self.env = _own_templates()


@lru_cache
def _own_templates() -> Environment:
    """Return the templates of all pages, compiled once for all of them; our own go before those of the library."""
    templates: Environment = DefaultJinjaPageView().env
    own = PackageLoader("enforcement_reporting", "quality/pages")
    templates.loader = ChoiceLoader([own, *([templates.loader] if templates.loader else [])])
    return templates
