"""Rules on whether anything gets done."""

from collections.abc import Iterator
from math import inf
from typing import Final

from tests.support.simulation.history import History, Outcome

PATIENCE_S: Final = 60.0
"""How long a broker may be up and do nothing while someone waits for it."""
WATCH_S: Final = 10.0
"""How long a record may take where nothing goes wrong; a connection that is given up takes
longer."""


def stuck(history: History) -> Iterator[str]:
    """Nobody's operation succeeds for a long time in which the broker is up."""
    times = sorted(
        [item.done_s for item in history.publishes if item.outcome is Outcome.OK]
        + [item.done_s for item in history.commits if item.outcome is Outcome.OK]
        + [item.at_s for item in history.deliveries]
        + [item.at_s for item in history.works]
    )
    for up_s, down_s in history.up:
        inside = [time_s for time_s in times if up_s <= time_s <= down_s]
        for start_s, end_s in zip([up_s, *inside], [*inside, down_s], strict=True):
            if end_s - start_s > PATIENCE_S and _waited_s(history, start_s, end_s) > PATIENCE_S:
                yield f"nothing was done from {start_s:.6f} to {end_s:.6f} s"


def _waited_s(history: History, start_s: float, end_s: float) -> float:
    """For how much of the time between the two an operation was under way."""
    calls = sorted(_calls(history))
    waited_s, upto_s = 0.0, start_s
    for invoked_s, done_s in calls:
        begin_s, finish_s = max(invoked_s, upto_s), min(done_s, end_s)
        if finish_s > begin_s:
            waited_s += finish_s - begin_s
            upto_s = finish_s
    return waited_s


def _calls(history: History) -> Iterator[tuple[float, float]]:
    """When the operations began and ended for which somebody waits until they succeed."""
    # Who publishes to a topic that is full may have to wait for readers that there are not.
    for publish in history.publishes:
        if publish.topic not in history.limited:
            yield publish.invoked_s, publish.done_s
    for commit in history.commits:
        if commit.done_s < inf:  # else who made it was killed: it has a time limit
            yield commit.invoked_s, commit.done_s


def unseen(history: History) -> Iterator[str]:
    """A reader that stays open is not given what is published, though nothing goes wrong."""
    for watch in history.watches:
        if watch.seen_s > watch.published_s + WATCH_S:
            yield f"{watch.reader} waits since {watch.published_s:.6f} s for {watch.value!r}"


def collapsed(history: History) -> Iterator[str]:
    """The broker has ended itself, and no disk had failed."""
    yield from history.collapses
