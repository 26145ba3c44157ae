"""When garbage is looked for.

Python looks through what was made whenever enough has been made, and through everything once more at the end. While a
large tool is imported, or reads its project, nearly all of that stays: it is looked through again and again, which
takes a fifth of the time, and little is found. A process that does one thing then ends before there is much to find.
"""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

_SELDOM = 200_000  # more objects made than given back since it was last looked for
_MOST_UNSEEN = 3_000_000  # objects that may be garbage; a build leaves some hundred thousand
_unseen = 0
_is_frozen = False  # remembered: to ask for it counts the objects one by one


@contextmanager
def not_collected() -> Iterator[None]:
    """Look for no garbage in the block, and not in what it leaves behind until that has become much.

    Not at all in a fork of a process that has frozen what it holds: that does its work, and gives back all at once.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            _left_alone()
            gc.enable()


def _left_alone() -> None:
    """Take what was made since it was last looked for garbage for old, which is looked through last."""
    global _unseen, _is_frozen
    _is_frozen = _is_frozen or gc.get_freeze_count() > 0
    _unseen += gc.get_count()[0]
    if _unseen > _MOST_UNSEEN and not _is_frozen:
        _unseen = 0
        gc.collect()
    else:
        gc.freeze()
        if not _is_frozen:
            gc.unfreeze()  # into the oldest generation, without a look at it


def frozen_for_forks() -> None:
    """Freeze what this process holds, so that forks of it need not ask whether it is."""
    global _is_frozen
    _is_frozen = True
    gc.freeze()


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Look for garbage a few hundred times less often in the block, or in a function decorated with this.

    For work that makes much and keeps nothing, and leaves no cycles: what is looked through is in use, or was given
    back before.
    """
    before = gc.get_threshold()
    gc.set_threshold(_SELDOM, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@cache
def left_at_exit() -> None:
    """Let this process end without looking for garbage: all it holds is given back at once."""
    atexit.register(gc.freeze)
