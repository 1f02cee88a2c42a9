"""What waits for slow clients, and who is cut when it is too much."""

from types import SimpleNamespace
from typing import Any

from tapemq_broker.server.outbound_memory import OutboundMemory


class Client:
    """One that is slow."""

    def __init__(self) -> None:
        self.cut_because = ""
        self.unsent: Any = SimpleNamespace(written_bytes=0, sent_bytes=0, held_bytes=0)

    def abort(self, why: str) -> None:
        self.cut_because = why

    def write(self, size_bytes: int) -> "Client":
        """It is sent so much."""
        self.unsent.written_bytes += size_bytes
        self.unsent.held_bytes += size_bytes
        return self

    def read(self, size_bytes: int) -> None:
        """It takes so much."""
        self.unsent.sent_bytes += size_bytes
        self.unsent.held_bytes -= size_bytes


def test_what_is_noted_replaces_what_was() -> None:
    memory = OutboundMemory(100)
    one, other = Client(), Client()
    memory.note(one.write(40))
    memory.note(one.write(20))
    memory.note(other.write(40))
    assert memory.used_bytes == 100
    memory.forget(one)
    memory.forget(one)
    assert memory.used_bytes == 40
    assert (one.cut_because, other.cut_because) == ("", "")


def test_who_has_not_read_for_the_longest_time_is_cut() -> None:
    memory = OutboundMemory(100)
    reads_on, reads_nothing, newest = Client(), Client(), Client()
    memory.note(reads_on.write(40))
    memory.note(reads_nothing.write(40))
    reads_on.read(40)
    memory.note(reads_on.write(30))
    memory.note(newest.write(31))
    assert "100 bytes are held" in reads_nothing.cut_because
    assert (reads_on.cut_because, newest.cut_because) == ("", "")
    assert memory.used_bytes == 61
    memory.note(newest.write(140))
    assert reads_on.cut_because
    assert memory.used_bytes == 171
    assert newest.cut_because == "", "one alone has a limit of its own"


def test_who_has_read_without_a_word_is_counted_anew_and_not_cut() -> None:
    memory = OutboundMemory(100)
    faster, gone, slow, newest = Client(), Client(), Client(), Client()
    for client, size_bytes in ((faster, 30), (gone, 30), (slow, 40)):
        memory.note(client.write(size_bytes))
    faster.read(30)
    faster.write(20)
    gone.read(30)
    memory.note(newest.write(60))
    assert memory.used_bytes == 20 + 60
    assert slow.cut_because
    assert (faster.cut_because, gone.cut_because, newest.cut_because) == ("", "", "")


def test_a_byte_now_and_then_is_not_reading() -> None:
    memory = OutboundMemory(100)
    trickle, newest = Client(), Client()
    memory.note(trickle.write(60))
    trickle.read(59)
    memory.note(trickle.write(59))
    memory.note(newest.write(60))
    assert trickle.cut_because
    assert not newest.cut_because


def test_a_fast_reader_that_always_has_as_much_to_read_is_not_cut() -> None:
    memory = OutboundMemory(100)
    fast, still = Client(), [Client() for _ in range(3)]
    memory.note(fast.write(40))
    for client in still:
        fast.read(40)
        memory.note(fast.write(40))
        memory.note(client.write(40))
    assert not fast.cut_because
    assert [bool(client.cut_because) for client in still] == [True, True, False]


def test_who_has_read_all_is_not_counted() -> None:
    memory = OutboundMemory(100)
    one = Client()
    memory.note(one.write(40))
    one.read(40)
    memory.note(one)
    assert (memory.used_bytes, len(memory._held)) == (0, 0)


def test_nobody_is_cut_for_what_others_have_read_meanwhile() -> None:
    memory = OutboundMemory(100)
    slow, newest = Client(), Client()
    memory.note(slow.write(10))
    for _ in range(2):
        quick = Client()
        memory.note(quick.write(40))
        quick.read(39)
    memory.note(newest.write(40))
    assert (slow.cut_because, newest.cut_because) == ("", "")
    assert memory.used_bytes == 10 + 1 + 1 + 40


def test_who_comes_to_the_limit_when_all_are_counted_is_not_beyond_it() -> None:
    memory = OutboundMemory(100)
    slow, quick = Client(), Client()
    memory.note(slow.write(90))
    memory.note(quick.write(5))
    quick.read(4)
    memory.note(Client().write(9))
    assert memory.used_bytes == 100
    assert slow.cut_because == ""


def test_a_crowd_is_not_counted_again_for_each_of_it_that_is_cut() -> None:
    memory = OutboundMemory(1600)
    crowd = [Client() for _ in range(171)]
    for client in crowd[:160]:
        memory.note(client.write(10))
    memory.note(crowd[160].write(10))
    assert memory.used_bytes == 1500
    for client in crowd[161:]:
        memory.note(client.write(10))
    assert memory.used_bytes == 1600
    assert [bool(client.cut_because) for client in crowd] == [True] * 11 + [False] * 160


def test_nobody_is_cut_within_the_limit_and_all_are_counted_seldom() -> None:
    memory = OutboundMemory(1600)
    slow, quick = Client(), Client()
    memory.note(slow.write(1000))
    memory.note(quick.write(600))
    quick.read(599)
    memory.note(Client().write(550))  # all are counted
    assert memory.used_bytes == 1000 + 1 + 550
    quick.write(99)  # who would be counted again, if all were
    memory.note(Client().write(49))
    memory.note(Client().write(51))
    assert memory.used_bytes == 1000 + 1 + 550 + 49 + 51
    assert [slow.cut_because] == [""]
    memory.note(Client().write(1))
    assert slow.cut_because
    assert memory.used_bytes == 100 + 550 + 49 + 51 + 1
