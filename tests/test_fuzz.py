"""Hundreds of damaged files of every kind, each with one outcome; `python benchmarks/fuzz.py` reads thousands."""

from __future__ import annotations

import re
import subprocess
import sys

from enforcement_reporting.settings import PROJECT_ROOT
from other_formats import WRITERS

MUTATIONS = 360


def test_every_damaged_file_ends_in_one_outcome_and_none_breaks_or_holds_up_the_reader() -> None:
    run = subprocess.run(
        [sys.executable, str(PROJECT_ROOT / "benchmarks" / "fuzz.py"), "--mutations", str(MUTATIONS), "--seed", "7"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr[-3000:]
    rows = [re.findall(r"[a-z0-9.]+", line) for line in run.stdout.splitlines() if line.startswith("| ")][2:]
    assert {row[0] for row in rows} == set(WRITERS)
    for _, mutated, read, unreadable, faults, _ in rows:
        assert (int(mutated), int(faults)) == (MUTATIONS // len(WRITERS), 0)
        assert int(read) + int(unreadable) == int(mutated) and int(read) > 5 and int(unreadable) > 5
