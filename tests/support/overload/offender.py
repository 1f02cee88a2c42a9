"""A client that misbehaves: python -m tests.support.overload.offender KIND PORT SECONDS COUNT.

Prints "connected" when it has begun, and what came of it as JSON at its end.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

import uvloop

import tapemq
from tapemq.wire import messages as m
from tapemq.wire.errors import LIMIT_EXCEEDED, PROTOCOL_ERROR, ErrorKind
from tapemq.wire.limits import HEADER_BYTES_MAX
from tapemq.wire.session import encode_message
from tests.support.overload.idle import stay
from tests.support.overload.sockets import (
    HELLO,
    MAGIC,
    PONG,
    PREFIX,
    connect,
    count_closed,
    is_cut,
    is_ended,
    opened,
    read_frame,
    refusal_after,
)

BIG: Final = "big"
_RECORD_BYTES: Final = 64 * 1024
_MIB: Final = 1024 * 1024
_FLOOD_PER_S: Final = 333
_FRAME_BYTES_MAX: Final = 4 * _MIB + HEADER_BYTES_MAX
_HALF_BYTES: Final = 2 * _MIB + _RECORD_BYTES

Counts = dict[str, int]


def _frame(opcode: int, header: bytes, *, length: int | None = None) -> bytes:
    size = len(header) if length is None else length
    return PREFIX.pack(MAGIC, size, opcode, 0, len(header), 1) + header


class Bad(NamedTuple):
    """A frame, and the error that refuses it at once; ``is_early``: before the handshake."""

    frame: bytes
    error: ErrorKind
    is_early: bool = False


def _tree(item: bytes) -> bytes:
    """Three arrays of 64 arrays of 64 of the item."""
    of_64 = b"\xdc\x00\x40"
    return b"\x81\xa1a\x93" + (of_64 + (of_64 + item * 64) * 64) * 3


GIANTS: Final = tuple(
    Bad(_frame(opcode, b"\x80", length=length), LIMIT_EXCEEDED, is_early)
    for is_early, opcode, limit in ((False, 0x22, _FRAME_BYTES_MAX), (True, 0x01, 4096))
    for length in (limit + 1, 1 << 31, (1 << 32) - 1)
)
BOMBS: Final = tuple(
    Bad(_frame(0x10, header), PROTOCOL_ERROR)
    for header in (
        b"",
        b"\xdd\x00\x00\xff\xff" * 800,
        b"\xdf\xff\xff\xff\xff",
        b"\x81\xa5topic\xdb\xff\xff\xff\xff",
        b"\x81\xa5topic" + b"\x91" * 16_000 + b"\x90",
        b"\x81\xa5topic\xc7\x01\x05x",
        b"\x81\xa5topic\xcb\x7f\xf8" + bytes(6),
        b"\x81\xa5topic\xa1\xff",
        b"\x82\xa5topic\xa1a\xa5topic\xa1b",
        b"\x81\xa5topic\xa1a\x80",
        _tree(b"\x80"),
        _tree(b"\x90"),
    )
)


def _repeat(bad: tuple[Bad, ...]) -> Callable[[int, float, int], Counts]:
    def repeat(port: int, seconds: float, count: int) -> Counts:
        """One connection after the other, each with one such frame."""
        print("connected", flush=True)
        end, tries, refused = time.monotonic() + seconds, 0, 0
        while tries < len(bad) or (time.monotonic() < end and tries < count):
            frame, error, is_early = bad[tries % len(bad)]
            with connect(port) if is_early else opened(port) as peer:
                refused += refusal_after(peer, frame) == error.code
            tries += 1
        return {"tries": tries, "closed": refused}

    return repeat


def _flood(port: int, seconds: float, count: int) -> Counts:
    """Connect and go again, at 20,000 a minute."""
    print("connected", flush=True)
    started, tries = time.monotonic(), 0
    while (passed := time.monotonic() - started) < seconds and tries < count:
        connect(port).close()
        tries += 1
        time.sleep(max(0.0, tries / _FLOOD_PER_S - passed))
    return {"tries": tries, "closed": tries}


def _slowloris(port: int, seconds: float, count: int) -> Counts:
    """Handshakes of which a byte a second comes."""
    peers = [connect(port) for _ in range(count)]
    print("connected", flush=True)
    end, sent = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for peer in peers:
            with suppress(OSError):
                peer.send(HELLO[:-1][sent : sent + 1])
        sent += 1
        time.sleep(1)
    return {"tries": count, "closed": count_closed(peers, is_ended)}


def _half_handshakes(port: int, seconds: float, count: int) -> Counts:
    """The largest ones that there may be, of which the end does not come."""
    peers = [connect(port) for _ in range(count)]
    for peer in peers:
        peer.sendall(_frame(0x01, bytes(4000), length=4096))
    print("connected", flush=True)
    time.sleep(seconds)
    return {"tries": count, "closed": count_closed(peers, is_ended)}


def _half_frames(port: int, seconds: float, count: int) -> Counts:
    """Frames of 4 MiB of which the second half does not come."""
    peers = [opened(port) for _ in range(count)]
    print("connected", flush=True)
    end = time.monotonic() + seconds
    for peer in peers:
        with suppress(OSError):  # too much: it may be cut at once
            peer.sendall(_frame(0x22, b"\x80", length=_FRAME_BYTES_MAX) + bytes(_HALF_BYTES))
    time.sleep(max(0.0, end - time.monotonic()))
    return {"tries": count}


def _large_frames(port: int, seconds: float, count: int) -> Counts:
    """Batches of 4 MiB, one from each of so many connections, into a topic that there is not."""
    peers = [opened(port) for _ in range(count)]
    print("connected", flush=True)
    end = time.monotonic() + seconds
    body = bytes(4 * _MIB)
    publish = encode_message(m.Publish(5, 0, 0), correlation=5, payload_bytes=len(body)) + body
    for peer in peers:
        peer.sendall(publish)
        read_frame(peer)
    time.sleep(max(0.0, end - time.monotonic()))
    return {"tries": count}


async def _fill(port: int, records: int) -> int:
    """Have something to read; the topic's id."""
    async with await tapemq.connect(f"tapemq://127.0.0.1:{port}") as client:
        await client.publish(BIG, b"")
        value = bytes(_RECORD_BYTES)
        async with client.producer(BIG) as producer:
            for _ in range(records):
                await producer.send(value)
        return (await client.topic(BIG)).topic_id


def _slow_readers(port: int, seconds: float, count: int) -> Counts:
    """Ask for all there is, live, and read nothing of it, or (half of them) a byte a second."""
    topic_id = uvloop.run(_fill(port, 512))
    peers = []
    for _ in range(count):
        peer = opened(port, receive_bytes=4096)
        wish = m.Subscribe(
            1, topic_id, start="earliest", credit_records=1 << 30, credit_bytes=1 << 40
        )
        peer.sendall(encode_message(wish, correlation=2))
        peer.setblocking(False)
        peers.append(peer)
    print("connected", flush=True)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for peer in peers:
            with suppress(OSError):
                peer.send(PONG)
        for peer in peers[::2]:
            with suppress(OSError):
                peer.recv(1)
        time.sleep(1)
    return {"tries": count, "closed": count_closed(peers, is_cut)}


def _producers(port: int, seconds: float, count: int) -> Counts:
    """Records of 1 MiB from so many connections at a time, which nobody reads."""
    return uvloop.run(_publish_much(port, seconds, count))


async def _publish_much(port: int, seconds: float, count: int) -> Counts:
    value, url = bytes(_MIB - 64), f"tapemq://127.0.0.1:{port}"
    tries = refused = 0
    end = time.monotonic() + seconds
    async with await tapemq.connect(url) as client:
        await client.create_topic("flood", retention_bytes=256 * _MIB, segment_bytes=64 * _MIB)

    async def publish() -> None:
        nonlocal tries, refused
        async with await tapemq.connect(url) as client:
            while time.monotonic() < end:
                tries += 1
                try:
                    await client.publish("flood", value, timeout=30)
                except tapemq.Error:
                    refused += 1

    print("connected", flush=True)
    await asyncio.gather(*(publish() for _ in range(count)))
    return {"tries": tries, "refused": refused}


KINDS: Final[dict[str, Callable[[int, float, int], Counts]]] = {
    "slow readers": _slow_readers,
    "giant frames": _repeat(GIANTS),
    "decoder bombs": _repeat(BOMBS),
    "connection flood": _flood,
    "slowloris": _slowloris,
    "half handshakes": _half_handshakes,
    "half frames": _half_frames,
    "large frames": _large_frames,
    "idle": stay,
    "producers": _producers,
}

if __name__ == "__main__":
    kind, port, seconds, count = sys.argv[1:]
    print(json.dumps(KINDS[kind](int(port), float(seconds), int(count))))
