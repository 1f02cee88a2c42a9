"""protocol.md, taken apart: tables, messages, transcript."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from tapemq.wire.messages import OPCODE_OF, OPCODES, SHAPES
from tests.support.sources import ROOT
from tests.support.wire_examples import Example

TEXT = (ROOT / "protocol.md").read_text()
BY_NAME = {kind.__name__: kind for kind in OPCODES.values()}

_MESSAGE = re.compile(r"^### 0x([0-9A-F]{2}) (\w+)\n\n(.+)\n\n", re.MULTILINE)
_LINE = re.compile(r"([<>]) (\d+) (\w+) (\{.*\})(?: \+ (body|batch))?")


class MessageSection(NamedTuple):
    """What the document says of a message."""

    opcode: int
    name: str
    sender: str
    answer: str
    has_payload: bool
    fields: list[tuple[str, str, Any]]


class Line(NamedTuple):
    """A line of the transcript."""

    from_client: bool
    example: Example


def section(title: str) -> str:
    """The text below a heading of the second level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found is not None, f"protocol.md has no section {title!r}"
    return found[1]


def rows(text: str) -> list[list[str]]:
    """The cells of the first table, without its head."""
    lines = re.findall(r"^\|(.*)\|$", text, re.MULTILINE)
    return [[cell.strip() for cell in line.split(" | ")] for line in lines[2:]]


def messages() -> list[MessageSection]:
    """Every message, in the document's order."""
    text = section("Messages")
    heads = list(_MESSAGE.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return [_message(head, text[head.end() : end]) for head, end in zip(heads, ends, strict=True)]


def _message(head: re.Match[str], text: str) -> MessageSection:
    sender, _, rest = head[3].partition(" · ")
    answer, _, payload = rest.partition(" · payload: ")
    fields = [(row[0].strip("`"), row[1], _default(row[2])) for row in rows(text)]
    return MessageSection(int(head[1], 16), head[2], sender, answer, bool(payload), fields)


def _default(cell: str) -> Any:
    if cell == "required":
        return ...
    text = cell.strip("`")
    return text[2:-1].encode() if text.startswith("b") else json.loads(text)


def transcript() -> Iterator[Line]:
    """The lines of the session at the end, with payloads named ``body`` and ``batch``."""
    found = re.search(r"^```transcript\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert found is not None
    for text in found[1].splitlines():
        line = _LINE.fullmatch(text)
        assert line is not None, f"not a line of a transcript: {text}"
        kind = BY_NAME[line[3]]
        types = SHAPES[OPCODE_OF[kind]].types
        fields = {
            name: bytes.fromhex(value[2:]) if types[name] == "bytes" else value
            for name, value in json.loads(line[4]).items()
        }
        payload = (line[5] or "").encode()
        yield Line(line[1] == ">", Example(kind(**fields), int(line[2]), payload))
