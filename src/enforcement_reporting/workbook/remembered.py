"""Work done once for bytes that come again: workbooks of one template share most of their parts."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar

LONGEST = 16_384  # what is longer is worked out afresh each time, so that what is kept has a bound

Work = TypeVar("Work", bound=Callable[..., Any])


def remembered(entries: int) -> Callable[[Work], Work]:
    """Return a decorator that keeps the last results of a pure function of some bytes or text and little else.

    Callers share one result and must not change it.
    """

    def decorate(work: Work) -> Work:
        kept = lru_cache(entries)(work)

        @wraps(work)
        def recall(source: bytes | str, *others: Any) -> Any:
            return (kept if len(source) <= LONGEST else work)(source, *others)

        return recall  # type: ignore[return-value]

    return decorate


Key = TypeVar("Key")
Value = TypeVar("Value")


class Lookup(dict[Key, Value]):
    """Results of a pure function by its argument, at most ``entries`` of them; asked for another, it works it out.

    A dict, so that a whole row is looked up in C.
    """

    def __init__(self, entries: int, work: Callable[[Key], Value]) -> None:
        super().__init__()
        self._entries, self._work = entries, work

    def __missing__(self, key: Key) -> Value:
        if len(self) >= self._entries:
            self.clear()
        self[key] = value = self._work(key)
        return value
