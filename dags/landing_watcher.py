"""Notice files that land, wherever that is: any place fsspec can list.

A module of its own because the triggerer imports it by name, without the DAG file.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent


class NewFilesTrigger(BaseEventTrigger):
    """Fire when files have landed, or landed anew under an old name, and have stopped growing. Nothing is touched.

    What is there when watching begins is left to the DAG's time schedule.
    """

    def __init__(self, landing: str, seconds: float = 2.0) -> None:
        super().__init__()
        self.landing = landing
        self.seconds = seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer needs to make this trigger again."""
        return "landing_watcher.NewFilesTrigger", {"landing": self.landing, "seconds": self.seconds}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch for ever; each event names the files that have landed since the one before."""
        reported = previous = await asyncio.to_thread(listing, self.landing)
        while True:
            await asyncio.sleep(self.seconds)
            try:
                current = await asyncio.to_thread(listing, self.landing)
            except OSError as error:  # a share that is away for a while must not end the watch
                self.log.warning("The landing place cannot be listed: %s", error)
                continue
            landed = current - reported
            if landed and current == previous:
                yield TriggerEvent(sorted(name for name, _ in landed))
            if current == previous:
                reported = current
            previous = current


def listing(landing: str) -> frozenset[tuple[str, str]]:
    """Return every file below the landing place with a stamp that differs once its content does.

    Names that begin with a dot are files on their way and do not count.
    """
    import fsspec

    filesystem, root = fsspec.core.url_to_fs(landing)
    filesystem.invalidate_cache()
    found = filesystem.find(root, detail=True).items()
    return frozenset(
        (name, " ".join(str(about.get(key)) for key in ("size", "mtime", "LastModified", "etag", "ETag")))
        for name, about in found
        if not name.rsplit("/", 1)[-1].startswith(".")
    )
