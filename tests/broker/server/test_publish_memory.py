"""What is being published over all connections, and when it is too much."""

from tapemq_broker.server.publish_memory import PublishMemory


def test_short_from_the_limit_on_until_half_is_free() -> None:
    memory = PublishMemory(100)
    seen = []
    for change in (100, 1, -50, -1, 51, 100, 1):
        memory.change(change)
        seen.append((memory.used_bytes, memory.is_short, memory.is_exhausted))
    assert seen == [
        (100, False, False),
        (101, True, False),
        (51, True, False),
        (50, False, False),
        (101, True, False),
        (201, True, True),
        (202, True, True),
    ]


def test_shares_come_to_half_of_the_limit() -> None:
    memory = PublishMemory(100)
    assert [memory.share_bytes(connections) for connections in (0, 1, 5)] == [50, 50, 10]
