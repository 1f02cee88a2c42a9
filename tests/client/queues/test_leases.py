from tapemq.queues.leases import Leases
from tapemq.wire import messages as m
from tapemq.wire.entries import Run, Tokens


def begin(leases: Leases, lease_id: int, now: float = 0.0, ttl_ms: int = 30_000) -> None:
    leases.begin(m.Leased(1, 0, lease_id, b"", ttl_ms), [Run(0, 3)], 0, now)


def test_leases_that_hold_nothing_are_forgotten() -> None:
    leases = Leases()
    begin(leases, 7)
    (lease,) = leases
    leases.end(lease)
    assert len(leases) == 1
    lease.take_all(range(3))
    leases.end(lease)
    assert len(leases) == 0


def test_lost_tokens_are_found() -> None:
    leases = Leases()
    begin(leases, 7)
    begin(leases, 8)
    found = leases.lose([Tokens(7, 1, 9), Tokens(8, 5, 1), Tokens(99, 0, 1), Tokens(8, 0, 3)])
    assert [(lease.lease_id, lost) for lease, lost in found] == [(7, 2), (8, 3)]
    assert [lease.lease_id for lease in leases] == [7]


def test_all_is_lost_with_the_subscription() -> None:
    leases = Leases()
    begin(leases, 7)
    (lease,) = leases
    leases.cut_off()
    assert not lease.held
    assert sorted(lease.lost) == [0, 1, 2]
    assert len(leases) == 0


def test_each_lease_is_extended_when_it_is_a_sixth_of_its_time_old() -> None:
    leases = Leases()
    begin(leases, 7, now=0.0)
    begin(leases, 8, now=9.0, ttl_ms=6_000)
    assert leases.due(4.9) == []
    assert leases.due(5.0) == [Tokens(7, 0, 1)]
    assert leases.due(9.9) == []
    assert leases.due(10.0) == [Tokens(7, 0, 1), Tokens(8, 0, 1)]


def test_an_entry_for_the_extension_names_what_is_held() -> None:
    leases = Leases()
    begin(leases, 7)
    (lease,) = leases
    lease.held.remove(0)
    assert leases.due(30.0) == [Tokens(7, 1, 1)]


def test_time_of_the_shortest_lease() -> None:
    leases = Leases()
    begin(leases, 7, ttl_ms=2_500)
    begin(leases, 8, ttl_ms=9_000)
    assert leases.shortest_s() == 2.5
