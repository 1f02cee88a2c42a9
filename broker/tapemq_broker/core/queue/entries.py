"""Entries of queue groups in the group log of a partition: keys, and the head's value.

Beside a group's head, under its name, there is one entry for each chunk of settled offsets, each
troubled record and each dead one.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import msgpack

from tapemq_broker.core.group import Position
from tapemq_broker.core.packed import BadEntry, check, unpack, unpack_map
from tapemq_broker.core.queue.settled import CHUNK_BITS, decode_chunk
from tapemq_broker.core.results import TopicSettings

_CHUNK: Final = b"\0s"
_TROUBLE: Final = b"\0t"
_DEAD: Final = b"\0d"
_HEAD: Final = {"ack_floor": int, "seek_epoch": int, "version": int, "settings": dict}
_PURGE: Final = "purge_from"
_OFFSET_MAX: Final = (1 << 32 + CHUNK_BITS) - 1
"""The last one that a chunk can name."""


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

    @classmethod
    def decode(cls, value: bytes) -> "Head":
        """Raises BadEntry."""
        entry = check(unpack(value), dict, "the whole")
        return cls(**unpack_map(value, _HEAD | ({} if _PURGE not in entry else {_PURGE: int})))


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
    """The stream groups of a group log. Raises BadEntry."""
    for name, value in _heads(entries, "stream"):
        yield name, Position.decode(value)


def queue_groups(entries: Mapping[bytes, bytes]) -> dict[str, Kept]:
    """The queue groups of a group log. Raises BadEntry."""
    found = {name: Kept(Head.decode(value), {}, {}, {}) for name, value in _heads(entries, "queue")}
    for key, value in entries.items():
        name, separator, rest = key.partition(b"\0")
        kept = found.get(_text(name)) if separator else None
        if kept is not None:
            _put(kept, b"\0" + rest[:1], rest[1:], value)
    return found


def orphans(entries: Mapping[bytes, bytes]) -> list[bytes]:
    """Keys of queue groups without a head: a crash came before a deletion was complete."""
    parts = {key: key.partition(b"\0")[0] for key in entries if b"\0" in key}
    heads = {name.encode() for name, _ in _heads(entries, "queue")} if parts else set()
    return [key for key, name in parts.items() if name not in heads]


def _heads(entries: Mapping[bytes, bytes], kind: str) -> Iterator[tuple[str, bytes]]:
    """The names and heads of the groups of a kind."""
    for key, value in entries.items():
        if b"\0" not in key:
            found = unpack_map(value, {"kind": str})["kind"]
            if found not in ("stream", "queue"):
                raise BadEntry(f"a group is of kind {found!r}")
            if found == kind:
                yield _text(key), value


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise BadEntry(f"a group's name is no text: {error}") from None


def _put(kept: Kept, kind: bytes, number: bytes, value: bytes) -> None:
    parts = {_CHUNK: (kept.chunks, 4), _TROUBLE: (kept.troubles, 8), _DEAD: (kept.dead, 8)}
    part, size_bytes = parts.get(kind, ({}, -1))
    at = int.from_bytes(number, "big")
    if len(number) != size_bytes or at > _OFFSET_MAX:
        raise BadEntry(f"an entry of a queue group has the key {(kind + number)!r}")
    part[at] = value


def durable_floor(entries: Mapping[bytes, bytes]) -> int:
    """What groups have handled was on disk: a log that ends before it has lost something.

    Raises BadEntry.
    """
    floors = [0, *(position.cursor for _, position in stream_positions(entries))]
    for kept in queue_groups(entries).values():
        floors.append(kept.head.ack_floor)
        floors += [offset + 1 for offset in (*kept.troubles, *kept.dead)]
        floors += [
            (number << CHUNK_BITS) + decode_chunk(data).max() + 1
            for number, data in kept.chunks.items()
        ]
    return max(floors)
