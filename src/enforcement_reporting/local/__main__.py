"""``python -m enforcement_reporting.local run|up|down|reset|status``."""

from __future__ import annotations

import argparse
import sys

from enforcement_reporting.catalog import CatalogError
from enforcement_reporting.local import stack
from enforcement_reporting.local.airflow import AirflowError
from enforcement_reporting.local.postgres import LocalServerError
from enforcement_reporting.settings import Settings


def main() -> int:
    """Carry out one command; return its exit status."""
    commands = {
        use_case.__name__: use_case for use_case in (stack.run, stack.up, stack.down, stack.reset, stack.status)
    }
    parser = argparse.ArgumentParser(prog="python -m enforcement_reporting.local", description=__doc__)
    chosen = parser.add_subparsers(dest="command", required=True)
    for name, use_case in commands.items():
        chosen.add_parser(name, help=(use_case.__doc__ or "").splitlines()[0])
    command = parser.parse_args().command
    try:
        commands[command](Settings.from_environment())
    except (AirflowError, CatalogError, LocalServerError, stack.StackError) as error:
        stack.console.print(str(error), markup=False)
        return 1
    except KeyboardInterrupt:
        stack.console.print("interrupted: everything that was started has been stopped")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
