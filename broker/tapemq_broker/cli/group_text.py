"""Groups of both kinds as commands print them."""

from typing import Any

import tapemq


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


def stream_explanation(info: tapemq.GroupInfo) -> tapemq.Explanation:
    """Why a stream group reads nothing, as far as its positions tell."""
    behind = [place for place in info.partitions if place.lag]
    if not behind:
        return tapemq.Explanation("caught_up", ["Every record that there is has been committed."])
    numbers = f"{info.lag:,} records are not committed yet, in {len(behind)} partitions."
    if not info.members:
        return tapemq.Explanation("no_consumers", ["Nobody reads as this group.", numbers])
    idle = [place for place in behind if not place.member]
    sentences = [f"Partition {place.partition} is read by nobody at the moment." for place in idle]
    sentences += [
        f"Partition {place.partition} is read by {place.member}, which has not committed "
        f"{place.lag:,} records."
        for place in behind
        if place.member
    ]
    return tapemq.Explanation("delivering", [*sentences, numbers])
