import msgpack

from tapemq_broker.core.queue.dead import Dead


def test_what_is_written_comes_back() -> None:
    dead = Dead("rejected", "no such customer", 1, 2, 3, 4, 5, 6)
    assert Dead.decode(dead.encode()) == dead


def test_fields_of_a_newer_version_are_skipped() -> None:
    assert Dead.decode(msgpack.packb(["r", "e", 1, 2, 3, 4, 5, 6, "more"])) == Dead(
        "r", "e", 1, 2, 3, 4, 5, 6
    )


def test_what_was_written_before_there_was_the_last_failure_is_read() -> None:
    assert Dead.decode(msgpack.packb(["r", "e", 1, 2, 3, 4, 5])).last_failure_us == 0
