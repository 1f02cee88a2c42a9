from tapemq_broker.server.unanswered import Unanswered


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


def test_sessions_without_any_are_forgotten() -> None:
    unanswered = Unanswered(lambda session, crowded: None)
    for session in range(100):
        unanswered.add(session)
        unanswered.remove(session)
    assert not unanswered._counts
