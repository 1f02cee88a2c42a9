"""A client that misbehaves: python -m tests.support.overload.offender KIND PORT SECONDS COUNT.

Prints "connected" when it has begun, and what came of it as JSON at its end.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Final

import uvloop

import tapemq
from tapemq.wire import messages as m
from tapemq.wire.session import encode_message
from tests.support.overload.idle import stay
from tests.support.overload.sockets import (
    HELLO,
    MAGIC,
    PREFIX,
    connect,
    count_closed,
    is_closed_after,
    opened,
)

BIG: Final = "big"
_RECORD_BYTES: Final = 64 * 1024
_MIB: Final = 1024 * 1024
_FLOOD_PER_S: Final = 333

Counts = dict[str, int]


def _frame(opcode: int, header: bytes, *, length: int | None = None) -> bytes:
    size = len(header) if length is None else length
    return PREFIX.pack(MAGIC, size, opcode, 0, len(header), 1) + header


GIANTS: Final = (
    _frame(0x22, b"\x80", length=0xFFFF_FFFF),
    _frame(0x22, b"\x80", length=0x8000_0000),
    _frame(0x22, b"\x80", length=64 * _MIB),
)
BOMBS: Final = (
    _frame(0x10, b"\xdd\x00\x00\xff\xff" * 800),
    _frame(0x10, b"\x81\xa5topic\xdb\xff\xff\xff\xff"),
    _frame(0x10, b"\x81\xa5topic" + b"\x91" * 60_000 + b"\x90"),
    _frame(0x10, b"\xde\xff\xff" + b"\x80\x80" * 30_000),
    _frame(0x10, b"\xdc\xff\xff" + b"\x80" * 65_000),
)


def _repeat(frames: tuple[bytes, ...]) -> Callable[[int, float, int], Counts]:
    def repeat(port: int, seconds: float, count: int) -> Counts:
        """One connection after the other, each with one such frame."""
        print("connected", flush=True)
        end, tries, closed = time.monotonic() + seconds, 0, 0
        while time.monotonic() < end and tries < count:
            with opened(port) as peer:
                closed += is_closed_after(peer, frames[tries % len(frames)])
            tries += 1
        return {"tries": tries, "closed": closed}

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
        closed = 0
        for peer in peers:
            try:
                peer.send(HELLO[sent : sent + 1] or b"\0")
            except OSError:
                closed += 1
        sent += 1
        time.sleep(1)
    return {"tries": count, "closed": count_closed(peers)}


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
    """Ask for all there is: half of them read nothing of it, half a byte a second."""
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
        for peer in peers[::2]:
            try:
                peer.recv(1)
            except OSError:
                continue
        time.sleep(1)
    return {"tries": count, "closed": count_closed(peers)}


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
    "idle": stay,
    "producers": _producers,
}

if __name__ == "__main__":
    kind, port, seconds, count = sys.argv[1:]
    print(json.dumps(KINDS[kind](int(port), float(seconds), int(count))))
