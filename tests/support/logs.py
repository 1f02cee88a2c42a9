"""Logs for tests: batches to append, sync rounds by hand, and reading everything back."""

from typing import Any, Protocol

from tapemq.batch import (
    Columns,
    Header,
    Kind,
    LogId,
    Role,
    checksum,
    decode_columns,
    encode_body,
    iter_batches,
)
from tapemq_broker.storage.disk import Disk, File
from tapemq_broker.storage.record_log import NewBatch, RecordLog

LOG_ID = LogId(7, 0, Role.DATA)
DIRECTORY = "topics/default/orders~0000000000000007/0"


class SyncedLog(RecordLog, Protocol):
    """A log and what the flusher needs of it."""

    def begin_sync(self) -> Any: ...

    def mark_durable(self, target: Any) -> None: ...


class CountingObserver:
    """Its state is the number of records that there ever were in its log."""

    def __init__(self) -> None:
        self.records = 0

    def restore(self, state: bytes | None) -> None:
        self.records = int(state or b"0")

    def observe(self, header: Header, body: memoryview) -> None:
        self.records += header.record_count

    def snapshot(self) -> bytes:
        return b"%d" % self.records


def batch_of(*values: bytes, kind: Kind = Kind.DATA, flags: int = 0) -> NewBatch:
    """A batch of records with these values."""
    body = encode_body(Columns(values))
    return NewBatch(kind, len(values), body, checksum(body), flags)


def sync(log: SyncedLog, disk: Disk | None = None) -> int:
    """One sync round. Returns the durable offset."""
    target = log.begin_sync()
    files: list[File] = list(target.files)
    for file in files:
        assert disk is not None
        disk.sync_now(file)
    log.mark_durable(target)
    return log.durable_offset


def records(data: memoryview) -> list[tuple[int, bytes | None]]:
    """Offset and value of each record in a chunk."""
    found: list[tuple[int, bytes | None]] = []
    for header, body in iter_batches(data):
        if header.kind is not Kind.MARK:
            values = decode_columns(body).values
            found += zip(range(header.base_offset, header.next_offset), values, strict=True)
    return found


def headers(data: memoryview) -> list[Header]:
    """The headers of all batches in a chunk."""
    return [header for header, _ in iter_batches(data)]


def read_all(
    log: RecordLog, offset: int, *, max_bytes: int = 1 << 20, hints: bool = True
) -> list[tuple[int, bytes | None]]:
    """Offset and value of every record from ``offset`` on."""
    found: list[tuple[int, bytes | None]] = []
    hint: object = None
    while offset < log.next_offset:
        plan = log.plan(offset, upto=log.next_offset, max_bytes=max_bytes, hint=hint)
        chunk = plan.run(wait=True)
        assert chunk is not None
        assert chunk.next_offset > offset
        taken = [record for record in records(chunk.data) if record[0] >= offset]
        assert chunk.record_count == len(taken)
        found += taken
        offset, hint = chunk.next_offset, chunk.hint if hints else None
    return found
