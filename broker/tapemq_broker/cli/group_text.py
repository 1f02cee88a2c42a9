"""Groups of both kinds as commands print them."""

from dataclasses import fields
from typing import Any, Final

import tapemq
from tapemq_broker.cli.output import shown
from tapemq_broker.core.counting import agreeing, counted
from tapemq_broker.core.queue.policy import Policy

_DEFAULTS: Final = {field.name: field.default for field in fields(Policy)}


def lag_rows(info: tapemq.GroupInfo, queue: tapemq.QueueInfo | None) -> list[dict[str, Any]]:
    """What a group has still to do, by partition; ``queue``: of a queue group."""
    if queue is None:
        return [
            {"partition": place.partition, "cursor": place.cursor, "lag": place.lag}
            for place in info.partitions
        ]
    return [
        {
            "partition": part.partition,
            "ack_floor": part.ack_floor,
            "lag": place.lag,
            "ready": part.ready,
            "leased": part.leased,
            "retrying": part.retrying,
            "dead": part.dead,
        }
        for place, part in zip(info.partitions, queue.partitions, strict=True)
    ]


def place_rows(info: tapemq.GroupInfo, queue: tapemq.QueueInfo | None) -> list[dict[str, Any]]:
    """Where a group is, by partition."""
    if queue is None:
        return [
            {
                "partition": place.partition,
                "cursor": place.cursor,
                "lag": place.lag,
                "member": place.member or None,
                "commit_time": place.commit_time,
            }
            for place in info.partitions
        ]
    return [
        row
        | {
            "cursor": part.cursor,
            "acked": part.acked,
            "failed": part.failed,
            "crashed": part.crashed,
            "redelivered": part.redelivered,
            "oldest_unsettled": part.oldest_unsettled,
        }
        for row, part in zip(lag_rows(info, queue), queue.partitions, strict=True)
    ]


def setting_row(queue: tapemq.QueueInfo) -> dict[str, Any]:
    """The settings of a queue group in force, and which of them nobody has set."""
    defaults = [name for name in _DEFAULTS if name not in queue.settings]
    return {"settings": {**_DEFAULTS, **queue.settings}, "defaults": defaults}


def setting_texts(queue: tapemq.QueueInfo) -> dict[str, Any]:
    """The same for people."""
    defaults = {name: f"{shown(value) or '-'} (default)" for name, value in _DEFAULTS.items()}
    return {**defaults, **queue.settings}


def stream_explanation(info: tapemq.GroupInfo) -> tapemq.Explanation:
    """Why a stream group reads nothing, as far as its positions tell."""
    behind = [place for place in info.partitions if place.lag]
    if not behind:
        return tapemq.Explanation("caught_up", ["Every record that there is has been committed."])
    numbers = (
        f"{counted(info.lag, 'record')} {agreeing(info.lag, 'is', 'are')} not committed yet, "
        f"in {counted(len(behind), 'partition')}."
    )
    if not info.members:
        return tapemq.Explanation("no_consumers", ["Nobody reads as this group.", numbers])
    idle = [place for place in behind if not place.member]
    sentences = [f"Partition {place.partition} is read by nobody at the moment." for place in idle]
    sentences += [
        f"Partition {place.partition} is read by {place.member}, which has not committed "
        f"{counted(place.lag, 'record')}."
        for place in behind
        if place.member
    ]
    return tapemq.Explanation("delivering", [*sentences, numbers])
