"""One record to be published, ready to rest in a batch."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from tapemq.batch.errors import BatchError
from tapemq.batch.expiry import TTL_ATTRIBUTE, TTL_US_MAX
from tapemq.batch.extras import Scalar, encode_extras
from tapemq.batch.limits import COUNT_MAX
from tapemq.errors import PayloadTooLarge
from tapemq.queues.verdict import Duration
from tapemq.timeouts import seconds_of
from tapemq.wire.messages import Welcome
from tapemq.wire.partitions import PRIORITIES

Value = bytes | bytearray | memoryview | str | None
"""What can be published: text becomes UTF-8; None is a tombstone, which differs from empty."""

RECORD_COST_BYTES: Final = 16
"""What a record counts beside its own bytes: its share of the tables, rounded up."""

_BODY_OVERHEAD_BYTES: Final = 128


class Item(NamedTuple):
    """A record's share of each column. ``expires``: the extras say when.

    ``priority`` is not in the batch: it says to which partition the record goes.
    """

    value: bytes | None
    key: bytes | None
    extras: bytes
    expires: bool = False
    priority: int = 0

    @property
    def cost_bytes(self) -> int:
        """What it counts in a batch."""
        return len(self.value or b"") + len(self.key or b"") + len(self.extras) + RECORD_COST_BYTES


def batch_bytes_max(limits: Welcome) -> int:
    """The largest size of a gathering batch: it never has more records than a body may, and room
    for none that is over the broker's limit."""
    return min(
        COUNT_MAX * RECORD_COST_BYTES,
        limits.batch_bytes_max - _BODY_OVERHEAD_BYTES,
        limits.record_bytes_max + RECORD_COST_BYTES,
    )


def make_item(
    value: Value,
    key: bytes | str | None,
    headers: Mapping[str, Scalar] | None,
    limits: Welcome,
    ttl: Duration | None = None,
    priority: int = 0,
) -> Item:
    """Check and encode a record.

    Raises PayloadTooLarge, TypeError for other types, ValueError for headers that are too many or
    too large, or a time to live or a priority that is none.
    """
    if priority not in PRIORITIES:
        raise ValueError(f"a priority is 0 to {PRIORITIES[-1]}, not {priority!r}")
    if headers is not None and not isinstance(headers, Mapping):
        raise TypeError(f"a record's headers are a mapping, not {type(headers).__name__}")
    attributes = None if ttl is None else {TTL_ATTRIBUTE: _ttl_us(ttl)}
    extras = _extras(headers, attributes) if headers or attributes else b""
    whole = int(priority)  # some are equal to one without being an int
    item = Item(_encoded("value", value), _encoded("key", key), extras, ttl is not None, whole)
    for name, part in (("value", item.value), ("key", item.key), ("headers", item.extras)):
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


def _extras(headers: Mapping[str, Scalar] | None, attributes: Mapping[str, Scalar] | None) -> bytes:
    try:
        return encode_extras(headers, attributes)
    except BatchError as error:
        pairs: Iterable[tuple[object, object]] = (headers or {}).items()
        plain = all(isinstance(n, str) and isinstance(v, bytes | str | int) for n, v in pairs)
        raise (ValueError if plain else TypeError)(str(error)) from None


def _ttl_us(ttl: Duration) -> int:
    seconds = seconds_of("ttl", ttl)
    if not 1e-6 <= seconds <= TTL_US_MAX / 1_000_000:
        longest_s = TTL_US_MAX // 1_000_000
        raise ValueError(
            f"a time to live is more than 0 seconds and at most {longest_s:,}, not {ttl!r}"
        )
    return round(seconds * 1_000_000)


def _encoded(name: str, data: Value) -> bytes | None:
    if data is None or type(data) is bytes:
        return data
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    raise TypeError(f"a record's {name} is bytes, str or None, not {type(data).__name__}")
