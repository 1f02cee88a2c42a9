import msgpack

from tapemq_broker.core.queue.dead import Dead


def test_what_is_written_comes_back() -> None:
    dead = Dead("rejected", "no such customer", 1, 2, 3, 4, 5)
    assert Dead.decode(dead.encode()) == dead


def test_fields_of_a_newer_version_are_skipped() -> None:
    assert Dead.decode(msgpack.packb(["r", "e", 1, 2, 3, 4, 5, "more"])) == Dead(
        "r", "e", 1, 2, 3, 4, 5
    )
