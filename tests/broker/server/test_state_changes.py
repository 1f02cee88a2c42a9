"""Changes of state gather, go out together, and are kept where the disk is full."""

from collections.abc import Mapping

import pytest

from tapemq.batch import COUNT_MAX, LogId, Role
from tapemq_broker.server.state_changes import (
    BATCH_BYTES,
    BATCH_ENTRIES,
    Changes,
    StateChanges,
    batches_of,
)
from tapemq_broker.storage.errors import LogFull

LOG = LogId(1, 0, Role.GROUPS)
SISTER = LogId(1, 1, Role.GROUPS)
STRANGER = LogId(2, 0, Role.GROUPS)


class Setup:
    """A core that has changes, and logs of which some are full."""

    def __init__(self) -> None:
        self.changed: dict[LogId, Changes] = {}
        self.full: set[LogId] = set()
        self.refused = 0
        self.batches: list[tuple[LogId, dict[bytes, bytes | None]]] = []
        self.changes = StateChanges(self._take, self._put)

    def change(self, log_id: LogId, changes: Changes) -> None:
        self.changed[log_id] = {**self.changed.get(log_id, {}), **changes}
        self.changes.note(log_id)

    def _take(self, log_id: LogId) -> Changes:
        return self.changed.pop(log_id)

    def _put(self, log_id: LogId, changes: Mapping[bytes, bytes | None]) -> None:
        if log_id in self.full:
            self.refused += 1
            raise LogFull("no room")
        self.batches.append((log_id, dict(changes)))


def test_what_gathers_is_one_batch_of_each_log() -> None:
    setup = Setup()
    setup.change(LOG, {b"a": b"1"})
    setup.change(SISTER, {b"a": b"1"})
    setup.change(LOG, {b"a": b"2", b"b": None})
    assert setup.changes
    assert setup.batches == []
    assert setup.changes.write() == {1}
    assert setup.batches == [(LOG, {b"a": b"2", b"b": None}), (SISTER, {b"a": b"1"})]
    assert not setup.changes
    assert setup.changes.write() == set()
    assert len(setup.batches) == 2


def test_a_topic_is_held_back_until_all_its_logs_are_written() -> None:
    setup = Setup()
    setup.full = {SISTER}
    for log_id in (STRANGER, LOG, SISTER):
        setup.change(log_id, {b"a": b"1"})
    assert setup.changes.write() == {2}
    assert setup.changes.holds_back(1)
    assert not setup.changes.holds_back(2)
    setup.full = set()
    assert setup.changes.write() == {1}
    assert [log_id for log_id, _ in setup.batches] == [STRANGER, LOG, SISTER]
    assert not setup.changes.holds_back(1)


def test_what_a_full_disk_refuses_goes_with_what_changes_later() -> None:
    setup = Setup()
    setup.full = {LOG}
    setup.change(LOG, {b"a": b"1", b"b": b"1"})
    assert setup.changes.write() == set()
    setup.change(LOG, {b"a": None})
    setup.full = set()
    assert setup.changes.write() == {1}
    assert setup.batches == [(LOG, {b"a": None, b"b": b"1"})]


def test_a_full_disk_is_tried_once_each_time() -> None:
    setup = Setup()
    setup.full = {LOG, SISTER, STRANGER}
    for log_id in setup.full:
        setup.change(log_id, {b"a": b"1"})
    for attempt in range(1, 4):
        assert setup.changes.write() == set()
        assert setup.refused == attempt


def test_a_removed_log_is_not_written() -> None:
    setup = Setup()
    setup.full = {LOG}
    setup.change(LOG, {b"a": b"1"})
    setup.changes.write()
    setup.change(SISTER, {b"a": b"1"})
    setup.changes.forget(LOG)
    assert setup.changes.holds_back(1)
    setup.changes.forget(SISTER)
    assert not setup.changes
    setup.full = set()
    assert setup.changes.write() == set()
    assert setup.batches == []


def test_many_changes_are_several_batches_and_removals_come_last() -> None:
    setup = Setup()
    gone: dict[bytes, bytes | None] = {b"gone %d" % number: None for number in range(50)}
    new: dict[bytes, bytes | None] = {b"new %d" % number: bytes(50_000) for number in range(50)}
    setup.change(LOG, {**gone, **new})
    setup.changes.write()
    sizes = [sum(len(value or b"") for value in batch.values()) for _, batch in setup.batches]
    assert [size >= BATCH_BYTES - 50 * 60 for size in sizes] == [True, True, False]
    keys = [key for _, batch in setup.batches for key in batch]
    assert keys == [*new, *gone]


def test_a_batch_never_has_more_entries_than_it_takes() -> None:
    """Removals are small: a megabyte of them is more than 65,535."""
    setup = Setup()
    setup.change(LOG, {b"gone %d" % number: None for number in range(2 * COUNT_MAX)})
    setup.changes.write()
    assert max(len(batch) for _, batch in setup.batches) <= COUNT_MAX
    assert sum(len(batch) for _, batch in setup.batches) == 2 * COUNT_MAX


@pytest.mark.parametrize("count", [BATCH_ENTRIES, 2 * BATCH_ENTRIES])
def test_no_batch_is_empty(count: int) -> None:
    changes = dict.fromkeys(b"%d" % number for number in range(count))
    sizes = [len(batch) for batch in batches_of(changes)]
    assert sizes == [BATCH_ENTRIES] * (count // BATCH_ENTRIES)
