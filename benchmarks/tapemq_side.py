"""TapeMQ in its two forms: record by record, and in batches."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.tapemq_broker import TapemqBroker
from benchmarks.task import Scenario, Settings


class Records:
    """Each record passes `await producer.send(value)` and `async for record in stream`."""

    name = "tapemq"
    title = "TapeMQ"
    client = "benchmarks.tapemq_client"

    def measures(self, _: Scenario) -> bool:
        """It takes part in every scenario."""
        return True

    def settings(self, scenario: Scenario) -> Settings:
        """The SDK's defaults; `records_per_call` is how often the producer looks at the clock."""
        return {
            "form": "records",
            "durability": "durable",
            "records_per_call": 16 if scenario.size_bytes > 4096 else 256,
        }

    def versions(self) -> dict[str, str]:
        """Broker and SDK are one distribution."""
        return {
            name: version(name) for name in ("tapemq", "msgpack", "msgspec", "uvloop", "zlib-ng")
        }

    def start(self, directory: Path, wrapper: Sequence[str] = ()) -> TapemqBroker:
        """Start a broker."""
        return TapemqBroker(directory, wrapper)


class Batches(Records):
    """The forms for speed: `producer.send_many(values)` and `async for batch in stream.batches()`.

    It stands beside the rival's, whose client is given 200 records at a time.
    """

    name = "tapemq-batches"
    title = "TapeMQ, batch form"

    def measures(self, scenario: Scenario) -> bool:
        """An extra row for throughput."""
        return not scenario.rate_per_s

    def settings(self, scenario: Scenario) -> Settings:
        """As record by record."""
        return {**super().settings(scenario), "form": "batches"}
