"""docs/sync.md: its example runs as it is printed."""

import re
import subprocess
import sys
from pathlib import Path

from tests.support.crash.forked_broker import ForkedBroker
from tests.support.sources import ROOT

TEXT = (ROOT / "docs" / "sync.md").read_text()


def test_the_example_does_what_it_says(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    broker = ForkedBroker(tmp_path / "data")
    broker.start()
    try:
        program = example.replace("tapemq://localhost:7077", broker.url)
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
        )
    finally:
        broker.stop()
    assert done.stdout.splitlines() == ["1 b'two apples'", "billed b'one pear'", "1 schedule"]
    assert (done.stderr, done.returncode) == ("", 0)
