import json
from collections.abc import Mapping
from typing import Any

import pytest

import tapemq
from tapemq.batch.extras import encode_extras
from tapemq.streams.record import Source
from tapemq_broker.cli.record_text import Form, named, record_line

MOMENT_US = 1_753_000_000_250_000


def record(
    value: bytes | None,
    key: bytes | None = None,
    headers: Mapping[str, tapemq.Scalar] | None = None,
) -> tapemq.Record:
    extras = encode_extras(headers) if headers else b""
    return tapemq.Record(value, key, 7, extras, Source("orders", 2, MOMENT_US))


def test_json_has_everything() -> None:
    line = record_line(record(b"v", b"k", {"a": "b", "n": 1, "t": True}), "json")
    assert line.endswith(b"}\n")
    assert json.loads(line) == {
        "topic": "orders",
        "partition": 2,
        "offset": 7,
        "timestamp": "2025-07-20T08:26:40.250000Z",
        "key": "k",
        "value": "v",
        "headers": {"a": "b", "n": 1, "t": True},
    }


def test_json_has_bytes_that_are_no_text_in_base_64() -> None:
    fields = json.loads(record_line(record(b"\xff", b"\xfe", {"h": b"\xfd"}), "json"))
    assert (fields["value_base64"], fields["key_base64"]) == ("/w==", "/g==")
    assert fields["headers"] == {"h_base64": "/Q=="}
    assert "value" not in fields


def test_json_tells_a_tombstone_from_an_empty_value() -> None:
    assert json.loads(record_line(record(None), "json"))["value"] is None
    assert json.loads(record_line(record(b""), "json"))["value"] == ""


def test_json_is_one_line_whatever_is_in_it() -> None:
    assert record_line(record("ä\n\r\u2028".encode()), "json").count(b"\n") == 1


@pytest.mark.parametrize(
    ("value", "line"), [(b"\xff\x00", b"\xff\x00\n"), (b"", b"\n"), (None, b"\n")]
)
def test_raw_is_the_value_alone(value: bytes | None, line: bytes) -> None:
    assert record_line(record(value), "raw") == line


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (record(b"v"), "2/7 2025-07-20T08:26:40.250000Z: v\n"),
        (record(b"v", b"k"), "2/7 2025-07-20T08:26:40.250000Z k: v\n"),
        (record(None, b"k"), "2/7 2025-07-20T08:26:40.250000Z k: (tombstone)\n"),
        (
            record(b"v", None, {"a": 1, "b": b"\xff"}),
            "2/7 2025-07-20T08:26:40.250000Z a=1 b=\\xff: v\n",
        ),
        (record(b"\x1b[31m"), '2/7 2025-07-20T08:26:40.250000Z: "\\u001b[31m"\n'),
        (record(b"\xc2\x9b31m"), '2/7 2025-07-20T08:26:40.250000Z: "\\u009b31m"\n'),
        (record(b"v", None, {"\r": 1}), '2/7 2025-07-20T08:26:40.250000Z "\\r"=1: v\n'),
        (record(b"a\nb"), '2/7 2025-07-20T08:26:40.250000Z: "a\\nb"\n'),
        (record(b"\xff"), "2/7 2025-07-20T08:26:40.250000Z: \\xff\n"),
    ],
)
def test_text_is_for_people_and_safe_for_their_terminal(found: tapemq.Record, line: str) -> None:
    assert record_line(found, "text").decode() == line


@pytest.mark.parametrize("form", ["text", "json"])
def test_text_stays_utf_8(form: Form) -> None:
    assert "ä€".encode() in record_line(record("ä€".encode()), form)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"v", {"x": "v"}),
        (b"\xff", {"x_base64": "/w=="}),
        (None, {"x": None}),
        (True, {"x": True}),
        (5, {"x": 5}),
    ],
)
def test_a_named_value_has_a_form_in_json(value: object, found: dict[str, Any]) -> None:
    assert named("x", value) == found
