"""Anything that can happen to a log, in any order, against a list.

What was durable is never lost and never changes; what was not may go, but only from the end.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from random import Random
from typing import Concatenate, ParamSpec

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tapemq.batch import Header, Kind, decode_columns
from tapemq_broker.storage.clean import CleanEntry
from tapemq_broker.storage.flusher import Flusher
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.record_log import LogSettings
from tapemq_broker.storage.segment_cache import SegmentCache
from tests.support.crashing_disk import Crash
from tests.support.logs import DIRECTORY, LOG_ID, batch_of, read_all
from tests.support.models import model_settings
from tests.support.unreliable_disk import UnreliableDisk

pytestmark = pytest.mark.models

SETTINGS = LogSettings(segment_bytes=700, index_interval_bytes=200)
Records = list[tuple[int, bytes | None]]


class Counter:
    """An observer that notices any batch that it is shown twice, too late, or not at all."""

    def __init__(self) -> None:
        self.next_offset: int | None = None
        self.total = 0

    def restore(self, state: bytes | None) -> None:
        assert self.next_offset is None
        self.next_offset, self.total = map(int, (state or b"-1 0").split())

    def observe(self, header: Header, body: memoryview) -> None:
        if header.kind is not Kind.MARK:
            self.take(header.base_offset, decode_columns(body).values)

    def take(self, base_offset: int, values: Sequence[bytes | None]) -> None:
        assert self.next_offset in (-1, base_offset)
        self.next_offset = base_offset + len(values)
        self.total += sum(len(value or b"") for value in values)

    def snapshot(self) -> bytes:
        return f"{self.next_offset} {self.total}".encode()


P = ParamSpec("P")


def surviving(
    step: "Callable[Concatenate[LogMachine, P], None]",
) -> "Callable[Concatenate[LogMachine, P], None]":
    """Start again when the process dies in this step."""

    @wraps(step)
    def run(machine: "LogMachine", /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            step(machine, *args, **kwargs)
        except Crash:
            machine.crashed(machine.disk.random.random() < 0.5)

    return run


class LogMachine(RuleBasedStateMachine):
    @initialize(random=st.randoms(use_true_random=False))
    def begin(self, random: Random) -> None:
        self.disk = UnreliableDisk(random)
        self.records: Records = []
        self.times: list[int] = []
        self.told = 0
        self.first = 0
        self.may_remove = 0
        self.epoch = 0
        self.now_us = 1
        self.number = 0
        self.open()

    def crashed(self, power: bool) -> None:
        """Start again, maybe more than once."""
        while True:
            if power:
                self.disk.power_cut()
            self.disk.posted.clear()
            self.disk.work_again()
            self.disk.crash_at_times()
            try:
                self.open()
            except Crash:
                power = self.disk.random.random() < 0.5
            else:
                self.disk.work_again()
                return

    def open(self, clean: CleanEntry | None = None) -> None:
        self.observer = Counter()
        self.log = Log.open(
            self.disk,
            DIRECTORY,
            LOG_ID,
            settings=SETTINGS,
            observer=self.observer,
            clean=clean,
            durable_floor=0,
            must_exist=self.told > 0,
            now_us=self.now_us,
            cache=SegmentCache(self.disk, files_max=2, indexes_max=1),
        )
        self.flusher: Flusher[Log] = Flusher(self.disk, self.on_durable, self.on_fatal)
        self.check_opened()

    def check_opened(self) -> None:
        log = self.log
        assert self.told <= log.next_offset <= len(self.records), "durable records are gone"
        assert log.first_offset <= self.may_remove, "more was removed than was asked for"
        assert log.durable_offset == log.next_offset
        assert log.log_epoch >= self.epoch
        del self.records[log.next_offset :], self.times[log.next_offset :]
        self.first, self.epoch = log.first_offset, log.log_epoch
        # From now on it was told: others may have read it.
        self.told = log.next_offset
        expected = self.records[self.first :]
        assert read_all(log, self.first) == expected
        if expected and self.observer.next_offset != -1:
            assert self.observer.next_offset == log.next_offset
        total = sum(len(value or b"") for _, value in self.records)
        assert self.observer.total == total, "what is known of removed records is forgotten"

    def on_durable(self, log: Log, offset: int) -> None:
        assert offset == log.durable_offset >= self.told
        self.told = offset

    def on_fatal(self, reason: str) -> None:
        raise AssertionError(reason)

    @rule(
        batches=st.lists(
            st.lists(st.integers(0, 90), min_size=1, max_size=4), min_size=1, max_size=8
        ),
        step_us=st.integers(-2, 5),
    )
    @surviving
    def append(self, batches: list[list[int]], step_us: int) -> None:
        for sizes in batches:
            self.number += 1
            self.now_us = max(1, self.now_us + step_us)
            values = [(b"%d." % self.number).ljust(size, b"x") for size in sizes]
            base = len(self.records)
            time_us = max(self.now_us, self.log.last_append_time_us)
            # If the process dies in append(), nobody knows whether the batch is there.
            self.records += zip(range(base, base + len(values)), values, strict=True)
            self.times += [time_us] * len(values)
            assert self.log.append(batch_of(*values), self.now_us) == base
            assert self.log.last_append_time_us == time_us
            self.observer.take(base, values)
            self.flusher.dirty(self.log)

    @rule(rounds=st.sampled_from([1, 1, 2, 9]))
    @surviving
    def finish(self, rounds: int) -> None:
        while self.disk.posted and rounds:
            self.disk.posted.popleft()()
            rounds -= 1
        assert self.flusher.idle == (not self.disk.posted)
        assert not self.flusher.idle or self.told == len(self.records)

    @rule()
    @surviving
    def mark(self) -> None:
        self.log.mark(self.now_us)

    @rule()
    @surviving
    def roll(self) -> None:
        if self.log.roll():
            assert self.log.segments()[-1].base_offset == len(self.records)
            self.flusher.dirty(self.log)

    @rule(fraction=st.sampled_from([0.2, 0.5, 0.9, 1.0]))
    @surviving
    def truncate_front(self, fraction: float) -> None:
        offset = int(fraction * self.told)
        self.may_remove = max(self.may_remove, offset)
        self.log.truncate_front(offset)
        assert self.first <= self.log.first_offset <= max(self.first, offset)
        self.first = self.log.first_offset

    @rule(
        fraction=st.floats(0, 1),
        max_bytes=st.sampled_from([0, 100, 300, 10_000]),
        time_us=st.integers(0, 60),
    )
    @surviving
    def look(self, fraction: float, max_bytes: int, time_us: int) -> None:
        offset = self.first + int(fraction * (len(self.records) - self.first))
        assert read_all(self.log, offset, max_bytes=max_bytes) == self.records[offset:]
        found = self.log.offset_at(time_us)
        assert self.first <= found <= len(self.records)
        assert all(at >= time_us for at in self.times[found:])
        assert all(at < time_us for at in self.times[self.first : found])

    @rule(names=st.sampled_from([(), (".state",), (".state", ".index")]))
    def no_room(self, names: tuple[str, ...]) -> None:
        """Small files cannot be written for a while; the log can, where it has room left."""
        self.disk.no_room_for = names

    @rule(power=st.booleans())
    def crash(self, power: bool) -> None:
        """Power is cut, or only the process is killed."""
        self.crashed(power)

    @rule(calls=st.integers(1, 12))
    def crash_soon(self, calls: int) -> None:
        """The process ends in one of the calls of the disk that follow."""
        self.disk.crash_in(calls)

    @rule(note_is_lost=st.booleans(), power_cut=st.booleans())
    @surviving
    def stop(self, note_is_lost: bool, power_cut: bool) -> None:
        self.finish(99)
        entry = self.log.close(clean=True, now_us=self.now_us)
        assert entry is not None
        self.disk.work_again()
        if power_cut:
            self.disk.power_cut()
        self.open(None if note_is_lost else entry)
        assert self.log.next_offset == entry.next_offset

    @invariant()
    def offsets_are_in_order(self) -> None:
        log = self.log
        assert log.first_offset <= log.durable_offset <= log.next_offset == len(self.records)
        assert log.size_bytes == sum(info.size_bytes for info in log.segments())


TestLog = LogMachine.TestCase
TestLog.settings = model_settings(50, 40)
