"""Bodies of batches, as producers send them."""

from collections.abc import Sequence

from tapemq.batch import BodyPrefix, Columns, decode_prefix, encode_body


def body(*values: bytes | None, producer: int = 0, epoch: int = 0, sequence: int = 0) -> memoryview:
    """A body of these values; its first record has the sequence."""
    return memoryview(
        encode_body(
            Columns(values),
            producer_id=producer,
            producer_epoch=epoch,
            first_sequence=sequence,
        )
    )


def prefix(sequence: int, count: int = 1, *, producer: int = 1, epoch: int = 0) -> BodyPrefix:
    """The prefix of a body of so many records."""
    values: Sequence[bytes] = [b""] * count
    return decode_prefix(body(*values, producer=producer, epoch=epoch, sequence=sequence))
