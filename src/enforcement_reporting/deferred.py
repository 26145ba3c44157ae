"""Modules that are imported when something is asked of them.

A tool imports what any of its users may need. Great Expectations imports scipy for one of its expectations, and a
library of charts for the pages of others: nothing else that it imports takes as long, or as much memory.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any


def import_when_used(name: str) -> None:
    """Let imports of a module take effect when the first attribute is read; do nothing where it is imported already.

    ``importlib.util.LazyLoader`` promises the same, but its modules are loaded as soon as they are imported twice, and
    when anything looks through ``sys.modules`` for a file, as ``inspect.stack`` does.
    """
    if name in sys.modules or (spec := importlib.util.find_spec(name)) is None:
        return
    module = _Deferred(name)
    module.__spec__, module.__file__ = spec, spec.origin
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)


class _Deferred(ModuleType):
    """Stands for a module until it is used, and hands on what is asked of it from then on."""

    def __getattr__(self, attribute: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            sys.modules.pop(self.__name__, None)
        return getattr(importlib.import_module(self.__name__), attribute)
