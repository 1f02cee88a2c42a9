"""The header that a log writes in front of a new batch."""

from typing import Final, NamedTuple

from tapemq.batch import Header, Kind, LogId, checksum
from tapemq_broker.storage.chain import LogEnd
from tapemq_broker.storage.record_log import NewBatch

MARK: Final = NewBatch(Kind.MARK, 0, b"", checksum(b""))
"""A batch without records: its header says what was durable when it was written."""


class Follower(NamedTuple):
    """A header, its bytes, and the end of the log behind its batch."""

    header: Header
    head: bytes
    end: LogEnd


def follow(end: LogEnd, durable: LogEnd, log_id: LogId, batch: NewBatch, now_us: int) -> Follower:
    """The header of ``batch`` behind ``end``, when all up to ``durable`` is on disk."""
    header = Header(
        kind=batch.kind,
        flags=batch.flags,
        log_id=log_id,
        log_epoch=end.log_epoch,
        record_count=batch.record_count,
        base_offset=end.next_offset,
        batch_number=end.next_batch,
        append_time_us=max(now_us, end.last_append_time_us),
        durable_upto=durable.next_offset,
        durable_batch=durable.next_batch,
        previous_checksum=end.last_checksum,
        body_length=len(batch.body),
        body_checksum=batch.body_checksum,
    )
    head, own_checksum = header.encode()
    behind = LogEnd(
        end.next_offset + batch.record_count,
        end.next_batch + 1,
        own_checksum,
        end.log_epoch,
        header.append_time_us,
    )
    return Follower(header, head, behind)
