"""Garbage is looked for again after a block in which it was not, whatever happens in it, but not at once."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections.abc import Iterator

import pytest

from enforcement_reporting import garbage
from enforcement_reporting.garbage import not_collected, seldom_collected


@pytest.fixture(autouse=True)
def collecting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Begin with nothing frozen, whatever ran before; leave the collector on, as it is found."""
    monkeypatch.setattr(garbage, "_is_frozen", False)
    gc.unfreeze()
    yield
    gc.unfreeze()
    gc.enable()


def collections() -> int:
    """Return how often anything has been looked through, young or old."""
    return sum(generation["collections"] for generation in gc.get_stats())


def test_nothing_is_collected_in_the_block_and_the_collector_is_on_after_it() -> None:
    with not_collected():
        with not_collected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


class Ring:
    """Refers to itself, so that only the collector can give it back."""

    def __init__(self) -> None:
        self.itself = self


@pytest.mark.parametrize("is_frozen", [False, True])
def test_what_a_block_leaves_is_not_looked_through_at_once(is_frozen: bool) -> None:
    if is_frozen:
        gc.freeze()
    try:
        with not_collected():
            before = collections()
            kept = [[number] for number in range(100 * gc.get_threshold()[0])]
        kept += [[number] for number in range(gc.get_threshold()[0] // 2)]
        assert collections() == before
        assert (gc.get_freeze_count() > 0) == is_frozen
    finally:
        gc.unfreeze()


def test_a_process_that_says_it_is_frozen_counts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gc, "get_freeze_count", lambda: pytest.fail("they were counted one by one"))
    garbage.frozen_for_forks()
    with not_collected():
        pass


def test_what_blocks_leave_is_found_when_it_has_become_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "_unseen", 0)
    monkeypatch.setattr(garbage, "_MOST_UNSEEN", 15_000)
    with not_collected():
        left = weakref.ref(Ring())
        kept = [[number] for number in range(10_000)]
    assert left() is not None
    with not_collected():
        kept += [[number] for number in range(10_000)]
    assert left() is None


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
