"""When garbage is looked for.

Python looks through what was made whenever enough has been made, and through everything once more at the end. While a
large tool is imported, or reads its project, nearly all of that stays: it is looked through again and again, which
takes a fifth of the time, and little is found.
"""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache


@contextmanager
def not_collected() -> Iterator[None]:
    """Look for no garbage in the block. What it leaves behind is found after it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@cache
def left_at_exit() -> None:
    """Let this process end without looking for garbage: all it holds is given back at once."""
    atexit.register(gc.freeze)
