"""The flusher against a disk that finishes when the test says so."""

from collections.abc import Callable, Sequence

import pytest

from tapemq_broker.storage.disk import File
from tapemq_broker.storage.errors import LogFailed
from tapemq_broker.storage.flusher import Flusher
from tapemq_broker.storage.memory_disk import MemoryDisk

Done = Callable[[Exception | None], None]


class SlowDisk(MemoryDisk):
    """Begins syncs and lets the test end them."""

    def __init__(self) -> None:
        super().__init__()
        self.rounds: list[tuple[list[str], Done]] = []

    def sync(self, files: Sequence[File], done: Done) -> None:
        self.rounds.append(([file.path for file in files], done))

    def end(self, error: Exception | None = None) -> None:
        assert len(self.rounds) == 1, "one round at a time"
        self.rounds.pop()[1](error)


class FakeLog:
    """Counts what was appended, and notes what the flusher asks of it."""

    def __init__(self, name: str, disk: MemoryDisk, events: list[str]) -> None:
        self.name = name
        self.next_offset = 0
        self.durable_offset = 0
        self._file = disk.open(name, create=True)
        self._events = events

    def append(self) -> None:
        self.next_offset += 1

    def begin_sync(self) -> "FakeTarget":
        return FakeTarget([self._file], self.next_offset)

    def mark_durable(self, target: "FakeTarget") -> None:
        self._events.append(f"{self.name} marked")
        self.durable_offset = target.offset


class FakeTarget:
    def __init__(self, files: list[File], offset: int) -> None:
        self.files = files
        self.offset = offset


class Setup:
    def __init__(self) -> None:
        self.disk = SlowDisk()
        self.events: list[str] = []
        self.fatal: list[str] = []
        self.on_durable: Callable[[FakeLog, int], None] = self.tell
        self.prepare: Callable[[], None] = lambda: None
        self.flusher: Flusher[FakeLog] = Flusher(
            self.disk,
            lambda log, offset: self.on_durable(log, offset),
            self.fatal.append,
            lambda: self.prepare(),
        )
        self.logs = [FakeLog(name, self.disk, self.events) for name in "abc"]

    def tell(self, log: FakeLog, offset: int) -> None:
        self.events.append(f"{log.name} durable {offset}")

    def append(self, *logs: int) -> None:
        for number in logs:
            self.logs[number].append()
            self.flusher.dirty(self.logs[number])

    @property
    def syncing(self) -> list[str]:
        return self.disk.rounds[0][0] if self.disk.rounds else []


@pytest.fixture
def setup() -> Setup:
    return Setup()


def test_an_append_is_synced_at_once_when_nothing_runs(setup: Setup) -> None:
    idle = [setup.flusher.idle]
    setup.append(0)
    assert setup.syncing == ["a"]
    idle.append(setup.flusher.idle)
    setup.disk.end()
    assert setup.events == ["a marked", "a durable 1"]
    assert [*idle, setup.flusher.idle] == [True, False, True]
    assert not setup.disk.rounds


def test_what_comes_during_a_round_gathers_for_the_next(setup: Setup) -> None:
    setup.append(0)
    setup.append(0, 1, 2, 1, 0)
    assert setup.syncing == ["a"]
    setup.disk.end()
    assert setup.events == ["a marked", "a durable 1"]
    assert setup.syncing == ["a", "b", "c"]
    setup.disk.end()
    assert setup.events[2:] == [
        *("a marked", "b marked", "c marked"),
        *("a durable 3", "b durable 2", "c durable 1"),
    ]
    assert (setup.flusher.rounds, setup.flusher.files_synced) == (2, 4)


def test_news_comes_in_the_order_in_which_logs_became_dirty(setup: Setup) -> None:
    setup.append(2)
    setup.append(1, 0)
    setup.disk.end()
    setup.disk.end()
    assert [event for event in setup.events if "durable" in event] == [
        "c durable 1",
        "b durable 1",
        "a durable 1",
    ]


def test_the_next_round_is_under_way_when_news_is_told(setup: Setup) -> None:
    def tell(log: FakeLog, offset: int) -> None:
        setup.events.append(f"told while syncing {setup.syncing}")

    setup.on_durable = tell
    setup.append(0)
    setup.append(1)
    setup.disk.end()
    assert setup.events == ["a marked", "told while syncing ['b']"]


def test_an_append_upon_news_is_in_a_later_round(setup: Setup) -> None:
    def tell(log: FakeLog, offset: int) -> None:
        setup.tell(log, offset)
        if offset < 3:
            setup.append(0)

    setup.on_durable = tell
    setup.append(0)
    for _ in range(3):
        setup.disk.end()
    assert setup.events[1::2] == ["a durable 1", "a durable 2", "a durable 3"]
    assert setup.flusher.idle


def test_a_failed_sync_is_fatal_and_nobody_is_told(setup: Setup) -> None:
    idle: list[str] = []
    setup.append(0)
    setup.append(1)
    setup.flusher.when_idle(lambda: idle.append("idle"))
    setup.disk.end(OSError(5, "the disk is broken"))
    assert len(setup.fatal) == 1
    assert "the disk is broken" in setup.fatal[0]
    setup.append(0, 1, 2)
    setup.flusher.when_idle(lambda: idle.append("idle"))
    assert setup.events == []
    assert setup.disk.rounds == []
    assert idle == []
    assert not setup.flusher.idle
    assert [log.durable_offset for log in setup.logs] == [0, 0, 0]


def test_a_log_that_cannot_say_what_to_sync_is_fatal(setup: Setup) -> None:
    def fail() -> FakeTarget:
        raise LogFailed("cannot be opened")

    setup.logs[0].begin_sync = fail  # type: ignore[method-assign]
    setup.append(0)
    assert len(setup.fatal) == 1
    setup.append(1)
    assert setup.disk.rounds == []


def test_a_forgotten_log_hears_nothing_any_more(setup: Setup) -> None:
    def tell(log: FakeLog, offset: int) -> None:
        setup.tell(log, offset)
        setup.flusher.forget(setup.logs[1])

    setup.on_durable = tell
    setup.append(2)
    setup.append(0, 1, 2)
    setup.flusher.forget(setup.logs[2])
    setup.disk.end()
    assert setup.events == []
    assert setup.syncing == ["a", "b"]
    setup.disk.end()
    assert setup.events == ["a marked", "b marked", "a durable 1"]
    assert setup.flusher.idle


def test_idle_is_told_once_everything_is_durable(setup: Setup) -> None:
    idle: list[int] = []
    setup.flusher.when_idle(lambda: idle.append(0))
    assert idle == [0]
    setup.append(0)
    setup.flusher.when_idle(lambda: idle.append(1))
    setup.append(1)
    setup.disk.end()
    assert idle == [0]
    setup.disk.end()
    assert idle == [0, 1]
    assert setup.events[-1] == "b durable 1"


def test_who_waits_for_idle_and_appends_makes_the_others_wait(setup: Setup) -> None:
    idle: list[str] = []
    setup.append(0)
    setup.flusher.when_idle(lambda: setup.append(1))
    setup.flusher.when_idle(lambda: idle.append("second"))
    setup.disk.end()
    assert idle == []
    setup.disk.end()
    assert idle == ["second"]


def test_what_is_prepared_is_of_the_round_that_begins(setup: Setup) -> None:
    setup.prepare = lambda: setup.append(2)
    setup.append(0)
    assert setup.syncing == ["a", "c"]
    setup.append(1)
    setup.prepare = lambda: None
    setup.disk.end()
    assert setup.syncing == ["b"]
    assert [event for event in setup.events if "durable" in event] == ["a durable 1", "c durable 1"]


def test_a_wake_begins_a_round_for_what_is_prepared(setup: Setup) -> None:
    setup.prepare = lambda: setup.append(1)
    setup.flusher.wake()
    assert setup.syncing == ["b"]
    assert setup.flusher.rounds == 1


def test_wakes_during_a_round_are_one_preparation(setup: Setup) -> None:
    setup.append(0)
    setup.prepare = lambda: setup.append(1)
    setup.flusher.wake()
    setup.flusher.wake()
    assert setup.syncing == ["a"]
    assert not setup.flusher.idle
    setup.disk.end()
    assert setup.syncing == ["b"]
    setup.disk.end()
    assert setup.events[-1] == "b durable 1"
    assert setup.flusher.idle


def test_a_wake_with_nothing_to_write_ends_at_once(setup: Setup) -> None:
    idle: list[str] = []
    setup.prepare = lambda: setup.flusher.when_idle(lambda: idle.append("idle"))
    setup.flusher.wake()
    assert setup.disk.rounds == []
    assert setup.flusher.rounds == 0
    assert setup.flusher.idle
    assert idle == ["idle"]


def test_what_is_held_goes_in_one_round(setup: Setup) -> None:
    with setup.flusher.held():
        setup.append(0)
        setup.flusher.wake()
        setup.append(1)
        assert setup.disk.rounds == []
    assert setup.syncing == ["a", "b"]
    setup.disk.end()
    assert setup.flusher.idle
    with setup.flusher.held():
        pass
    assert setup.disk.rounds == []


def test_rounds_begin_again_behind_what_was_held(setup: Setup) -> None:
    with setup.flusher.held():
        setup.append(0)
    setup.disk.end()
    setup.append(1)
    assert setup.syncing == ["b"]


def test_what_is_held_during_a_round_waits_for_its_end(setup: Setup) -> None:
    setup.append(0)
    with setup.flusher.held():
        setup.append(1)
    assert setup.syncing == ["a"]
    setup.disk.end()
    assert setup.events == ["a marked", "a durable 1"]
    assert setup.syncing == ["b"]


def test_idle_is_told_behind_what_was_held_and_came_to_nothing(setup: Setup) -> None:
    idle: list[str] = []
    with setup.flusher.held():
        setup.flusher.wake()
        setup.flusher.when_idle(lambda: idle.append("idle"))
        assert idle == []
    assert idle == ["idle"]


def test_a_log_of_the_round_before_is_told_after_the_one_that_covers_it_again(
    setup: Setup,
) -> None:
    def prepare() -> None:
        setup.append(1)
        setup.flusher.again(setup.logs[0])

    setup.append(0)
    setup.prepare = prepare
    setup.flusher.wake()
    setup.disk.end()
    assert setup.syncing == ["b", "a"]
    assert not [event for event in setup.events if "durable" in event]
    setup.prepare = lambda: None
    setup.disk.end()
    told = [event for event in setup.events if "durable" in event]
    assert sorted(told) == ["a durable 1", "b durable 1"]


def test_a_preparation_that_fails_is_fatal(setup: Setup) -> None:
    def fail() -> None:
        raise LogFailed("the end of the log is not known")

    setup.prepare = fail
    setup.flusher.wake()
    assert len(setup.fatal) == 1
    setup.append(0)
    assert setup.disk.rounds == []
