"""Bad input at every state of a session: answered or closed in time, and nobody else notices.

A broker in a process of its own, so that its peak memory (VmHWM) can be read from outside.
"""

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgpack
import pytest

import tapemq
from tapemq.batch import Columns, checksum, encode_body
from tapemq.wire import messages as m
from tapemq.wire.session import encode_message
from tests.support.crash.broker import Broker
from tests.support.crash.forked_broker import ForkedBroker

REPEATS = 40
GROWTH_MAX_KIB = 24 * 1024
DEADLINE_S = 60.0
FOR_EVER_S = 3600
"""Longer than a test: what closes is what was said, and not that so little was said."""
SOON_S = 0.5
TOPIC = "healthy"
PREFIX = struct.Struct(">4sIBBHI")
MAGIC = b"\xf1TQ1"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    running = Broker(
        tmp_path_factory.mktemp("hostile") / "data",
        *("--handshake-deadline-s", str(FOR_EVER_S), "--heartbeat-s", str(FOR_EVER_S)),
    )
    running.start()
    yield running
    assert running.stop() == 0


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Broker]:
    """One that waits for something only ``SOON_S``: the test says for what."""
    running = ForkedBroker(tmp_path / "data")
    yield running
    running.kill_if_running()


def frame(opcode: int, header: bytes, payload: bytes = b"", *, length: int | None = None) -> bytes:
    size = len(header) + len(payload) if length is None else length
    return PREFIX.pack(MAGIC, size, opcode, 0, len(header), 1) + header + payload


def nested_msgpack() -> bytes:
    return b"\xdd\x00\x00\xff\xff" * 800


HELLO = encode_message(m.Hello([1], "hostile"), correlation=1)

RAW: dict[str, bytes] = {
    "garbage": bytes(range(256)) * 8,
    "zeros": bytes(4096),
    "tls": bytes.fromhex("16030100f8010000f40303") + bytes(256),
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "giant length": frame(0x22, b"\x80", length=0xFFFF_FFFF),
    "just too long": frame(0x22, b"\x80", length=64 * 1024 * 1024),
    "header longer than frame": PREFIX.pack(MAGIC, 4, 0x22, 0, 60_000, 1) + b"\x80" * 4,
    "flags set": PREFIX.pack(MAGIC, 1, 0x05, 255, 1, 0) + b"\x80",
    "unknown opcode": frame(0xEE, b"\x80"),
    "no correlation": PREFIX.pack(MAGIC, 1, 0x13, 0, 1, 0) + b"\x80",
    "nested msgpack": frame(0x10, nested_msgpack()),
    "not a map": frame(0x10, msgpack.packb([1, 2, 3])),
    "empty header": frame(0x10, b""),
    "trailing bytes": frame(0x13, b"\x80\x80"),
    "extension type": frame(0x10, msgpack.packb({"topic": msgpack.ExtType(5, b"x")})),
    "wrong type": frame(0x10, msgpack.packb({"topic": 7})),
    "not a number": frame(0x10, msgpack.packb({"topic": "a", "partitions": float("nan")})),
    "field twice": frame(0x10, b"\x82\xa5topic\xa1a\xa5topic\xa1b"),
    "field missing": frame(0x10, b"\x80"),
    "payload where none is": frame(0x13, b"\x80", b"payload"),
    "a broker's message": frame(0x04, b"\x80"),
}


def connect(broker: Broker) -> socket.socket:
    port = int(broker.url.rsplit(":", 1)[1])
    return socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)


def read_frame(peer: socket.socket) -> tuple[int, dict[str, object]] | None:
    """Opcode and header of the next frame; None when the broker has closed."""
    head = read_exactly(peer, PREFIX.size)
    if head is None:
        return None
    _, length, opcode, _, _, _ = PREFIX.unpack(head)
    return opcode, msgpack.unpackb(read_exactly(peer, length) or b"\x80")


def read_exactly(peer: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        try:
            part = peer.recv(size - len(data))
        except ConnectionResetError:
            return None
        if not part:
            return None
        data += part
    return data


def opened(broker: Broker) -> socket.socket:
    """A connection behind its handshake."""
    peer = connect(broker)
    peer.sendall(HELLO)
    answer = read_frame(peer)
    assert answer is not None
    assert answer[0] == 0x04
    return peer


def closes(peer: socket.socket) -> list[int]:
    """What the broker says before it closes; fails if it does not close in time."""
    seen, until = [], time.monotonic() + DEADLINE_S
    while (answer := read_frame(peer)) is not None:
        assert time.monotonic() < until, "it goes on and on"
        seen.append(answer[0])
    return seen


def peak_kib(broker: Broker) -> int:
    status = Path(f"/proc/{broker.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


async def still_serves(broker: Broker) -> int:
    """A healthy client publishes and reads; how many records there are now."""
    async with await tapemq.connect(broker.url) as client:
        receipt = await client.publish(TOPIC, b"fine")
        async with client.stream(TOPIC, start=receipt.offset) as stream:
            async for record in stream:
                assert record.value == b"fine"
                return record.offset + 1
    raise AssertionError("the stream ended")


@pytest.mark.parametrize("state", [connect, opened], ids=["before the handshake", "behind it"])
@pytest.mark.parametrize("name", RAW)
async def test_what_breaks_the_protocol_closes_the_connection(
    broker: Broker, name: str, state: Callable[[Broker], socket.socket]
) -> None:
    before_records = await still_serves(broker)
    before_kib = peak_kib(broker)
    for _ in range(REPEATS):
        with closing(state(broker)) as peer:
            peer.sendall(RAW[name])
            assert closes(peer)[-1:] in ([0x07], []), "the last word is a Failure, or none"
    assert peak_kib(broker) - before_kib < GROWTH_MAX_KIB
    assert await still_serves(broker) == before_records + 1


@pytest.mark.parametrize(
    ("state", "option"),
    [(connect, "--handshake-deadline-s"), (opened, "--heartbeat-s")],
    ids=["before the handshake", "behind it"],
)
def test_half_a_frame_and_silence_ends_in_time(
    impatient: Broker, state: Callable[[Broker], socket.socket], option: str
) -> None:
    impatient.start(option, str(SOON_S))
    with closing(state(impatient)) as peer:
        peer.sendall(frame(0x22, b"\x80", length=3000)[:-1])
        assert 0x07 in closes(peer)


class Lie(NamedTuple):
    """A publish that is well-formed and untrue."""

    body: bytes
    checksum: int


def lies() -> dict[str, Lie]:
    good = encode_body(Columns([b"one", b"two", b"three"], [b"k", None, b""]))

    def patched(position: int, value: bytes) -> Lie:
        body = good[:position] + value + good[position + len(value) :]
        return Lie(body, checksum(body))

    return {
        "checksum": Lie(good, checksum(good) ^ 1),
        "count too high": patched(4, struct.pack(">I", 4)),
        "count too low": patched(4, struct.pack(">I", 2)),
        "count giant": patched(4, struct.pack(">I", 0xFFFF_FFFF)),
        "first length": patched(44, struct.pack(">I", 4)),
        "length giant": patched(44, struct.pack(">I", 0x7FFF_FFFF)),
        "missing value, not flagged": patched(44, b"\xff\xff\xff\xff"),
        "data length": patched(40, struct.pack(">I", 13)),
        "extension length": patched(20, struct.pack(">I", 0xFFFF_FF00)),
        "unknown codec": patched(1, b"\x09"),
        "claims to be compressed": patched(1, b"\x01"),
        "unknown flags": patched(2, b"\x80\x00"),
        "extras that are none": patched(2, b"\x00\x03"),
        "truncated": Lie(good[:-1], checksum(good[:-1])),
        "empty": Lie(b"", checksum(b"")),
    }


@pytest.mark.parametrize("name", lies())
async def test_nothing_undecodable_is_ever_stored(broker: Broker, name: str) -> None:
    before_records = await still_serves(broker)
    lie = lies()[name]
    with closing(opened(broker)) as peer:
        peer.sendall(encode_message(m.DescribeTopic(TOPIC), correlation=2))
        answer = read_frame(peer)
        assert answer is not None
        topic_id = answer[1]["topic_id"]
        assert isinstance(topic_id, int)
        publish = m.Publish(topic_id, 0, lie.checksum)
        head = encode_message(publish, correlation=3, payload_bytes=len(lie.body))
        for _ in range(REPEATS):
            peer.sendall(head + lie.body)
            refused = read_frame(peer)
            assert refused is not None
            assert refused[0] == 0x07
            assert refused[1]["code"] in (30, 31), refused
    assert await still_serves(broker) == before_records + 1
