"""Entries of queue groups in the group log of a partition: keys, and the head's value.

Beside a group's head, under its name, there is one entry for each chunk of settled offsets, each
troubled record and each dead one.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgpack
from pyroaring import BitMap

from tapemq_broker.core.group import Position
from tapemq_broker.core.queue.settled import CHUNK_BITS
from tapemq_broker.core.results import TopicSettings

_CHUNK: Final = b"\0s"
_TROUBLE: Final = b"\0t"
_DEAD: Final = b"\0d"


class Head(NamedTuple):
    """What is kept of a queue group on a partition at least.

    ``settings`` are the same on all partitions, but for a crash in between: then those of the
    highest ``version`` count. ``purge_from``: a seek is not complete; nothing but this counts, and
    dead records below that offset.
    """

    ack_floor: int
    seek_epoch: int
    version: int
    settings: TopicSettings
    purge_from: int | None = None

    def encode(self) -> bytes:
        """The value of the group's entry."""
        fields = {name: value for name, value in self._asdict().items() if value is not None}
        return bytes(msgpack.packb({"kind": "queue", **fields}))


class Kept(NamedTuple):
    """All that is kept of a queue group on a partition."""

    head: Head
    chunks: dict[int, bytes]
    troubles: dict[int, bytes]
    dead: dict[int, bytes]


def head_key(group: str) -> bytes:
    """The key of a group's head, of whichever kind."""
    return group.encode()


def chunk_key(group: str, number: int) -> bytes:
    """The key of a chunk of settled offsets."""
    return group.encode() + _CHUNK + number.to_bytes(4, "big")


def trouble_key(group: str, offset: int) -> bytes:
    """The key of a record that failed."""
    return group.encode() + _TROUBLE + offset.to_bytes(8, "big")


def dead_key(group: str, offset: int) -> bytes:
    """The key of a dead record."""
    return group.encode() + _DEAD + offset.to_bytes(8, "big")


def stream_positions(entries: Mapping[bytes, bytes]) -> Iterator[tuple[str, Position]]:
    """The stream groups of a group log."""
    for key, value in entries.items():
        if b"\0" not in key and _head(value)["kind"] == "stream":
            yield key.decode(), Position.decode(value)


def queue_groups(entries: Mapping[bytes, bytes]) -> dict[str, Kept]:
    """The queue groups of a group log."""
    found: dict[str, Kept] = {}
    for key, value in entries.items():
        if b"\0" not in key and _head(value)["kind"] == "queue":
            head = _head(value)
            known = Head(**{name: head[name] for name in Head._fields if name in head})
            found[key.decode()] = Kept(known, {}, {}, {})
    for key, value in entries.items():
        name, _, rest = key.partition(b"\0")
        kept = found.get(name.decode()) if rest else None
        if kept is not None:
            number = int.from_bytes(rest[1:], "big")
            _part(kept, rest[:1])[number] = value
    return found


def _head(value: bytes) -> dict[str, Any]:
    head: dict[str, Any] = msgpack.unpackb(value)
    return head


def _part(kept: Kept, kind: bytes) -> dict[int, bytes]:
    return {_CHUNK[1:]: kept.chunks, _TROUBLE[1:]: kept.troubles, _DEAD[1:]: kept.dead}[kind]


def durable_floor(entries: Mapping[bytes, bytes]) -> int:
    """What groups have handled was on disk: a log that ends before it has lost something."""
    floors = [0, *(position.cursor for _, position in stream_positions(entries))]
    for kept in queue_groups(entries).values():
        floors.append(kept.head.ack_floor)
        floors += [offset + 1 for offset in (*kept.troubles, *kept.dead)]
        floors += [
            (number << CHUNK_BITS) + BitMap.deserialize(data).max() + 1
            for number, data in kept.chunks.items()
        ]
    return max(floors)
