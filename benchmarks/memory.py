"""What taking workbooks in holds in memory, however many there are: the peak of a process that does nothing else.

python benchmarks/memory.py [--workbooks 1000,10000] [--publish]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "competitors")]

from definitions import write_definitions  # noqa: E402
from report import publish, table  # noqa: E402
from run import MONTHS, measured, new_database, new_state, running_server, write_workbooks  # noqa: E402


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="What taking workbooks in holds in memory.")
    parser.add_argument("--workbooks", default="1000,10000", help="how many, separated by commas")
    parser.add_argument("--publish", action="store_true", help="write the table into docs/benchmarks.md")
    options = parser.parse_args()
    rows = []
    with running_server() as server:
        for workbooks in map(int, options.workbooks.split(",")):
            with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
                place = Path(folder)
                place.chmod(0o755)
                write_definitions(place / "definitions", workbooks // MONTHS)
                count, figures = write_workbooks(place / "definitions", place / "workbooks")
                state, url = new_state(place, "intake"), new_database("bench_intake", server)
                command = [sys.executable, __file__, place / "workbooks", place / "definitions", url]
                cost = measured(command, state, "bench_intake", server)
            rows.append([f"{count} workbooks", f"{figures:,}", f"{cost.megabytes:.0f}", f"{cost.cpu:.2f}"])
            print(rows[-1], flush=True)
    text = table(["", "figures", "peak MB", "CPU s"], rows)
    print("\n" + text)
    if options.publish:
        publish("Memory of the intake", text)
    return 0


def only_take_in(workbooks: str, definitions: str, url: str) -> int:
    """Be the process that is measured."""
    import project

    project.take_in(Path(workbooks), Path(definitions), url)
    return 0


if __name__ == "__main__":
    sys.exit(only_take_in(*sys.argv[1:]) if "BENCHMARK_STATE" in os.environ else main())
