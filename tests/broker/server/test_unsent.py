"""What a connection keeps in memory until its client reads."""

import asyncio
from collections.abc import Iterable
from typing import Any

from tapemq.wire import messages as m
from tapemq_broker.config import Settings
from tapemq_broker.server.clock import RealClock
from tapemq_broker.server.connection import Connection
from tapemq_broker.server.counters import Counters
from tapemq_broker.server.sessions import Sessions
from tapemq_broker.server.unsent import Unsent, owned

FRAME = 256
"""What a frame counts beside its bytes."""
HEAD = b"0123456789"


class Transport(asyncio.WriteTransport):
    """Has so much unsent."""

    def __init__(self) -> None:
        super().__init__()
        self.unsent_bytes = 0

    def get_write_buffer_size(self) -> int:
        return self.unsent_bytes


class Rig:
    """A connection whose transport has sent what a test says."""

    def __init__(self) -> None:
        self.transport = Transport()
        self.unsent = Unsent()
        self.unsent.goes_to(self.transport)

    def turn(self, *payloads: int) -> None:
        """Write so many bytes each in a turn of the loop."""
        for size_bytes in payloads:
            payload = memoryview(bytes(size_bytes)) if size_bytes else None
            self.unsent.wrote(HEAD, payload)
            self.transport.unsent_bytes += len(HEAD) + size_bytes
        self.unsent.turn_ends()

    def held_at(self, unsent_bytes: int) -> int:
        self.transport.unsent_bytes = unsent_bytes
        return self.unsent.held_bytes


def test_a_payload_is_held_whole_until_its_last_byte_is_sent() -> None:
    rig = Rig()
    rig.turn(1000)
    assert [rig.held_at(unsent) for unsent in (1010, 999, 1, 0)] == [FRAME + 1010] * 3 + [0]
    assert rig.unsent.sent_bytes == rig.unsent.written_bytes == 1010


def test_all_of_a_turn_is_held_until_the_last_of_it_is_sent() -> None:
    rig = Rig()
    rig.turn(1000, 0, 1000)
    rig.turn(500)
    both = 4 * (FRAME + 10) + 2500
    assert [rig.held_at(unsent) for unsent in (2540, 511)] == [both] * 2
    assert [rig.held_at(unsent) for unsent in (510, 1)] == [FRAME + 510] * 2
    assert rig.held_at(0) == 0


def test_what_was_sent_in_the_midst_of_a_turn_is_not_counted_with_the_rest_of_it() -> None:
    rig = Rig()
    rig.unsent.wrote(HEAD, memoryview(bytes(1000)))
    assert rig.held_at(0) == 0
    rig.unsent.wrote(HEAD, None)
    assert rig.held_at(10) == FRAME + 10


def test_turns_that_were_sent_are_forgotten() -> None:
    rig = Rig()
    for _ in range(1000):
        rig.turn(10)
        rig.held_at(20)
    assert len(rig.unsent._turns) == 1


def test_nothing_is_held_where_there_is_no_transport_any_more() -> None:
    rig = Rig()
    rig.turn(1000)
    rig.unsent.goes_to(None)
    assert (rig.unsent.unsent_bytes, rig.unsent.held_bytes) == (0, 0)


def test_a_small_part_of_what_was_read_does_not_keep_the_rest() -> None:
    read = memoryview(bytes(range(200)))
    large, small = read[:50], read[10:59]
    assert owned(large) is large
    assert owned(small) == small
    assert owned(small).obj is not read.obj


class TakesParts(asyncio.Transport):
    """Sends nothing, and takes the parts of a frame one by one: each may be too much."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection
        self.is_too_much = False
        self._unsent_bytes = 0

    def is_closing(self) -> bool:
        return False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return self._unsent_bytes

    def write(self, data: Any) -> None:
        self._unsent_bytes += len(data)
        if self.is_too_much and not self._connection.paused:
            self._connection.pause_writing()

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        for part in list_of_data:
            self.write(part)


async def test_a_client_found_to_be_slow_in_the_midst_of_a_frame_counts_whole() -> None:
    """Some versions of Python want the parts of a frame one by one."""
    sessions = Sessions(Settings(), RealClock(), Counters())
    connection = Connection(sessions)
    transport = TakesParts(connection)
    connection.connection_made(transport)
    for offset, size_bytes in enumerate((1_000_000, 2_000_000)):
        message = m.Deliver(1, 0, 0, offset, offset + 1, 1)
        connection.send(message, payload=memoryview(bytes(size_bytes)))
        await asyncio.sleep(0)
        transport.is_too_much = True
    assert connection.paused
    assert sessions.outbound.used_bytes > 3_000_000
