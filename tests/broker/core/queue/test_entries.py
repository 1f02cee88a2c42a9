import msgpack
import pytest

from tapemq_broker.core.group import Position
from tapemq_broker.core.packed import BadEntry
from tapemq_broker.core.queue import entries as q
from tapemq_broker.core.queue.settled import CHUNK_OFFSETS, Settled

HEAD = q.Head(5, 2, 1, {"paused": True})


def chunk(offset: int) -> bytes:
    settled = Settled()
    settled.add(offset, offset + 1)
    return settled.encode(offset // CHUNK_OFFSETS) or b""


def test_groups_of_both_kinds_are_told_apart() -> None:
    found = {
        b"a": HEAD.encode(),
        b"b": Position(7).encode(),
        q.chunk_key("a", 1): b"chunk",
        q.trouble_key("a", 9): b"trouble",
        q.dead_key("a", 1 << 40): b"dead",
        q.dead_key("gone", 3): b"of a group that is not there",
    }
    assert list(q.stream_positions(found)) == [("b", Position(7))]
    kept = q.Kept(HEAD, {1: b"chunk"}, {9: b"trouble"}, {1 << 40: b"dead"})
    assert q.queue_groups(found) == {"a": kept}
    assert q.orphans(found) == [q.dead_key("gone", 3)]


def test_parts_of_a_queue_group_are_orphans_where_a_stream_group_has_its_name() -> None:
    found = {b"b": Position(7).encode(), q.trouble_key("b", 9): b"trouble"}
    assert q.orphans(found) == [q.trouble_key("b", 9)]


@pytest.mark.parametrize(
    ("more", "floor"),
    [
        ({}, 5),
        ({b"s": Position(8).encode()}, 8),
        ({q.trouble_key("a", 9): b""}, 10),
        ({q.dead_key("a", 10): b""}, 11),
        ({q.chunk_key("a", 1): chunk(CHUNK_OFFSETS + 3)}, CHUNK_OFFSETS + 4),
    ],
)
def test_what_was_handled_was_on_disk(more: dict[bytes, bytes], floor: int) -> None:
    assert q.durable_floor({b"a": HEAD.encode(), **more}) == floor


def test_nothing_was_on_disk_for_sure_without_groups() -> None:
    assert q.durable_floor({}) == 0


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"a", b"nonsense"),
        (b"a", HEAD._replace(purge_from=-1).encode()),
        (b"new", msgpack.packb({"kind": "ring"})),
        (b"a", msgpack.packb({"kind": "queue", "ack_floor": 1})),
        (b"\xff", HEAD.encode()),
        (b"a\0s123", chunk(0)),
        (b"a\0x1234", b""),
        (b"a\0d" + (1 << 48).to_bytes(8, "big"), b""),
        (b"a\0", b""),
        (b"\xff\0s1234", b""),
    ],
)
def test_nonsense_is_told(key: bytes, value: bytes) -> None:
    with pytest.raises(BadEntry):
        q.queue_groups({b"a": HEAD.encode(), key: value})


def test_a_seek_that_is_not_complete_is_kept() -> None:
    head = HEAD._replace(purge_from=9)
    assert q.queue_groups({b"a": head.encode()})["a"].head == head


def test_nonsense_proves_nothing_of_what_was_on_disk() -> None:
    with pytest.raises(BadEntry):
        q.durable_floor({b"a": HEAD.encode(), q.chunk_key("a", 1): b"nonsense"})
