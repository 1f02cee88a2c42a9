"""What waits for slow clients, and who is cut when it is too much."""

from tapemq_broker.server.outbound_memory import OutboundMemory


class Client:
    """One that is slow."""

    def __init__(self, held_bytes: int = 1 << 20) -> None:
        self.cut_because = ""
        self.held_bytes = held_bytes

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
    assert "100 bytes are held" in reads_nothing.cut_because
    assert (reads_on.cut_because, newest.cut_because) == ("", "")
    assert memory.used_bytes == 61
    memory.note(newest, 171)
    assert reads_on.cut_because
    assert memory.used_bytes == 171
    assert newest.cut_because == "", "one alone has a limit of its own"


def test_who_has_read_without_a_word_is_counted_anew_and_not_cut() -> None:
    memory = OutboundMemory(100)
    faster, gone, slow, newest = Client(20), Client(0), Client(), Client()
    memory.note(faster, 30)
    memory.note(gone, 30)
    memory.note(slow, 40)
    memory.note(newest, 60)
    assert memory.used_bytes == 20 + 60
    assert slow.cut_because
    assert (faster.cut_because, gone.cut_because, newest.cut_because) == ("", "", "")
    memory.note(Client(), 90)
    assert newest.cut_because, "the other has read since"
    assert faster.cut_because, "and nothing more"
    assert memory.used_bytes == 90


def test_who_has_read_all_is_not_counted() -> None:
    memory = OutboundMemory(100)
    one = Client()
    memory.note(one, 40)
    memory.progress(one, 0)
    assert (memory.used_bytes, len(memory._held)) == (0, 0)
