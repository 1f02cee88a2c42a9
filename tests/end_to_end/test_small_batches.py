"""What a broker takes says nothing about what it sends."""

import tapemq
from tests.support.running_server import running_server

RECORDS = 300


async def test_deliveries_may_be_larger_than_the_largest_batch() -> None:
    async with (
        running_server(batch_bytes_max=16_384, record_bytes_max=8192) as server,
        await tapemq.connect(f"tapemq://127.0.0.1:{server.port}") as client,
    ):
        async with client.producer("orders") as producer:
            for _ in range(RECORDS):
                await producer.send(b"x" * 1000)
        async with client.stream("orders", group=None, start="earliest") as stream:
            offsets = []
            async for record in stream:
                offsets.append(record.offset)
                if len(offsets) == RECORDS:
                    break
    assert offsets == list(range(RECORDS))
