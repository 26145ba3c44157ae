"""Tables for people, and the page they are kept on: docs/benchmarks.md, a section a measurement."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Written by the commands in [benchmarks/](../benchmarks/README.md), which also says what is measured and how.
"""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table: the first column to the left, numbers to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def publish(heading: str, text: str) -> None:
    """Put a section into the page, in the place of the one with the same heading."""
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else HEAD
    sections = re.split(r"(?m)^(?=## )", page)
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {datetime.now().astimezone():%Y-%m-%d}"
    section = f"## {heading}\n\n{text}\nMeasured on {machine}.\n"
    headings = [item.split("\n", 1)[0].removeprefix("## ") for item in sections]
    if heading in headings[1:]:
        sections[headings.index(heading)] = section
    else:
        sections.append(section)
    PAGE.write_text("\n".join(item.rstrip() + "\n" for item in sections), encoding="utf-8")
