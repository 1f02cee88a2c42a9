from tapemq_broker.server.unanswered import LARGE, Unanswered


def test_who_has_too_many_is_told_once_until_half_of_them_are_answered() -> None:
    heard: list[tuple[int, bool]] = []
    unanswered = Unanswered(lambda session, crowded: heard.append((session, crowded)), 4)
    for _ in range(6):
        unanswered.add(7)
    unanswered.add(8)
    assert heard == [(7, True)]
    for _ in range(3):
        unanswered.remove(7)
    assert heard == [(7, True)]
    unanswered.remove(7)
    assert heard == [(7, True), (7, False)]
    for _ in range(2):
        unanswered.remove(7)
        unanswered.add(7)
    assert heard == [(7, True), (7, False)]


def test_what_waits_may_count_for_many() -> None:
    heard: list[tuple[int, bool]] = []
    unanswered = Unanswered(lambda session, crowded: heard.append((session, crowded)), 10)
    unanswered.add(7)
    with unanswered.counting(7, 16):
        assert heard == [(7, True)]
        unanswered.remove(7)
    assert heard == [(7, True), (7, False)]
    assert not unanswered._counts


def test_who_is_gone_is_told_nothing_and_what_it_had_asked_for_ends_quietly() -> None:
    heard: list[tuple[int, bool]] = []
    unanswered = Unanswered(lambda session, crowded: heard.append((session, crowded)), 4)
    unanswered.add(7, 9)
    unanswered.forget(7)
    unanswered.remove(7, 9)
    assert heard == [(7, True)]
    assert not unanswered._counts


def test_beyond_what_all_may_have_each_has_a_share_and_beyond_twice_that_nobody_has() -> None:
    """What clients asked for that came and went was counted no more, and still waited."""
    unanswered = Unanswered(lambda session, crowded: None, in_all_max=10)
    unanswered.add(1, 9)
    unanswered.add(2)
    assert [unanswered.is_overrun(session) for session in (1, 2, 3)] == [True, False, False]
    unanswered.forget(1)
    unanswered.add(2, 4)
    assert [unanswered.is_overrun(session) for session in (2, 3)] == [True, False]
    unanswered.add(3, 6)
    assert unanswered.is_overrun(4)
    unanswered.remove(1, 9)
    assert [unanswered.is_overrun(session) for session in (2, 3, 4)] == [True, True, False]
    unanswered.remove(3, 6)
    assert not any(unanswered.is_overrun(session) for session in (2, 3, 4))


def test_what_goes_with_its_session_is_no_burden_then() -> None:
    unanswered = Unanswered(lambda session, crowded: None, in_all_max=1)
    unanswered.add(1, LARGE, lasts=False)
    unanswered.forget(1)
    assert not unanswered.is_overrun(1)


def test_sessions_without_any_are_forgotten() -> None:
    unanswered = Unanswered(lambda session, crowded: None)
    for session in range(100):
        unanswered.add(session)
        unanswered.remove(session)
    assert not unanswered._counts
