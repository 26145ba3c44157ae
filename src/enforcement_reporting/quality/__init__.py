"""What must hold: rules declared in YAML, run by Great Expectations inside the database."""

from enforcement_reporting.quality.check import Checked, RuleError, check_submissions, import_great_expectations
from enforcement_reporting.quality.rules import load_suites
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
