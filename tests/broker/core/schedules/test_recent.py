from tapemq_broker.core.schedules.entries import Cancelled, Fired, Moved, Scheduled
from tapemq_broker.core.schedules.recent import Backlog, Known, Placed, Recent
from tapemq_broker.core.schedules.schedule import Move, Recurrence, Schedule

A = Schedule(1, 100, 0, b"k", b"record", 5)
B = Schedule(2, 200, 0, b"k", b"", 6)


def test_what_is_not_known_is_for_the_index() -> None:
    recent = Recent()
    assert recent.find(1) is None
    assert recent.find_key(b"k") is None


def test_a_replacement_hides_what_it_replaces() -> None:
    recent = Recent()
    recent.scheduled(0, Scheduled(A))
    assert recent.find(1) == recent.find_key(b"k") == Known(A)
    recent.scheduled(1, Scheduled(B, replaces=1))
    assert recent.find(1) == Known(None)
    assert recent.find_key(b"k") == Known(B)


def test_what_was_cancelled_hides_what_the_index_says() -> None:
    recent = Recent()
    recent.cancelled(7, A)
    assert recent.find(1) == recent.find_key(b"k") == Known(None)


def test_a_move_changes_the_time_or_ends_it() -> None:
    recent = Recent()
    recent.moved(3, Moved((Move(1, 300, 1),)), {1: A})
    assert recent.find(1) == Known(A._replace(due_us=300, fired=1))
    recent.moved(4, Fired(0, (Move(1, 0, 2),)), {1: A})
    assert recent.find(1) == recent.find_key(b"k") == Known(None)


def test_the_newer_layer_has_the_word() -> None:
    recent = Recent()
    recent.scheduled(0, Scheduled(A))
    layer = recent.freeze()
    assert layer is not None
    assert layer.entries == [Placed(0, Scheduled(A))]
    assert recent.find(1) == Known(A)
    recent.cancelled(1, A)
    assert recent.find(1) == recent.find_key(b"k") == Known(None)
    assert recent.freeze() is None  # one at a time
    recent.indexed()
    assert recent.find(1) == Known(None)
    layer = recent.freeze()
    assert layer is not None
    assert layer.entries == [Placed(1, Cancelled(1))]
    recent.indexed()
    assert recent.find(1) is None
    assert recent.freeze() is None


def test_the_size_counts_records_of_both_layers() -> None:
    recent = Recent()
    recent.scheduled(0, Scheduled(A._replace(record=b"x" * 1000)))
    recent.freeze()
    recent.scheduled(1, Scheduled(B._replace(record=b"x" * 1000)))
    assert recent.size_bytes > 2000
    recent.indexed()
    assert 1000 < recent.size_bytes < 2000


def test_texts_and_keys_are_counted() -> None:
    backlog = Backlog()
    recent = Recent(backlog)
    recent.scheduled(0, Scheduled(A._replace(recurrence=Recurrence("* * * * *" * 400))))
    assert recent.size_bytes == backlog.size_bytes > 3600
    recent.moved(1, Moved((Move(1, 900, 1),)), {1: A})
    recent.freeze()
    recent.scheduled(2, Scheduled(B))
    assert recent.size_bytes == backlog.size_bytes
    recent.indexed()
    assert recent.size_bytes == backlog.size_bytes > 0
    recent.freeze()
    recent.discard()
    recent.indexed()
    assert recent.size_bytes == backlog.size_bytes == 0
