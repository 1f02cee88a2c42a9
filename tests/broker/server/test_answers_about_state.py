"""What the core changed is on disk before its answer leaves; a full disk makes it wait."""

import pytest

from tapemq.batch import LogId, Role
from tapemq.wire import messages as m
from tapemq.wire.errors import ERRORS
from tapemq_broker.config import Settings
from tapemq_broker.core import effects as e
from tapemq_broker.core.broker import Broker
from tapemq_broker.core.results import Done, TopicInfo
from tapemq_broker.server.counters import Counters
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.logs import Logs
from tapemq_broker.server.sessions import Sessions
from tapemq_broker.server.startup import limits_of
from tapemq_broker.storage.directory import DataDirectory
from tapemq_broker.storage.errors import LogFull
from tests.support.full_disk import FullDisk
from tests.support.running_server import memory_world

TOPIC = TopicInfo("t", 1, 2, 1, {})
FIRST = LogId(1, 0, Role.GROUPS)
SECOND = LogId(1, 1, Role.GROUPS)


class Setup:
    """An engine whose disk syncs when the test says so, and a core that changes what it says."""

    def __init__(self) -> None:
        self.disk = FullDisk()
        self.world = memory_world(self.disk)
        self.logs = self.open_logs()
        self.logs.add_state(self.logs.store.open_catalog(None))
        self.logs.add(self.logs.store.make_topic(TOPIC, 0))
        sessions = Sessions(Settings(), self.world.clock, Counters())
        core = Broker(1, limits_of(Settings()))
        self.engine = Engine(self.world, core, self.logs, sessions)
        self.logs.take_changes = lambda log_id: self.changed.pop(log_id, {})
        self.engine.answer = self._answer  # type: ignore[method-assign]
        self.messages: list[m.Message] = []
        self.changed: dict[LogId, dict[bytes, bytes | None]] = {}
        self.answers: list[int] = []
        self.numbers = 0

    def _answer(
        self, request: e.Request, message: m.Message, payload: memoryview | None = None
    ) -> None:
        self.messages.append(message)
        self.answers.append(request.correlation)

    def open_logs(self) -> Logs:
        return Logs(self.world, DataDirectory.open(self.disk, bytes(16)), Settings())

    def change(self, *logs: LogId) -> None:
        """A command that changes logs, and is answered when all of that is on disk."""
        self.numbers += 1
        effects: e.Effects = []
        for log_id in logs:
            self.changed.setdefault(log_id, {})[b"%d" % self.numbers] = b"x"
            effects.append(e.StateChanged(log_id))
        request = e.Request(1, self.numbers)
        effects.append(e.ReplyWhenDurable(logs[-1], None, request, Done()))
        self.engine.run(effects)

    def end_round(self) -> None:
        self.disk.posted.popleft()()

    def found(self, log_id: LogId) -> set[int]:
        """The changes of a log that the next start would find."""
        self.disk.power_cut()
        groups = self.open_logs().store.open_groups(
            TOPIC, log_id.partition, clean=None, must_exist=True
        )
        return {int(key) for key in groups.entries}


@pytest.fixture
async def setup() -> Setup:
    return Setup()


async def test_answers_wait_for_the_round_that_has_their_changes(setup: Setup) -> None:
    setup.change(FIRST)
    setup.change(FIRST)
    setup.change(FIRST)
    assert setup.answers == []
    setup.end_round()
    assert setup.answers == [1]
    setup.end_round()
    assert setup.answers == [1, 2, 3]
    assert setup.logs.flusher.rounds == 2
    assert setup.logs.next_offset(FIRST) == 3


async def test_one_answer_stands_for_changes_in_several_logs(setup: Setup) -> None:
    setup.change(FIRST)
    setup.change(SECOND, FIRST)
    setup.end_round()
    assert setup.answers == [1]
    setup.end_round()
    assert setup.answers == [1, 2]
    assert setup.found(SECOND) == {2}


@pytest.mark.parametrize("rounds", [0, 1, 2])
async def test_a_power_cut_takes_nothing_that_was_answered(setup: Setup, rounds: int) -> None:
    for _ in range(4):
        setup.change(FIRST)
    for _ in range(rounds):
        setup.end_round()
    answered = set(setup.answers)
    assert len(answered) == [0, 1, 4][rounds]
    assert setup.found(FIRST) == answered


async def test_a_full_disk_refuses_nobody_and_loses_nothing(setup: Setup) -> None:
    setup.disk.full = True
    setup.change(FIRST, SECOND)
    setup.change(FIRST)
    setup.logs.write_soon()
    assert not setup.disk.posted
    setup.disk.full = False
    assert setup.answers == []
    setup.logs.write_soon()
    setup.end_round()
    assert sorted(setup.answers) == [1, 2]
    assert setup.found(FIRST) == {1, 2}


async def test_what_a_full_disk_kept_out_does_not_undo_what_is_put_later(setup: Setup) -> None:
    """A group that was deleted would be there again after the next start, with its old records."""
    setup.disk.full = True
    setup.change(FIRST, SECOND)
    setup.logs.write_soon()
    removal = [e.PutState(log_id, {b"1": None}) for log_id in (FIRST, SECOND)]
    setup.disk.room_for = 1
    with pytest.raises(LogFull):
        setup.logs.put_all(removal, 0)
    setup.disk.full = False
    setup.logs.put_all(removal, 0)
    setup.logs.write_soon()
    while setup.disk.posted:
        setup.end_round()
    assert setup.answers == [1]
    assert setup.found(FIRST) == set()
    assert setup.found(SECOND) == set()


async def test_an_answer_waits_for_the_log_that_met_a_full_disk(setup: Setup) -> None:
    setup.disk.full = True
    setup.disk.room_for = 1
    setup.change(FIRST, SECOND)
    setup.end_round()
    assert setup.answers == []
    assert setup.logs.durable_offset(FIRST) == 1
    setup.disk.full = False
    setup.logs.write_soon()
    setup.end_round()
    setup.engine.run([])
    assert setup.answers == [1]


@pytest.mark.parametrize("room_for", [0, 1])
async def test_an_answer_waits_for_what_a_full_disk_kept_out_of_another_log(
    setup: Setup, room_for: int
) -> None:
    """A stream group's commit beside a queue group whose changes wait for the disk as well."""
    setup.disk.full = True
    setup.change(FIRST)
    effects: e.Effects = [
        e.PutState(SECOND, {b"2": b"x"}),
        e.ReplyWhenDurable(SECOND, None, e.Request(1, 2), Done()),
    ]
    setup.engine.run(effects)
    setup.disk.room_for = room_for
    setup.logs.write_soon()
    while setup.disk.posted:
        setup.end_round()
    assert setup.answers == []
    setup.disk.full = False
    setup.logs.write_soon()
    while setup.disk.posted:
        setup.end_round()
    setup.engine.run([])
    assert sorted(setup.answers) == [1, 2]
    assert setup.found(SECOND) == {2}


async def test_news_of_an_earlier_round_lets_go_of_nothing_that_this_round_syncs(
    setup: Setup,
) -> None:
    setup.disk.full = True
    setup.disk.room_for = 1
    for log_id in (FIRST, SECOND):
        setup.changed[log_id] = {b"9": b"x"}
    setup.logs.state_changed(FIRST)
    setup.change(SECOND, FIRST)  # its answer waits for the first log, which is written first
    setup.disk.full = False
    setup.logs.write_soon()
    setup.end_round()
    assert (setup.answers, setup.logs.durable_offset(SECOND)) == ([], 0)
    setup.end_round()
    assert (setup.answers, setup.logs.durable_offset(SECOND)) == ([1], 2)


async def test_room_that_comes_back_with_a_change_of_settings_is_used_once(setup: Setup) -> None:
    setup.disk.full = True
    setup.change(FIRST)
    setup.disk.full = False
    setup.logs.put_all([e.PutState(FIRST, {b"2": b"y"})], 0)
    setup.end_round()
    assert setup.answers == [1]
    assert setup.found(FIRST) == {1, 2}


async def test_a_change_that_was_refused_is_taken_back_when_there_is_room(setup: Setup) -> None:
    setup.change(FIRST, SECOND)
    setup.end_round()
    setup.disk.full = True
    setup.disk.room_for = 1
    removal = [e.PutState(log_id, {b"1": None}) for log_id in (FIRST, SECOND)]
    with pytest.raises(LogFull):
        setup.logs.put_all(removal, 0)
    setup.disk.full = False
    setup.logs.write_soon()
    while setup.disk.posted:
        setup.end_round()
    assert setup.found(FIRST) == {1}
    assert setup.found(SECOND) == {1}


async def test_a_deadline_comes_before_a_disk_that_stays_full(setup: Setup) -> None:
    setup.disk.full = True
    answer = e.ReplyWhenDurable(FIRST, None, e.Request(1, 1, 5.0), Done())
    effects: e.Effects = [e.StateChanged(FIRST), answer]
    setup.engine.run(effects)
    setup.engine.expire_requests(5.0)
    assert [type(message) for message in setup.messages] == [m.Failure]


async def test_what_goes_on_when_durable_comes_once_and_in_time(setup: Setup) -> None:
    calls: list[str] = []

    def then(name: str) -> e.WhenDurable:
        def call() -> e.Effects:
            calls.append(name)
            return []

        return e.WhenDurable(FIRST, call)

    setup.engine.run(effects_of(then("nothing to wait for")))
    assert calls == ["nothing to wait for"]
    setup.changed[FIRST] = {b"1": b"x"}
    setup.engine.run(effects_of(e.StateChanged(FIRST), then("changed")))
    assert len(calls) == 1
    setup.end_round()
    assert calls[1:] == ["changed"]


def step(deadline: float, gone_on: list[str]) -> e.WhenDurable:
    """A step of work for a request; which way it went on."""

    def then() -> e.Effects:
        gone_on.append("asked")
        return [e.Reply(e.Request(1, 1, deadline), Done())]

    def unasked() -> e.Effects:
        gone_on.append("unasked")
        return []

    return e.WhenDurable(FIRST, then, e.Request(1, 1, deadline), unasked)


async def test_work_in_steps_is_answered_once_at_its_end_or_its_deadline(setup: Setup) -> None:
    for deadline in (5.0, 9.0):
        gone_on: list[str] = []
        setup.messages.clear()
        setup.changed[FIRST] = {b"1": b"%f" % deadline}
        setup.engine.run(effects_of(e.StateChanged(FIRST), step(deadline, gone_on)))
        setup.engine.expire_requests(5.0)
        setup.end_round()
        setup.engine.expire_requests(99.0)
        assert gone_on == ["unasked" if deadline == 5.0 else "asked"]
        (message,) = setup.messages
        assert isinstance(message, m.Failure if deadline == 5.0 else m.Done)


@pytest.mark.parametrize("deadline", [5.0, 9.0])
async def test_work_in_steps_is_refused_once_when_its_topic_is_deleted(
    setup: Setup, deadline: float
) -> None:
    gone_on: list[str] = []
    setup.disk.full = True
    setup.changed[FIRST] = {b"1": b"x"}
    setup.engine.run(effects_of(e.StateChanged(FIRST), step(deadline, gone_on)))
    setup.engine.expire_requests(5.0)
    setup.engine.run(effects_of(e.RemoveTopic(TOPIC)))
    await setup.engine.tasks_done()
    setup.engine.expire_requests(99.0)
    assert gone_on == []
    (message,) = setup.messages
    assert isinstance(message, m.Failure)
    name = "deadline_exceeded" if deadline == 5.0 else "unknown_topic"
    assert ERRORS[message.code].name == name


def effects_of(*effects: e.Effect) -> e.Effects:
    return list(effects)


async def test_changes_of_a_removed_topic_are_void(setup: Setup) -> None:
    setup.change(FIRST)
    setup.change(FIRST)
    setup.logs.forget_topic(TOPIC)
    setup.end_round()
    setup.engine.run(effects_of(e.StateChanged(SECOND)))
    assert not setup.disk.posted
