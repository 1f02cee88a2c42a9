"""Limits of the protocol. Both sides apply them to what they receive, before they build it."""

from tapemq.batch.header import HEADER_BYTES
from tapemq.batch.limits import BODY_BYTES_MAX

HEADER_BYTES_MAX = 16_384
"""Largest message header (the msgpack map of a frame): a page of 64 names of the longest kind,
and not more, because 16 KiB of empty maps take 1.2 MiB once decoded."""

PAYLOAD_BYTES_MAX = BODY_BYTES_MAX + HEADER_BYTES
"""Largest payload: one batch of the largest size, with its header."""

FRAME_BYTES_MAX = HEADER_BYTES_MAX + PAYLOAD_BYTES_MAX
"""Largest value of a frame's length field."""

HANDSHAKE_FRAME_BYTES_MAX = 4096
"""Largest frame before the handshake is complete."""

HANDSHAKE_DEADLINE_S = 5.0
"""A connection that has not completed the handshake by then is closed."""

ITEMS_MAX = 64
"""Most entries of any array or map in a message header. Longer lists come in pages."""

DEPTH_MAX = 8
"""Deepest nesting of arrays and maps in a field that this version does not know."""

MAPS_MAX = 64
"""Most maps of a message header, one within the other or side by side."""

VALUES_MAX = 1024
"""Most entries of all arrays and maps in a field that this version does not know."""

TEXT_BYTES_MAX = 4096
"""Largest text or byte string in a message header."""

HEARTBEAT_S = 15.0
"""A side that sent nothing for this long sends a ping; two missed ones mean that it is gone."""

NAME_BYTES_MAX = 200
"""Longest name of a namespace, topic or group."""

SUBSCRIPTIONS_MAX = 64
"""Most subscriptions of one connection."""

PARTITIONS_MAX = 1024
"""Most partitions of a topic."""

TOKENS_MAX = 4096
"""Most token entries of a frame."""

RUNS_MAX = 256
"""Most runs of offsets in a message."""

DELAY_MS_MAX = 2**40
"""Longest delay of a nack, and extension of a lease: 34 years."""

SCHEDULES_MAX = 256
"""Most records of a Schedule: so many take some milliseconds of a broker."""

PAGE_ITEMS_MAX = 256
"""Most entries of a page in a payload."""
