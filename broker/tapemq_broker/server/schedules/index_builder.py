"""Keeps the index whole: loads topics into it, and all of them again when it is damaged."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from tapemq_broker.server.durability import LogGone
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.schedules.index_runner import IndexRunner
from tapemq_broker.server.schedules.loading import Loading
from tapemq_broker.server.schedules.shelf import Shelf, Volume
from tapemq_broker.storage.schedules.index import IndexDamaged

log = logging.getLogger("tapemq.broker")

_RETRY_S: Final = 1.0


class IndexBuilder:
    """A task for each topic until it is settled, and one that empties a damaged index.

    No loading begins between damage and the empty index, and what had begun before puts nothing
    into that: so whatever the index says of a topic, it says all of it. ``on_loaded`` is told of
    a topic that is settled, and the partitions whose firing was interrupted.
    """

    def __init__(
        self,
        engine: Engine,
        shelf: Shelf,
        runner: IndexRunner,
        loading: Loading,
        on_loaded: Callable[[Volume, Sequence[int]], None],
    ) -> None:
        self._engine: Final = engine
        self._shelf: Final = shelf
        self._runner: Final = runner
        self._loading: Final = loading
        self._on_loaded: Final = on_loaded
        self._at_work: Final[set[int]] = set()
        # Not from when damage is met until it is empty.
        self._is_whole: Final = asyncio.Event()
        self._is_whole.set()
        self._emptied_at = float("-inf")

    # Loading

    def begin(self, volume: Volume) -> None:
        """Load a topic, if that is not under way."""
        if volume.topic_id not in self._at_work:
            self._at_work.add(volume.topic_id)
            self._engine.spawn(self._work(volume))

    async def load(self, volume: Volume) -> None:
        """Load a topic; it is settled then."""
        self.begin(volume)
        while not volume.is_settled:
            await volume.changed.wait()

    async def _work(self, volume: Volume) -> None:
        interrupted: Sequence[int] = ()
        while not volume.is_settled:
            while not self._is_whole.is_set():  # it may be damaged again before this goes on
                await self._is_whole.wait()
            try:
                interrupted = await self._loading.load(volume)
            except LogGone:
                break
            except IndexDamaged as damaged:
                self.damaged(str(damaged))
            except OSError as error:
                log.error("the index of schedules cannot be used: %s", error)
                await asyncio.sleep(_RETRY_S)
        self._at_work.discard(volume.topic_id)
        volume.notify()
        self._on_loaded(volume, interrupted)

    # Damage

    def damaged(self, why: str) -> None:
        """The index is to be made anew from the logs of all topics."""
        if not self._is_whole.is_set():
            return  # whoever reads it before it is empty meets the same
        log.error("the index of schedules is damaged, and made anew from the logs: %s", why)
        self._is_whole.clear()
        for volume in self._sound():
            volume.begin_loading()
        self._engine.spawn(self._rebuild())

    async def _rebuild(self) -> None:
        # Not again and again in one go, where it is damaged as soon as something is in it.
        since_s = self._engine.world.clock.monotonic() - self._emptied_at
        await asyncio.sleep(max(0.0, _RETRY_S - since_s))
        await self._empty()
        self._emptied_at = self._engine.world.clock.monotonic()
        self._is_whole.set()
        for volume in self._sound():
            self.begin(volume)

    async def _empty(self) -> None:
        while True:
            try:
                return await self._runner.run(lambda index: index.reset())
            except (OSError, IndexDamaged) as error:
                log.error("the index of schedules cannot be emptied: %s", error)
            await asyncio.sleep(_RETRY_S)

    def _sound(self) -> list[Volume]:
        return [volume for volume in self._shelf.volumes.values() if not volume.damage]
