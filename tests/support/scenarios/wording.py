"""Effects and answers of the core, in words."""

from collections.abc import Sequence
from typing import Any

import msgpack

from tapemq.batch import LogId, Role, decode_columns
from tapemq_broker.core import effects as e
from tapemq_broker.core import results as r
from tapemq_broker.core.group import Position
from tapemq_broker.core.refusal import Refusal
from tests.support.core.list_log import Value
from tests.support.core.world import Answered, Sent
from tests.support.scenarios.names import Names, generation_name, lease_name


class Wording:
    """Says what has happened, by the names that a transcript uses."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def describe(self, item: object) -> str | None:
        """A line on what has happened; None for what another line tells."""
        match item:
            case e.Append() | e.PutState() | e.TruncateFront():
                return self._write(item)
            case e.ReplyWhenDurable():
                upto = "" if item.offset is None else f" up to {item.offset}"
                return f"wait for the disk: {self._names.log_name(item.log)}{upto}"
            case Answered():
                what = self._names.requests.get(item.request.correlation, "")
                return f"answer to {what}: {_result(item.result)}"
            case Sent():
                return self._sent(item)
            case e.Assign() | e.Revoke() | e.Detach():
                return self._push(item)
            case e.DeliverLease():
                return self._lease(item)
            case e.TakeBack():
                who, lost = self._names.who(item.key), _tokens(item.tokens)
                return f"{who} has lost {lost}: {item.reason}"
            case e.StateChanged():
                return f"remember to note what has changed in {self._names.log_name(item.log)}"
            case e.WhenDurable():
                return f"go on once {self._names.log_name(item.log)} is on disk"
            case e.PrepareTopic():
                last = item.topic.partitions - 1
                return f"make the logs of {item.topic.name}/{item.first_partition} to /{last}"
            case e.RemoveTopic():
                return f"remove the logs of {item.topic.name}, once it is forgotten on disk"
            case _:
                return None

    def _lease(self, wish: e.DeliverLease) -> str:
        name, offsets = self._names.log_name(wish.log), runs_text(wish.runs)
        counts = {"failed": wish.failures, "crashed": wish.crashes, "delivered": wish.deliveries}
        told = "".join(f", {what} {count} times" for what, count in counts.items() if count)
        lease = lease_name(wish.lease_id)
        return (
            f"{self._names.who(wish.key)} leases {offsets} of {name} for {wish.lease_s:g}s "
            f"(lease {lease}){told}"
        )

    def _write(self, effect: e.Append | e.PutState | e.TruncateFront) -> str:
        name = self._names.log_name(effect.log)
        if isinstance(effect, e.Append):
            values = _list(decode_columns(effect.body).values)
            return f"append to {name} at {effect.base_offset}: {values}"
        if isinstance(effect, e.TruncateFront):
            return f"remove segments of {name} below {effect.offset}"
        changes = effect.changes.items()
        told = [f"{_key(key)} {_entry(effect.log, value)}" for key, value in changes]
        return f"note in {name}: {', '.join(told)}"

    def _push(self, push: e.Assign | e.Revoke | e.Detach) -> str:
        who = self._names.who(push.key)
        if isinstance(push, e.Detach) and not push.generation:
            return f"{who} has lost the subscription: {_refusal(push.reason)}"
        place = f"partition {push.partition} in generation {generation_name(push.generation)}"
        if isinstance(push, e.Assign):
            return f"{who} has {place} from {push.offset} on, seek epoch {push.seek_epoch}"
        if isinstance(push, e.Revoke):
            return f"{who} shall release {place} within {push.within_s:g}s"
        return f"{who} cannot read {place}: {_refusal(push.reason)}"

    def _sent(self, sent: Sent) -> str:
        wish, records = sent.wish, sent.chunk.records
        values = _list([value for _, value in records])
        name = self._names.log_name(wish.log)
        return f"{self._names.who(wish.key)} gets {name} from {wish.offset} on: {values}"


def runs_text(runs: Sequence[tuple[int, int]]) -> str:
    """Offsets, as "0-2,5"."""
    return ",".join(str(first) if end == first + 1 else f"{first}-{end - 1}" for first, end in runs)


def _tokens(tokens: Sequence[tuple[int, int, int]]) -> str:
    by_lease: dict[int, list[tuple[int, int]]] = {}
    for lease_id, first, count in tokens:
        by_lease.setdefault(lease_id, []).append((first, first + count))
    return " and ".join(
        f"{runs_text(runs)} of lease {lease_name(lease_id)}" for lease_id, runs in by_lease.items()
    )


def _key(key: bytes) -> str:
    """A group's name, or that of one of the entries beside it."""
    name, _, rest = key.partition(b"\0")
    return (
        f"{name.decode()} ({rest[:1].decode()} {int.from_bytes(rest[1:])})"
        if rest
        else key.decode()
    )


def _entry(log: LogId, value: bytes | None) -> str:
    if value is None:
        return "removed"
    if log.role is Role.CATALOG:
        return "as it is"
    head: dict[str, Any] = msgpack.unpackb(value)
    if head["kind"] == "queue":
        return f"a queue, settled up to {head['ack_floor']}, seek epoch {head['seek_epoch']}"
    at = Position.decode(value)
    hold = ", hold" if at.hold else ""
    return f"at {at.cursor}, seek epoch {at.seek_epoch}{hold}"


def _result(result: r.Result | Refusal) -> str:
    match result:
        case Refusal():
            return f"refused, {_refusal(result)}"
        case r.Done():
            return "done"
        case r.PublishResult():
            level = "durable" if result.durable else "written"
            duplicate = ", duplicate" if result.duplicate else ""
            return f"at {result.base_offset}, {level}{duplicate}"
        case r.Settled():
            return f"settled, but for {_tokens(result.lost)}" if result.lost else "settled"
        case r.Explanation():
            return f"{result.state}: {' '.join(result.sentences)}"
        case r.DeadPage():
            return "; ".join(map(_dead, result.records)) or "nothing is dead"
        case r.QueueInfo():
            counted = {name: value for name, value in result._asdict().items() if value}
            return ", ".join(f"{name} {value!r}" for name, value in counted.items())
        case _:
            return _fields(result, "generation", "topic_id", "settings", "commit_time_us")


def _dead(record: dict[str, Any]) -> str:
    counts = f"failed {record['failures']} times, crashed {record['crashes']} times"
    replays = f", redriven {record['replays']} times" if record["replays"] else ""
    error = f" ({record['error']})" if record["error"] else ""
    return f"{record['offset']}: {record['reason']}{error}, {counts}{replays}"


def _fields(result: Any, *without: str) -> str:
    fields = result._asdict().items()
    return ", ".join(f"{name} {value!r}" for name, value in fields if name not in without)


def _refusal(refusal: Refusal) -> str:
    return f"{refusal.name} ({refusal.text})"


def _list(values: Any) -> str:
    return " ".join(map(_value, values))


def _value(value: Value) -> str:
    return "none" if value is None else f'"{bytes(value).decode()}"'
