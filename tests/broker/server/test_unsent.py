"""What a connection keeps in memory until its client reads."""

from tapemq_broker.server.unsent import Unsent


def part(size_bytes: int, of_bytes: int) -> memoryview:
    return memoryview(bytes(of_bytes))[:size_bytes]


def test_a_payload_is_held_whole_until_its_last_byte_is_sent() -> None:
    unsent = Unsent()
    unsent.written(10)
    assert unsent.payload_written(part(1000, 1000), 1010) == 1000
    assert unsent.held_bytes(1010) == 1010
    assert unsent.held_bytes(1000) == 1000
    assert unsent.held_bytes(1) == 1000
    assert unsent.held_bytes(0) == 0


def test_a_part_keeps_all_that_was_read_with_it() -> None:
    unsent = Unsent()
    unsent.written(10)
    assert unsent.payload_written(part(1000, 5000), 1010) == 5000
    assert unsent.held_bytes(1010) == 10 + 5000
    assert unsent.held_bytes(1) == 5000


def test_those_behind_it_are_held_with_it_and_those_before_are_not() -> None:
    unsent = Unsent()
    for _ in range(3):
        unsent.written(10)
        unsent.payload_written(part(1000, 1000), 3030)
    unsent.written(10)
    # Of 3 x 1010 + 10 bytes, half of the second payload and what is behind it.
    assert unsent.held_bytes(500 + 1010 + 10) == 1000 + 1010 + 10
    assert unsent.held_bytes(0) == 0


def test_what_was_sent_is_forgotten_though_nobody_asks() -> None:
    unsent = Unsent()
    for _ in range(1000):
        unsent.written(10)
        unsent.payload_written(part(1000, 1000), 1010)
    assert len(unsent._payloads) == 1
