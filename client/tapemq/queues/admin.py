"""Queue groups: looking at them, changing them, and their dead records."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Unpack

from tapemq.admin import Admin
from tapemq.queues import inquiries
from tapemq.queues.dead_keys import check_alone, choices_of, with_key
from tapemq.queues.infos import DeadRecord, Explanation, QueueInfo
from tapemq.queues.inquiries import Choice
from tapemq.queues.settings import QueueSettings
from tapemq.streams.stream import Stream


class QueueAdmin(Admin, ABC):
    """The client's admin calls about queues. They raise TopicNotFound, GroupNotFound,
    RequestRefused for a group of another kind, and TimeoutError after the client's timeout."""

    @abstractmethod
    def stream(
        self, topic: str, *, start: int, partitions: Sequence[int], prefetch_bytes: int
    ) -> Stream:
        """Read a topic."""

    async def describe_queue(self, topic: str, group: str) -> QueueInfo:
        """How a queue group is, by partition."""
        return await self._do(inquiries.describe(topic, group))

    async def alter_queue(self, topic: str, group: str, **settings: Unpack[QueueSettings]) -> None:
        """Change settings of a queue group, durably: see QueueSettings.

        ``paused=True`` stops deliveries until ``paused=False``. Raises ValueError.
        """
        await self._do(inquiries.alter(topic, group, settings))

    async def explain(self, topic: str, group: str) -> Explanation:
        """Why a queue group is idle, or stuck, in words."""
        return await self._do(inquiries.explain(topic, group))

    async def dead(
        self,
        topic: str,
        group: str,
        *,
        partition: int | None = None,
        reason: str | None = None,
        key: bytes | str | None = None,
        limit: int | None = None,
    ) -> list[DeadRecord]:
        """Records that a queue group does not deliver any more, in order.

        Args:
            partition: of this one only; by default of all.
            reason: those that died of it only.
            key: those with this key only; they are read for it.
            limit: so many at most.
        """
        most = limit if key is None else None
        found = await self._do(inquiries.dead(topic, group, partition, reason, most))
        return found if key is None else await with_key(self, topic, found, key, limit)

    async def redrive(
        self,
        topic: str,
        group: str,
        *,
        partition: int | None = None,
        offsets: Iterable[int] | None = None,
        reason: str | None = None,
        key: bytes | str | None = None,
        everything: bool = False,
        dry_run: bool = False,
        rate: int | None = None,
    ) -> int:
        """Deliver dead records again, with new counters. Returns how many it were.

        Args:
            partition: in this one only; needed with ``offsets`` if there are several.
            offsets: these of them; those that are not dead are left alone.
            reason: those that died of it.
            key: those with this key; with ``reason`` too, those for which both are so.
            everything: all of them. (Just one of offsets, everything, and reason or key is given.)
            dry_run: only count them.
            rate: so many per second; by default all at once.

        Raises:
            ValueError: it is not clear which are meant.
            IndeterminateError: the connection was lost before the answer came.
        """
        choice = Choice(partition, offsets, reason, everything)
        choices = await self._choices(topic, group, choice, key)
        share = rate and max(1, rate // max(1, len(choices)))
        asked = [inquiries.redrive(topic, group, one, dry_run, share) for one in choices]
        return sum([await self._do(inquiry) for inquiry in asked])

    async def discard(
        self,
        topic: str,
        group: str,
        *,
        partition: int | None = None,
        offsets: Iterable[int] | None = None,
        reason: str | None = None,
        key: bytes | str | None = None,
        everything: bool = False,
        dry_run: bool = False,
    ) -> int:
        """Forget that records are dead. They stay in the topic, and settled for the group.

        Arguments, result and errors as of redrive().
        """
        choice = Choice(partition, offsets, reason, everything)
        choices = await self._choices(topic, group, choice, key)
        asked = [inquiries.discard(topic, group, one, dry_run) for one in choices]
        return sum([await self._do(inquiry) for inquiry in asked])

    async def _choices(
        self, topic: str, group: str, choice: Choice, key: bytes | str | None
    ) -> list[Choice]:
        """The same, for a key by offsets."""
        if key is None:
            return [choice]
        check_alone(choice)
        return choices_of(
            await self.dead(topic, group, partition=choice.partition, reason=choice.reason, key=key)
        )
