from struct import pack

import pytest

from benchmarks.amqp_inbox import Confirms, Inbox


def frame(kind: int, payload: bytes) -> bytes:
    return pack(">BHI", kind, 1, len(payload)) + payload + b"\xce"


def delivery(tag: int, *parts: bytes, again: bool = False) -> bytes:
    method = pack(">HHB3sQ?", 60, 60, 3, b"tag", tag, again) + b"\x00\x01q"
    header = pack(">HHQH", 60, 0, sum(map(len, parts)), 0)
    return frame(1, method) + frame(2, header) + b"".join(frame(3, part) for part in parts)


def confirm(tag: int, multiple: bool) -> bytes:
    return frame(1, pack(">HHQ?", 60, 80, tag, multiple))


OTHER = frame(1, pack(">HH", 10, 41))
SENT = b"".join(
    [
        delivery(1, b"first"),
        OTHER,
        delivery(2, b"two ", b"parts"),
        confirm(3, True),
        delivery(3, b"x"),
    ]
)
RECEIVED = [(1, b"first"), OTHER, (2, b"two parts"), (3, True), (3, b"x")]


@pytest.mark.parametrize("piece_bytes", [1, 2, 7, 11, 64, len(SENT)])
def test_everything_is_received_however_it_is_cut(piece_bytes: int) -> None:
    received: list[object] = []
    inbox = Inbox(
        lambda *delivered: received.append(delivered),
        lambda *confirmed: received.append(confirmed),
        received.append,
    )
    for position in range(0, len(SENT), piece_bytes):
        inbox.receive(SENT[position : position + piece_bytes])
    assert received == RECEIVED


def test_a_delivery_says_whether_it_came_before() -> None:
    seen: list[tuple[int, bool]] = []
    inbox = Inbox(
        lambda tag, _: seen.append((tag, inbox.redelivered)), lambda *_: None, lambda _: None
    )
    inbox.receive(delivery(1, b"a") + delivery(2, b"b", again=True) + delivery(3, b"c"))
    assert seen == [(1, False), (2, True), (3, False)]


@pytest.mark.parametrize(
    ("confirmed", "floor"),
    [
        ([], 0),
        ([(1, False), (2, False)], 2),
        ([(2, False)], 0),
        ([(2, False), (3, False), (1, False)], 3),
        ([(3, False), (2, True)], 3),
        ([(5, False), (3, True)], 3),
        ([(7, True), (2, False)], 7),
    ],
)
def test_floor_of_the_confirms(confirmed: list[tuple[int, bool]], floor: int) -> None:
    confirms = Confirms()
    for tag, multiple in confirmed:
        confirms.add(tag, multiple)
    assert confirms.floor == floor
