from collections.abc import Callable

import pytest

from tapemq_broker.core.effects import Effects, Journal, ReplyWhenDurable, Request
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.results import Done, ScheduleResult
from tapemq_broker.core.schedules import book as book_module
from tapemq_broker.core.schedules.book import Book, Due, Wish
from tapemq_broker.core.schedules.entries import (
    Entry,
    Fired,
    Firing,
    Moved,
    Scheduled,
    Shot,
    decode_entries,
)
from tapemq_broker.core.schedules.recent import Backlog
from tapemq_broker.core.schedules.recurrence import Times
from tapemq_broker.core.schedules.schedule import ONCE, Move, Recurrence, Schedule
from tests.support.bodies import prefix

REQUEST = Request(1, 2)
NOW = 1000


def write(book: Book, effects: Effects) -> tuple[list[Entry], Effects]:
    """Carry a journal out: what it writes, and what follows."""
    (journal,) = effects
    assert isinstance(journal, Journal)
    assert journal.base_offset == book.next_offset
    entries = decode_entries(journal.body)
    assert len(entries) == journal.record_count
    return entries, journal.then(journal.base_offset)


def make(
    book: Book, *, key: bytes = b"", sequence: int = 0, old: Schedule | None = None
) -> Schedule:
    wish = Wish(0, 5000, (0,), key, ONCE, [b"record"])
    (entry,), _ = write(book, book.schedule(REQUEST, prefix(sequence), wish, old, NOW))
    assert isinstance(entry, Scheduled)
    return entry.schedule


def due(schedule: Schedule, next_us: int = 0) -> Due:
    return Due(schedule, Times((schedule.due_us,), next_us))


def test_a_schedule_is_answered_when_it_is_durable() -> None:
    book = Book(7)
    wish = Wish(3, 5000, (0,), b"", ONCE, [b"record"])
    entries, after = write(book, book.schedule(REQUEST, prefix(0), wish, None, NOW))
    assert entries == [Scheduled(Schedule(1, 5000, 3, b"", b"record", NOW))]
    result = ScheduleResult(1, 5000, False, False)
    assert after == [ReplyWhenDurable(book.log, 1, REQUEST, result)]
    assert book.count == 1


def test_what_a_full_disk_refuses_has_not_happened() -> None:
    book = Book(7)
    book.schedule(REQUEST, prefix(0), Wish(0, 5000, (0,), b"", ONCE, [b""]), None, NOW)
    assert (book.count, book.next_offset) == (0, 0)
    assert book.repeats(prefix(0)) is None
    assert book.recent.freeze() is None


def test_a_retry_finds_the_first_id() -> None:
    book = Book(7)
    make(book)
    second = make(book, sequence=1)
    assert book.repeats(prefix(1)) == second.schedule_id == 2
    with pytest.raises(Refused, match="sequence 2"):
        book.repeats(prefix(3))


def test_several_have_ids_one_behind_the_other() -> None:
    book = Book(7)
    make(book)
    wish = Wish(3, 5000, (20, 0), b"", ONCE, [b"a", b"b"])
    entries, after = write(book, book.schedule(REQUEST, prefix(1, 2), wish, None, NOW))
    assert entries == [
        Scheduled(Schedule(2, 5020, 3, b"", b"a", NOW)),
        Scheduled(Schedule(3, 5000, 3, b"", b"b", NOW)),
    ]
    assert after == [ReplyWhenDurable(book.log, 3, REQUEST, ScheduleResult(2, 5000, False, False))]
    assert book.count == 3
    assert book.repeats(prefix(1, 2)) == 2
    with pytest.raises(Refused, match="other batches"):
        book.repeats(prefix(1))


def test_a_replacement_does_not_count_twice() -> None:
    book = Book(7)
    old = make(book, key=b"k")
    wish = Wish(0, 9000, (0,), b"k", ONCE, [b""])
    (entry,), after = write(book, book.schedule(REQUEST, prefix(1), wish, old, NOW))
    assert isinstance(entry, Scheduled)
    assert entry.replaces == old.schedule_id
    assert after == [ReplyWhenDurable(book.log, 2, REQUEST, ScheduleResult(2, 9000, False, True))]
    assert book.count == 1


def test_a_cancelled_schedule_is_gone() -> None:
    book = Book(7)
    schedule = make(book)
    _, after = write(book, book.cancel(REQUEST, schedule))
    assert after == [ReplyWhenDurable(book.log, 2, REQUEST, Done())]
    assert book.count == 0


def test_while_the_index_is_behind_nothing_more_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "RECENT_BYTES_MAX", 100)
    book = Book(7)
    make(book)
    with pytest.raises(Refused, match="behind") as refused:
        make(book, sequence=1)
    assert refused.value.refusal.name == "overloaded"


def test_what_waits_for_the_index_is_bounded_for_all_topics_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(book_module, "BACKLOG_BYTES_MAX", 1000)
    backlog = Backlog()
    one, other = Book(7, backlog), Book(8, backlog)
    make(one)
    make(other)
    with pytest.raises(Refused, match="behind"):
        make(other, sequence=1)
    one.recent.freeze()
    one.recent.indexed()
    make(other, sequence=1)
    with pytest.raises(Refused, match="behind"):
        make(one, sequence=1)
    other.forget_recent()
    assert backlog.size_bytes == 0
    make(one, sequence=1)


def test_a_firing_ends_what_comes_once() -> None:
    book = Book(7)
    schedule = make(book)
    entries, _ = write(book, book.fire(0, (0, 5), [due(schedule)]))
    assert entries == [Firing(0, 0, 5, (Shot(1, 5000),))]
    assert book.is_firing(1)
    assert book.firings[0].next_offset == 2
    entries, _ = write(book, book.fired(0))
    assert entries == [Fired(0, (Move(1, 0, 1),))]
    assert not book.is_firing(1)
    assert book.count == 0
    assert not book.firings


def test_what_recurs_stays() -> None:
    book = Book(7)
    schedule = make(book)._replace(recurrence=Recurrence(every_ms=1000))
    write(book, book.fire(0, (0, 0), [due(schedule, 9000)]))
    entries, _ = write(book, book.fired(0))
    assert entries == [Fired(0, (Move(1, 9000, 1),))]
    assert book.count == 1


def test_what_is_passed_over_is_moved() -> None:
    book = Book(7)
    entries, _ = write(book, book.pass_over([Due(make(book), Times((), 9000))]))
    assert entries == [Moved((Move(1, 9000, 0),))]
    assert book.count == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda book, schedule: write(book, book.cancel(REQUEST, schedule)),
        lambda book, schedule: make(book, key=b"k", sequence=1, old=schedule),
        lambda book, schedule: write(book, book.fire(0, (0, 0), [due(schedule)])),
    ],
)
def test_what_was_changed_since_it_was_found_is_not_due(
    change: Callable[[Book, Schedule], object],
) -> None:
    book = Book(7)
    schedule = make(book, key=b"k")
    book.recent.freeze()
    book.recent.indexed()
    book.look()
    assert book.still_due([due(schedule)]) == [due(schedule)]
    change(book, schedule)
    assert book.still_due([due(schedule)]) == []
    book.recent.freeze()
    book.recent.indexed()
    assert book.still_due([due(schedule)]) == []


def test_what_the_index_had_not_been_told_when_it_was_asked_is_not_due() -> None:
    book = Book(7)
    schedule = make(book)
    write(book, book.cancel(REQUEST, schedule))
    book.look()
    book.recent.freeze()
    book.recent.indexed()
    assert book.still_due([due(schedule)]) == []


def test_what_is_new_to_the_index_is_due() -> None:
    """It would else wait for another round, a second later."""
    book = Book(7)
    schedule = make(book)
    book.look()
    book.recent.freeze()
    book.recent.indexed()
    assert book.still_due([due(schedule)]) == [due(schedule)]


def test_changes_are_noted_during_a_round_only() -> None:
    """Else all that changes until the next one is due would be kept."""
    book = Book(7)
    book.look()
    book.looked()
    write(book, book.cancel(REQUEST, make(book)))
    assert not book._changed


def test_an_abandoned_firing_leaves_its_schedules_due() -> None:
    book = Book(7)
    schedule = make(book)
    write(book, book.fire(0, (0, 0), [due(schedule)]))
    entries, _ = write(book, book.abandon(0))
    assert entries == [Fired(0, ())]  # else the next start would go on with it
    assert not book.firings
    book.recent.freeze()
    book.recent.indexed()
    assert book.still_due([due(schedule)]) == [due(schedule)]
    assert book.count == 1


def test_rewriting_passes_over_what_has_changed() -> None:
    book = Book(7)
    kept, firing, cancelled = (make(book, sequence=number) for number in range(3))
    book.recent.freeze()
    book.recent.indexed()
    write(book, book.fire(0, (0, 0), [due(firing)]))
    write(book, book.cancel(REQUEST, cancelled))
    entries, _ = write(book, book.rewrite([kept, firing, cancelled]))
    assert entries == [Scheduled(kept)]
    assert book.rewrite([firing]) == []
    assert book.count == 2
