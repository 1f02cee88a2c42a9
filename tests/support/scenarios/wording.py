"""Effects and answers of the core, in words."""

from typing import Any

from tapemq.batch import LogId, Role, decode_columns
from tapemq_broker.core import effects as e
from tapemq_broker.core import results as r
from tapemq_broker.core.group import Position
from tapemq_broker.core.refusal import Refusal
from tests.support.core.list_log import Value
from tests.support.core.world import Answered, Sent
from tests.support.scenarios.names import Names, generation_name


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
            case e.PrepareTopic():
                last = item.topic.partitions - 1
                return f"make the logs of {item.topic.name}/{item.first_partition} to /{last}"
            case e.RemoveTopic():
                return f"remove the logs of {item.topic.name}, once it is forgotten on disk"
            case _:
                return None

    def _write(self, effect: e.Append | e.PutState | e.TruncateFront) -> str:
        name = self._names.log_name(effect.log)
        if isinstance(effect, e.Append):
            values = _list(decode_columns(effect.body).values)
            return f"append to {name} at {effect.base_offset}: {values}"
        if isinstance(effect, e.TruncateFront):
            return f"remove segments of {name} below {effect.offset}"
        changes = effect.changes.items()
        told = [f"{key.decode()} {_entry(effect.log, value)}" for key, value in changes]
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


def _entry(log: LogId, value: bytes | None) -> str:
    if value is None:
        return "removed"
    if log.role is Role.CATALOG:
        return "as it is"
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
        case _:
            return _fields(result, "generation", "topic_id", "settings", "commit_time_us")


def _fields(result: Any, *without: str) -> str:
    fields = result._asdict().items()
    return ", ".join(f"{name} {value!r}" for name, value in fields if name not in without)


def _refusal(refusal: Refusal) -> str:
    return f"{refusal.name} ({refusal.text})"


def _list(values: Any) -> str:
    return " ".join(map(_value, values))


def _value(value: Value) -> str:
    return "none" if value is None else f'"{bytes(value).decode()}"'
