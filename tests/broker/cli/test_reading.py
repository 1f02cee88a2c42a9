import asyncio
from collections.abc import Iterator

import pytest

import tapemq
from tapemq_broker.cli import reading
from tapemq_broker.cli.reading import Reading, Wish
from tests.support.crash.forked_broker import ForkedBroker

EVERYTHING = Wish("orders", None, "earliest", None, None, follow=False)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    broker = ForkedBroker(tmp_path_factory.mktemp("reading") / "data")
    broker.start()
    yield broker.url
    assert broker.stop() == 0


async def publish(client: tapemq.Client, topic: str, *values: str) -> None:
    for value in values:
        await client.publish(topic, value)


async def nothing() -> None:
    """There is nothing to flush."""


async def read(client: tapemq.Client, wish: Wish) -> list[str]:
    found: list[str] = []

    async def take(record: tapemq.Record) -> None:
        found.append(record.text)

    await Reading(client, wish, take, nothing).run()
    return found


async def test_ends_where_the_topic_ended(url: str) -> None:
    async with await tapemq.connect(url) as client:
        await publish(client, "ends", "a", "b")
        assert await read(client, EVERYTHING._replace(topic="ends")) == ["a", "b"]


async def test_nothing_to_read_ends_at_once(url: str) -> None:
    async with await tapemq.connect(url) as client:
        await client.create_topic("empty")
        assert await read(client, EVERYTHING._replace(topic="empty")) == []


async def test_ends_after_a_number_of_records(url: str) -> None:
    async with await tapemq.connect(url) as client:
        await publish(client, "count", "a", "b", "c")
        for follow in (True, False):
            wish = EVERYTHING._replace(topic="count", records_max=2, follow=follow)
            assert await read(client, wish) == ["a", "b"]


async def test_what_was_read_is_committed(url: str) -> None:
    async with await tapemq.connect(url) as client:
        await publish(client, "commit", "a", "b")
        await read(client, EVERYTHING._replace(topic="commit", group="g"))
        assert (await client.group("commit", "g")).lag == 0


async def test_ends_when_another_of_the_group_has_read_the_rest(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_LOOK_EVERY_S", 0.01)
    async with await tapemq.connect(url) as client, await tapemq.connect(url) as other:
        await publish(client, "shared", "a", "b")
        wish = EVERYTHING._replace(topic="shared", group="g")
        async with other.stream("shared", group="g", start="earliest") as stream:
            first = await anext(aiter(stream))
            assert first.text == "a"
            # The only partition is the other one's; this one waits for it.
            waiting = asyncio.create_task(read(client, wish))
            async for record in stream:
                if record.text == "b":
                    break
            await stream.commit()
            assert await waiting == []


async def test_a_failure_of_the_taker_is_raised(url: str) -> None:
    async with await tapemq.connect(url) as client:
        await publish(client, "fails", "a")

        async def take(record: tapemq.Record) -> None:
            raise BrokenPipeError

        with pytest.raises(BrokenPipeError):
            await Reading(client, EVERYTHING._replace(topic="fails"), take, nothing).run()


async def test_a_record_in_hand_is_waited_for(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_LOOK_EVERY_S", 0.001)
    async with await tapemq.connect(url) as client:
        await publish(client, "slow", "a", "b")
        taken: list[str] = []

        async def take(record: tapemq.Record) -> None:
            for _ in range(3):  # what takes longer than several looks
                await client.partitions("slow")
            taken.append(record.text)

        await Reading(client, EVERYTHING._replace(topic="slow", group="g"), take, nothing).run()
        assert taken == ["a", "b"]
        assert (await client.group("slow", "g")).lag == 0


@pytest.mark.parametrize("records_max", [None, 2])
async def test_what_was_not_written_is_not_committed(url: str, records_max: int | None) -> None:
    topic = f"unwritten-{records_max}"
    async with await tapemq.connect(url) as client:
        await publish(client, topic, "a", "b", "c")
        wish = EVERYTHING._replace(topic=topic, group="g", records_max=records_max)
        taken: list[str] = []

        async def take(record: tapemq.Record) -> None:
            taken.append(record.text)

        async def flush() -> None:
            if "b" in taken:
                raise BrokenPipeError

        with pytest.raises(BrokenPipeError):
            await Reading(client, wish, take, flush).run()
        assert (taken, (await client.group(topic, "g")).lag) == (["a", "b"], 2)
