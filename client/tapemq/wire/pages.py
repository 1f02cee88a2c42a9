"""Pages: payloads that list things, as a msgpack array of maps."""

from typing import Any, Final

import msgpack

from tapemq.wire.errors import ProtocolError
from tapemq.wire.limits import ITEMS_MAX, PAGE_ITEMS_MAX, TEXT_BYTES_MAX

_UNPACK_LIMITS: Final[dict[str, Any]] = {
    "strict_map_key": True,
    "max_array_len": PAGE_ITEMS_MAX,
    "max_map_len": ITEMS_MAX,
    "max_str_len": TEXT_BYTES_MAX,
    "max_bin_len": TEXT_BYTES_MAX,
    "max_ext_len": 0,
}


def pack_page(rows: list[dict[str, Any]]) -> bytes:
    """The payload. At most PAGE_ITEMS_MAX rows make a page."""
    return bytes(msgpack.packb(rows))


def unpack_page(payload: bytes | memoryview) -> list[dict[str, Any]]:
    """The rows. Raises ProtocolError for what is not an array of maps within the limits."""
    try:
        rows = msgpack.unpackb(payload, **_UNPACK_LIMITS)
    except Exception as error:  # msgpack raises half a dozen unrelated types on bad input
        raise ProtocolError(
            f"a page is not msgpack within the limits: {type(error).__name__} {error!s:.60}"
        ) from None
    if type(rows) is not list or not all(type(row) is dict for row in rows):
        raise ProtocolError("a page is not an array of maps")
    return rows
