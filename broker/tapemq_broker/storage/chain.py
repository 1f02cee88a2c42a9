"""The chain: each batch continues the one before it."""

from typing import NamedTuple

from tapemq.batch import BatchError, Header, Kind, LogId
from tapemq_broker.storage.gap import Gap, decode_gap


class NotNext(BatchError):
    """A sound batch in a place where it does not belong."""


class LogEnd(NamedTuple):
    """Where a log goes on: what the header of its next batch must say."""

    next_offset: int = 0
    next_batch: int = 0
    last_checksum: int = 0
    log_epoch: int = 0
    last_append_time_us: int = 0

    @classmethod
    def before(cls, header: Header) -> "LogEnd":
        """The end that ``header`` continues, when all that came before it has been removed."""
        return cls(
            header.base_offset,
            header.batch_number,
            header.previous_checksum,
            header.log_epoch,
            header.append_time_us,
        )

    @classmethod
    def behind(cls, header: Header) -> "LogEnd":
        """The end behind a batch that is not a gap."""
        return cls(
            header.next_offset,
            header.batch_number + 1,
            header.header_checksum,
            header.log_epoch,
            header.append_time_us,
        )

    def step(self, header: Header, body: memoryview, log_id: LogId) -> "LogEnd":
        """The end behind the next batch. Steps over the hole that a gap names.

        Raises NotNext if this sound batch is not the one that belongs here, BatchError if it is a
        gap that names no hole.
        """
        self.check(header, log_id)
        if header.kind is Kind.GAP:
            return self._step_over(header, decode_gap(body))
        return LogEnd.behind(header)

    def check(self, header: Header, log_id: LogId) -> None:
        """Raise NotNext unless this sound header is the one that belongs here."""
        if header.log_id != log_id:
            raise NotNext(f"a batch of another log, {header.log_id}")
        if (header.base_offset, header.batch_number) != self[:2]:
            raise NotNext(
                f"batch {header.batch_number} with base offset {header.base_offset}, where batch "
                f"{self.next_batch} with base offset {self.next_offset} belongs"
            )
        if header.previous_checksum != self.last_checksum:
            raise NotNext(f"batch {header.batch_number} continues another batch than the last one")
        if header.log_epoch < self.log_epoch or header.append_time_us < self.last_append_time_us:
            raise NotNext(f"batch {header.batch_number} has an earlier epoch or time than the last")

    def _step_over(self, header: Header, gap: Gap) -> "LogEnd":
        if gap.to_offset < self.next_offset or gap.to_batch <= self.next_batch:
            raise NotNext(f"a gap that leads back to offset {gap.to_offset}")
        if header.record_count:
            raise NotNext(f"a gap with {header.record_count} records")
        return LogEnd(
            gap.to_offset,
            gap.to_batch,
            gap.previous_checksum,
            header.log_epoch,
            header.append_time_us,
        )
