from tapemq_broker.server.settlements import Settlements


def test_who_has_nothing_under_way_leaves_at_once() -> None:
    left: list[tuple[int, bool]] = []
    settlements = Settlements(lambda session, by_us: left.append((session, by_us)))
    assert settlements.closed(7, by_us=True)
    assert left == [(7, True)]


def test_who_is_gone_leaves_when_all_that_it_said_is_done() -> None:
    left: list[tuple[int, bool]] = []
    settlements = Settlements(lambda session, by_us: left.append((session, by_us)))
    settlements.begin(7)
    settlements.begin(7)
    assert not settlements.closed(7, by_us=False)
    settlements.end(7)
    assert left == []
    settlements.end(7)
    assert left == [(7, False)]


def test_who_stays_does_not_leave() -> None:
    left: list[tuple[int, bool]] = []
    settlements = Settlements(lambda session, by_us: left.append((session, by_us)))
    settlements.begin(7)
    settlements.end(7)
    assert left == []


def test_who_has_said_all_leaves_at_once_later_on() -> None:
    """Else its leases would come back only when their time is over."""
    left: list[tuple[int, bool]] = []
    settlements = Settlements(lambda session, by_us: left.append((session, by_us)))
    settlements.begin(7)
    settlements.end(7)
    assert settlements.closed(7, by_us=False)
    assert left == [(7, False)]
