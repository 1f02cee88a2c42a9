"""The publish window, and the disk that closes it."""

import asyncio
import logging

import pytest

from tapemq.wire import messages as m
from tapemq.wire.errors import LIMIT_EXCEEDED, ProtocolError
from tapemq_broker.config import MIB, Settings
from tapemq_broker.server.clock import RealClock
from tapemq_broker.server.connection import Connection
from tapemq_broker.server.counters import Counters
from tapemq_broker.server.flow import DISK_LOW, MEMORY, STOPPING, Flow
from tapemq_broker.server.sessions import Sessions
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.full_disk import FullDisk
from tests.support.raw_client import RawClient, Refused
from tests.support.running_server import running_server


class SmallDisk(MemoryDisk):
    """A disk of 1,000 bytes, of which ``left`` are free."""

    left = 500

    def free_bytes(self) -> int:
        return self.left

    def total_bytes(self) -> int:
        return 1000


class Told(Sessions):
    """Sessions that keep what is broadcast."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, RealClock(), Counters())
        self.messages: list[m.Flow] = []

    def broadcast(self, message: m.Flow) -> None:
        self.messages.append(message)


@pytest.fixture
def sessions() -> Told:
    return Told(Settings(publish_window_bytes=1024, disk_free_min_bytes=100))


def test_a_low_disk_blocks_and_says_so_once_and_then_resumes(sessions: Told) -> None:
    disk = SmallDisk()
    flow = Flow(sessions.settings, disk, sessions)
    connection = Connection(sessions)
    for left, told, blocked in ((500, 0, ""), (99, 1, DISK_LOW), (50, 1, DISK_LOW), (100, 2, "")):
        disk.left = left
        flow.check_disk()
        assert (len(sessions.messages), flow.blocked) == (told, blocked)
        refusal = flow.admit(connection, 1, 10)
        assert (refusal is not None) == bool(blocked)
        if refusal is not None:
            assert refusal.name == "disk_full"
            assert refusal.retry_after_s > 0
        connection.settle_publish(1)
    assert [message.publish_window_bytes for message in sessions.messages] == [0, 1024]


def test_the_operator_is_told_when_publishing_is_blocked_and_when_no_more(
    sessions: Told, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    disk = SmallDisk()
    flow = Flow(sessions.settings, disk, sessions)
    assert (flow.disk_free_bytes, flow.disk_mark_bytes) == (0, 0)
    for left in (99, 50, 100):
        disk.left = left
        flow.check_disk()
    sessions.memory.change(sessions.memory.limit_bytes + 1)
    flow.check_memory()
    assert [(record.levelname, record.getMessage()) for record in caplog.records[:2]] == [
        ("ERROR", "the disk is low, nothing is published: 99 bytes free, the mark is 100"),
        ("WARNING", "the disk is low no more: 100 bytes free, the mark is 100"),
    ]
    assert "bytes are being published" in caplog.records[2].getMessage()
    assert len(caplog.records) == 3


def test_without_a_setting_the_mark_is_a_share_of_the_disk() -> None:
    sessions = Told(Settings())
    flow = Flow(sessions.settings, SmallDisk(), sessions)
    flow.check_disk()
    assert flow.disk_mark_bytes == 50


def test_one_frame_beyond_the_window_is_allowed_and_no_more(sessions: Told) -> None:
    flow = Flow(sessions.settings, SmallDisk(), sessions)
    connection = Connection(sessions)
    assert flow.admit(connection, 1, 1024) is None  # just the window
    assert flow.admit(connection, 2, 5000) is None
    with pytest.raises(ProtocolError) as broken:
        flow.admit(connection, 3, 1)
    assert broken.value.kind is LIMIT_EXCEEDED
    connection.settle_publish(2)
    assert flow.admit(connection, 3, 1) is None
    assert connection.in_flight_bytes == 1025


def test_short_memory_leaves_everybody_a_share(sessions: Told) -> None:
    """The one that has taken much is slowed, others are not."""
    sessions = Told(Settings(publish_memory_bytes=MIB, publish_window_bytes=2 * MIB))
    flow = Flow(sessions.settings, SmallDisk(), sessions)
    greedy, modest, large = (Connection(sessions) for _ in range(3))
    for number, connection in enumerate((greedy, modest, large)):
        sessions.by_number[number] = connection
    assert flow.admit(greedy, 1, MIB + 1) is None
    refusal = flow.admit(greedy, 2, 1)
    assert refusal is not None
    assert refusal.name == "overloaded"
    assert refusal.retry_after_s > 0
    assert sessions.messages == [m.Flow(MIB // 6, MEMORY, 1000)]
    for correlation in (1, 2):
        assert flow.admit(modest, correlation, MIB // 12) is None
    assert flow.admit(modest, 3, MIB // 12) is not None
    assert flow.admit(large, 1, MIB) is None  # one frame may always be in flight
    assert flow.admit(modest, 4, 1) is not None
    assert len(sessions.messages) == 1


def test_memory_that_is_free_again_opens_the_window(sessions: Told) -> None:
    sessions = Told(Settings(publish_memory_bytes=MIB, publish_window_bytes=2 * MIB))
    flow = Flow(sessions.settings, SmallDisk(), sessions)
    gone, heard = Connection(sessions), Connection(sessions)
    assert flow.admit(gone, 1, MIB) is None
    assert flow.admit(heard, 1, 1) is None
    flow.check_memory()
    assert flow.blocked == MEMORY
    gone.connection_lost(None)
    flow.check_memory()
    assert flow.blocked == ""
    assert sessions.messages[-1] == m.Flow(2 * MIB)
    heard.settle_publish(1)
    assert sessions.memory.used_bytes == 0


def test_beyond_all_measure_not_even_one_frame_is_taken(sessions: Told) -> None:
    sessions = Told(Settings(publish_memory_bytes=MIB))
    flow = Flow(sessions.settings, SmallDisk(), sessions)
    sessions.memory.change(2 * MIB + 1)
    assert flow.admit(Connection(sessions), 1, MIB) is not None
    assert flow.admit(Connection(sessions), 1, MIB // 2) is None


def test_a_low_disk_counts_for_more_than_short_memory(sessions: Told) -> None:
    disk = SmallDisk()
    flow = Flow(sessions.settings, disk, sessions)
    sessions.memory.change(sessions.memory.limit_bytes + 1)
    flow.check_memory()
    disk.left = 1
    flow.check_disk()
    assert flow.blocked == DISK_LOW
    disk.left = 500
    flow.check_disk()
    assert flow.blocked == MEMORY
    assert [message.reason for message in sessions.messages] == [MEMORY, DISK_LOW, MEMORY]


def test_a_stopping_broker_takes_nothing_and_stays_that_way(sessions: Told) -> None:
    flow = Flow(sessions.settings, SmallDisk(), sessions)
    flow.stop()
    assert [message.reason for message in sessions.messages] == [STOPPING]
    flow.check_disk()
    assert sessions.messages[-1].reason == STOPPING
    refusal = flow.admit(Connection(sessions), 1, 1)
    assert refusal is not None
    assert refusal.name == "overloaded"


async def test_the_log_says_what_a_disk_refuses_that_seems_to_have_room(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A quota is exceeded, for instance: free bytes, and readiness, show nothing of that."""
    disk = FullDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        disk.full = True
        for _ in range(3):
            with pytest.raises(Refused, match="disk is full"):
                await client.publish(topic, b"x")
        disk.full = False
        await client.publish(topic, b"x")
    (said,) = [r.getMessage() for r in caplog.records if "takes no more" in r.getMessage()]
    assert "no space left" in said
