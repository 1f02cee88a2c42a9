"""What a running broker counts."""

import asyncio
from urllib.request import urlopen

from tests.support.crash.broker import Broker


async def metric(broker: Broker, name: str) -> float:
    """A metric with its labels, as it is now; 0 if there is none."""

    def ask() -> str:
        with urlopen(f"http://127.0.0.1:{broker.http_port}/metrics", timeout=30) as answer:
            text: str = answer.read().decode()
        return text

    for line in (await asyncio.to_thread(ask)).splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[-1])
    return 0.0


async def until(broker: Broker, name: str, least: float) -> None:
    """Wait until a metric has grown to this."""
    while await metric(broker, name) < least:
        pass
