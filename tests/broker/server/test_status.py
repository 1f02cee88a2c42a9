"""A reading of a broker at work."""

from tests.support.raw_client import RawClient
from tests.support.running_server import running_server


async def test_totals_and_states() -> None:
    async with running_server() as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        await client.publish(topic, b"abc", b"def")
        await client.subscribe(topic)
        await client.push_of(object)
        status = server.status()
        assert (status.topics, status.connections, status.subscriptions) == (1, 1, 1)
        assert (status.ready, status.blocked, status.damaged_partitions) == (True, "", 0)
        assert status.totals["records_published"] == 2
        assert status.totals["batches_published"] == 1
        assert status.sync_rounds > 0
        assert status.files_synced >= status.sync_rounds
        assert status.disk_free_bytes > status.disk_mark_bytes
    assert not server.ready
