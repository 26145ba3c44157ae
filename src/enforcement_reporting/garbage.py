"""When garbage is looked for.

Python looks through what was made whenever enough has been made. While a large tool is imported, or reads its project,
nearly all of that stays: it is looked through again and again, which takes a tenth of the time, and little is found.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
