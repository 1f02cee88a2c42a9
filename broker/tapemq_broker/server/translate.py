"""Results and effects of the core, as messages of the protocol."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from tapemq.wire import errors
from tapemq.wire import messages as m
from tapemq.wire.entries import pack_tokens
from tapemq.wire.limits import TOKENS_MAX
from tapemq.wire.pages import pack_page
from tapemq_broker.core import effects as e
from tapemq_broker.core import results as r
from tapemq_broker.core.refusal import Refusal

_CODES: Final = {kind.name: kind.code for kind in errors.ERRORS.values()}

_TEXT_CHARS_MAX: Final = 1000

DURABLE: Final = 0
WRITTEN: Final = 1
"""``level`` of Publish and Receipt."""


def _topic(info: r.TopicInfo) -> m.Topic:
    return m.Topic(info.name, info.topic_id, info.partitions, info.version, dict(info.settings))


def _receipt(result: r.PublishResult) -> m.Receipt:
    level = DURABLE if result.durable else WRITTEN
    return m.Receipt(result.base_offset, level, result.duplicate, result.append_time_us)


def _settled(result: r.Settled) -> m.Settled:
    return m.Settled(sum(count for _, _, count in result.lost))


def _queue(info: r.QueueInfo) -> m.Queue:
    return m.Queue(**info._asdict())


_RESULTS: Final[dict[type, Callable[[Any], m.Message]]] = {
    r.Done: lambda result: m.Done(),
    r.TopicInfo: _topic,
    r.NamesPage: lambda page: m.Names(page.names, page.more),
    r.PublishResult: _receipt,
    r.ScheduleResult: lambda result: m.Scheduled(*result),
    r.ProducerIdentity: lambda who: m.Producer(who.producer_id, who.epoch),
    r.GroupInfo: lambda info: m.Group(*info),
    r.Settled: _settled,
    r.QueueInfo: _queue,
    r.Explanation: lambda explanation: m.Explanation(*explanation),
    r.DeadPage: lambda page: m.DeadPage(page.next_offset, page.more),
    r.Affected: lambda affected: m.Affected(affected.records),
}


def text_of(reason: str) -> str:
    """A reason, no longer than a message may carry: it may repeat what a client has sent."""
    return reason[:_TEXT_CHARS_MAX]


def failure(refusal: Refusal) -> m.Failure:
    """The answer to a refused command."""
    retry_after_ms = int(refusal.retry_after_s * 1000)
    return m.Failure(_CODES[refusal.name], text_of(refusal.text), retry_after_ms)


def answer(result: r.Result | Refusal) -> m.Message:
    """The message that answers a command."""
    if isinstance(result, Refusal):
        return failure(result)
    return _RESULTS[type(result)](result)


def payload(result: r.Result | Refusal) -> memoryview | None:
    """What goes with the message that answers a command."""
    if isinstance(result, r.Settled) and result.lost:
        return memoryview(pack_tokens(result.lost[:TOKENS_MAX]))
    if isinstance(result, r.DeadPage):
        return memoryview(pack_page(result.records))
    return None


def leases_lost(effect: e.TakeBack) -> Iterator[tuple[m.LeaseLost, memoryview]]:
    """The messages, and their payloads, that tell a consumer what it has lost."""
    message = m.LeaseLost(effect.key.subscription, effect.reason)
    for start in range(0, len(effect.tokens), TOKENS_MAX):
        yield message, memoryview(pack_tokens(effect.tokens[start : start + TOKENS_MAX]))


def push(effect: e.Assign | e.Revoke | e.Detach) -> m.Message:
    """The message that tells a subscription of a change."""
    number = effect.key.subscription
    if isinstance(effect, e.Assign):
        return m.Assigned(
            number, effect.partition, effect.generation, effect.offset, effect.seek_epoch
        )
    if isinstance(effect, e.Revoke):
        within_ms = int(effect.within_s * 1000)
        return m.Revoke(number, effect.partition, effect.generation, within_ms)
    code, text = _CODES[effect.reason.name], text_of(effect.reason.text)
    return m.Detached(number, effect.partition, effect.generation, code, text)
