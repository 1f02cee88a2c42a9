import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq.wire import frames as module
from tapemq.wire.errors import LIMIT_EXCEEDED, PROTOCOL_ERROR, ProtocolError
from tapemq.wire.frames import MAGIC, PREFIX_BYTES, FrameReader, encode_prefix
from tapemq.wire.limits import FRAME_BYTES_MAX, HEADER_BYTES_MAX, PAYLOAD_BYTES_MAX

Cut = tuple[int, int, bytes, bytes]

MIB = 1024 * 1024
ROOM = 256 * 1024


def frame(header: bytes = b"\x80", payload: bytes = b"", opcode: int = 5, number: int = 7) -> bytes:
    return encode_prefix(opcode, header, len(payload), number) + header + payload


def cut(reader: FrameReader) -> list[Cut]:
    """The frames that are complete, copied."""
    found = []
    while (item := reader.next_frame()) is not None:
        found.append((item.opcode, item.correlation, bytes(item.header), bytes(item.payload)))
    return found


def fed(reader: FrameReader, data: bytes, size: int = 1) -> list[Cut]:
    """The frames in the data, received in parts of ``size`` bytes."""
    found = []
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
        found += cut(reader)
    return found


def refusal(data: bytes, frame_bytes_max: int = FRAME_BYTES_MAX) -> ProtocolError:
    reader = FrameReader(frame_bytes_max)
    reader.feed(data)
    with pytest.raises(ProtocolError) as caught:
        reader.next_frame()
    return caught.value


@pytest.fixture
def moves(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each move to the front of a buffer has copied."""
    counts: list[int] = []
    move = FrameReader._move

    def counted(reader: FrameReader, size: int) -> None:
        counts.append(reader.buffered_bytes)
        move(reader, size)

    monkeypatch.setattr(FrameReader, "_move", counted)
    return counts


def test_golden_prefix() -> None:
    assert encode_prefix(0x22, b"\x80", 258, 0x01020304) == bytes.fromhex(
        "f1 54 51 31 00 00 01 03 22 00 00 01 01 02 03 04"
    )
    assert frame(b"\x81\xa1a\x01", b"xy") == bytes.fromhex(
        "f1 54 51 31 00 00 00 06 05 00 00 04 00 00 00 07 81 a1 61 01 78 79"
    )


@given(
    st.lists(st.tuples(st.binary(max_size=40), st.binary(max_size=200)), max_size=20),
    st.integers(1, 300),
)
def test_however_the_bytes_are_cut_the_frames_are_the_same(
    parts: list[tuple[bytes, bytes]], size: int
) -> None:
    data = b"".join(frame(header, payload) for header, payload in parts)
    reader = FrameReader(FRAME_BYTES_MAX)
    assert fed(reader, data, size) == [(5, 7, header, payload) for header, payload in parts]
    assert reader.buffered_bytes == 0


def test_rest_is_kept_for_the_next_frame() -> None:
    reader = FrameReader(FRAME_BYTES_MAX)
    reader.feed(frame(b"", b"one") + frame(b"", b"two")[:-1])
    assert cut(reader) == [(5, 7, b"", b"one")]
    assert reader.buffered_bytes == PREFIX_BYTES + 2
    reader.feed(b"o")
    assert cut(reader) == [(5, 7, b"", b"two")]


def test_truncated_frame_is_waited_for() -> None:
    data = frame(b"\x80", b"payload")
    for size in range(len(data)):
        reader = FrameReader(FRAME_BYTES_MAX)
        reader.feed(data[:size])
        assert reader.next_frame() is None


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "TLS"),
        (b"\x16", "TLS"),
        (b"\x15\x03\x01\x00\x02\x02\x16", "TLS alert"),
        (b"GET / HTTP/1.1\r\n", "HTTP"),
        (b"POST /", "HTTP"),
        (b"HTTP/1.1 400 Bad Request", "HTTP"),
        (b"AMQP\x00\x00\x09\x01", "AMQP"),
        (b"\x00", "no frame starts with 00"),
        (b"\xf1TQ2", "no frame starts with f1 54 51 32"),
        (b"\xf1TQ2" + b"\0" * 12, "no frame"),
    ],
)
def test_stranger_is_refused_by_its_first_bytes(data: bytes, says: str) -> None:
    error = refusal(data)
    assert says in str(error)
    assert error.kind is PROTOCOL_ERROR


def test_stranger_is_refused_at_the_first_byte_that_differs() -> None:
    for size in range(1, len(MAGIC) + 1):
        assert cut_of_prefix(MAGIC[:size]) == []
        refusal(MAGIC[: size - 1] + b"\0")


def cut_of_prefix(data: bytes) -> list[Cut]:
    return fed(FrameReader(FRAME_BYTES_MAX), data)


@pytest.mark.parametrize("flags", [1, 2, 0x80, 0xFF])
def test_flags_are_reserved(flags: int) -> None:
    refusal(struct.pack(">4sIBBHI", MAGIC, 1, 5, flags, 1, 7))


def test_header_is_within_the_frame() -> None:
    refusal(struct.pack(">4sIBBHI", MAGIC, 1, 5, 0, 2, 7))
    refusal(struct.pack(">4sIBBHI", MAGIC, 0, 5, 0, 1, 7))


@pytest.mark.parametrize("length", [101, 2**16, 2**31, 2**32 - 1])
def test_giant_frame_is_refused_by_its_prefix(length: int) -> None:
    tracemalloc.start()
    error = refusal(struct.pack(">4sIBBHI", MAGIC, length, 5, 0, 1, 7), 100)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert error.kind is LIMIT_EXCEEDED
    assert peak < 50_000


def test_giant_header_is_refused_by_its_prefix() -> None:
    size = HEADER_BYTES_MAX + 1
    error = refusal(struct.pack(">4sIBBHI", MAGIC, size, 5, 0, size, 7))
    assert error.kind is LIMIT_EXCEEDED


def test_frame_of_the_largest_size_is_taken() -> None:
    assert fed(FrameReader(100), frame(b"\x80", b"x" * 99)) == [(5, 7, b"\x80", b"x" * 99)]


def test_frames_beyond_the_limits_are_not_encoded() -> None:
    encode_prefix(5, b"h" * HEADER_BYTES_MAX, PAYLOAD_BYTES_MAX, 7)
    for header, payload_bytes in [
        (b"h" * (HEADER_BYTES_MAX + 1), 0),
        (b"h", FRAME_BYTES_MAX),
        (b"", 2**32),
    ]:
        with pytest.raises(ProtocolError) as caught:
            encode_prefix(5, header, payload_bytes, 7)
        assert caught.value.kind is LIMIT_EXCEEDED


def test_claim_costs_nothing_until_the_bytes_come() -> None:
    reader = FrameReader(FRAME_BYTES_MAX)
    reader.feed(encode_prefix(5, b"", 20 * MIB, 7))
    assert reader.next_frame() is None
    assert len(reader.get_buffer()) <= ROOM
    for received in range(0, 4 * MIB, 64 * 1024):
        reader.feed(b"x" * 64 * 1024)
        assert reader.next_frame() is None
        assert len(reader._data) <= max(ROOM, 2 * (received + 64 * 1024 + PREFIX_BYTES))


def test_large_frame_is_moved_as_often_as_it_doubles(moves: list[int]) -> None:
    reader = FrameReader(FRAME_BYTES_MAX)
    data = frame(b"", b"x" * (4 * MIB - 5000))
    assert fed(reader, data[:-5000], 1000) == []
    assert len(fed(reader, data[-5000:], 1)) == 1  # the last bytes one by one
    assert sum(moves) < 2 * len(data)
    assert len(moves) < 16


def test_room_grows_for_a_busy_connection_only() -> None:
    reader = FrameReader(FRAME_BYTES_MAX)
    small = frame(b"", b"x" * 84)
    for _ in range(100):
        reader.feed(small)
        assert len(cut(reader)) == 1
    assert len(reader.get_buffer()) == 4096
    for number in range(20):
        reader.feed(small[number:] + small * 4000 + small[: number + 1])
        assert len(cut(reader)) == 4001
    assert len(reader.get_buffer()) >= 64 * 1024


@pytest.mark.parametrize("before", [b"", frame(b"", b"x" * 84)], ids=["alone", "behind another"])
def test_room_is_about_twice_what_has_come_of_a_frame(before: bytes) -> None:
    """At once a quarter of a MiB for each of ten thousand connections would be gigabytes."""
    reader = FrameReader(FRAME_BYTES_MAX)
    reader.feed(before + encode_prefix(5, b"", MIB, 7))
    received = PREFIX_BYTES
    while received < MIB // 2:
        cut(reader)
        part = bytes(min(1500, len(reader.get_buffer())))
        reader.feed(part)
        received += len(part)
        assert len(reader._data) <= max(4096, 2 * (received + len(before)))


def test_memory_of_a_large_frame_is_given_back_after_a_small_one() -> None:
    reader = FrameReader(FRAME_BYTES_MAX)
    for _ in range(2):
        assert len(fed(reader, frame(b"", b"x" * MIB), 64 * 1024)) == 1
        assert len(reader.get_buffer()) > MIB  # another large one is likely
    assert len(fed(reader, frame(), 64)) == 1
    assert len(reader.get_buffer()) == ROOM


def test_memory_of_a_large_frame_is_given_back_under_load() -> None:
    reader = FrameReader(FRAME_BYTES_MAX)
    fed(reader, frame(b"", b"x" * MIB) + frame()[:5], 64 * 1024)
    data = frame(b"", b"x" * 1000)
    stream = frame()[5:] + data * 2000 + data[:5]
    fed(reader, stream, 1500)
    assert reader.buffered_bytes == 5
    assert len(reader._data) == ROOM


def test_full_reads_of_small_frames_need_one_room(moves: list[int]) -> None:
    reader = FrameReader(FRAME_BYTES_MAX)
    stream = memoryview(frame(b"", b"x" * 984) * 5000)
    position = found = 0
    while position < len(stream):
        room = reader.get_buffer()
        part = stream[position : position + len(room)]
        room[: len(part)] = part
        reader.received(len(part))
        found += len(cut(reader))
        position += len(part)
    assert found == 5000
    assert len(reader._data) == ROOM
    growing = 6
    assert len(moves) <= len(stream) // (ROOM - 1000) + growing
    assert max(moves) < 1000


def test_shrink_gives_memory_back_only_when_nothing_is_buffered() -> None:
    reader = FrameReader(FRAME_BYTES_MAX)
    fed(reader, frame(b"", b"x" * MIB), 64 * 1024)
    reader.feed(b"\xf1")
    reader.shrink()
    assert reader.buffered_bytes == 1
    assert len(fed(reader, frame()[1:])) == 1
    reader.shrink()
    assert len(reader.get_buffer()) == 4096
    assert len(fed(reader, frame(b"", b"x" * MIB), 64 * 1024)) == 1


@pytest.mark.parametrize("size", [100, 600_000])
def test_who_is_gone_keeps_nothing_of_what_it_had_sent(size: int) -> None:
    reader = FrameReader(FRAME_BYTES_MAX)
    idle = len(reader._data)
    assert not fed(reader, frame(payload=bytes(700_000))[:size], 64 * 1024)
    reader.drop()
    assert (reader.buffered_bytes, len(reader._data)) == (0, idle)
    assert reader.next_frame() is None


def test_a_large_buffer_is_given_back_though_a_part_of_the_next_frame_is_in_it() -> None:
    reader = FrameReader(FRAME_BYTES_MAX)
    reader.give_back()
    assert (len(reader._data), reader.large_bytes) == (4096, 0)
    assert len(fed(reader, frame(b"", b"x" * MIB) + frame()[:5], 64 * 1024)) == 1
    assert reader.large_bytes > MIB
    reader.give_back()
    assert (len(reader._data), reader.large_bytes) == (64 * 1024, 0)
    assert len(fed(reader, frame()[5:])) == 1
    fed(reader, frame(b"", b"x" * MIB)[:-1], 64 * 1024)
    reader.give_back()  # it is needed
    assert len(fed(reader, b"x")) == 1


def test_payload_is_not_copied() -> None:
    reader = FrameReader(FRAME_BYTES_MAX)
    reader.feed(frame(b"\x80", b"payload"))
    item = reader.next_frame()
    assert item is not None
    assert item.payload.obj is reader._data


def test_buffer_is_never_empty_when_nobody_takes_the_frames(
    moves: list[int],
) -> None:
    reader = FrameReader(FRAME_BYTES_MAX)
    data = b"".join(frame(b"", b"x" * size) for size in (1, 15, 4095, 4096, 5000, 100_000) * 9)
    for start in range(0, len(data), 100):
        room = reader.get_buffer()
        assert len(room) > 0
        reader.feed(data[start : start + 100])
    assert sum(moves) < 2 * len(data)
    assert len(cut(reader)) == 54


def test_hints_do_not_hide_frames() -> None:
    assert not any(MAGIC.startswith(start[:1]) for start in module._STRANGERS)
