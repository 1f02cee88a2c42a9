"""The SDK without asyncio, and a broker in a process of its own."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from tapemq import sync
from tests.support.blocking import in_thread, outcome
from tests.support.crash.broker import Broker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path / "data")
    broker.start()
    yield broker
    broker.stop()


def test_first_screen(broker: Broker) -> None:
    with sync.connect(broker.url) as client:
        receipt = client.publish("orders", b"one", key="eu.42", headers={"k": "v"})
        assert (receipt.offset, receipt.durability) == (0, "durable")
        with client.producer("orders") as producer:
            for row in (b"two", b"three"):
                producer.send(row)
        with client.stream("orders", group="analytics", start="earliest") as stream:
            records = list(islice(stream, 3))
        assert [record.value for record in records] == [b"one", b"two", b"three"]
        assert (records[0].key, records[0].headers) == (b"eu.42", {"k": "v"})
        assert client.group("orders", "analytics").lag == 0


def test_threads_go_on_after_a_restart(broker: Broker) -> None:
    with sync.connect(broker.url) as client:

        def publish(letter: str) -> list[int]:
            return [client.publish("t", f"{letter}{n}").offset for n in range(200)]

        def read() -> list[bytes | None]:
            with client.stream("t", group="g", start="earliest") as stream:
                return [record.value for record in islice(stream, 800)]

        reading = in_thread(read)
        publishing = [in_thread(publish, letter) for letter in "abcd"]
        client.publish("other", b"")
        broker.stop()
        broker.start()
        offsets = [offset for future in publishing for offset in outcome(future)]
        assert sorted(offsets) == list(range(800))
        values = outcome(reading)
        assert len(set(values)) == 800
        for letter in "abcd":
            own = [value for value in values if value is not None and value[:1] == letter.encode()]
            assert own == [f"{letter}{n}".encode() for n in range(200)]
        assert client.group("t", "g").lag == 0
