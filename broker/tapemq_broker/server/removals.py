"""Removes the files of topics that are no more.

One topic after the other: other work that needs a thread would stand behind thousands of them. So
it may take a while, and the catalog says until then what is to go, to the next start, too.
"""

import asyncio
import logging
from typing import Final

from tapemq_broker.core.topics import CATALOG, gone_key, gone_topics
from tapemq_broker.server.logs import Logs
from tapemq_broker.server.world import World
from tapemq_broker.storage.errors import SyncFailed

log = logging.getLogger("tapemq.broker")


class Removals:
    """What becomes of topics' directories once nobody uses them."""

    def __init__(self, world: World, logs: Logs) -> None:
        self._world: Final = world
        self._logs: Final = logs
        self._turn: Final = asyncio.Lock()
        self._is_stopping = False

    def stop(self) -> None:
        """Leave what has not begun to the next start."""
        self._is_stopping = True

    async def finish(self) -> None:
        """Remove what was left when the last process ended."""
        for name, topic_id in list(gone_topics(self._logs.catalog())):
            await self.remove(name, topic_id)

    async def remove(self, name: str, topic_id: int) -> None:
        """Remove a deleted topic's files when it is their turn, and note that they are gone."""
        async with self._turn:
            if not self._is_stopping and await self.discard(name, topic_id):
                now_us = self._world.clock.wall_us()
                self._logs.put_state(CATALOG, {gone_key(name, topic_id): None}, now_us)

    async def discard(self, name: str, topic_id: int) -> bool:
        """Remove the files of a topic that the catalog does not name (any more); whether they
        are gone."""
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(None, self._logs.store.remove_topic, name, topic_id)
        except SyncFailed as error:
            self._world.fatal(f"a sync failed while topic {name} was removed: {error!r}")
        except OSError as error:
            log.error(
                "files of topic %s (%016x) are left: %s; the next start removes them if it was "
                "deleted, else remove them by hand",
                name,
                topic_id,
                error,
            )
        else:
            return True
        return False
