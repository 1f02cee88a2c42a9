"""What waits for slow clients, and who is cut when it is too much."""

from tapemq_broker.server.outbound_memory import OutboundMemory


class Client:
    """One that is slow."""

    def __init__(self) -> None:
        self.cut_because = ""

    def abort(self, why: str) -> None:
        self.cut_because = why


def test_what_is_noted_replaces_what_was() -> None:
    memory = OutboundMemory(100)
    one, other = Client(), Client()
    memory.note(one, 40)
    memory.note(one, 60)
    memory.note(other, 40)
    assert memory.used_bytes == 100
    memory.forget(one)
    memory.forget(one)
    assert memory.used_bytes == 40
    assert (one.cut_because, other.cut_because) == ("", "")


def test_who_has_not_read_for_the_longest_time_is_cut() -> None:
    memory = OutboundMemory(100)
    reads_on, reads_nothing, newest = Client(), Client(), Client()
    memory.note(reads_on, 40)
    memory.note(reads_nothing, 40)
    memory.progress(reads_on, 30)
    memory.note(newest, 31)
    assert "100 bytes are unsent" in reads_nothing.cut_because
    assert (reads_on.cut_because, newest.cut_because) == ("", "")
    assert memory.used_bytes == 61
    memory.note(newest, 171)
    assert reads_on.cut_because
    assert memory.used_bytes == 171
    assert newest.cut_because == "", "one alone has a limit of its own"
