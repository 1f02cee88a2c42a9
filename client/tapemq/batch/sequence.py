"""Batches one behind the other, as they rest in a segment and travel to consumers."""

from collections.abc import Iterator

from tapemq.batch.header import HEADER_BYTES, Header, decode_header


def iter_batches(data: bytes | memoryview) -> Iterator[tuple[Header, memoryview]]:
    """Header and body of each whole batch in ``data``, checksums verified.

    Stops where the rest is shorter than a batch. Raises BatchError at the first bad one.
    """
    view = memoryview(data)
    position = 0
    while len(view) - position >= HEADER_BYTES:
        header = decode_header(view, position)
        end = position + header.batch_bytes
        if end > len(view):
            return
        body = view[position + HEADER_BYTES : end]
        header.check_body(body)
        yield header, body
        position = end
