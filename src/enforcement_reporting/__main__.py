"""`python -m enforcement_reporting` is the command line."""

from enforcement_reporting.cli import main

main(prog_name="enforcement-reporting")
