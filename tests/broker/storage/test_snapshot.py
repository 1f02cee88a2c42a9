import pytest

from tapemq.batch import LogId, Role, checksum
from tapemq_broker.storage.chain import LogEnd
from tapemq_broker.storage.snapshot import decode_snapshot, encode_snapshot, is_whole
from tests.support.logs import LOG_ID

END = LogEnd(99, 42, 0xDEADBEEF, 3, 77)


@pytest.mark.parametrize("state", [b"", b"state"])
def test_the_state_comes_back(state: bytes) -> None:
    assert decode_snapshot(encode_snapshot(LOG_ID, END, state), LOG_ID, END) == state


def test_the_file_is_as_specified() -> None:
    data = encode_snapshot(LOG_ID, END, b"state")
    expected = """
        544d5153 01 000000
        0000000000000007 00000000 00000000
        0000000000000063 000000000000002a deadbeef
        7374617465
    """
    assert data[:-4] == bytes.fromhex(expected)
    assert data[-4:] == checksum(data[:-4]).to_bytes(4, "big")


@pytest.mark.parametrize(
    "end",
    [
        END._replace(next_offset=98),
        END._replace(next_batch=43),
        END._replace(last_checksum=0xDEADBEEE),
    ],
)
def test_a_state_of_another_history_does_not_apply(end: LogEnd) -> None:
    assert decode_snapshot(encode_snapshot(LOG_ID, END, b"state"), LOG_ID, end) is None


def test_epoch_and_time_do_not_matter() -> None:
    # What the first header of the next segment says of them is its own.
    end = END._replace(log_epoch=4, last_append_time_us=78)
    assert decode_snapshot(encode_snapshot(LOG_ID, END, b"state"), LOG_ID, end) == b"state"


def test_a_state_of_another_log_does_not_apply() -> None:
    data = encode_snapshot(LOG_ID, END, b"state")
    assert decode_snapshot(data, LogId(7, 1, Role.DATA), END) is None


def test_no_wrong_bit_is_accepted() -> None:
    data = encode_snapshot(LOG_ID, END, b"state")
    for bit in range(8 * len(data)):
        wrong = bytearray(data)
        wrong[bit // 8] ^= 1 << bit % 8
        assert decode_snapshot(bytes(wrong), LOG_ID, END) is None
    for size_bytes in range(len(data)):
        assert decode_snapshot(data[:size_bytes], LOG_ID, END) is None


def test_a_file_is_whole_whatever_its_history() -> None:
    data = encode_snapshot(LOG_ID, END, b"state")
    assert is_whole(data, LOG_ID, 99)
    assert not is_whole(data, LOG_ID, 98)
    assert not is_whole(data, LogId(7, 1, Role.DATA), 99)
    assert not any(is_whole(data[:size], LOG_ID, 99) for size in range(len(data)))
    for at in range(len(data)):
        flipped = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        assert not is_whole(flipped, LOG_ID, 99)
