"""Reading a whole log through the log seam."""

from typing import NamedTuple

from tapemq.batch import decode_columns, iter_batches
from tapemq_broker.storage.record_log import RecordLog


class Read(NamedTuple):
    """What a record says: enough to know it again."""

    value: bytes | None
    key: bytes | None
    extras: bytes


def read_batches(data: bytes | memoryview) -> dict[int, Read]:
    """The records in some whole batches, by offset."""
    records: dict[int, Read] = {}
    for header, body in iter_batches(data):
        if header.record_count:
            values, keys, extras = decode_columns(body)
            for number, value in enumerate(values):
                records[header.base_offset + number] = Read(
                    value, keys[number] if keys else None, extras[number] if extras else b""
                )
    return records


def read_log(log: RecordLog, max_bytes: int = 4096) -> dict[int, Read]:
    """All records of a log, by offset. Raises what reading raises."""
    records: dict[int, Read] = {}
    offset, hint = log.first_offset, None
    while offset < log.next_offset:
        plan = log.plan(offset, upto=log.next_offset, max_bytes=max_bytes, hint=hint)
        chunk = plan.run(wait=True)
        if chunk is None:
            raise AssertionError("reading asks to wait, though it may")
        found = read_batches(chunk.data)
        records |= {at: record for at, record in found.items() if at >= offset}
        offset, hint = chunk.next_offset, chunk.hint
    return records
