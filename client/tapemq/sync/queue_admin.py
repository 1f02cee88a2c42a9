"""Queue groups, without asyncio: looking at them, changing them, and their dead records."""

from collections.abc import Iterable
from typing import Unpack

from tapemq.queues import inquiries
from tapemq.queues.infos import DeadRecord, Explanation, QueueInfo
from tapemq.queues.inquiries import Choice
from tapemq.queues.settings import QueueSettings
from tapemq.sync.admin import Admin


class QueueAdmin(Admin):
    """The client's admin calls about queues. They raise TopicNotFound, GroupNotFound,
    RequestRefused for a group of another kind, and TimeoutError after the client's timeout."""

    def describe_queue(self, topic: str, group: str) -> QueueInfo:
        """How a queue group is, by partition."""
        return self._do(inquiries.describe(topic, group))

    def alter_queue(self, topic: str, group: str, **settings: Unpack[QueueSettings]) -> None:
        """Change settings of a queue group, durably: see QueueSettings.

        ``paused=True`` stops deliveries until ``paused=False``. Raises ValueError.
        """
        self._do(inquiries.alter(topic, group, settings))

    def explain(self, topic: str, group: str) -> Explanation:
        """Why a queue group is idle, or stuck, in words."""
        return self._do(inquiries.explain(topic, group))

    def dead(
        self,
        topic: str,
        group: str,
        *,
        partition: int | None = None,
        reason: str | None = None,
        limit: int | None = None,
    ) -> list[DeadRecord]:
        """Records that a queue group does not deliver any more, in order.

        Args:
            partition: of this one only; by default of all.
            reason: those that died of it only.
            limit: so many at most.
        """
        return self._do(inquiries.dead(topic, group, partition, reason, limit))

    def redrive(
        self,
        topic: str,
        group: str,
        *,
        partition: int | None = None,
        offsets: Iterable[int] | None = None,
        reason: str | None = None,
        everything: bool = False,
        dry_run: bool = False,
        rate: int | None = None,
    ) -> int:
        """Deliver dead records again, with new counters. Returns how many it were.

        Args:
            partition: in this one only; needed with ``offsets`` if there are several.
            offsets: these of them; those that are not dead are left alone.
            reason: those that died of it.
            everything: all of them. (Just one of these three is given.)
            dry_run: only count them.
            rate: so many per second; by default all at once.

        Raises:
            ValueError: it is not clear which are meant.
            IndeterminateError: the connection was lost before the answer came.
        """
        choice = Choice(partition, offsets, reason, everything)
        return self._do(inquiries.redrive(topic, group, choice, dry_run, rate))

    def discard(
        self,
        topic: str,
        group: str,
        *,
        partition: int | None = None,
        offsets: Iterable[int] | None = None,
        reason: str | None = None,
        everything: bool = False,
        dry_run: bool = False,
    ) -> int:
        """Forget that records are dead. They stay in the topic, and settled for the group.

        Arguments, result and errors as of redrive().
        """
        choice = Choice(partition, offsets, reason, everything)
        return self._do(inquiries.discard(topic, group, choice, dry_run))
