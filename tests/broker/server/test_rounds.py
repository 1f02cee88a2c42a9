"""Rounds over many things, some at a time."""

from tapemq_broker.server.rounds import Round


class Watch:
    """A round over seven things, three at a time, every ten seconds; what it looks at."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, float]] = []
        self.things = list(range(7))
        self.round = Round(10.0, lambda: list(self.things), self.look, at_once=3)
        self.round.begin(0.0)

    def look(self, thing: int, now: float) -> None:
        self.seen.append((thing, now))

    def step(self, now: float) -> list[int]:
        self.seen.clear()
        self.round.step(now)
        assert all(at == now for _, at in self.seen)
        return [thing for thing, _ in self.seen]


def test_a_round_is_spread_over_steps() -> None:
    watch = Watch()
    assert watch.step(9.9) == []
    assert [watch.step(now) for now in (10.0, 10.1, 10.2)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert watch.step(19.9) == []
    assert watch.step(20.0) == [0, 1, 2]


def test_a_slow_round_is_finished_and_sees_no_newcomers() -> None:
    watch = Watch()
    watch.step(10.0)
    watch.things.append(7)
    assert watch.step(25.0) == [3, 4, 5]
    assert watch.step(26.0) == [6]
    assert watch.step(27.0) == [0, 1, 2]


def test_a_round_over_nothing_is_none() -> None:
    watch = Watch()
    watch.things.clear()
    assert watch.step(10.0) == []
    watch.things.append(1)
    assert watch.step(11.0) == []
    assert watch.step(20.0) == [1]
