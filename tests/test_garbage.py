"""Garbage is looked for again after a block in which it was not, whatever happens in it."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from enforcement_reporting.garbage import not_collected, seldom_collected


@pytest.fixture(autouse=True)
def collecting() -> Iterator[None]:
    """Leave the collector on, as it is found."""
    yield
    gc.enable()


def collections() -> int:
    """Return how often anything has been looked through, young or old."""
    return sum(generation["collections"] for generation in gc.get_stats())


def test_nothing_is_collected_in_the_block_and_everything_after_it() -> None:
    with not_collected():
        with not_collected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_fork_of_a_frozen_process_is_not_looked_through_after_the_block_either() -> None:
    program = (
        "import gc\n"
        "from enforcement_reporting.garbage import not_collected\n"
        "def looked_through():\n"
        "    with not_collected():\n"
        "        kept.extend([number] for number in range(10_000))\n"
        "        before = sum(each['collections'] for each in gc.get_stats())\n"
        "    kept.extend([number] for number in range(100))\n"
        "    return sum(each['collections'] for each in gc.get_stats()) - before\n"
        "kept = []\n"
        "print(looked_through()); gc.freeze(); print(looked_through())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "0"]


def test_a_block_that_fails_switches_nothing_off() -> None:
    with pytest.raises(ZeroDivisionError), not_collected():
        _ = 1 / 0
    assert gc.isenabled()


def test_who_collects_by_himself_goes_on_doing_so() -> None:
    gc.disable()
    with not_collected():
        pass
    assert not gc.isenabled()


def test_in_the_block_thousands_of_objects_are_made_before_anything_is_looked_through() -> None:
    before = gc.get_threshold()
    with seldom_collected():
        looked_through = collections()
        kept = [[number] for number in range(100 * before[0])]
        assert collections() == looked_through
    kept += [[number] for number in range(2 * before[0])]
    assert collections() > looked_through
    assert gc.get_threshold() == before


def test_at_exit_nothing_is_looked_through() -> None:
    program = (
        "import atexit, gc\n"
        "from enforcement_reporting.garbage import left_at_exit\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 0))\n"  # what is registered later is done earlier
        "left_at_exit(); left_at_exit()\n"
        "print(gc.get_freeze_count() > 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
