"""Notice files that land, in whichever of the declared places.

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

    def __init__(self, seconds: float = 2.0) -> None:
        super().__init__()
        self.seconds = seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer needs to make this trigger again."""
        return "landing_watcher.NewFilesTrigger", {"seconds": self.seconds}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch for ever; each event names the files that have landed since the one before."""
        reported = previous = await asyncio.to_thread(listing)
        while True:
            await asyncio.sleep(self.seconds)
            try:
                current = await asyncio.to_thread(listing)
            except (OSError, ValueError) as error:  # a share that is away, a catalog being edited: the watch goes on
                self.log.warning("The landing places cannot be listed: %s", error)
                continue
            landed = current - reported
            if landed and current == previous:
                yield TriggerEvent(sorted(name for name, _ in landed))
            if current == previous:
                reported = current
            previous = current


def listing() -> frozenset[tuple[str, str]]:
    """Return what waits to be taken in, each file with a stamp that differs once it is written again."""
    from enforcement_reporting.intake import list_landed, readable
    from enforcement_reporting.settings import Settings

    return frozenset((readable(file.path), file.version) for file in list_landed(Settings.from_environment()))
