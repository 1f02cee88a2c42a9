"""Showing what is in a log, batch by batch, from the files of a broker that does not run."""

from collections.abc import Iterator
from typing import Any, Final

from tapemq.batch import BatchError, Header, Kind, decode_columns, decode_extras, decode_prefix
from tapemq_broker.storage.directory import DataDirectory, LogPlace
from tapemq_broker.storage.gap import decode_gap
from tapemq_broker.storage.log_files import LogFiles
from tapemq_broker.storage.scan import Batch, Window, read_batch
from tapemq_broker.storage.stretches import Stretch, stretches

Row = dict[str, Any]

_OFFSETS: Final = range(1 << 64)


def dump(
    directory: DataDirectory,
    place: LogPlace,
    *,
    from_offset: int = 0,
    upto: int | None = None,
    records: bool = False,
) -> Iterator[Row]:
    """One row per batch that has offsets from ``from_offset`` to below ``upto``, oldest first.

    With ``records``, each is followed by one row for each of its records with such an offset, with
    key, value and headers as they are. Bad places are rows too, with ``problem``. Raises OSError.
    """
    shown = _OFFSETS[from_offset:upto] if records else range(0)
    files = LogFiles(directory.disk, place.path, place.log_id)
    for stretch in stretches(files):
        if not stretch.is_sound:
            yield _bad_row(files, stretch)
        elif stretch.after.next_offset >= from_offset:
            if upto is not None and stretch.before.next_offset >= upto:
                return
            for batch in _batches(files, stretch):
                if _is_wanted(batch.header, from_offset, upto):
                    yield from _rows(files, stretch.segment_base, batch, shown)


def _batches(files: LogFiles, stretch: Stretch) -> Iterator[Batch]:
    with files.open(stretch.segment_base) as file:
        window, position = Window(file), stretch.start
        while position < stretch.stop:
            found = read_batch(window, position)
            if not isinstance(found, Batch):
                return
            yield found
            position += found.header.batch_bytes


def _is_wanted(header: Header, from_offset: int, upto: int | None) -> bool:
    if upto is not None and header.base_offset >= upto:
        return False
    return header.next_offset > from_offset or header.base_offset >= from_offset


def _bad_row(files: LogFiles, stretch: Stretch) -> Row:
    return {
        "segment": files.segment_path(stretch.segment_base),
        "position": stretch.start,
        "size_bytes": stretch.stop - stretch.start,
        "offset": stretch.before.next_offset,
        "problem": stretch.reason,
    }


def _rows(files: LogFiles, base: int, batch: Batch, shown: range) -> Iterator[Row]:
    header = batch.header
    row: Row = {
        "segment": files.segment_path(base),
        "position": batch.position,
        "size_bytes": header.batch_bytes,
        "kind": header.kind.name.lower(),
        "flags": header.flags,
        "batch": header.batch_number,
        "offset": header.base_offset,
        "count": header.record_count,
        "log_epoch": header.log_epoch,
        "append_time_us": header.append_time_us,
        "durable_upto": header.durable_upto,
        "durable_batch": header.durable_batch,
    }
    if header.kind is Kind.MARK:
        yield row
    elif header.kind is Kind.GAP:
        yield row | {"gap": decode_gap(batch.body)._asdict()}
    else:
        yield row | _producer(batch)
        if shown:
            yield from _records(batch, shown)


def _producer(batch: Batch) -> Row:
    try:
        prefix = decode_prefix(batch.body)
    except BatchError as error:
        return {"problem": str(error)}
    return {
        "producer_id": prefix.producer_id,
        "producer_epoch": prefix.producer_epoch,
        "first_sequence": prefix.first_sequence,
        "producer_time_us": prefix.producer_time_us,
        "codec": prefix.codec.name.lower(),
        "data_bytes": prefix.data_length,
    }


def _records(batch: Batch, shown: range) -> Iterator[Row]:
    try:
        values, keys, extras = decode_columns(batch.body)
        for number, value in enumerate(values):
            if batch.header.base_offset + number not in shown:
                continue
            headers, attributes = decode_extras(extras[number] if extras else b"")
            yield {
                "offset": batch.header.base_offset + number,
                "key": keys[number] if keys else None,
                "value": value,
                "headers": headers,
                "attributes": attributes,
            }
    except BatchError as error:
        yield {"offset": batch.header.base_offset, "problem": str(error)}
