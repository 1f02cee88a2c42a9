"""One partition: its offsets, and the batches that may enter it."""

from typing import NamedTuple

from tapemq.batch import HEADER_BYTES, BodyPrefix, Kind, LogId, Role
from tapemq_broker.core.effects import Append
from tapemq_broker.core.producers import Producers
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.results import PublishResult
from tapemq_broker.core.sizes import Sizes


class Published(NamedTuple):
    """What becomes of a batch. ``append`` is None for a retry: it is in the log already.

    ``next_offset`` is behind its last record: durable up to there, the batch is durable.
    """

    append: Append | None
    result: PublishResult
    next_offset: int


class Partition:
    """State of a partition. ``durable_offset`` is also where visible records end.

    What is below ``first_offset`` is gone, though it may still lie in the first segment.
    ``dropped``: so many records went since the start because there were too many.
    """

    def __init__(self, topic_id: int, number: int) -> None:
        self.log = LogId(topic_id, number, Role.DATA)
        self.groups_log = LogId(topic_id, number, Role.GROUPS)
        self.number = number
        self.producers = Producers()
        # None where no limit in bytes asks for it.
        self.sizes: Sizes | None = None
        self.first_offset = 0
        self.dropped = 0
        self.next_offset = 0
        self.durable_offset = 0
        # Why the log could not be opened, or that of its groups alone; "" if it could.
        self.damage = ""
        self.own_groups_damage = ""

    def opened(self, first_offset: int, next_offset: int, durable_offset: int) -> None:
        """The log was opened, and what it knows of producers was restored."""
        self.first_offset = first_offset
        self.durable_offset = durable_offset
        self.refused(next_offset)
        self.producers.forget_empty()

    def refused(self, next_offset: int) -> None:
        """An append failed: the log still ends at ``next_offset``."""
        self.next_offset = next_offset
        self.producers.forget_from(next_offset)
        if self.sizes is not None:
            self.sizes.refused(next_offset)

    def durable_upto(self, offset: int) -> None:
        """The log is on disk up to an offset."""
        self.durable_offset = offset
        if self.sizes is not None:
            self.sizes.durable_upto(offset)

    def check_usable(self) -> None:
        """Raise Refused if the log could not be opened."""
        if self.damage:
            raise Refused("storage_failed", self.damage)

    @property
    def groups_damage(self) -> str:
        """Why nothing can be done with groups here; "" if it can. Records may be fine."""
        return self.damage or self.own_groups_damage

    def check_groups_usable(self) -> None:
        """Raise Refused if nothing can be done with groups here."""
        if self.groups_damage:
            raise Refused("storage_failed", self.groups_damage)

    def publish(
        self,
        body: bytes | memoryview,
        prefix: BodyPrefix,
        body_checksum: int,
        now_us: int,
        heard_us: int | None = None,
    ) -> Published:
        """Give an inspected body its place. Raises Refused."""
        self.check_usable()
        repeated = self.producers.check(prefix)
        if repeated is not None:
            end = repeated.next_offset
            durable = end <= self.durable_offset
            return Published(None, PublishResult(repeated.base_offset, durable, True, 0), end)
        base = self.next_offset
        self.next_offset = base + prefix.record_count
        self.producers.observe(prefix, base, now_us if heard_us is None else heard_us)
        if self.sizes is not None:
            self.sizes.add(self.next_offset, HEADER_BYTES + len(body))
        append = Append(self.log, Kind.DATA, base, prefix.record_count, body, body_checksum)
        return Published(append, PublishResult(base, False, False, now_us), self.next_offset)
