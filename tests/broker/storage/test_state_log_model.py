"""Anything that can happen to a log of state, in any order, against a dictionary.

What was durable is never forgotten; of what was not, the log has all up to some put, and no more.
"""

from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from random import Random
from typing import Concatenate, ParamSpec
from unittest.mock import patch

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tapemq.batch import Kind, LogId, Role
from tapemq_broker.storage import last_values, state_log
from tapemq_broker.storage.clean import CleanEntry
from tapemq_broker.storage.errors import LogFull, LogRefused
from tapemq_broker.storage.flusher import Flusher
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.record_log import LogSettings
from tapemq_broker.storage.segment_cache import SegmentCache
from tapemq_broker.storage.state_log import StateLog
from tests.support.crashing_disk import Crash
from tests.support.models import model_settings
from tests.support.unreliable_disk import ALL_FILES, UnreliableDisk

pytestmark = pytest.mark.models

LOG_ID = LogId(3, 0, Role.GROUPS)
DIRECTORY = "topics/default/orders~0000000000000003/0.groups"
Entries = dict[bytes, bytes]
P = ParamSpec("P")


def surviving(
    step: "Callable[Concatenate[StateMachine, P], None]",
) -> "Callable[Concatenate[StateMachine, P], None]":
    """Start again when the process dies in this step."""

    @wraps(step)
    def run(machine: "StateMachine", /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            step(machine, *args, **kwargs)
        except Crash:
            machine.crashed(machine.disk.random.random() < 0.5)

    return run


class StateMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.small = ExitStack()
        self.small.enter_context(patch.object(state_log, "SNAPSHOT_BYTES_MIN", 400))
        self.small.enter_context(patch.object(state_log, "SNAPSHOT_RATIO", 1))
        self.small.enter_context(patch.object(last_values, "PART_BYTES", 60))

    def teardown(self) -> None:
        self.small.close()

    @initialize(random=st.randoms(use_true_random=False))
    def begin(self, random: Random) -> None:
        self.disk = UnreliableDisk(random)
        # What the entries are from an offset on: one item for each put that may be in the log.
        self.history: list[tuple[int, Entries]] = [(0, {})]
        self.told = 0
        self.number = 0
        self.segment_bytes = 700
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
        try:
            self.state = self.opened(clean)
        except LogRefused:
            assert self.disk.no_room_for == ALL_FILES
            self.disk.no_room_for = ()  # as it says, somebody frees some space
            self.state = self.opened(clean)
        self.flusher: Flusher[Log] = Flusher(self.disk, self.on_durable, self.on_fatal)
        self.check_opened()

    def opened(self, clean: CleanEntry | None) -> StateLog:
        return StateLog.open(
            self.disk,
            DIRECTORY,
            LOG_ID,
            Kind.GROUP,
            clean=clean,
            now_us=1,
            settings=LogSettings(segment_bytes=self.segment_bytes, index_interval_bytes=200),
            must_exist=self.told > 0,
            cache=SegmentCache(self.disk, files_max=2, indexes_max=1),
        )

    def check_opened(self) -> None:
        end = self.state.log.next_offset
        assert self.told <= end, "durable changes are gone"
        self.history = [item for item in self.history if item[0] <= end]
        assert self.state.entries == self.history[-1][1]
        self.told = end

    def on_durable(self, log: Log, offset: int) -> None:
        assert offset == log.durable_offset >= self.told
        self.told = offset
        while len(self.history) > 1 and self.history[1][0] <= offset:
            del self.history[0]

    def on_fatal(self, reason: str) -> None:
        raise AssertionError(reason)

    @rule(
        puts=st.lists(
            st.dictionaries(
                st.integers(0, 9), st.sampled_from([None, 0, 10, 90]), min_size=1, max_size=4
            ),
            min_size=1,
            max_size=16,
        )
    )
    @surviving
    def put(self, puts: list[dict[int, int | None]]) -> None:
        for put in puts:
            self.number += 1
            value = b"%d." % self.number
            changes = {
                b"%d" % key: None if size is None else value.ljust(size, b"x")
                for key, size in put.items()
            }
            self.put_one(changes)

    def put_one(self, changes: dict[bytes, bytes | None]) -> None:
        entries = dict(self.history[-1][1])
        for key, value in changes.items():
            entries.pop(key, None)
            if value is not None:
                entries[key] = value
        end = self.state.log.next_offset + len(changes)
        # If the process dies in put(), nobody knows whether the changes are there.
        self.history.append((end, entries))
        try:
            assert self.state.put(changes, 1) == end
        except LogFull:
            assert self.disk.no_room_for
            del self.history[-1]
        else:
            self.flusher.dirty(self.state.log)

    @rule(rounds=st.sampled_from([1, 1, 2, 9]))
    @surviving
    def finish(self, rounds: int) -> None:
        while self.disk.posted and rounds:
            self.disk.posted.popleft()()
            rounds -= 1
        assert not self.flusher.idle or self.told == self.state.log.next_offset

    @rule()
    @surviving
    def mark(self) -> None:
        try:
            self.state.log.mark(1)
        except LogFull:
            assert self.disk.no_room_for == ALL_FILES

    @rule(names=st.sampled_from([(), (".state",), (".state", ".index"), ALL_FILES]))
    def no_room(self, names: tuple[str, ...]) -> None:
        self.disk.no_room_for = names

    @rule(segment_bytes=st.sampled_from([400, 700, 3000]))
    def choose_size(self, segment_bytes: int) -> None:
        """From the next start on."""
        self.segment_bytes = segment_bytes

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
        entry = self.state.close(clean=True, now_us=1)
        assert entry is not None
        self.disk.work_again()
        if power_cut:
            self.disk.power_cut()
        self.open(None if note_is_lost else entry)
        assert self.state.log.next_offset == entry.next_offset

    @invariant()
    def entries_are_those_of_the_last_put(self) -> None:
        assert self.state.entries == self.history[-1][1]


TestStateLog = StateMachine.TestCase
TestStateLog.settings = model_settings(30, 40)
