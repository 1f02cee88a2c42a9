import pickle
from typing import Any

import msgpack
import pytest

from tapemq_broker.core import producers as module
from tapemq_broker.core.packed import BadEntry
from tapemq_broker.core.producers import WINDOW_BATCHES, Producers, Remembered
from tapemq_broker.core.refusal import Refused
from tests.support.bodies import prefix

DAY_US = 24 * 3600 * 1_000_000


def refusal(producers: Producers, sequence: int, count: int = 1, **who: int) -> str:
    with pytest.raises(Refused) as caught:
        producers.check(prefix(sequence, count, **who))
    return caught.value.refusal.name


def appended(producers: Producers, offset: int, *batches: tuple[int, int], **who: int) -> None:
    """Batches (sequence, count) of a producer get into the log, one behind the other."""
    for sequence, count in batches:
        found = prefix(sequence, count, **who)
        assert producers.check(found) is None
        producers.observe(found, offset, 1)
        offset += count


@pytest.fixture
def producers() -> Producers:
    """Batches of 3, 2 and 1 records at offsets 100, 103 and 105."""
    made = Producers()
    appended(made, 100, (0, 3), (3, 2), (5, 1))
    return made


def test_next_batch_is_new(producers: Producers) -> None:
    assert producers.check(prefix(6, 4)) is None


@pytest.mark.parametrize(("sequence", "count", "offset"), [(0, 3, 100), (3, 2, 103), (5, 1, 105)])
def test_retry_finds_the_first_try(
    producers: Producers, sequence: int, count: int, offset: int
) -> None:
    found = producers.check(prefix(sequence, count))
    assert found == Remembered(sequence, count, offset)
    assert (found.next_sequence, found.next_offset) == (sequence + count, offset + count)


def test_gap_is_out_of_order(producers: Producers) -> None:
    assert refusal(producers, 7) == "out_of_order"


@pytest.mark.parametrize(("sequence", "count"), [(0, 2), (0, 5), (1, 1), (3, 3), (4, 1), (5, 2)])
def test_other_boundaries_are_a_bad_request(
    producers: Producers, sequence: int, count: int
) -> None:
    assert refusal(producers, sequence, count) == "bad_request"


def test_stranger_begins_at_0(producers: Producers) -> None:
    assert producers.check(prefix(0, producer=2)) is None
    assert refusal(producers, 1, producer=2) == "unknown_producer"


def test_nobody_is_not_counted(producers: Producers) -> None:
    producers.observe(prefix(9, producer=0), 106, 1)
    assert producers.check(prefix(5, producer=0)) is None
    assert len(producers) == 1


def test_raised_epoch_begins_at_0_and_fences_the_old_one(producers: Producers) -> None:
    assert refusal(producers, 6, epoch=1) == "unknown_producer"
    appended(producers, 106, (0, 1), epoch=1)
    assert refusal(producers, 6) == "fenced"
    assert refusal(producers, 0, 3) == "fenced"
    assert producers.check(prefix(0, epoch=1)) == Remembered(0, 1, 106)


def test_window_is_the_last_batches() -> None:
    assert WINDOW_BATCHES == 64  # as the protocol has it
    producers = Producers()
    appended(producers, 0, *[(sequence, 1) for sequence in range(WINDOW_BATCHES + 1)])
    assert refusal(producers, 0) == "unknown_producer"
    assert producers.check(prefix(1)) == Remembered(1, 1, 1)


def test_refused_batch_is_taken_back(producers: Producers) -> None:
    producers.forget_from(105)
    assert refusal(producers, 6) == "out_of_order"
    assert producers.check(prefix(5, 1)) is None
    assert producers.check(prefix(3, 2)) == Remembered(3, 2, 103)


def test_refused_first_batch_makes_the_later_ones_out_of_order() -> None:
    """Not unknown_producer: that would end a producer whose first batch met a full disk."""
    producers = Producers()
    appended(producers, 0, (0, 2))
    producers.forget_from(0)
    assert refusal(producers, 2) == "out_of_order"
    assert producers.check(prefix(0, 2)) is None


def test_refused_batch_of_a_raised_epoch_goes_on_fencing(producers: Producers) -> None:
    appended(producers, 106, (0, 1), epoch=1)
    producers.forget_from(106)
    assert refusal(producers, 0, 3) == "fenced"
    assert producers.check(prefix(0, epoch=1)) is None


def test_several_batches_of_several_producers_are_taken_back() -> None:
    producers = Producers()
    appended(producers, 0, (0, 1), producer=1)
    appended(producers, 1, (0, 1), producer=2)
    appended(producers, 2, (1, 1), producer=1)
    producers.forget_from(1)
    assert producers.check(prefix(0, producer=2)) is None
    assert producers.check(prefix(1, producer=1)) is None
    assert producers.check(prefix(0, producer=1)) == Remembered(0, 1, 0)
    producers.forget_from(0)
    assert producers.check(prefix(0, producer=1)) is None


def test_more_than_the_window_is_taken_back() -> None:
    producers = Producers()
    appended(producers, 0, *[(sequence, 1) for sequence in range(WINDOW_BATCHES + 2)])
    producers.forget_from(0)
    assert refusal(producers, WINDOW_BATCHES) == "out_of_order"
    assert refusal(producers, 1) == "unknown_producer"
    assert producers.check(prefix(2)) is None


def test_snapshot_restores_all(producers: Producers) -> None:
    appended(producers, 106, (0, 1), producer=2, epoch=3)
    restored = Producers()
    restored.restore(producers.snapshot())
    assert restored.check(prefix(3, 2)) == Remembered(3, 2, 103)
    assert restored.check(prefix(6)) is None
    assert refusal(restored, 1, producer=2, epoch=2) == "fenced"
    assert restored.snapshot() == producers.snapshot()
    restored.restore(None)
    assert len(restored) == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [(0, 2), (1, "middle"), (2, None), (2, [[1, 0, 0, 0, 0]]), (2, [[1, 0, 0, 0, 0, b"123"]])],
)
def test_snapshot_of_another_broker_is_refused(field: int, value: Any) -> None:
    fields = msgpack.unpackb(Producers().snapshot())
    fields[field] = value
    with pytest.raises(BadEntry):
        Producers().restore(msgpack.packb(fields))


def test_batch_in_the_snapshot_and_behind_it_is_remembered_once(producers: Producers) -> None:
    """A segment rolls when its first batch was given its place already."""
    restored = Producers()
    restored.restore(producers.snapshot())
    restored.observe(prefix(5, 1), 105, 1)
    assert restored.snapshot() == producers.snapshot()


def test_batch_in_the_snapshot_that_the_disk_refused_is_no_duplicate(producers: Producers) -> None:
    """What the log has at that offset is another one's batch, so this one was never stored."""
    for other in (2, 0):
        restored = Producers()
        restored.restore(producers.snapshot())
        restored.observe(prefix(0, producer=other), 105, 1)
        assert restored.check(prefix(5, 1)) is None


def test_producer_that_only_the_snapshot_knows_is_a_stranger_after_a_start(
    producers: Producers,
) -> None:
    appended(producers, 106, (0, 1), producer=9)
    started = Producers()
    started.restore(producers.snapshot())
    started.forget_from(106)  # a batch was about to be written when the snapshot was taken
    started.forget_empty()
    assert refusal(started, 1, producer=9) == "unknown_producer"
    assert started.check(prefix(5, 1)) == Remembered(5, 1, 105)


@pytest.mark.parametrize("refused", [(), (1,), (1, 2)])
def test_snapshot_keeps_the_epoch_that_the_log_holds(
    producers: Producers, refused: tuple[int, ...]
) -> None:
    """A raised epoch whose batches did not get into the log must not hide the one before it."""
    for epoch in refused:
        appended(producers, 106, (0, 1), epoch=epoch)
        producers.forget_from(106)
    appended(producers, 106, (0, 1), epoch=3)
    started = Producers()
    started.restore(producers.snapshot())
    started.forget_from(106)
    started.forget_empty()
    assert started.check(prefix(5, 1)) == Remembered(5, 1, 105)
    assert started.check(prefix(6)) is None


def test_snapshot_with_an_epoch_that_a_start_forgot_does_not_hide_the_one_that_went_on(
    producers: Producers,
) -> None:
    """A start that restores an older snapshot must remember as much as the one before it did."""
    appended(producers, 106, (0, 1), epoch=1)
    producers.forget_from(106)
    snapshot = producers.snapshot()
    for _ in range(2):
        started = Producers()
        started.restore(snapshot)
        started.observe(prefix(6, 1), 106, 1)
        started.forget_empty()
        assert started.check(prefix(5, 1)) == Remembered(5, 1, 105)
        assert started.check(prefix(6, 1)) == Remembered(6, 1, 106)
        assert started.check(prefix(7)) is None
        snapshot = started.snapshot()


def test_epoch_of_which_the_log_holds_a_batch_hides_the_one_before_it(
    producers: Producers,
) -> None:
    appended(producers, 106, (0, 1), (1, 1), epoch=1)
    started = Producers()
    started.restore(producers.snapshot())
    started.forget_from(107)
    started.forget_empty()
    assert refusal(started, 6) == "fenced"
    assert started.check(prefix(0, epoch=1)) == Remembered(0, 1, 106)


def test_idle_producers_are_forgotten_a_few_at_a_time() -> None:
    producers = Producers()
    for producer in range(1, 6):
        producers.observe(prefix(0, producer=producer), producer, producer)
    producers.observe(prefix(0, producer=6), 6, DAY_US + 6)
    assert len(producers) == 4
    assert refusal(producers, 1, producer=2) == "unknown_producer"
    assert producers.check(prefix(1, producer=3)) is None
    producers.observe(prefix(1, producer=6), 7, 2 * DAY_US)
    assert len(producers) == 4  # only who is new asks for room


def test_who_goes_on_is_not_idle_however_long_ago_it_began() -> None:
    """Else a retry of what it has just sent would not be known as one."""
    producers = Producers()
    producers.observe(prefix(0), 0, 0)
    producers.observe(prefix(1), 1, DAY_US)
    producers.observe(prefix(0, producer=2), 2, DAY_US + 1)
    assert producers.check(prefix(1)) == Remembered(1, 1, 1)


def test_place_is_where_a_producer_goes_on(producers: Producers) -> None:
    assert producers.place_of(77) == (0, 0)
    assert producers.place_of(prefix(0).producer_id) == (0, 6)
    appended(producers, 106, (0, 2), epoch=3)
    assert producers.place_of(prefix(0).producer_id) == (3, 2)


def test_epochs_without_end_take_no_memory(producers: Producers) -> None:
    """Raising its own is all that a client needs to do for one."""
    sizes = []
    for epoch in range(1, 20):
        appended(producers, 105 + epoch, (0, 1), epoch=epoch)
        sizes.append(len(pickle.dumps(producers)))
    assert sizes[-1] == sizes[1]
    appended(producers, 125, (1, 1), epoch=19)
    assert len(pickle.dumps(producers)) < sizes[-1]


def test_too_many_producers_drive_out_the_longest_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PRODUCERS_MAX", 2)
    producers = Producers()
    appended(producers, 0, (0, 1), producer=1)
    appended(producers, 1, (0, 1), producer=2)
    appended(producers, 2, (1, 1), producer=1)
    appended(producers, 3, (0, 1), producer=3)
    assert len(producers) == 2
    assert producers.check(prefix(2, producer=1)) is None
    assert refusal(producers, 1, producer=2) == "unknown_producer"


def test_the_last_sequence_may_wrap_around() -> None:
    """No producer comes that far; a damaged log may say so, and its snapshot must be one."""
    producers = Producers()
    producers.observe(prefix(2**64 - 1, 2), 0, 1)
    producers.restore(producers.snapshot())
    assert producers.check(prefix(1, 1)) is None
