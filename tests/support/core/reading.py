"""Subscribing in the core's world, with what most tests do not care about filled in."""

from tapemq.batch import LogId, Role
from tapemq_broker.core import effects as e
from tapemq_broker.core.start import Start
from tapemq_broker.core.streams import Subscribe
from tests.support.core.world import World

PLENTY = 1 << 20


def key(session: int, subscription: int = 1) -> e.SubscriptionKey:
    return e.SubscriptionKey(session, subscription)


def wish(
    session: int,
    topic_id: int = 1,
    group: str = "",
    *,
    subscription: int = 1,
    member: str = "",
    start: str = "earliest",
    value: int = 0,
    partitions: tuple[int, ...] = (),
    hold: bool = False,
    records: int = PLENTY,
    size_bytes: int = PLENTY,
) -> Subscribe:
    return Subscribe(
        key(session, subscription),
        topic_id,
        group,
        member,
        Start(start, value),
        list(partitions),
        hold,
        records,
        size_bytes,
    )


def subscribe(world: World, wanted: Subscribe) -> e.Request:
    """Ask for a subscription."""
    streams, now = world.core.streams, world.now
    return world.execute(
        wanted.key.session, lambda request: streams.subscribe(request, wanted, now)
    )


def data_log(partition: int = 0, topic_id: int = 1) -> LogId:
    return LogId(topic_id, partition, Role.DATA)


def groups_log(partition: int = 0, topic_id: int = 1) -> LogId:
    return LogId(topic_id, partition, Role.GROUPS)


def assigned(world: World, session: int, subscription: int = 1) -> dict[int, e.Assign]:
    """The last Assign of each partition to a subscription, among what has happened."""
    wanted = key(session, subscription)
    assigns = [item for item in world.trace if isinstance(item, e.Assign) and item.key == wanted]
    return {assign.partition: assign for assign in assigns}
