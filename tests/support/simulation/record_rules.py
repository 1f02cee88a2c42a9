"""Rules on what became of the published records."""

from collections import defaultdict
from collections.abc import Iterator

from tests.support.simulation.history import History, LogName, Outcome, Place, Publish


def inconsistent_offset(history: History) -> Iterator[str]:
    """One offset of a log has two values."""
    values: defaultdict[Place, dict[bytes, str]] = defaultdict(dict)
    for place, value, source in _sightings(history):
        values[place].setdefault(value, source)
    for place, found in values.items():
        if len(found) > 1:
            yield f"{place}: " + ", ".join(f"{value!r} ({found[value]})" for value in found)


def duplicate(history: History) -> Iterator[str]:
    """One value is at two places."""
    places: defaultdict[bytes, dict[Place, str]] = defaultdict(dict)
    for place, value, source in _sightings(history):
        places[value].setdefault(place, source)
    for value, found in places.items():
        if len(found) > 1:
            yield f"{value!r}: " + ", ".join(f"{place} ({found[place]})" for place in found)


def _sightings(history: History) -> Iterator[tuple[Place, bytes, str]]:
    for publish in history.publishes:
        if publish.outcome is Outcome.OK and publish.place and not _may_be_lost(history, publish):
            yield publish.place, publish.value, "receipt"
    for delivery in history.deliveries:
        yield delivery.place, delivery.value, f"delivered to {delivery.reader}"
    for work in history.works:
        yield work.place, work.value, f"leased to {work.worker}"
    for place, value in history.final_places():
        yield place, value, "found at the end"


def _may_be_lost(history: History, publish: Publish) -> bool:
    """A receipt said only `written`, and then the power was cut."""
    return not publish.durable and history.may_be_lost_after(publish.invoked_s)


def lost(history: History) -> Iterator[str]:
    """An acknowledged record is not there at the end."""
    values = _final_values(history)
    shortened = {log.topic for log, offset in history.first_offsets.items() if offset}
    for publish in history.publishes:
        if publish.outcome is not Outcome.OK or _may_be_lost(history, publish):
            continue
        if publish.place is None:
            may_be_removed = publish.topic in shortened
        else:
            may_be_removed = history.was_removed(publish.place)
        if publish.value not in values[publish.topic] and not may_be_removed:
            yield f"{publish.value!r}, acknowledged at {publish.done_s:.6f} s: {publish.place}"


def _final_values(history: History) -> defaultdict[str, set[bytes]]:
    values: defaultdict[str, set[bytes]] = defaultdict(set)
    for place, value in history.final_places():
        values[place.topic].add(value)
    return values


def hole(history: History) -> Iterator[str]:
    """A written record is lost, and one behind it that was acknowledged before the cut is not."""
    logs: defaultdict[LogName, list[Publish]] = defaultdict(list)
    for publish in history.publishes:
        if publish.outcome is Outcome.OK and publish.place:
            logs[publish.place.log].append(publish)
    for publishes in logs.values():
        there = [item for item in publishes if _is_there(history, item)]
        for item in publishes:
            if _is_there(history, item) or not item.place or history.was_removed(item.place):
                continue
            if _may_be_lost(history, item):
                yield from _behind(history, item, there)


def _is_there(history: History, publish: Publish) -> bool:
    assert publish.place
    return history.final_value(publish.place) == publish.value


def _behind(history: History, gone: Publish, there: list[Publish]) -> Iterator[str]:
    cut_s = min(cut_s for cut_s in history.losses if cut_s >= gone.invoked_s)
    for item in there:
        assert item.place
        assert gone.place
        if item.place.offset > gone.place.offset and item.done_s <= cut_s:
            yield f"{gone.value!r} at {gone.place} is gone, {item.value!r} behind it is not"
            return


def phantom(history: History) -> Iterator[str]:
    """A record is seen that was never published, was refused, or vanishes again."""
    outcomes = {publish.value: publish.outcome for publish in history.publishes}
    outcomes |= {schedule.value: schedule.outcome for schedule in history.schedules}
    for place, value, source in _sightings(history):
        outcome = outcomes.get(value)
        if outcome is None:
            yield f"{value!r} at {place} ({source}) was never published"
        elif outcome is Outcome.FAILED:
            yield f"{value!r} at {place} ({source}) was refused"
    for delivery in history.deliveries:
        if history.final_value(delivery.place) is None and not history.was_removed(delivery.place):
            yield f"{delivery.value!r}, delivered to {delivery.reader}, is gone: {delivery.place}"
    for work in history.works:
        if history.final_value(work.place) is None and not history.was_removed(work.place):
            yield f"{work.value!r}, leased to {work.worker}, is gone: {work.place}"


def catalog(history: History) -> Iterator[str]:
    """A topic that was created is gone, or one that was deleted is there."""
    for topic, expected in history.topics.items():
        if expected is not None and expected != (topic in history.final_topics):
            yield f"{topic} was {'created' if expected else 'deleted'}; there are " + ", ".join(
                history.final_topics
            )


def overfull(history: History) -> Iterator[str]:
    """A topic that drops its oldest records has more than it is to keep, and no group holds any."""
    held = {reader.topic for reader in history.readers.values() if reader.hold}
    held |= set(history.queues.values())
    for log in history.final:
        most = history.dropping.get(log.topic)
        if most is None or log.topic in held:
            continue
        sizes_bytes = [len(history.final[log][offset]) for offset in history.offsets(log)]
        if 0 < most.records < len(sizes_bytes):
            yield f"{log} has {len(sizes_bytes)} records, and is to keep {most.records}"
        # The records of a batch count as equally long, and the newest one stays however long it is.
        most_bytes = 2 * most.size_bytes + max(sizes_bytes, default=0)
        if most.size_bytes and sum(sizes_bytes) > most_bytes:
            yield f"{log} has {sum(sizes_bytes)} bytes, and is to keep {most.size_bytes}"


def torn_batch(history: History) -> Iterator[str]:
    """Of the records that were sent in one frame, some are there and some are not."""
    values = {value for _, value in history.final_places()}
    dropped = {
        publish.value: publish.number
        for publish in history.publishes
        if publish.topic in history.dropping
    }
    for frame in history.frames:
        missing = frame - values
        if missing and len(missing) < len(frame) and not _are_first(missing, frame, dropped):
            yield f"of {len(frame)} records in a frame, {sorted(missing)} are missing"


def _are_first(
    missing: frozenset[bytes], frame: frozenset[bytes], dropped: dict[bytes, int]
) -> bool:
    """Whether they are the oldest of a frame, all of them in a topic that drops those."""
    if not frame <= dropped.keys():
        return False
    return max(map(dropped.__getitem__, missing)) < min(map(dropped.__getitem__, frame - missing))


def reordered(history: History) -> Iterator[str]:
    """The acknowledged records of a producer in one log are not in the order of its calls."""
    places: dict[bytes, Place] = {}
    for place, value in history.final_places():
        places.setdefault(value, place)
    last: dict[tuple[str, LogName], tuple[Publish, Place]] = {}
    calls = sorted(history.publishes, key=lambda publish: (publish.producer, publish.number))
    for publish in calls:
        if publish.outcome is not Outcome.OK or publish.value not in places:
            continue
        place = places[publish.value]
        before = last.get((publish.producer, place.log))
        if before is not None and before[1].offset >= place.offset:
            yield (
                f"{publish.producer} published {before[0].value!r} before {publish.value!r}, "
                f"but they are at {before[1]} and {place}"
            )
        last[publish.producer, place.log] = publish, place
