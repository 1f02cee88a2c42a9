"""What the harness needs to know about a system that is measured."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from benchmarks.task import Endpoint, Scenario, Settings


class Broker(Protocol):
    """A running broker."""

    endpoint: Endpoint
    pid: int
    """The root of its process tree."""

    def stop(self) -> None:
        """End it in its own orderly way."""


class System(Protocol):
    """A broker and the way a Python application uses it."""

    name: str
    title: str
    client: str
    """The module with the producer and the consumer; see clients.py."""

    def measures(self, scenario: Scenario) -> bool:
        """Whether this system takes part in a scenario."""

    def settings(self, scenario: Scenario) -> Settings:
        """The settings of its client."""

    def versions(self) -> dict[str, str]:
        """The versions of the broker and of the libraries of its client."""

    def start(self, directory: Path, wrapper: Sequence[str] = ()) -> Broker:
        """Start a broker with its data in an empty directory; return when it takes connections.

        `wrapper` is a command that starts the broker's command, such as strace.
        """
