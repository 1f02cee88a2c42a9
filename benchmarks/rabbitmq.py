"""RabbitMQ's two forms: a durable classic queue, and a stream."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.rabbitmq_server import RabbitmqServer, server_version
from benchmarks.task import Scenario, Settings


class ClassicQueue:
    """A durable classic queue: persistent messages, publisher confirms, consumer acks."""

    name = "rabbitmq-classic"
    title = "RabbitMQ classic queue"
    client = "benchmarks.classic_client"

    def measures(self, _: Scenario) -> bool:
        """It takes part in every scenario."""
        return True

    def settings(self, scenario: Scenario) -> Settings:
        """What a search found best; see "Settings" in README.md."""
        large = scenario.size_bytes > 4096
        return {
            "queue_version": 2,
            "records_per_call": 4 if large else 50,
            "window": 50 if large else 500,
            "prefetch": 50 if large else 100,
            "ack_every": 5 if large or scenario.rate_per_s else 25,
        }

    def versions(self) -> dict[str, str]:
        """Of the server and of what the client is made of."""
        libraries = {name: version(name) for name in ("pamqp", "uvloop")}
        return {"rabbitmq-server": server_version(), **libraries}

    def start(self, directory: Path, wrapper: Sequence[str] = ()) -> RabbitmqServer:
        """Start a server without plugins."""
        return RabbitmqServer(directory, stream=False, wrapper=wrapper)


class Stream:
    """A RabbitMQ stream, in its fastest form for each size."""

    name = "rabbitmq-stream"
    title = "RabbitMQ stream"
    client = "benchmarks.stream_client"

    def measures(self, _: Scenario) -> bool:
        """It takes part in every scenario."""
        return True

    def settings(self, scenario: Scenario) -> Settings:
        """What a search found best; see "Settings" in README.md."""
        if scenario.rate_per_s or scenario.size_bytes > 4096:
            batch = {"records_per_call": 10, "window": 200, "flush_every": 0, "credit": 50}
            return {"form": "batches", **batch}
        small = scenario.size_bytes <= 512
        return {
            "form": "sub-entries",
            "records_per_call": 200 if small else 50,
            "window": 1000,
            "flush_every": 32 if small else 8,
            "credit": 10,
        }

    def versions(self) -> dict[str, str]:
        """Of the server and of its client."""
        libraries = {name: version(name) for name in ("rstream", "uvloop")}
        return {"rabbitmq-server": server_version(), **libraries}

    def start(self, directory: Path, wrapper: Sequence[str] = ()) -> RabbitmqServer:
        """Start a server with the stream plugin."""
        return RabbitmqServer(directory, stream=True, wrapper=wrapper)
