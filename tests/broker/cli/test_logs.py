import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from tapemq_broker.cli.logs import JsonFormatter, TextFormatter, set_up

MOMENT = 1_753_000_000.25


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in ("uvicorn", "asyncio"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def record(message: str, *args: object, **fields: Any) -> logging.LogRecord:
    values = {
        "name": "tapemq.broker",
        "levelname": "WARNING",
        "msg": message,
        "args": args,
        "created": MOMENT,
        **fields,
    }
    return logging.makeLogRecord(values)


@pytest.mark.parametrize(
    ("message", "fields", "rest"),
    [
        ("ready", {}, "ready"),
        ("ready", {"port": 7077, "reason": "no space"}, 'ready port=7077 reason="no space"'),
        ("ready", {"empty": "", "quoted": 'a"b', "name": "a"}, 'ready empty="" quoted="a\\"b"'),
        ("from \n2026 forged", {"peer": "a\nb"}, 'from \\n2026 forged peer="a\\nb"'),
    ],
)
def test_text_is_one_line(message: str, fields: dict[str, Any], rest: str) -> None:
    fields.pop("name", None)
    line = TextFormatter().format(record(message, **fields))
    assert line == f"2025-07-20T08:26:40.250Z warning broker: {rest}"


def test_text_has_the_traceback_indented_below() -> None:
    try:
        raise ValueError("of x")
    except ValueError as error:
        line = TextFormatter().format(
            record("failed", exc_info=(ValueError, error, error.__traceback__))
        )
    first, *rest = line.splitlines()
    assert first.endswith("broker: failed")
    assert rest[0] == "    Traceback (most recent call last):"
    assert rest[-1] == "    ValueError: of x"


def test_json_is_an_object_a_line() -> None:
    line = JsonFormatter().format(record("%d\nbytes", 5, port=7077, path=object))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2025-07-20T08:26:40.250Z",
        "level": "warning",
        "logger": "broker",
        "message": "5\nbytes",
        "port": 7077,
        "path": "<class 'object'>",
    }


def test_json_has_the_traceback_too() -> None:
    try:
        raise ValueError("of x")
    except ValueError as error:
        info = (ValueError, error, error.__traceback__)
        line = JsonFormatter().format(record("failed", exc_info=info))
    assert json.loads(line)["exception"].endswith("ValueError: of x")


@pytest.mark.parametrize("form", ["text", "json"])
def test_set_up_sends_what_is_loud_enough_to_the_stream(form: str) -> None:
    stream = io.StringIO()
    set_up("warning", form, stream)
    logging.getLogger("tapemq.broker").info("quiet")
    logging.getLogger("tapemq.broker").warning("loud")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    assert ("{" in lines[0]) == (form == "json")


def test_the_web_server_is_quieter_than_the_broker() -> None:
    stream = io.StringIO()
    set_up("debug", "text", stream)
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    logging.getLogger("tapemq.broker").debug("loud")
    assert [line.split(": ")[1] for line in stream.getvalue().splitlines()] == ["loud"]
