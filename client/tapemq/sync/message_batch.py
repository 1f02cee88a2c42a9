"""Messages that were leased together, without asyncio."""

from collections.abc import Iterator

from tapemq.queues.hand import Hand
from tapemq.queues.lease import Lease
from tapemq.queues.verdict import ACK, RELEASE, Duration, Verdict, nack, reject
from tapemq.streams.record_batch import RecordBatch
from tapemq.sync.message import Message


class MessageBatch(RecordBatch):
    """Up to 512 messages of one partition, one behind the other: a RecordBatch with verbs.

    A verb settles those of them that were not settled one by one. ``confirm`` as in Message.
    """

    __slots__ = ("_lease",)

    def __init__(self, lease: Lease, batch: RecordBatch) -> None:
        super().__init__(batch.source, batch.first_offset, batch.values, batch.keys, batch.extras)
        self._lease = lease

    def __iter__(self) -> Iterator[Message]:
        return self.messages()

    def messages(self) -> Iterator[Message]:
        """The messages one by one."""
        return Hand(self._lease, self, Message).messages

    @property
    def attempt(self) -> int:
        """Of each of them, from 1."""
        return 1 + self._lease.failures + self._lease.crashes

    def ack(self, *, confirm: bool = False) -> None:
        """They are done."""
        self._settle(ACK, confirm)

    def nack(
        self,
        *,
        delay: Duration | None = None,
        reason: str = "",
        error: str = "",
        confirm: bool = False,
    ) -> None:
        """They failed: let them come again after ``delay`` (None: by the group's policy)."""
        self._settle(nack(delay, reason, error), confirm)

    def reject(self, *, reason: str = "", error: str = "", confirm: bool = False) -> None:
        """They are dead now."""
        self._settle(reject(reason, error), confirm)

    def release(self, *, confirm: bool = False) -> None:
        """Give them back; nothing is counted."""
        self._settle(RELEASE, confirm)

    def _settle(self, verdict: Verdict, confirm: bool) -> None:
        offsets = range(self.first_offset, self.next_offset)
        if confirm:
            self._lease.desk.confirm(verdict, self._lease, offsets)
        else:
            self._lease.desk.settle_all(verdict, self._lease, offsets)
