import pytest

from tapemq_broker.core import effects as e
from tapemq_broker.core.queue.dead_letters import Choice
from tapemq_broker.core.refusal import Refusal
from tests.support.core.queueing import GROUP, consume, queue_world, refusal
from tests.support.core.reading import subscribe, wish
from tests.support.core.world import World

COMMANDS = ["describe", "explain", "alter", "list_dead", "redrive", "discard"]


def command(world: World, name: str, group: str, number: int = 0) -> e.Request:
    queues = world.core.queues
    everything = Choice(every=True)
    return world.execute(
        0,
        lambda r: {
            "describe": lambda: queues.describe(r, 1, group, number),
            "explain": lambda: queues.explain(r, 1, group, 0),
            "alter": lambda: queues.alter(r, 1, group, {}),
            "list_dead": lambda: queues.list_dead(r, 1, group, number),
            "redrive": lambda: queues.redrive(r, 1, group, number, everything, now_us=0),
            "discard": lambda: queues.discard(r, 1, group, number, everything),
        }[name](),
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_only_queue_groups_have_these_commands(name: str) -> None:
    world = queue_world(1)
    consume(world)
    subscribe(world, wish(2, group="stream"))
    world.sync()
    assert refusal(world, command(world, name, "nobody")) == "unknown_group"
    assert refusal(world, command(world, name, "stream")) == "bad_request"
    request = command(world, name, GROUP)
    world.sync()
    assert not isinstance(world.answer(request), Refusal | None)


@pytest.mark.parametrize("name", ["describe", "list_dead", "redrive", "discard"])
def test_partitions_have_to_be_there_and_whole(name: str) -> None:
    world = queue_world(1)
    consume(world)
    assert refusal(world, command(world, name, GROUP, 1)) == "unknown_partition"
    world.core.topics.get(1).partitions[0].damage = "rot"
    assert refusal(world, command(world, name, GROUP)) == "storage_failed"
