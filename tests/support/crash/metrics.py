"""What a running broker counts."""

import asyncio
from urllib.request import urlopen

from tests.support.crash.broker import Broker


async def metric(broker: Broker, name: str) -> float:
    """A metric with its labels, as it is now; 0 if there is none."""
    return (await _all(broker)).get(name, 0.0)


async def labels(broker: Broker, name: str, label: str) -> dict[str, float]:
    """A metric by the values of its only label."""
    head, tail = f'{name}{{{label}="', '"}'
    return {
        key.removeprefix(head).removesuffix(tail): value
        for key, value in (await _all(broker)).items()
        if key.startswith(head)
    }


async def until(broker: Broker, name: str, least: float) -> None:
    """Wait until a metric has grown to this."""
    while await metric(broker, name) < least:
        pass


async def _all(broker: Broker) -> dict[str, float]:
    def ask() -> str:
        with urlopen(f"http://127.0.0.1:{broker.http_port}/metrics", timeout=30) as answer:
            text: str = answer.read().decode()
        return text

    lines = (await asyncio.to_thread(ask)).splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines if line and not line.startswith("#")]
    return {name: float(value) for name, value in pairs}
