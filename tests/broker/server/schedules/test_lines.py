from tapemq_broker.server.schedules.lines import Lines

TOPIC, OTHER = 1, 2


def test_each_topic_has_a_line_in_order() -> None:
    lines: Lines[str] = Lines()
    assert TOPIC not in lines
    lines.begin(TOPIC)
    lines.begin(OTHER)
    for topic, session, item in ((TOPIC, 7, "a"), (OTHER, 7, "b"), (TOPIC, 8, "c")):
        lines.add(topic, session, item)
    assert [lines.next(TOPIC) for _ in range(3)] == ["a", "c", None]
    assert (TOPIC in lines, OTHER in lines) == (False, True)
    assert [lines.next(OTHER) for _ in range(2)] == ["b", None]
    assert len(lines) == 0


def test_who_is_gone_has_nothing_in_any_line() -> None:
    lines: Lines[str] = Lines()
    for topic in (TOPIC, OTHER):
        lines.begin(topic)
        for session in (7, 8, 7):
            lines.add(topic, session, f"of {session}")
    lines.forget_session(7)
    lines.forget_session(7)
    assert len(lines) == 2
    assert [lines.next(TOPIC) for _ in range(2)] == ["of 8", None]
    lines.forget_session(8)
    assert OTHER in lines
    assert lines.next(OTHER) is None
    assert len(lines) == 0
