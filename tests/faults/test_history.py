"""What the harness of kills and power cuts says of histories that are wrong on purpose."""

from collections.abc import Callable

import pytest

from tests.support.crash.history import History, Place, judge

Final = dict[Place, bytes]


def good() -> tuple[History, Final]:
    """A cut between two of four records on a partition; all are streamed, leased and settled."""
    history = History()
    final = {(0, offset): b"v%d" % offset for offset in range(4)}
    for (partition, offset), value in final.items():
        history.tried.add(value)
        history.ack(value, (partition, offset), "written" if offset in (0, 1) else "durable")
        history.cuts = 1 if offset >= 1 else 0
    for place, value in final.items():
        history.stream(place, value)
        history.hand_out(place, value, lease_id=place[1])
        history.confirm(place, place[1])
    return history, final


def unseen(history: History) -> None:
    history.read.clear()


def losing(offset: int) -> Callable[[History, Final], None]:
    def lose(history: History, final: Final) -> None:
        unseen(history)
        del final[0, offset]

    return lose


def lose_what_was_written_behind_the_cut(history: History, final: Final) -> None:
    history.acked_before[b"v1"] = 1
    losing(1)(history, final)


def twice(history: History, final: Final) -> None:
    final[0, 4] = b"v3"
    history.stream((0, 4), b"v3")
    history.handed_out.add((0, 4))


def stranger(history: History, final: Final) -> None:
    unseen(history)
    final[0, 3] = b"stranger"
    del history.acked[b"v3"]


def never_streamed(history: History, _: Final) -> None:
    history.streamed.discard((0, 2))


def never_handed_out(history: History, _: Final) -> None:
    history.handed_out.clear()


def again(history: History, _: Final) -> None:
    history.hand_out((0, 0), b"v0", lease_id=9)


def two_holders(history: History, _: Final) -> None:
    history.confirm((0, 0), 9)


def changed(history: History, _: Final) -> None:
    history.stream((0, 0), b"v1")


def test_good_history() -> None:
    history, final = good()
    assert judge(history, final) == []
    assert history.in_flight == 0


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (losing(2), "lost"),
        (losing(0), "hole"),
        (lose_what_was_written_behind_the_cut, "lost"),
        (twice, "duplicated"),
        (stranger, "phantom"),
        (never_streamed, "never streamed"),
        (never_handed_out, "never handed out"),
        (again, "redelivered"),
        (two_holders, "two leases"),
        (changed, "two values at (0, 0)"),
    ],
)
def test_each_wrong_is_named(spoil: Callable[[History, Final], None], kind: str) -> None:
    history, final = good()
    spoil(history, final)
    assert {complaint.partition(":")[0] for complaint in judge(history, final)} == {kind}


def test_what_was_written_last_before_a_cut_may_be_gone() -> None:
    history, final = good()
    losing(1)(history, final)
    losing(0)(history, final)
    assert judge(history, final) == []


def test_what_was_heard_while_the_power_was_cut_proves_nothing() -> None:
    history = History(tried={b"v0"}, frozen=True)
    history.ack(b"v0", (0, 0))
    history.stream((0, 0), b"v0")
    history.hand_out((0, 0), b"v0", lease_id=1)
    history.confirm((0, 0), 1)
    assert judge(history, {}) == []
