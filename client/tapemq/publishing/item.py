"""One record to be published, ready to rest in a batch."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from tapemq.batch.extras import Scalar, encode_extras
from tapemq.batch.limits import COUNT_MAX
from tapemq.errors import PayloadTooLarge
from tapemq.wire.messages import Welcome

Value = bytes | bytearray | memoryview | str | None
"""What can be published: text becomes UTF-8; None is a tombstone, which differs from empty."""

RECORD_COST_BYTES: Final = 16
"""What a record counts beside its own bytes: its share of the tables, rounded up."""

_BODY_OVERHEAD_BYTES: Final = 128


class Item(NamedTuple):
    """A record's share of each column."""

    value: bytes | None
    key: bytes | None
    extras: bytes

    @property
    def cost_bytes(self) -> int:
        """What it counts in a batch."""
        return len(self.value or b"") + len(self.key or b"") + len(self.extras) + RECORD_COST_BYTES


def batch_bytes_max(limits: Welcome) -> int:
    """The largest size of a gathering batch: it never has more records than a body may, and room
    for none that is over the broker's limit."""
    return min(
        COUNT_MAX * RECORD_COST_BYTES,
        limits.batch_bytes_max,
        limits.record_bytes_max + RECORD_COST_BYTES,
    )


def make_item(
    value: Value, key: bytes | str | None, headers: Mapping[str, Scalar] | None, limits: Welcome
) -> Item:
    """Check and encode a record.

    Raises PayloadTooLarge, TypeError for other types, ValueError for headers that cannot rest.
    """
    item = Item(
        _encoded("value", value), _encoded("key", key), encode_extras(headers) if headers else b""
    )
    for name, part in zip(("value", "key", "headers"), item, strict=True):
        if part is not None and len(part) > limits.record_bytes_max:
            raise PayloadTooLarge(
                f"a record's {name} of {len(part)} bytes; the broker takes "
                f"{limits.record_bytes_max}"
            )
    if item.cost_bytes + _BODY_OVERHEAD_BYTES > limits.batch_bytes_max:
        raise PayloadTooLarge(
            f"a record of {item.cost_bytes} bytes in all; the broker takes batches of "
            f"{limits.batch_bytes_max}"
        )
    return item


def _encoded(name: str, data: Value) -> bytes | None:
    if data is None or type(data) is bytes:
        return data
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    raise TypeError(f"a record's {name} is bytes, str or None, not {type(data).__name__}")
