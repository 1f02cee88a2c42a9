import pytest

from tapemq_broker.config import Settings
from tapemq_broker.server.puppet import Puppet
from tapemq_broker.server.server import Server
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.running_server import memory_world, running_server


async def test_dead_server_writes_nothing_and_lets_another_one_start() -> None:
    world = memory_world(MemoryDisk())
    server = Server(Settings(), memory_world())
    await server.start("127.0.0.1", 0)
    Puppet(server).die()
    assert not server.ready
    assert world.disk.list_directory("") == []


async def test_catching_up_does_what_is_due() -> None:
    async with running_server() as server:
        done: list[float] = []
        puppet = Puppet(server)
        duty = server._timers._duties[0]
        server._timers._duties[0] = duty._replace(work=done.append)
        server._timers._due_at[0] = 0.0
        await puppet.catch_up()
        assert len(done) == 1


@pytest.mark.parametrize("times", [1, 2])
async def test_dying_again_changes_nothing(times: int) -> None:
    server = Server(Settings(), memory_world())
    await server.start("127.0.0.1", 0)
    for _ in range(times):
        Puppet(server).die()
    assert not server.ready
