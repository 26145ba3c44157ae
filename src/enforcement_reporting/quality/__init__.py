"""What must hold: rules declared in YAML, run by Great Expectations inside the database."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from enforcement_reporting.quality.rules import load_suites

if TYPE_CHECKING:
    from enforcement_reporting.quality.check import Checked, RuleError, check_submissions, import_great_expectations
    from enforcement_reporting.quality.timeliness import check_obligations, load_timeliness

__all__ = [
    "Checked",
    "RuleError",
    "check_obligations",
    "check_submissions",
    "import_great_expectations",
    "load_suites",
    "load_timeliness",
]

# Imported when they are asked for: they bring the warehouse with them, which rules alone do not need.
_IN_THE_WAREHOUSE = {
    **dict.fromkeys(("Checked", "RuleError", "check_submissions", "import_great_expectations"), "check"),
    **dict.fromkeys(("check_obligations", "load_timeliness"), "timeliness"),
}


def __getattr__(name: str) -> Any:
    if module := _IN_THE_WAREHOUSE.get(name):
        return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
