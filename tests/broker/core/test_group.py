import msgpack
import pytest

from tapemq_broker.core.effects import SubscriptionKey
from tapemq_broker.core.group import Claim, Position, StreamGroup
from tapemq_broker.core.refusal import Refused

A, B, C = (SubscriptionKey(session, 1) for session in (1, 2, 3))


@pytest.fixture
def group() -> StreamGroup:
    """A reads 0 and 1, and was asked to let go of 2; B has joined."""
    made = StreamGroup("billing")
    made.join(A, "a")
    made.join(B, "b")
    made.claims = {0: Claim(A, 10), 1: Claim(A, 11), 2: Claim(A, 12, revoked=True)}
    return made


def fenced(group: StreamGroup, partition: int, generation: int) -> bool:
    try:
        group.check_claim(partition, generation)
    except Refused as refused:
        return refused.refusal.name == "fenced"
    return False


@pytest.mark.parametrize("position", [Position(0), Position(7, 3, 1_000_000, hold=True)])
def test_position_at_rest(position: Position) -> None:
    assert Position.decode(position.encode()) == position


def test_position_of_a_newer_broker() -> None:
    entry = msgpack.unpackb(Position(7).encode()) | {"new": 1}
    assert Position.decode(msgpack.packb(entry)) == Position(7)


def test_seek_goes_anywhere_and_is_counted() -> None:
    position = Position(7, 3, 1, hold=True)
    assert position.sought(2, 9) == Position(2, 4, 9, hold=True)


def test_commit_only_goes_forward(group: StreamGroup) -> None:
    group.positions[0] = Position(5, 2, 1, hold=True)
    assert group.committed(0, 5, 9) is None
    assert group.committed(0, 4, 9) is None
    assert group.committed(0, 6, 9) == Position(6, 2, 9, hold=True)
    assert group.positions[0].cursor == 5


def test_hold(group: StreamGroup) -> None:
    group.positions = {0: Position(0), 1: Position(0)}
    assert not group.hold
    group.positions[1] = Position(0, hold=True)
    assert group.hold


def test_members_by_name(group: StreamGroup) -> None:
    group.join(C, "")
    assert group.find_member("b") == B
    assert group.find_member("") is None
    group.leave(B)
    group.leave(C)
    assert group.find_member("b") is None
    assert list(group.members) == [A]


def test_who_leaves_holds_nothing(group: StreamGroup) -> None:
    assert group.held_by(A) == [0, 1]
    group.leave(A)
    assert group.claims == {}


def test_moves_do_not_wait_for_what_was_revoked(group: StreamGroup) -> None:
    assert group.plan_moves(4) == ([], [(3, B)])
    del group.claims[2]
    assert group.plan_moves(4) == ([], [(2, B), (3, B)])


def test_moves_for_one_more_member(group: StreamGroup) -> None:
    del group.claims[2]
    group.claims[2] = Claim(B, 13)
    group.join(C, "c")
    assert group.plan_moves(3) == ([1], [])
    group.claims[1].revoked = True
    assert group.plan_moves(3) == ([], [])
    del group.claims[1]
    assert group.plan_moves(3) == ([], [(1, C)])


def test_revoked_partition_goes_back_if_nobody_else_wants_it(group: StreamGroup) -> None:
    group.leave(B)
    assert group.plan_moves(3) == ([], [])
    del group.claims[2]
    assert group.plan_moves(3) == ([], [(2, A)])


def test_only_the_owner_releases_and_once(group: StreamGroup) -> None:
    for key, generation in ((B, 12), (A, 11), (A, 0)):
        with pytest.raises(Refused, match="not held in generation"):
            group.release(key, 2, generation)
    group.release(A, 2, 12)
    with pytest.raises(Refused, match="not held in generation 12"):
        group.release(A, 2, 12)
    assert set(group.claims) == {0, 1}


def test_claim_of_a_generation(group: StreamGroup) -> None:
    assert not fenced(group, 0, 10)
    assert not fenced(group, 2, 12)  # until it lets go, the owner may commit
    assert fenced(group, 0, 11)
    assert fenced(group, 3, 10)


def test_outsider_is_let_in_only_while_there_are_no_members(group: StreamGroup) -> None:
    assert fenced(group, 0, 0)
    assert fenced(group, 3, 0)
    group.leave(A)
    group.leave(B)
    assert not fenced(group, 0, 0)
    assert fenced(group, 0, 10)
