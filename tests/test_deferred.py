"""Modules that are imported when they are used; each test in a process of its own, as imports are once in one."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent


def run(program: str) -> list[str]:
    """Run a program; return the lines it prints."""
    done = subprocess.run([sys.executable, "-c", dedent(program)], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_check_imports_neither_scipy_nor_charts() -> None:
    program = """
        import inspect, sys
        from enforcement_reporting import quality

        quality.import_great_expectations()
        inspect.stack()  # looks through all modules for a file, as dbt does
        print([name for name in ("scipy.stats._stats_py", "altair.vegalite") if name in sys.modules])
    """
    assert run(program) == ["[]"]


def test_a_deferred_module_is_the_module_once_it_is_used() -> None:
    program = """
        import sys
        from enforcement_reporting.deferred import import_when_used

        for name in ("xml.sax", "colorsys", "no_such_module"):
            import_when_used(name)
        import colorsys, xml.sax, xml.sax.saxutils
        from xml import sax
        print(type(colorsys).__name__, colorsys.__file__ == colorsys.__spec__.origin)
        print(colorsys.rgb_to_hsv(1, 1, 1), sys.modules["colorsys"] is not colorsys)
        print(sax.saxutils.escape("<"), xml.sax.handler.version == sys.modules["xml.sax"].handler.version)
        import_when_used("colorsys")
        import colorsys
        print(type(colorsys).__name__)
        try:
            colorsys.no_such_name
        except AttributeError as error:
            print(error)
    """
    assert run(program) == [
        "_Deferred True",
        "(0.0, 0.0, 1) True",
        "&lt; True",
        "module",
        "module 'colorsys' has no attribute 'no_such_name'",
    ]
