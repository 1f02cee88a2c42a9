from collections.abc import AsyncIterator, Iterator

import pytest

import tapemq
from tapemq_broker.cli.bench.load import Load
from tapemq_broker.cli.bench.runs import Runs
from tapemq_broker.cli.errors import CommandError
from tapemq_broker.server.clock import RealClock
from tests.support.crash.forked_broker import ForkedBroker

FAST = Load(2500, 32, None)
STEADY = Load(50, 32, 5000.0)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    broker = ForkedBroker(tmp_path_factory.mktemp("runs") / "data")
    broker.start()
    yield broker.url
    assert broker.stop() == 0


@pytest.fixture
async def client(url: str) -> AsyncIterator[tapemq.Client]:
    async with await tapemq.connect(url) as client:
        yield client


class Counted(Runs):
    """Runs that count what is done."""

    def __init__(self, client: tapemq.Client, topic: str) -> None:
        super().__init__(client, topic, RealClock(), self.count)
        self.done = 0

    def count(self, records: int) -> None:
        self.done += records


async def visible(client: tapemq.Client, topic: str) -> int:
    return (await client.partition(topic, 0)).visible_offset


@pytest.mark.parametrize("load", [FAST, STEADY])
async def test_publish_puts_all_in_the_log(client: tapemq.Client, load: Load) -> None:
    topic = f"publish-{load.records}"
    runs = Counted(client, topic)
    result = await runs.publish(load)
    assert (result.test, result.records, runs.done) == ("pub", load.records, load.records)
    assert await visible(client, topic) == load.records
    assert (result.latencies is None) == (load.rate is None)
    assert result.latencies is None or len(result.latencies) == load.records


async def test_read_takes_what_is_there(client: tapemq.Client) -> None:
    runs = Counted(client, "read")
    await runs.publish(FAST)
    result = await runs.read(FAST)
    assert (result.test, result.records, runs.done) == ("sub", 2500, 5000)


@pytest.mark.parametrize("load", [FAST, STEADY])
async def test_pair_reads_all_that_it_publishes(client: tapemq.Client, load: Load) -> None:
    runs = Counted(client, f"pair-{load.records}")
    result = await runs.pair(load)
    assert (result.test, runs.done) == ("pair", load.records)
    assert (result.latencies is None) == (load.rate is None)
    assert result.latencies is None or len(result.latencies) == load.records


async def test_a_record_at_the_wrong_place_is_noticed(client: tapemq.Client) -> None:
    for number in (0, 2):
        await client.publish("order", FAST.value(number, 0.0))
    with pytest.raises(CommandError, match="read record 2 where 1 was to come"):
        await Counted(client, "order").read(Load(2, 32, None))
