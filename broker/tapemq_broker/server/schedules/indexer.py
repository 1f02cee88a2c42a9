"""Moves what schedule logs say into the index, as soon as it is durable."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from tapemq_broker.core.schedules.entries import Entry, Fired, Moved, Scheduled
from tapemq_broker.core.schedules.recent import Layer, Placed
from tapemq_broker.server.durability import LogGone
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.schedules.compaction import Compaction
from tapemq_broker.server.schedules.index_runner import IndexRunner
from tapemq_broker.server.schedules.rows import operations
from tapemq_broker.server.schedules.shelf import Shelf, Volume
from tapemq_broker.storage.schedules.index import IndexDamaged, ScheduleIndex

log = logging.getLogger("tapemq.broker")

_RETRY_S: Final = 1.0
_ENTRIES_AT_ONCE: Final = 2048
"""So many take some tens of milliseconds; then others may look, most of all for what is due."""


class Indexer:
    """One task per topic, as long as there is something to move.

    ``on_due`` is told when something that is in the index now is due; ``on_damage`` that the index
    has to be made anew.
    """

    def __init__(
        self,
        engine: Engine,
        shelf: Shelf,
        runner: IndexRunner,
        on_due: Callable[[int], None],
        on_damage: Callable[[str], None],
    ) -> None:
        self._engine: Final = engine
        self._shelf: Final = shelf
        self._runner: Final = runner
        self._on_due: Final = on_due
        self._on_damage: Final = on_damage
        self._compaction: Final = Compaction(engine, runner)
        self._working: Final[set[int]] = set()

    def wake(self, volume: Volume) -> None:
        """Entries were written."""
        if volume.is_ready and volume.topic_id not in self._working:
            self._working.add(volume.topic_id)
            self._engine.spawn(self._work(volume))

    async def _work(self, volume: Volume) -> None:
        try:
            while volume.is_ready and (layer := volume.book.recent.freeze()):
                await self._move(volume, layer)
                await self._compaction.step(volume)
        except LogGone:
            pass
        except IndexDamaged as damaged:
            self._on_damage(str(damaged))
        finally:
            self._working.discard(volume.topic_id)
            volume.notify()

    async def _move(self, volume: Volume, layer: Layer) -> None:
        upto = volume.book.next_offset
        recent = volume.book.recent
        await self._shelf.durable(volume, upto)
        for first in range(0, len(layer.entries), _ENTRIES_AT_ONCE):
            if volume.book.recent is not recent:
                return  # the index is being made anew meanwhile
            some = layer.entries[first : first + _ENTRIES_AT_ONCE]
            is_last = first + len(some) == len(layer.entries)
            await self._apply(volume, upto if is_last else some[-1].offset + 1, some)
        if volume.book.recent is not recent:
            return
        recent.indexed()
        volume.indexed_upto = upto
        volume.notify()
        first_us = min((due for one in layer.entries for due in _due(one.entry)), default=0)
        if first_us:
            self._on_due(first_us)

    async def _apply(self, volume: Volume, upto: int, entries: Sequence[Placed]) -> None:
        recent = volume.book.recent

        def apply(index: ScheduleIndex) -> None:
            # In an index that was emptied meanwhile this would hide what comes before it.
            if volume.book.recent is recent:
                index.apply(volume.topic_id, upto, list(operations(entries)))

        while not volume.is_gone:
            try:
                await self._runner.run(apply)
            except OSError as error:
                log.error("the index of schedules cannot be written: %s", error)
                await asyncio.sleep(_RETRY_S)
                continue
            break

    async def caught_up(self, volume: Volume) -> None:
        """Wait until the index says what was written up to now. Raises LogGone, Refused."""
        upto = volume.book.next_offset
        while volume.indexed_upto < upto:
            volume.check_ready()
            if volume.is_gone:
                raise LogGone(volume.name)
            self.wake(volume)
            await volume.changed.wait()


def _due(entry: Entry) -> list[int]:
    if isinstance(entry, Scheduled):
        return [entry.schedule.due_us]
    if isinstance(entry, Fired | Moved):
        return [move.due_us for move in entry.moves if move.due_us]
    return []
