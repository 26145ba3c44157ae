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
