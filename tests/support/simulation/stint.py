"""What one worker does from opening a queue until it leaves it, or dies."""

from typing import Any, Final

import tapemq
from tapemq.client import Client
from tests.support.simulation.history import Outcome, Place, Work
from tests.support.simulation.plans import QueuePlan
from tests.support.simulation.scene import Scene

EXPECTED: Final = (
    *("connection_lost", "deadline_exceeded", "indeterminate"),
    "disk_full",  # of a new group; Scene.expected() knows when
)


class Stint:
    """Notes which messages of a queue are begun.

    The SDK says so of a message that comes again before the application has it. Whoever dies in
    between has crashed with it, says protocol.md, so it is noted from there on.
    """

    def __init__(self, scene: Scene, name: str, plan: QueuePlan) -> None:
        self._scene = scene
        self._name = name
        self._plan = plan
        self._opened_s = scene.loop.time()
        self._begun: dict[tuple[int, int], Work] = {}

    def opened(self, client: Client, prefetch: int) -> tapemq.Queue:
        """A queue as planned."""
        queue = opened(client, self._plan, prefetch)
        make = queue._intake._make

        def noted(*fields: Any) -> tapemq.Message:
            message: tapemq.Message = make(*fields)
            lease = message._lease
            if lease.redelivered and message.offset in lease.held:
                self._begun[lease.lease_id, message.offset] = self._work(message)
            return message

        queue._intake._make = noted
        return queue

    def note(self, message: tapemq.Message) -> Work:
        """The application has a message."""
        begun = self._begun.get((message._lease.lease_id, message.offset))
        return begun or self._work(message)

    def _work(self, message: tapemq.Message) -> Work:
        assert message.value is not None
        work = Work(
            self._name,
            self._plan.group,
            Place(message.topic, message.partition, message.offset),
            message.value,
            message._lease.lease_id,
            message.failures,
            message.crashes,
            self._scene.loop.time(),
            opened_s=self._opened_s,
        )
        self._scene.history.works.append(work)
        return work


def opened(client: Client, plan: QueuePlan, prefetch: int) -> tapemq.Queue:
    """A queue as planned."""
    return client.queue(
        plan.topic,
        group=plan.group,
        prefetch=prefetch,
        lease=plan.lease_s,
        retry=[plan.retry_s],
        max_attempts=plan.max_attempts,
        key_lanes=plan.key_lanes,
    )


async def settle(
    scene: Scene, work: Work, message: tapemq.Message, verb: str, *, confirm: bool
) -> None:
    """Say what is to be said. Without ``confirm``, nobody knows what comes of it."""
    work.verb, work.said_s = verb, scene.loop.time()
    try:
        await getattr(message, verb)(confirm=confirm)
    except tapemq.LeaseLost:
        work.outcome = Outcome.FAILED
    except tapemq.Error as error:
        work.outcome = Outcome.UNKNOWN
        scene.expected(error, *EXPECTED)
    else:
        work.outcome = Outcome.OK if confirm else Outcome.UNKNOWN
        work.done_s = scene.loop.time()
