"""The admin calls about queues without I/O: see ``tapemq.inquiries``."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from tapemq.infos import time_of
from tapemq.inquiries import Inquiry, Step, ask, describe_topic, of_all_partitions
from tapemq.queues.infos import DeadRecord, Explanation, QueueInfo, QueuePartition
from tapemq.queues.settings import wire_settings
from tapemq.wire import messages as m
from tapemq.wire.entries import pack_runs
from tapemq.wire.limits import RUNS_MAX
from tapemq.wire.names import check_name
from tapemq.wire.pages import unpack_page

_ALL: Final = 2**63


def describe(topic: str, group: str) -> Inquiry[QueueInfo]:
    known = yield from describe_topic(topic)
    check_name("group", group)
    answers: list[m.Queue] = yield from of_all_partitions(
        known, lambda number: m.DescribeQueue(known.topic_id, group, number)
    )
    head = answers[0]
    parts = tuple(map(_partition, answers))
    return QueueInfo(topic, group, head.settings, head.consumers, parts)


def alter(topic: str, group: str, settings: Mapping[str, Any]) -> Inquiry[None]:
    translated = wire_settings(settings)
    topic_id = (yield from describe_topic(topic)).topic_id
    yield from ask(m.AlterQueue(topic_id, check_name("group", group), translated))


def explain(topic: str, group: str) -> Inquiry[Explanation]:
    topic_id = (yield from describe_topic(topic)).topic_id
    answer: m.Explanation = yield from ask(m.Explain(topic_id, check_name("group", group)))
    return Explanation(answer.state, answer.sentences)


def dead(
    topic: str, group: str, partition: int | None, reason: str | None, limit: int | None
) -> Inquiry[list[DeadRecord]]:
    known = yield from describe_topic(topic)
    check_name("group", group)
    found: list[DeadRecord] = []
    for number in range(known.partitions) if partition is None else [partition]:
        start, more = 0, True
        while more and len(found) < (_ALL if limit is None else limit):
            request = m.ListDead(known.topic_id, group, number, start, reason or "")
            reply = yield from ask(request)
            found += [_dead_record(number, row) for row in unpack_page(reply.payload)]
            start, more = reply.message.next_offset, reply.message.more
    return found[:limit]


class Choice(NamedTuple):
    """Which dead records are meant: just one of ``offsets``, ``reason`` and ``everything``."""

    partition: int | None = None
    offsets: Iterable[int] | None = None
    reason: str | None = None
    everything: bool = False


def redrive(
    topic: str, group: str, choice: Choice, dry_run: bool, rate: int | None
) -> Inquiry[int]:
    if rate is not None and rate < 1:
        raise ValueError(f"rate is at least 1 record per second, not {rate}")
    requests = yield from _requests(topic, group, choice)
    share = max(1, rate // max(1, len(requests))) if rate else 0
    affected = 0
    for (topic_id, number), payload in requests:
        request = m.Redrive(
            topic_id, group, number, choice.reason or "", choice.everything, dry_run, share
        )
        affected += yield from _affect(request, payload)
    return affected


def discard(topic: str, group: str, choice: Choice, dry_run: bool) -> Inquiry[int]:
    requests = yield from _requests(topic, group, choice)
    affected = 0
    for (topic_id, number), payload in requests:
        request = m.Discard(
            topic_id, group, number, choice.reason or "", choice.everything, dry_run
        )
        affected += yield from _affect(request, payload)
    return affected


def _requests(
    topic: str, group: str, choice: Choice
) -> Inquiry[list[tuple[tuple[int, int], bytes]]]:
    """Topic id and partition, and the runs, of each request that it takes."""
    check_name("group", group)
    offsets = None if choice.offsets is None else sorted(set(choice.offsets))
    if (offsets is not None) + bool(choice.reason) + choice.everything != 1:
        raise ValueError("say which dead records: just one of offsets, reason and everything")
    known = yield from describe_topic(topic)
    numbers = range(known.partitions) if choice.partition is None else [choice.partition]
    if offsets is None:
        return [((known.topic_id, number), b"") for number in numbers]
    if len(numbers) != 1:
        raise ValueError(
            f"topic {topic!r} has {known.partitions} partitions: say of which one the offsets are"
        )
    return [((known.topic_id, numbers[0]), pack_runs(runs)) for runs in _in_frames(offsets)]


def _in_frames(offsets: list[int]) -> Iterator[list[tuple[int, int]]]:
    """Runs of these offsets, as many as fit into a request at a time."""
    runs: list[tuple[int, int]] = []
    for offset in offsets:
        if runs and sum(runs[-1]) == offset:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((offset, 1))
    for first in range(0, len(runs), RUNS_MAX):
        yield runs[first : first + RUNS_MAX]


def _affect(request: m.Redrive | m.Discard, payload: bytes) -> Inquiry[int]:
    (answer,) = yield Step([request], request.dry_run, payload)
    records: int = answer.records
    return records


def _partition(answer: m.Queue) -> QueuePartition:
    return QueuePartition(
        partition=answer.partition,
        ack_floor=answer.ack_floor,
        cursor=answer.cursor,
        visible_offset=answer.visible,
        ready=answer.ready,
        leased=answer.leased,
        retrying=answer.retrying,
        dead=answer.dead,
        settled_above_floor=answer.settled_above_floor,
        credit=answer.credit_records,
        oldest_unsettled=time_of(answer.oldest_unsettled_us),
        redelivered=answer.redelivered,
        acked=answer.acked,
        failed=answer.failed,
        crashed=answer.crashed,
        expired=answer.expired,
        gone=answer.gone,
    )


def _dead_record(partition: int, row: dict[str, Any]) -> DeadRecord:
    return DeadRecord(
        partition,
        row["offset"],
        row["reason"],
        row["error"],
        row["failures"],
        row["crashes"],
        row["replays"],
        time_of(row["died_us"]),
        time_of(row.get("first_failure_us", 0)),
        time_of(row.get("last_failure_us", 0)),
    )
