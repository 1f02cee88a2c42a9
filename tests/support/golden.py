"""Golden bytes: hex with an explanation behind "|", in files and in protocol.md."""

import re
from pathlib import Path

from tests.support.sources import ROOT

_FENCE = re.compile(r"^```hex (.+?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r"^== (.+)$", re.MULTILINE)


def read_golden(name: str) -> dict[str, bytes]:
    """The named bytes of ``tests/golden/<name>.hex``."""
    text = (Path(__file__).parents[1] / "golden" / f"{name}.hex").read_text()
    _, *parts = _TITLE.split(text)
    return {title: to_bytes(dump) for title, dump in zip(parts[::2], parts[1::2], strict=True)}


def read_document() -> dict[str, bytes]:
    """The named hex dumps of protocol.md."""
    text = (ROOT / "protocol.md").read_text()
    return {title: to_bytes(dump) for title, dump in _FENCE.findall(text)}


def to_bytes(dump: str) -> bytes:
    """The bytes of a dump: hex digits up to "|" in each line."""
    return bytes.fromhex("".join(line.partition("|")[0] for line in dump.splitlines()))
