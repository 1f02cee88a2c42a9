from tapemq_broker.server.settlements import Settlements


def test_who_has_nothing_under_way_leaves_at_once() -> None:
    left: list[tuple[int, bool]] = []
    settlements = Settlements(lambda session, by_us: left.append((session, by_us)))
    assert settlements.closed(7, by_us=True)
    assert left == [(7, True)]


def test_who_is_gone_leaves_when_all_that_it_said_is_done() -> None:
    left: list[tuple[int, bool]] = []
    settlements = Settlements(lambda session, by_us: left.append((session, by_us)))
    first, second = settlements.begin(7), settlements.begin(7)
    assert not settlements.closed(7, by_us=False)
    settlements.end(7, second)
    assert left == []
    settlements.end(7, first)
    assert left == [(7, False)]


def test_who_stays_does_not_leave() -> None:
    left: list[tuple[int, bool]] = []
    settlements = Settlements(lambda session, by_us: left.append((session, by_us)))
    settlements.end(7, settlements.begin(7))
    assert left == []


def test_what_waits_for_the_end_of_it_comes_before_the_session_leaves() -> None:
    told: list[str] = []
    settlements = Settlements(lambda session, by_us: told.append("left"))
    settlements.when_done(7, lambda: told.append("nothing to wait for"))
    number = settlements.begin(7)
    settlements.when_done(7, lambda: told.append("first"))
    settlements.when_done(7, lambda: told.append("second"))
    settlements.closed(7, by_us=False)
    assert told == ["nothing to wait for"]
    settlements.end(7, number)
    assert told == ["nothing to wait for", "first", "second", "left"]


def test_nobody_waits_for_what_has_begun_later() -> None:
    """Else who settles all the time could let very much wait."""
    told: list[str] = []
    settlements = Settlements(lambda session, by_us: told.append("left"))
    first, second = settlements.begin(7), settlements.begin(7)
    settlements.when_done(7, lambda: told.append("after both"))
    third = settlements.begin(7)
    settlements.when_done(7, lambda: told.append("after all"))
    settlements.end(7, second)
    assert told == []
    settlements.end(7, first)
    assert told == ["after both"]
    settlements.end(7, third)
    assert told == ["after both", "after all"]


def test_who_has_said_all_leaves_at_once_later_on() -> None:
    """Else its leases would come back only when their time is over."""
    left: list[tuple[int, bool]] = []
    settlements = Settlements(lambda session, by_us: left.append((session, by_us)))
    settlements.end(7, settlements.begin(7))
    assert settlements.closed(7, by_us=False)
    assert left == [(7, False)]
