"""Data Docs that open anywhere: Great Expectations' own pages load their looks from the internet, these carry theirs.

Great Expectations makes these views by name, from the configuration of the site.
"""

from __future__ import annotations

from typing import Any

from great_expectations.render.view.view import DefaultJinjaIndexPageView, DefaultJinjaPageView
from jinja2 import ChoiceLoader, PackageLoader


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
