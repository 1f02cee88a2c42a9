"""Queue groups in the core's world, with what most tests do not care about filled in."""

from tapemq_broker.core import effects as e
from tapemq_broker.core.partition import Partition
from tapemq_broker.core.queue.backlog import Backlog
from tapemq_broker.core.queue.consumer import Consumer
from tapemq_broker.core.queue.group import QueueGroup
from tapemq_broker.core.queue.ledger import Ledger
from tapemq_broker.core.queue.terms import Terms
from tapemq_broker.core.queue.verb import Verb
from tapemq_broker.core.queue.wish import Consume
from tapemq_broker.core.refusal import Refusal
from tapemq_broker.core.results import Explanation, QueueInfo, Settled
from tapemq_broker.core.start import Start
from tests.support.core.reading import data_log, key
from tests.support.core.world import World

GROUP = "billing"
PLENTY = 1 << 20


def queue_world(records: int = 0, partitions: int = 1, **settings: int | str | bool) -> World:
    """A topic with so many records on each partition, all on disk."""
    world = World()
    world.create_topic("orders", partitions, settings=settings)
    for number in range(partitions):
        if records:
            world.publish(data_log(number), *[b"%d" % at for at in range(records)])
    world.sync()
    return world


def consume(
    world: World,
    session: int = 1,
    *,
    records: int = 1000,
    size_bytes: int = PLENTY,
    group: str = GROUP,
    start: str = "earliest",
    **settings: int | str | bool,
) -> e.Request:
    """Take records; all of the group is on disk then."""
    wish = Consume(key(session), 1, group, "c", Start(start), records, size_bytes, settings)
    queues = world.core.queues
    request = world.execute(session, lambda r: queues.consume(r, wish))
    world.sync()
    return request


def send(world: World, upto: int | None = None) -> e.DeliverLease:
    """Send the lease that waits longest, as far as an offset."""
    lease = world.leasing.popleft()
    upto = lease.runs[-1][1] if upto is None else upto
    queues, now, now_us = world.core.queues, world.now, world.now_us
    world.run(queues.lease_sent(lease, upto=upto, size_bytes=1, now=now, now_us=now_us))
    return lease


def settle(
    world: World,
    verb: Verb,
    *tokens: tuple[int, int, int],
    session: int = 1,
    delay_ms: int | None = None,
    reason: str = "",
    error: str = "",
) -> e.Request:
    """Say what became of leased records."""
    queues, now_us = world.core.queues, world.now_us
    return world.execute(
        session,
        lambda r: queues.settle(
            r,
            key(session),
            verb,
            tokens,
            now_us=now_us,
            delay_ms=delay_ms,
            reason=reason,
            error=error,
        ),
    )


def settled(world: World, verb: Verb, *tokens: tuple[int, int, int]) -> Settled:
    """The same, and wait for the disk."""
    request = settle(world, verb, *tokens)
    world.sync()
    answer = world.answer(request)
    assert isinstance(answer, Settled)
    return answer


def later(world: World, seconds: float) -> None:
    """Time passes."""
    world.now += seconds
    world.run(world.core.tick(world.now, world.now_us))


def backlog(world: World, number: int = 0, group: str = GROUP) -> Backlog:
    return world.core.topics.get(1).queue_groups[group].backlogs[number]


def info(world: World, number: int = 0) -> QueueInfo:
    """A group's state."""
    queues = world.core.queues
    answer = world.answer(world.execute(0, lambda r: queues.describe(r, 1, GROUP, number)))
    assert isinstance(answer, QueueInfo)
    return answer


def explanation(world: World) -> Explanation:
    """What a group says of itself."""
    queues, now_us = world.core.queues, world.now_us
    answer = world.answer(world.execute(0, lambda r: queues.explain(r, 1, GROUP, now_us)))
    assert isinstance(answer, Explanation)
    return answer


def group(partitions: int = 1, consumers: int = 2, **settings: int | str | bool) -> QueueGroup:
    """A group by itself: each partition has five records, each consumer credit for one."""
    terms = Terms.of(settings, 1)
    made = QueueGroup(1, "g", terms)
    for number in range(partitions):
        partition = Partition(1, number)
        partition.opened(0, 5, 5)
        made.backlogs[number] = Backlog(Ledger("g", partition, terms, 0))
        made.wake_backlog(made.backlogs[number])
    for session in range(consumers):
        made.add(Consumer(key(session), "", 1, 1))
    return made


def refusal(world: World, request: e.Request) -> str:
    """The name of the refusal that answered a request."""
    answer = world.answer(request)
    assert isinstance(answer, Refusal), answer
    return answer.name


def seek(world: World, start: Start) -> e.Request:
    """Set where the group goes on in the first partition."""
    groups = world.core.groups
    return world.execute(0, lambda r: groups.seek(r, 1, GROUP, 0, start=start, now_us=0))


def delete(world: World) -> e.Request:
    """Delete the group."""
    groups = world.core.groups
    return world.execute(0, lambda r: groups.delete(r, 1, GROUP))


def close(world: World, session: int = 1) -> None:
    """A consumer's session ends."""
    world.run(world.core.queues.session_closed(session, world.now_us))
