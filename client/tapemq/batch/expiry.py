"""Time to live: how long after its append a record is worth handing out."""

from array import array
from collections.abc import Mapping
from typing import Final

from tapemq.batch.body import BodyFlag, decode_extras_column
from tapemq.batch.extras import Scalar, decode_extras

TTL_ATTRIBUTE: Final = "ttl_us"
TTL_US_MAX: Final = 2**53
EXPIRY: Final = int(BodyFlag.EXPIRY)
_FLAGS_LOW_BYTE: Final = 3


def may_expire(data: bytes | memoryview, body: int = 0) -> bool:
    """Whether records of the body that begins at ``body`` may have a time to live."""
    return bool(data[body + _FLAGS_LOW_BYTE] & EXPIRY)


def ttl_us_of(attributes: Mapping[str, Scalar]) -> int:
    """A record's time to live in microseconds; 0 if it has none, or one that cannot be."""
    ttl_us = attributes.get(TTL_ATTRIBUTE, 0)
    return ttl_us if type(ttl_us) is int and 0 < ttl_us <= TTL_US_MAX else 0


def decode_ttls(body: bytes | memoryview) -> "array[int]":
    """The time to live of each record, as ttl_us_of(). Raises as decode_columns()."""
    extras = decode_extras_column(body)
    ttls = {item: ttl_us_of(decode_extras(item)[1]) for item in set(extras)}
    return array("Q", map(ttls.__getitem__, extras))
