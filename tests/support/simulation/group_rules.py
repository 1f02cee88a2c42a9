"""Rules on what a group is handed and what becomes of its positions."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from tests.support.simulation.history import Commit, Delivery, History, LogName, Outcome

STALE_OWNER_S: Final = 60.0
"""How long a member that was cut off may go on handing out what it had received before."""

_GroupLog = tuple[str, LogName]


def undelivered(history: History) -> Iterator[str]:
    """A record was never handed to a group that reads the log from its start."""
    seen = _seen(history)
    groups = {
        (reader.group, reader.topic, reader.hold)
        for reader in history.readers.values()
        if reader.group and reader.from_start
    }
    for group, topic, hold in sorted(groups):
        for log in history.final:
            wanted = set(history.offsets(log)) if log.topic == topic else set()
            if hold and seen[group, log]:
                # Also what retention has removed since the group came.
                wanted.update(range(min(seen[group, log]), history.first_offsets.get(log, 0)))
            missing = sorted(wanted - seen[group, log])
            if missing and not history.was_sought(group, log, 0.0, float("inf")):
                yield f"group {group} never got {len(missing)} of {log}, first {missing[0]}"


def redelivered(history: History) -> Iterator[str]:
    """A group is handed a record again after it has committed it."""
    commits = _commits(history)
    for delivery in history.deliveries:
        reader = history.readers[delivery.reader]
        for commit in commits[reader.group, delivery.place.log] if reader.group else ():
            if (
                commit.done_s < delivery.at_s
                and delivery.place.offset < commit.offset
                and not _may_be_stale(history, delivery, commit)
            ):
                yield (
                    f"{delivery.place} was handed to {delivery.reader} at {delivery.at_s:.6f} s, "
                    f"but {commit.reader} had committed {commit.offset} at {commit.done_s:.6f} s"
                )
                break


def _may_be_stale(history: History, delivery: Delivery, commit: Commit) -> bool:
    """It was received by another member before the commit, and handed out from its memory."""
    reader = history.readers[delivery.reader]
    if history.was_sought(commit.group, commit.log, commit.invoked_s, delivery.at_s):
        return True
    if delivery.generation > commit.generation:
        return False  # its claim began at the commit
    return (
        commit.reader != delivery.reader
        and reader.opened_s <= commit.done_s
        and delivery.at_s <= commit.done_s + STALE_OWNER_S
    )


def contended(history: History) -> Iterator[str]:
    """Two members read a partition in one generation; or one reads on when a later one has begun:
    it is handed what was published after that."""
    published_s = {publish.value: publish.invoked_s for publish in history.publishes}
    claims: defaultdict[_GroupLog, dict[int, Delivery]] = defaultdict(dict)
    for delivery in history.deliveries:
        group = history.readers[delivery.reader].group
        if not group or not delivery.generation:
            continue
        first = claims[group, delivery.place.log].setdefault(delivery.generation, delivery)
        others = [first] if first.reader != delivery.reader else []
        for generation, later in claims[group, delivery.place.log].items():
            is_new = published_s.get(delivery.value, 0.0) > later.at_s
            others += [later] if generation > delivery.generation and is_new else []
        for other in others:
            yield (
                f"{delivery.place} was handed to {delivery.reader} at {delivery.at_s:.6f} s in "
                f"generation {delivery.generation:#x}, but {other.reader} had {other.place} at "
                f"{other.at_s:.6f} s in generation {other.generation:#x}"
            )
            break


def _commits(history: History) -> defaultdict[_GroupLog, list[Commit]]:
    commits: defaultdict[_GroupLog, list[Commit]] = defaultdict(list)
    for commit in history.commits:
        if commit.outcome is Outcome.OK:
            commits[commit.group, commit.log].append(commit)
    return commits


def position_regression(history: History) -> Iterator[str]:
    """A group's position is behind what it has committed."""
    commits = _commits(history)
    for position in history.positions:
        group, log = position.group, position.log
        for commit in commits[group, log]:
            if (
                commit.done_s <= position.invoked_s
                and commit.offset > position.offset
                and not history.was_sought(group, log, commit.invoked_s, position.done_s)
            ):
                yield (
                    f"{group} on {log} is at {position.offset} at {position.done_s:.6f} s; "
                    f"it had committed {commit.offset} at {commit.done_s:.6f} s"
                )
                break


def position_ahead(history: History) -> Iterator[str]:
    """A group's position is beyond records that none of its members was handed."""
    seen = _seen(history)
    for position in history.positions:
        group, log = position.group, position.log
        if history.was_sought(group, log, 0.0, position.done_s):
            continue
        passed = (offset for offset in history.offsets(log) if offset < position.offset)
        missing = sorted(set(passed) - seen[group, log])
        if missing:
            yield f"{group} on {log} is at {position.offset}, but never got {missing[0]}"


def seek_forgotten(history: History) -> Iterator[str]:
    """A group does not go on from where it was sought last."""
    for seek in history.seeks:
        again = [
            other
            for other in history.seeks
            if (other.group, other.log) == (seek.group, seek.log) and other is not seek
        ]
        if not seek.made or any(other.done_s >= seek.invoked_s for other in again):
            continue
        # It never goes beyond what is on disk.
        least = min(seek.offset, _surely_durable(history, seek.log, seek.invoked_s))
        for position in history.positions:
            is_of_it = (position.group, position.log) == (seek.group, seek.log)
            if is_of_it and position.invoked_s >= seek.done_s and position.offset < least:
                yield f"{seek.group} on {seek.log} is at {position.offset}, sought to {seek.offset}"
        wanted = {offset for offset in history.offsets(seek.log) if offset >= seek.offset}
        missing = sorted(wanted - _seen(history, seek.invoked_s)[seek.group, seek.log])
        if missing:
            yield (
                f"{seek.group} was sought to {seek.offset} of {seek.log} at {seek.done_s:.6f} s, "
                f"and never got {missing[0]} since"
            )


def _surely_durable(history: History, log: LogName, by_s: float) -> int:
    """The end of a log, as far as anybody could know then that it was on disk."""
    seen = [d.place for d in history.deliveries if d.at_s <= by_s]
    acked = [p.place for p in history.publishes if p.place and p.durable and p.done_s <= by_s]
    return max((place.offset + 1 for place in seen + acked if place.log == log), default=0)


def _seen(history: History, since_s: float = 0.0) -> defaultdict[_GroupLog, set[int]]:
    """The offsets that each group was handed of each log."""
    seen: defaultdict[_GroupLog, set[int]] = defaultdict(set)
    for delivery in history.deliveries:
        group = history.readers[delivery.reader].group
        if delivery.at_s >= since_s:
            seen[group, delivery.place.log].add(delivery.place.offset)
    return seen
