import pytest
from pyroaring import BitMap

from tapemq_broker.core.partition import Partition
from tapemq_broker.core.queue import ledger as module
from tapemq_broker.core.queue.dead import Dead
from tapemq_broker.core.queue.entries import chunk_key, head_key, queue_groups
from tapemq_broker.core.queue.frontier import Frontier
from tapemq_broker.core.queue.ledger import Ledger
from tapemq_broker.core.queue.terms import Terms
from tapemq_broker.core.queue.trouble import Place

DEAD = Dead("r", "", 1, 0, 2, 3, 4)
TERMS = Terms.of({}, 1)


def ledger(records: int = 100, floor: int = 0) -> Ledger:
    partition = Partition(1, 0)
    partition.opened(0, records, records)
    return Ledger("g", partition, TERMS, floor)


class Disk:
    """What was written of a ledger."""

    def __init__(self) -> None:
        self.entries: dict[bytes, bytes] = {}

    def write(self, changes: dict[bytes, bytes | None]) -> None:
        merged = {**self.entries, **changes}
        self.entries = {key: value for key, value in merged.items() if value is not None}

    def load(self, like: Ledger) -> Ledger:
        return Ledger.load("g", like.partition, queue_groups(self.entries)["g"])


def state(found: Ledger) -> tuple[object, ...]:
    assert list(found.troubled_offsets) == sorted(found.troubles)
    settled = [found.is_unsettled(offset) for offset in range(100)]
    dead = sorted(found.dead.items()), {r: sorted(o) for r, o in found.dead_reasons.items()}
    return settled, dead, sorted(found.troubles), sorted(found.revived), found.unsettled()


def eventful() -> Ledger:
    """Something of everything: 3 and 8 settled, 5 in trouble, 2 and 9 dead, 7 lives again."""
    made = ledger()
    made.settled.add(3, 4)
    made.trouble(8)
    made.settle_troubled(8, 9)
    made.trouble(5).failures = 1
    for offset in (2, 7, 9):
        made.bury(offset, DEAD)
    made.revive(7, 99)
    return made


def test_what_is_written_is_what_there_is() -> None:
    found, disk = eventful(), Disk()
    disk.write(found.take_changes())
    assert found.take_changes() == {}
    assert state(disk.load(found)) == state(found)
    found.settle_troubled(5, 6)
    found.settle_troubled(7, 8)
    found.settled.add(0, 2)
    found.forget_dead(9)
    disk.write(found.take_changes())
    assert state(disk.load(found)) == state(found)
    assert found.settled.floor == 4


def test_a_removed_group_leaves_nothing() -> None:
    found, disk = eventful(), Disk()
    disk.write(found.take_changes())
    found.settled.add(0, 2)
    found.settle_troubled(5, 6)
    disk.write(dict.fromkeys(found.part_keys()))
    assert disk.entries.keys() == {head_key(found.group)}


def test_dead_records_that_live_again_are_not_settled_though_below_the_floor() -> None:
    found, disk = ledger(), Disk()
    for offset in range(5):
        found.bury(offset, DEAD)
    trouble = found.revive(3, 77)
    assert (trouble.replays, trouble.not_before_us) == (3, 77)
    assert found.settled.floor == 5
    assert found.is_unsettled(3)
    assert found.unsettled() == 96
    assert found.hold_offset == 0
    for offset in (0, 1, 2, 4):
        found.forget_dead(offset)
    assert found.hold_offset == 3
    disk.write(found.take_changes())
    assert state(disk.load(found)) == state(found)
    found.settle_troubled(3, 4)
    assert (found.hold_offset, found.unsettled()) == (5, 95)


def test_a_seek_forgets_all_but_dead_records_in_front_of_it() -> None:
    found, disk = eventful(), Disk()
    disk.write(found.take_changes())
    found.seek(6)
    disk.write(found.take_changes())
    loaded = disk.load(found)
    assert state(loaded) == state(found)
    assert loaded.seek_epoch == 1
    assert sorted(loaded.dead) == [2]
    assert loaded.unsettled() == 94
    assert not loaded.troubles


def test_what_was_settled_before_a_seek_that_goes_on_is_removed_after_a_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_FORGET_AT_ONCE", 1)
    found, disk = eventful(), Disk()
    disk.write(found.take_changes())
    chunk = chunk_key("g", 0)
    assert chunk in disk.entries
    found.seek(0)
    disk.write({head_key("g"): found.head.encode()})
    loaded = disk.load(found)
    assert loaded.purge_from == 0
    disk.write(loaded.take_changes())
    assert chunk not in disk.entries


def test_a_repaired_log_ends_before_what_was_handled() -> None:
    found, disk = eventful(), Disk()
    found.forget_from(8)
    assert [offset for offset in range(3, 12) if not found.is_unsettled(offset)] == [3]
    assert (sorted(found.dead), sorted(found.troubles)) == ([2], [5, 7])
    found.forget_from(6)
    assert sorted(found.troubles) == [5]
    found.settled.raise_floor(7)
    found.forget_from(4)
    assert (found.settled.floor, found.seek_epoch) == (4, 1)
    disk.write(found.take_changes())
    assert state(disk.load(found)) == state(found)


def test_what_retention_removed_is_counted_if_it_was_needed() -> None:
    found, disk = eventful(), Disk()
    assert found.gone_below(9) == len([0, 1, 4, 5, 6, 7])
    assert found.settled.floor == 10
    assert (sorted(found.dead), found.troubles) == ([9], {})
    assert found.gone_below(9) == 0
    disk.write(found.take_changes())
    assert state(disk.load(found)) == state(found)


def test_what_says_that_a_record_is_dead_is_written_first() -> None:
    found = eventful()
    found.bury(0, DEAD)
    kinds = [key[1:3] for key in found.take_changes()]
    assert kinds == sorted(kinds, key=[b"\0d", b"\0t", b"\0s", b""].index)
    assert kinds[-1] == b""


def test_a_crash_in_between_leaves_a_record_dead() -> None:
    found, disk = eventful(), Disk()
    disk.write(found.take_changes())
    found.bury(5, DEAD)
    changes = found.take_changes()
    first = next(iter(changes))
    disk.write({first: changes[first]})
    loaded = disk.load(found)
    assert 5 in loaded.dead
    assert 5 not in loaded.troubles
    disk.write(loaded.take_changes())
    assert not [key for key in disk.entries if key.startswith(b"g\0t") and key.endswith(b"\5")]


def test_what_a_crash_left_dead_is_settled_and_lives_again_once() -> None:
    """Of very many changes the first batch alone may be on the disk: those that say who is dead."""
    found, disk = eventful(), Disk()
    disk.write(found.take_changes())
    found.bury(5, DEAD)
    changes = found.take_changes()
    disk.write({key: changes[key] for key in list(changes)[:1]})
    loaded = disk.load(found)
    assert not loaded.is_unsettled(5)
    assert loaded.unsettled() == found.unsettled()
    disk.write(loaded.take_changes())
    assert state(disk.load(found)) == state(found)
    loaded.revive(5, 0).place = Place.READY
    supply = Frontier(loaded)
    supply.ready(5)
    taken = [supply.take(9, fresh=True) for _ in range(3)]
    runs = [run for portion in taken if portion is not None for run in portion.runs]
    assert [run for run in runs if run[0] <= 5 < run[1]] == [(5, 6)]


def test_the_newest_trouble() -> None:
    found = eventful()
    assert found.newest_us == 0
    found.trouble(5).last_us = 7
    found.trouble(6).last_us = 3
    assert found.newest_us == 7
    assert ledger().newest_us == 0


def test_nothing_comes_of_a_closed_one() -> None:
    found = eventful()
    found.close()
    assert (found.troubles, found.dead, found.dead_of("r"), len(found.dead_offsets)) == (
        *({}, {}),
        *(found.dead_of("x"), 0),
    )


def test_what_was_loaded_need_not_be_written_again() -> None:
    found, disk = eventful(), Disk()
    disk.write(found.take_changes())
    loaded = disk.load(found)
    assert loaded.take_changes() == {}
    loaded.settled.raise_floor(1)
    assert list(loaded.take_changes()) == [b"g"]


def test_a_crash_before_the_floor_was_written_leaves_what_is_above_it() -> None:
    found, disk = ledger(), Disk()
    found.settled.add(1, 3)
    disk.write(found.take_changes())
    chunk = BitMap([0, 1, 2, 5]).serialize()
    disk.write({chunk_key("g", 0): bytes(chunk)})
    loaded = disk.load(found)
    assert (loaded.settled.floor, loaded.unsettled()) == (3, 96)


def test_what_lives_again_does_so_though_a_repaired_log_ends_earlier() -> None:
    """It is in what is left of the log, and neither dead nor handled."""
    found, disk = ledger(floor=10), Disk()
    for offset in (2, 3, 8):
        found.bury(offset, DEAD)
    for offset in (2, 8):
        found.revive(offset, 99)
    disk.write(found.take_changes())
    loaded = disk.load(found)
    loaded.forget_from(6)
    assert [offset for offset in range(8) if loaded.is_unsettled(offset)] == [2, 6, 7]
    assert (loaded.unsettled_from, list(loaded.revived), list(loaded.dead)) == (2, [2], [3])
    disk.write(loaded.take_changes())
    assert state(disk.load(loaded)) == state(loaded)


def test_a_repaired_log_that_ends_earlier_is_a_seek_while_one_goes_on() -> None:
    found = ledger(floor=10)
    found.bury(4, DEAD)
    found.bury(7, DEAD)
    found.purge_from = 9
    found.forget_from(6)
    assert (found.settled.floor, found.purge_from, list(found.dead_offsets)) == (6, 6, [4])


def test_what_is_settled_above_the_floor_is_not_unsettled() -> None:
    found = ledger()
    found.settled.add(10, 15)
    assert found.unsettled() == 95


def test_a_repaired_log_that_ends_where_all_is_settled_is_no_seek() -> None:
    found = ledger(floor=7)
    found.bury(7, DEAD)
    found.trouble(9)
    found.forget_from(8)
    assert (found.settled.floor, found.seek_epoch, sorted(found.dead)) == (8, 0, [7])
    found = ledger()
    found.trouble(8)
    found.forget_from(8)
    assert found.troubles == {}


def test_what_retention_leaves_keeps_its_trouble() -> None:
    found = ledger()
    for offset in (8, 9):
        found.trouble(offset)
    assert found.gone_below(9) == 9
    assert sorted(found.troubles) == [9]
