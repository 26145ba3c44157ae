"""What must hold: rules declared in YAML, run by Great Expectations inside the database."""

from enforcement_reporting.quality.check import Checked, check_submissions, import_great_expectations
from enforcement_reporting.quality.rules import load_suites

__all__ = ["Checked", "check_submissions", "import_great_expectations", "load_suites"]
