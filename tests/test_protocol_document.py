"""protocol.md and the code say the same."""

import ast
import re
import struct
import sys
from typing import Any

import pytest

from tapemq.batch import check_body, decode_columns
from tapemq.batch import limits as batch_limits
from tapemq.publishing.lane import IN_FLIGHT_MAX
from tapemq.wire import limits as wire_limits
from tapemq.wire.errors import ERRORS
from tapemq.wire.fields import _CHECKS
from tapemq.wire.messages import OPCODES, SHAPES, WITH_PAYLOAD
from tapemq.wire.session import ALLOWED, Role, State
from tapemq_broker.core import producers
from tapemq_broker.core.topic import SETTING_TYPES
from tests.support import document, tiny_client
from tests.support.golden import read_document, read_golden
from tests.support.imports import imports
from tests.support.sources import ROOT
from tests.support.wire_codec import GOLDEN, encoded, may_send
from tests.support.wire_examples import EXAMPLES, Example

BATCHES = read_golden("batch")
SENDERS = {
    "client → broker": {Role.CLIENT},
    "broker → client": {Role.BROKER},
    "either side": set(Role),
}


def example_of(name: str) -> Example:
    return next(example for example in EXAMPLES if example.name == name)


def test_hex_dumps_are_the_golden_bytes() -> None:
    dumps = read_document()
    assert dumps == {name: (BATCHES | GOLDEN)[name] for name in dumps}
    assert dumps.keys() >= {"body", "header", "mark", "Hello", "Welcome", "Publish", "Deliver"}


def test_every_message_has_an_example_and_golden_bytes() -> None:
    names = [kind.__name__ for kind in OPCODES.values()]
    assert [example.name for example in EXAMPLES] == names == list(GOLDEN)


def test_every_message_is_described_in_the_order_of_opcodes() -> None:
    described = {section.opcode: section.name for section in document.messages()}
    assert described == {opcode: kind.__name__ for opcode, kind in OPCODES.items()}
    assert list(described) == sorted(described)


@pytest.mark.parametrize("section", document.messages(), ids=lambda section: section.name)
def test_message_is_described_as_it_is(section: document.MessageSection) -> None:
    shape = SHAPES[section.opcode]
    fields = [(name, shape.types[name], shape.defaults.get(name, ...)) for name in shape.names]
    assert section.fields == fields
    assert section.has_payload == (shape.message in WITH_PAYLOAD)
    assert SENDERS[section.sender] == may_send(example_of(section.name).message)
    answered = "Answered by" in section.answer
    kinds = {name for name in re.findall(r"\b[A-Z]\w+", section.answer) if name in document.BY_NAME}
    assert answered <= bool(kinds)


def test_what_may_be_received_in_the_handshake() -> None:
    text = document.section("Handshake")
    sentence = re.search(r"broker takes only ([^;]*?), and the client only ([^;]*);", text)
    assert sentence is not None
    for said, role in zip(sentence.groups(), (Role.BROKER, Role.CLIENT), strict=True):
        names = set(re.findall(r"[A-Z]\w+", said))
        assert names == {kind.__name__ for kind in ALLOWED[role, State.HANDSHAKE]}


def test_every_error_is_described_as_it_is() -> None:
    described = document.rows(document.section("Errors"))
    for row, (code, kind) in zip(described, ERRORS.items(), strict=True):
        again = "yes" if kind.retryable else "no"
        assert row == [str(code), f"`{kind.name}`", kind.fate.value, again, kind.meaning]


def constants(module: Any) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(module).items()
        if name.isupper() and not name.startswith("_") and isinstance(value, int | float)
    }


def test_every_limit_is_described_as_it_is() -> None:
    limits = constants(batch_limits) | constants(wire_limits)
    limits.pop("HEADER_BYTES")  # of a batch: it is no limit
    for name in ("WINDOW_BATCHES", "PRODUCERS_MAX", "PRODUCER_IDLE_S"):
        limits[name] = getattr(producers, name)
    limits["IN_FLIGHT_MAX"] = IN_FLIGHT_MAX
    described = {row[0].strip("`"): row[1] for row in document.rows(document.section("Limits"))}
    assert described == {name: f"{value:,g}" if value == 15.0 else f"{int(value):,}"
                         for name, value in limits.items()}  # fmt: skip


def test_every_type_of_field_is_described() -> None:
    described = ", ".join(row[0] for row in document.rows(document.section("Headers")))
    assert sorted(described.split(", ")) == sorted(name for name, _ in _CHECKS.values())


def test_every_setting_of_a_topic_is_described() -> None:
    text = document.section("Topics").partition("*Settings*")[2]
    assert set(re.findall(r"`(\w+)` \(", text)) == set(SETTING_TYPES)


def test_numbers_in_the_text_are_the_limits() -> None:
    known = {row[1] for row in document.rows(document.section("Limits"))}
    known |= {"4,096", "24,301"}
    for title in ("Frames", "Headers", "Batches", "Publishing"):
        text = re.sub(r"^```.*?^```$", "", document.section(title), flags=re.MULTILINE | re.DOTALL)
        assert set(re.findall(r"\b\d+(?:,\d{3})+\b", text)) <= known


def test_links_lead_to_sections() -> None:
    for target in re.findall(r"\]\(#([\w-]+)\)", document.TEXT):
        titles = re.findall(r"^## (.+)$", document.TEXT, re.MULTILINE)
        assert target in {re.sub(r"[^\w -]", "", t).lower().replace(" ", "-") for t in titles}


def test_transcript_is_of_frames_that_both_sides_take() -> None:
    state = State.HANDSHAKE
    payloads = {b"": b"", b"body": BATCHES["body"], b"batch": BATCHES["header"] + BATCHES["body"]}
    frames = set()
    for from_client, example in document.transcript():
        receiver = Role.BROKER if from_client else Role.CLIENT
        assert type(example.message) in ALLOWED[receiver, state]
        state = State.OPEN if example.name == "Welcome" else state
        frames.add(encoded(example._replace(payload=payloads[example.payload])))
    dumps = {name for name in read_document() if name in GOLDEN}
    assert {name for name in dumps if GOLDEN[name] not in frames} == set()


def test_transcript_answers_every_request_once() -> None:
    lines = list(document.transcript())
    asked = [e.correlation for from_client, e in lines if from_client and e.correlation]
    answered = [e.correlation for from_client, e in lines if not from_client and e.correlation]
    assert asked == answered
    assert len(set(asked)) == len(asked)


TINY_CLIENT = ROOT / "tests" / "support" / "tiny_client.py"


def test_tiny_client_is_tiny_and_needs_nothing_of_ours() -> None:
    text = TINY_CLIENT.read_text()
    assert len(text.splitlines()) <= 200
    names = {item.name.partition(".")[0] for item in imports("tests/x.py", ast.parse(text))}
    assert names <= sys.stdlib_module_names | {"msgpack"}


def test_tiny_client_reads_the_golden_batches() -> None:
    payload = BATCHES["header"] + BATCHES["body"] + BATCHES["mark"]
    assert list(tiny_client.unpack_batches(payload, 0)) == [
        tiny_client.Record(0, 0, b"eu.42", b'{"total": 7}', {"k": "v"}),
        tiny_client.Record(0, 1, b"eu.42", None, {}),
    ]
    compressed = tiny_client.unpack_body(BATCHES["zlib body"], 3, 70, 2)
    assert [(r.offset, r.key, len(r.value or b"")) for r in compressed] == [
        (70, None, 400),
        (71, None, 600),
    ]


def test_tiny_client_detects_every_single_bit_flip() -> None:
    payload = BATCHES["header"] + BATCHES["body"]
    for bit in range(len(payload) * 8):
        flipped = bytearray(payload)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises((ValueError, struct.error)):
            list(tiny_client.unpack_batches(bytes(flipped), 0))


def test_tiny_client_makes_bodies_that_a_broker_takes() -> None:
    body = tiny_client.pack_body([(b"eu.42", b"one"), (None, None), (b"", b"")], (161, 2), 7)
    prefix, _ = check_body(body)
    assert (prefix.producer_id, prefix.producer_epoch, prefix.first_sequence) == (161, 2, 7)
    values, keys, extras = decode_columns(body)
    assert (list(values), list(keys or ()), extras) == (
        [b"one", None, b""],
        [b"eu.42", None, b""],
        None,
    )
