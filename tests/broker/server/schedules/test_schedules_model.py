"""Schedules of two topics, in any order and with crashes anywhere, against a list of wishes.

The log is compacted, the index lasts, is behind, is lost or damaged. In the end everything that
was confirmed has come once, at its time or later, unless it was cancelled or replaced; and nothing
has come twice.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from random import Random
from unittest.mock import patch

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tapemq.batch import Columns, checksum, decode_columns, encode_body, iter_batches
from tapemq_broker.config import Settings
from tapemq_broker.core.effects import Effects, Request
from tapemq_broker.core.refusal import Refusal
from tapemq_broker.core.results import Done, ScheduleResult
from tapemq_broker.core.schedules.schedule import ONCE, Recurrence
from tapemq_broker.server import log_store
from tapemq_broker.server.schedules import alarm, compaction, firing, indexer, loading
from tapemq_broker.server.schedules.commands import Job, Name, ScheduleCommands
from tapemq_broker.server.schedules.shelf import Volume
from tests.support.models import model_settings
from tests.support.simulation.bench import Bench, data_log
from tests.support.simulation.lasting_index import FailingIndex

pytestmark = pytest.mark.models
TOPICS = ("a", "b")
US = 1_000_000
names = st.sampled_from(TOPICS)
_SETTINGS = Settings(mark_idle_s=0.05)
_REFUSALS = ("overloaded", "disk_full", "unknown_topic", "stale_metadata")


@dataclass
class Wish:
    """``made``: the answer. ``cancel``: "", "asked", "done" or "refused"."""

    values: list[bytes]
    topic_id: int
    partition: int
    due_us: list[int]
    key: bytes
    recurrence: Recurrence
    producer: int
    made: ScheduleResult | None = None
    was_refused: bool = False
    cancel: str = ""
    cancelled_us: int = 0
    before: "Wish | None" = None
    replaced_by: "Wish | None" = None

    @property
    def body(self) -> bytes:
        return encode_body(Columns(self.values), producer_id=self.producer, first_sequence=0)


class ScheduleMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.small = ExitStack()
        for module, name, value in (
            (log_store, "_SCHEDULE_SEGMENT_BYTES", 900),
            (compaction, "_SPARSE", 2),
            (compaction, "_ROWS_AT_ONCE", 3),
            (indexer, "_ENTRIES_AT_ONCE", 2),
            (firing, "_BATCH_RECORDS", 2),
            (alarm, "_ROWS_AT_ONCE", 3),
            (loading, "_READ_BYTES", 500),
        ):
            self.small.enter_context(patch.object(module, name, value))

    @initialize(seed=st.integers(0, 1 << 32))
    def begin(self, seed: int) -> None:
        self.bench = Bench(Random(seed), _SETTINGS)
        self.index = FailingIndex(self.bench.random)
        self.bench.index = self.index.open
        self.wishes: list[Wish] = []
        self.awaited: dict[Request, tuple[str, Wish]] = {}
        self.topic_id = 0
        self.going: set[int] = set()
        self.boot()
        for name in TOPICS:
            self.make(name)
        self.settle(0.1)

    # Life

    def boot(self) -> None:
        bench = self.bench
        for wish in self.wishes:
            if wish.cancel == "asked":
                wish.cancel = "unknown"
        while not bench.boot():
            assert bench.trouble.full or bench.ended == "crash", bench.failure
            bench.trouble.full = False
        assert bench.server is not None
        self.commands = ScheduleCommands(bench.engine, bench.server._schedules)
        self.awaited.clear()
        bench.answers.clear()
        self.check_sound()

    def check_sound(self) -> None:
        for volume in self.volumes():
            assert not volume.damage, volume.damage

    def up(self) -> None:
        if self.bench.server is None:
            self.boot()

    def make(self, name: str) -> None:
        self.topic_id += 1
        self.bench.create(name, 2, self.topic_id)

    def settle(self, seconds: float) -> None:
        self.bench.live(seconds)
        self.see()

    def see(self) -> None:
        for request, result in list(self.bench.answers.items()):
            del self.bench.answers[request]
            if request in self.awaited:
                what, wish = self.awaited.pop(request)
                getattr(self, f"see_{what}")(wish, result)

    # What is answered

    def see_made(self, wish: Wish, result: object) -> None:
        if isinstance(result, ScheduleResult):
            if wish.made is None:
                wish.made = result
                if result.replaced and wish.before is not None:
                    wish.before.replaced_by = wish
            assert wish.made.schedule_id == result.schedule_id
        else:
            assert isinstance(result, Refusal)
            assert result.name in _REFUSALS, result
            wish.was_refused = True

    def see_cancelled(self, wish: Wish, result: object) -> None:
        if isinstance(result, Done):
            assert wish.cancel != "done"
            wish.cancel, wish.cancelled_us = "done", self.bench.clock.wall_us()
        else:
            assert isinstance(result, Refusal)
            wish.cancel = wish.cancel if wish.cancel == "unknown" else ""
            if result.name == "unknown_schedule" and wish.cancel != "unknown":
                wish.cancel = "refused"

    # Rules

    @rule(
        name=names,
        partition=st.integers(0, 1),
        after_s=st.sampled_from([0.0, 0.0, 0.01, 0.5, 2.0, 100.0, 100.0]),
        count=st.sampled_from([1, 1, 1, 3, 7]),
        key=st.sampled_from([b"", b"", b"k", b"l"]),
        every=st.sampled_from([0, 0, 0, 1000]),
        times=st.sampled_from([1, 1, 4]),
    )
    def schedule(
        self,
        name: str,
        partition: int,
        after_s: float,
        count: int,
        key: bytes,
        every: int,
        times: int,
    ) -> None:
        self.up()
        for _ in range(times):
            topic = self.bench.topic(name) if self.bench.server else None
            if topic is None:
                return
            due_us = self.bench.clock.wall_us() + int(after_s * US)
            recurrence = Recurrence(every_ms=every, catch_up="all") if every else ONCE
            count = 1 if key or every else count
            number = len(self.wishes)
            values = [b"%d.%d" % (number, at) for at in range(count)]
            dues = [due_us + at * 1000 for at in range(count)]
            wish = Wish(
                values, topic.info.topic_id, partition, dues, key, recurrence, number + 1000
            )
            same = [w for w in self.wishes if key and (w.topic_id, w.key) == (wish.topic_id, key)]
            wish.before = same[-1] if same else None
            self.wishes.append(wish)
            self.send(wish)

    def send(self, wish: Wish) -> None:
        def command(request: Request) -> Effects:
            later_us = [due - wish.due_us[0] for due in wish.due_us]
            data = wish.body
            self.commands.schedule(
                Job(
                    request,
                    wish.topic_id,
                    wish.partition,
                    data,
                    checksum(data),
                    wish.due_us[0],
                    wish.key,
                    wish.recurrence,
                    later_us,
                )
            )
            return []

        self.awaited[self.bench.ask(command)] = ("made", wish)
        self.see()

    @precondition(lambda self: self.wishes)
    @rule(which=st.integers(0, 1000))
    def retry(self, which: int) -> None:
        """What was not answered, or was: it is the same."""
        self.up()
        wish = self.wishes[-1 - which % min(len(self.wishes), 8)]
        if not wish.key and self.bench.server is not None and not wish.was_refused:
            self.send(wish)

    @precondition(lambda self: self.wishes)
    @rule(which=st.integers(0, 1000))
    def cancel(self, which: int) -> None:
        self.up()
        made = [
            wish
            for wish in self.wishes
            if wish.made and len(wish.values) == 1 and not wish.cancel and not self.is_gone(wish)
        ]
        if not made or self.bench.server is None:
            return
        wish = made[which % len(made)]
        assert wish.made is not None
        name, commands = Name(wish.made.schedule_id, b""), self.commands

        def command(request: Request) -> Effects:
            # Not begun here: the broker may end before it is awaited.
            work = partial(commands.cancel, request, wish.topic_id, name)
            self.bench.engine.spawn(commands.answering(request, work))
            return []

        wish.cancel = "asked"
        self.awaited[self.bench.ask(command)] = ("cancelled", wish)

    def is_gone(self, wish: Wish) -> bool:
        return wish.topic_id in self.going

    @rule(name=names, what=st.integers(0, 9))
    def begin_anew(self, name: str, what: int) -> None:
        """A topic is deleted, now and then, and made again."""
        self.up()
        topic = self.bench.topic(name) if self.bench.server else None
        if topic is None:
            self.make(name)
        elif what == 0:
            self.going.add(topic.info.topic_id)
            self.bench.delete(name)

    @rule(seconds=st.sampled_from([0.0, 0.0002, 0.001, 0.01, 0.6, 3.0]))
    def pass_time(self, seconds: float) -> None:
        self.settle(seconds)

    @rule()
    def stop(self) -> None:
        self.see()
        self.bench.stop()
        self.see()

    @rule(power=st.booleans())
    def kill(self, power: bool) -> None:
        self.see()
        self.bench.die("killed", power=power)

    @rule(steps=st.one_of(st.integers(1, 12), st.integers(1, 100)))
    def crash_soon(self, steps: int) -> None:
        self.bench.trouble.crash_in_steps = steps

    @rule(steps=st.integers(1, 12), seconds=st.sampled_from([1.0, 1.0, 100.0]))
    def crash_while_firing(self, steps: int, seconds: float) -> None:
        self.up()
        self.settle(0.1)
        self.bench.clock.jump(seconds)
        self.bench.trouble.crash_in_steps = steps
        self.settle(1.0)

    @rule(full=st.booleans())
    def fill(self, full: bool) -> None:
        self.bench.trouble.full = full

    @rule(trouble=st.sampled_from(["damaged", "failing"]))
    def spoil_the_index(self, trouble: str) -> None:
        self.index.trouble = trouble

    @rule(seconds=st.sampled_from([1.0, 50.0, 200.0]))
    def set_clock_forward(self, seconds: float) -> None:
        self.bench.clock.jump(seconds)

    def teardown(self) -> None:
        if hasattr(self, "bench"):
            try:
                self.finish()
            finally:
                self.bench.close()
        self.small.close()

    def finish(self) -> None:
        bench = self.bench
        bench.trouble.full, bench.trouble.crash_in_steps, self.index.trouble = False, 0, ""
        self.up()
        self.settle(5.0)
        bench.clock.jump(300.0)
        for _ in range(3):
            self.settle(5.0)
        self.check_sound()
        came = self.came()
        for wish in self.wishes:
            self.check_wish(wish, came)
        assert not self.pending()

    def volumes(self) -> list[Volume]:
        assert self.bench.server is not None
        return list(self.bench.server._schedules.shelf.volumes.values())

    def pending(self) -> int:
        """How many are pending, or firing, of topics without any that come again."""
        again = {wish.topic_id for wish in self.wishes if wish.recurrence.every_ms}
        books = [volume.book for volume in self.volumes() if volume.topic_id not in again]
        return sum(book.count + len(book.firings) for book in books)

    def came(self) -> dict[int, dict[bytes, list[int]]]:
        """By topic and value, when it came."""
        found: dict[int, dict[bytes, list[int]]] = {}
        for topic_id, topic in self.bench.engine.core.topics.by_id.items():
            times = found.setdefault(topic_id, {})
            for number in range(len(topic.partitions)):
                for value, time_us in self.read(topic_id, number):
                    times.setdefault(value, []).append(time_us)
        return found

    def read(self, topic_id: int, number: int) -> Iterator[tuple[bytes, int]]:
        log = self.bench.engine.logs.data(data_log(topic_id, number))
        offset = log.first_offset
        while offset < log.next_offset:
            chunk = log.plan(offset, upto=log.next_offset, max_bytes=4096).run(wait=True)
            assert chunk is not None
            for header, body in iter_batches(chunk.data):
                if header.record_count:
                    for value in decode_columns(body).values:
                        yield bytes(value or b""), header.append_time_us
            offset = chunk.next_offset

    def check_wish(self, wish: Wish, came: dict[int, dict[bytes, list[int]]]) -> None:
        if wish.topic_id not in came:
            assert wish.topic_id in self.going
            return
        for value, due_us in zip(wish.values, wish.due_us, strict=True):
            times = came[wish.topic_id].get(value, [])
            assert all(time_us >= due_us for time_us in times), f"{wish} came at {times}"
            if wish.recurrence.every_ms:
                self.check_recurring(wish, times)
                continue
            assert len(times) <= 1, f"{wish} came at {times}"
            if wish.cancel == "done" or wish.replaced_by is not None:
                assert not times, f"{wish} came at {times}"
            elif wish.made and wish.cancel != "unknown" and not self.may_be_replaced(wish):
                assert times, f"{wish} has not come"

    def may_be_replaced(self, wish: Wish) -> bool:
        """By one that was not answered, or whose answer said so of another one before."""
        behind = [w for w in self.wishes if w.topic_id == wish.topic_id and w.key == wish.key]
        behind = behind[behind.index(wish) + 1 :] if wish.key else []
        return any(w.made is None or w.made.replaced for w in behind)

    def check_recurring(self, wish: Wish, times: list[int]) -> None:
        """Once for each of its times."""
        end_us = self.bench.clock.wall_us()
        first, step = wish.due_us[0], wish.recurrence.every_ms * 1000
        most = max(0, (end_us - first) // step + 1)
        assert len(times) <= most, f"{wish}: {len(times)} times, not {most}"
        if wish.made and not wish.cancel and not self.may_be_replaced(wish):
            until = end_us - 5 * US
            least = max(0, (until - first) // step + 1)
            assert len(times) >= least, f"{wish}: {len(times)} times, not {least}"


TestSchedules = ScheduleMachine.TestCase
TestSchedules.settings = model_settings(10, 40)
