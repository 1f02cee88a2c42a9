"""docs/testing.md: its example runs as it is printed, and it names the faults that there are."""

import re

from tapemq.testing import Broker
from tests.support.sources import ROOT

TEXT = (ROOT / "docs" / "testing.md").read_text()


async def test_the_example_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(example, "docs/testing.md", "exec"), names)
    await names["test_a_failed_order_is_tried_again"]()  # type: ignore[operator]


def test_every_fault_is_there() -> None:
    named = re.findall(r"broker\.(\w+)\(\)` \|", TEXT)
    assert len(named) == 7
    assert all(callable(getattr(Broker, name)) for name in named)
