import pytest

from tapemq.batch import BatchError, ChecksumMismatch, decode_header, iter_batches
from tests.support.golden import read_golden

GOLDEN = read_golden("batch")
DATA = GOLDEN["header"] + GOLDEN["body"]
BOTH = DATA + GOLDEN["mark"]


def found(data: bytes) -> list[bytes]:
    """The header and body of each batch, joined."""
    return [header.encode()[0] + bytes(body) for header, body in iter_batches(data)]


def test_batches_are_found_one_behind_the_other() -> None:
    assert found(BOTH + DATA) == [DATA, GOLDEN["mark"], DATA]
    assert [header for header, _ in iter_batches(memoryview(BOTH))] == [
        decode_header(DATA),
        decode_header(GOLDEN["mark"]),
    ]
    assert found(b"") == []


def test_rest_that_is_shorter_than_a_batch_is_left() -> None:
    for cut in range(len(BOTH)):
        assert found(BOTH[:cut]) == ([DATA] if cut >= len(DATA) else [])


def test_every_single_bit_flip_is_detected() -> None:
    for bit in range(len(DATA) * 8):
        flipped = bytearray(DATA)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BatchError):
            found(bytes(flipped))


def test_batches_before_a_damaged_one_are_given() -> None:
    batches = iter_batches(DATA + DATA[:-1] + b"\xff")
    assert next(batches)[0] == decode_header(DATA)
    with pytest.raises(ChecksumMismatch):
        next(batches)
