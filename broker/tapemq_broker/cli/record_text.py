"""Records as commands print them."""

import base64
import json
from typing import Any, Final, Literal

import tapemq
from tapemq_broker.cli.output import exact_time, readable

Form = Literal["text", "json", "raw"]
FORMS: Final[tuple[Form, ...]] = ("text", "json", "raw")


def record_line(record: tapemq.Record, form: Form) -> bytes:
    """A record as one line, with its end.

    "json": an object; bytes that are no UTF-8 are under `value_base64` and `key_base64` instead.
    "raw": the value alone, as it is. "text": for people.
    """
    if form == "raw":
        return (record.value or b"") + b"\n"
    line = (
        json.dumps(record_fields(record), ensure_ascii=False) if form == "json" else _text(record)
    )
    return line.encode() + b"\n"


def record_fields(record: tapemq.Record) -> dict[str, Any]:
    """A record as an object; of a message also which attempt it is."""
    attempt = {"attempt": record.attempt} if isinstance(record, tapemq.Message) else {}
    expires_at = record.expires_at
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        **attempt,
        "timestamp": exact_time(record.timestamp),
        **({"expires_at": exact_time(expires_at)} if expires_at else {}),
        **named("key", record.key),
        **named("value", record.value),
        "headers": {
            k: v for name, value in record.headers.items() for k, v in named(name, value).items()
        },
    }


def named(name: str, value: object) -> dict[str, Any]:
    """The value under its name; bytes that are no text under another one, in base 64."""
    if not isinstance(value, bytes):
        return {name: value}
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(value).decode()}


def _text(record: tapemq.Record) -> str:
    key = "" if record.key is None else f" {_readable(record.key)}"
    value = "(tombstone)" if record.value is None else _readable(record.value)
    headers = "".join(f" {readable(name)}={_shown(v)}" for name, v in record.headers.items())
    return (
        f"{record.partition}/{record.offset} {exact_time(record.timestamp)}{key}{headers}: {value}"
    )


def _readable(data: bytes) -> str:
    return readable(data.decode(errors="backslashreplace"))


def _shown(value: tapemq.Scalar) -> str:
    return _readable(value if isinstance(value, bytes) else str(value).encode())
