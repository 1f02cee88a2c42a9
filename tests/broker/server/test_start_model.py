"""Starts and stops that succeed, fail or are cut short, in any order, with several topics.

What is asserted: no start number is served with twice; what was confirmed is there; nothing is
refused that nobody has damaged; and a log is taken for cleanly closed only if nothing has been
written to it since a stop that came to its end.
"""

from random import Random

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tapemq.batch import LogId
from tapemq_broker.config import Settings
from tapemq_broker.core.effects import Request
from tapemq_broker.core.results import Done, PublishResult, TopicInfo
from tapemq_broker.server.logs import Logs
from tapemq_broker.storage.decision import Row
from tapemq_broker.storage.log import Log
from tests.support.models import model_settings
from tests.support.simulation.bench import Bench, data_log

pytestmark = pytest.mark.models
NAMES = ("a", "b", "c")
_SETTINGS = Settings(segment_bytes=4096, mark_idle_s=0.05)


class StartMachine(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 1 << 32))
    def begin(self, seed: int) -> None:
        self.bench = Bench(Random(seed), _SETTINGS)
        self.epochs: list[int] = []
        self.topic_id = 0
        self.number = 0
        self.awaited: dict[Request, tuple[str, int, int]] = {}
        # Confirmed: topics by id and name; the values of their partitions.
        self.topics: dict[int, tuple[str, int]] = {}
        self.values: dict[LogId, dict[int, bytes]] = {}
        self.sent: dict[Request, bytes] = {}
        # Of which a deletion was asked for.
        self.going: set[int] = set()
        self.sizes: dict[LogId, tuple[int, int]] = {}
        self.boot()

    def teardown(self) -> None:
        if hasattr(self, "bench"):
            self.bench.trouble.full, self.bench.trouble.crash_in_steps = False, 0
            self.bench.trouble.sync_errors = 0
            if self.bench.server is not None:
                self.settle(1.0)  # a sync that fails may be under way, and ends the broker
            if self.bench.server is None:
                assert self.boot(), self.bench.failure
                self.settle(1.0)
            self.check_records()
            self.bench.close()

    # Life

    def boot(self) -> bool:
        self.awaited.clear()
        self.sent.clear()
        bench = self.bench
        if not bench.boot():
            return False
        server = bench.server
        assert server is not None
        epoch = server._identity.boot_epoch
        assert epoch not in self.epochs, "a start number is given twice"
        assert not self.epochs or epoch > max(self.epochs)
        self.epochs.append(epoch)
        self.check_logs()
        return True

    def check_logs(self) -> None:
        engine = self.bench.engine
        for topic in engine.core.topics.by_id.values():
            for partition in topic.partitions:
                assert not partition.groups_damage, partition.groups_damage
        assert not engine.core.topics.refused
        for log_id, log in logs_in(engine.logs).items():
            if log.recovered.row is Row.CLEAN:
                end = log.recovered.end
                noted = self.sizes.get(log_id)
                assert noted == (end.next_offset, end.next_batch), f"{log_id}: {noted}, {end}"
        self.check_records()

    def check_records(self) -> None:
        topics = self.bench.engine.core.topics.by_id
        for topic_id, (name, partitions) in self.topics.items():
            if topic_id in self.going and topic_id not in topics:
                continue
            assert topic_id in topics, f"{name} is gone"
            assert len(topics[topic_id].partitions) >= partitions
            for number in range(partitions):
                log = data_log(topic_id, number)
                ends = [offset + 1 for offset in self.values.get(log, {})]
                assert topics[topic_id].partitions[number].next_offset >= max(ends, default=0)
        for topic_id in topics:
            assert topic_id not in self.gone(), "a deleted topic is there again"

    def gone(self) -> set[int]:
        return {topic_id for topic_id in self.going if topic_id not in self.topics}

    def settle(self, seconds: float) -> None:
        self.bench.live(seconds)
        self.see()

    def see(self) -> None:
        for request, result in list(self.bench.answers.items()):
            del self.bench.answers[request]
            what, topic_id, number = self.awaited.pop(request, ("", 0, 0))
            if isinstance(result, TopicInfo):
                self.topics[topic_id] = (result.name, result.partitions)
            elif isinstance(result, PublishResult):
                log = data_log(topic_id, number)
                self.values.setdefault(log, {})[result.base_offset] = self.sent[request]
            elif isinstance(result, Done) and what == "delete":
                self.topics.pop(topic_id, None)

    # Rules

    @rule(seconds=st.sampled_from([0.0, 0.0001, 0.001, 0.2, 3.0]))
    def pass_time(self, seconds: float) -> None:
        self.settle(seconds)

    @precondition(lambda self: self.bench.server is not None)
    @rule(name=st.sampled_from(NAMES), partitions=st.integers(1, 3))
    def create(self, name: str, partitions: int) -> None:
        self.topic_id += 1
        request = self.bench.create(name, partitions, self.topic_id)
        self.awaited[request] = ("create", self.topic_id, partitions)
        self.see()

    @precondition(lambda self: self.bench.server is not None)
    @rule(name=st.sampled_from(NAMES))
    def delete(self, name: str) -> None:
        topic = self.bench.topic(name)
        if topic is not None:
            topic_id = topic.info.topic_id
            self.going.add(topic_id)
            request = self.bench.delete(name)
            self.awaited[request] = ("delete", topic_id, 0)
        self.see()

    @precondition(lambda self: self.bench.server is not None)
    @rule(name=st.sampled_from(NAMES), number=st.integers(0, 2), count=st.sampled_from([1, 1, 9]))
    def publish(self, name: str, number: int, count: int) -> None:
        topic = self.bench.topic(name)
        for _ in range(count):
            if topic is None or self.bench.server is None:
                break
            number %= len(topic.partitions)
            self.number += 1
            value = b"%d" % self.number
            request = self.bench.publish(topic.info.topic_id, number, value.ljust(300, b"."))
            self.awaited[request] = ("publish", topic.info.topic_id, number)
            self.sent[request] = value
        self.see()

    @precondition(lambda self: self.bench.server is None)
    @rule()
    def start(self) -> None:
        self.boot()

    @rule()
    def stop(self) -> None:
        self.see()
        bench = self.bench
        if bench.server is None:
            return
        logs = bench.engine.logs
        bench.stop()  # it may be noted though it is cut short
        self.sizes = {
            log_id: (log._end.next_offset, log._end.next_batch)
            for log_id, log in logs_in(logs).items()
        }
        self.see()

    @rule(power=st.booleans())
    def kill(self, power: bool) -> None:
        self.see()
        self.bench.die("killed", power=power)

    @rule(steps=st.one_of(st.integers(1, 12), st.integers(1, 200)))
    def crash_soon(self, steps: int) -> None:
        self.bench.trouble.crash_in_steps = steps

    @rule(errors=st.sampled_from([1, 1, 0]))
    def syncs_fail(self, errors: int) -> None:
        self.bench.trouble.sync_errors = errors

    @rule(full=st.booleans())
    def fill(self, full: bool) -> None:
        self.bench.trouble.full = full

    @invariant()
    def nothing_is_strange(self) -> None:
        if hasattr(self, "bench") and self.bench.failure is not None:
            why = str(self.bench.failure)
            assert isinstance(self.bench.failure, OSError) or "free some space" in why.lower(), why


def logs_in(logs: Logs) -> dict[LogId, Log]:
    """All logs that are, or were, in use."""
    found = {**logs._data, **logs._schedules}
    return found | {log_id: state.log for log_id, state in logs._states.items()}


TestStart = StartMachine.TestCase
TestStart.settings = model_settings(20, 30)
