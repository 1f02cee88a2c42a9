"""A recorded run of a data log and a state log that is cut off at each of its disk calls.

At every one the power goes; of what was not synced a part is there, in sectors, sizes and names.
What is found then must be complete, recover in the same way though that is cut off too, and go on.

The short form cuts at some calls; TEST_LONG=1 (`make faults`) at each, in 20 ways.
"""

from random import Random
from typing import Final

import pytest

from tapemq.batch import Kind, LogId, Role
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.memory_disk import MemoryDisk
from tapemq_broker.storage.record_log import LogSettings
from tapemq_broker.storage.state_log import StateLog
from tests.support.crash.trial import LONG, tell
from tests.support.crashing_disk import Crash, SectorDisk
from tests.support.log_reader import read_log
from tests.support.logs import DIRECTORY, LOG_ID, batch_of, sync
from tests.support.proof.evidence import Evidence

pytestmark = pytest.mark.faults

STEPS: Final = 260
WAYS: Final = 20 if LONG else 2
STRIDE: Final = 1 if LONG else 41
NOW_US: Final = 5_000_000
STATE_ID: Final = LogId(7, 0, Role.GROUPS)
STATE_DIRECTORY: Final = f"{DIRECTORY}.groups"
SETTINGS: Final = LogSettings(segment_bytes=2000, index_interval_bytes=300)


class Run:
    """Draws what it does from a seed. Remembers what it tried, and what a sync has confirmed."""

    def __init__(self, disk: MemoryDisk) -> None:
        self._disk = disk
        self._pick = Random(4)
        self.tried: dict[int, bytes] = {}
        self.batch_ends = {0}
        self.durable_offset = 0
        self.first_offset = 0
        self.states: list[dict[bytes, bytes]] = [{}]
        self.durable_states = 0

    def go(self) -> None:
        """To the end, or to the Crash."""
        data, state = open_data(self._disk), open_state(self._disk)
        for step in range(STEPS):
            self._step(step, data, state)

    def _step(self, step: int, data: Log, state: StateLog) -> None:
        kind = self._pick.choices(("append", "put", "sync", "mark", "truncate"), (9, 6, 8, 2, 1))[0]
        if kind == "append":
            self._append(step, data)
        elif kind == "put":
            self._put(step, state)
        elif kind == "sync":
            self._sync(data, state)
        elif kind == "mark":
            data.mark(NOW_US)
        else:
            self.first_offset = max(self.first_offset, self.durable_offset - 40)
            data.truncate_front(self.first_offset)

    def _append(self, step: int, data: Log) -> None:
        size_bytes = self._pick.choice((5, 60, 900))
        values = [b"%d-%d" % (step, n) + bytes(size_bytes) for n in range(self._pick.randint(1, 4))]
        offset = data.next_offset
        self.tried |= dict(enumerate(values, offset))
        self.batch_ends.add(offset + len(values))
        data.append(batch_of(*values), NOW_US)

    def _put(self, step: int, state: StateLog) -> None:
        changes: dict[bytes, bytes] = {
            b"%d" % self._pick.randrange(9): b"%d" % step + bytes(self._pick.choice((1, 400)))
            for _ in range(self._pick.randint(1, 3))
        }
        self.states.append(self.states[-1] | changes)
        state.put(changes, NOW_US)

    def _sync(self, data: Log, state: StateLog) -> None:
        states = len(self.states) - 1
        sync(data, self._disk)
        self.durable_offset = data.durable_offset
        sync(state.log, self._disk)
        self.durable_states = states


def open_data(disk: MemoryDisk) -> Log:
    return Log.open(disk, DIRECTORY, LOG_ID, settings=SETTINGS, now_us=NOW_US)


def open_state(disk: MemoryDisk) -> StateLog:
    return StateLog.open(
        disk, STATE_DIRECTORY, STATE_ID, Kind.GROUP, now_us=NOW_US, settings=SETTINGS
    )


def test_every_crash_leaves_what_was_confirmed(evidence: Evidence) -> None:
    whole = SectorDisk(Random(0))
    Run(whole).go()
    assert whole.calls > 500
    states = 0
    for call in range(0, whole.calls, STRIDE):
        for way in range(WAYS):
            check(call, way)
            states += 1
    evidence.note("P1", "P7", "P8", "P15", cycles=states, unit="crashes in a recorded run")
    tell(f"{states} crashes at {len(range(0, whole.calls, STRIDE))} of {whole.calls} calls")


def check(call: int, way: int) -> None:
    """Crash, crash in recovery, recover, go on, and lose the power once more."""
    disk = SectorDisk(Random(f"{call}-{way}"), tears=way % 2 == 1)
    disk.crash_at = call
    run = Run(disk)
    with pytest.raises(Crash):
        run.go()
    disk.crash_at = disk.calls + way  # maybe in recovery
    if way % 4:
        disk.power_cut()
    try:
        open_data(disk), open_state(disk)
    except Crash:
        disk.power_cut()
    disk.crash_at = None
    found, state = look(disk, run, f"call {call}, way {way}")
    disk.power_cut()
    assert look(disk, run, f"call {call}, way {way}, once more") == (found, state)
    goes_on(disk, found)


def look(disk: MemoryDisk, run: Run, where: str) -> tuple[dict[int, bytes], dict[bytes, bytes]]:
    """What is there after a recovery; all of it must be what it has to be."""
    log = open_data(disk)
    found = {offset: record.value or b"" for offset, record in read_log(log).items()}
    for offset in range(run.first_offset, run.durable_offset):
        assert offset in found, f"{where}: offset {offset} is lost"
    for offset, value in found.items():
        assert run.tried[offset] == value, f"{where}: another value at {offset}"
    assert log.next_offset in run.batch_ends, f"{where}: part of a batch"
    state = open_state(disk).entries
    assert state in run.states[run.durable_states :], f"{where}: a state that never was"
    return found, state


def goes_on(disk: MemoryDisk, before: dict[int, bytes]) -> None:
    log = open_data(disk)
    offset = log.append(batch_of(b"later"), NOW_US)
    sync(log, disk)
    disk.power_cut()
    found = {at: record.value or b"" for at, record in read_log(open_data(disk)).items()}
    assert found == before | {offset: b"later"}
