"""The books of all topics, and what stands between them and the disk."""

import asyncio
from typing import Final

from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.schedules.book import Book
from tapemq_broker.core.schedules.recent import Backlog
from tapemq_broker.server.durability import LogGone
from tapemq_broker.server.engine import Engine

_RETRY_S: Final = 1.0


class Volume:
    """A topic's book. Not ready while the index does not say yet what its log says."""

    def __init__(self, topic_id: int, name: str, backlog: Backlog | None = None) -> None:
        self.topic_id = topic_id
        self.name = name
        self.book = Book(topic_id, backlog)
        self.is_ready = False
        # Whether firings that a stop or a crash interrupted have been taken up.
        self.is_resumed = False
        self.is_gone = False
        self.damage = ""
        self.indexed_upto = 0
        self.changed = asyncio.Event()

    @property
    def is_settled(self) -> bool:
        """Whether nothing is to be waited for: it is ready, refused or gone."""
        return self.is_ready or self.is_gone or bool(self.damage)

    def may_be_used(self) -> bool:
        """Whether it is ready, and its topic is still there."""
        return self.is_ready and not self.is_gone

    def check_ready(self) -> None:
        """Raise Refused unless it can be used."""
        if self.damage:
            raise Refused("storage_failed", f"schedules of topic {self.name!r}: {self.damage}")
        if not self.is_ready:
            raise Refused(
                "overloaded", f"the index of schedules of {self.name!r} is being built", _RETRY_S
            )

    def notify(self) -> None:
        """Let those look again who wait for a change."""
        self.changed.set()
        self.changed = asyncio.Event()

    def begin_loading(self) -> None:
        """Nothing is known of what the log says up to here; the index will say all of it."""
        self.is_ready = False
        self.book.forget_recent()

    def refuse(self, why: str) -> None:
        """It cannot be used before the next start, which reads what the index does not say yet."""
        self.damage = why
        self.begin_loading()
        self.notify()


class Shelf:
    """All topics that have, or had, schedules."""

    def __init__(self, engine: Engine) -> None:
        self._engine: Final = engine
        self.volumes: Final[dict[int, Volume]] = {}
        self.backlog: Final = Backlog()

    @property
    def pending(self) -> int:
        """How many schedules are pending."""
        return sum(volume.book.count for volume in self.volumes.values())

    async def durable(self, volume: Volume, offset: int) -> None:
        """Wait until a schedule log is on disk up to an offset. Raises LogGone."""
        if volume.is_gone:
            raise LogGone(volume.name)
        if self._engine.logs.durable_offset(volume.book.log) < offset:
            await self._engine.durability.wait(volume.book.log, offset)
