"""The broker's log on standard error: one event a line, as text or as JSON.

Text is `TIME LEVEL NAME: MESSAGE key=value ...`. Keys and values come from `extra=` of the logging
call, so that they can be searched for without parsing the message.
"""

import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, TextIO

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "color_message",
}
_PREFIX: Final = "tapemq."
# They log what the broker's own log says better.
_QUIETER: Final = {"uvicorn": logging.ERROR, "asyncio": logging.WARNING}


def set_up(level: str, form: str, stream: TextIO | None = None) -> None:
    """Send the log to the stream (default: standard error) in the form "text" or "json"."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name, least in _QUIETER.items():
        logging.getLogger(name).setLevel(max(least, logging.getLogger().level))


class TextFormatter(logging.Formatter):
    """`TIME LEVEL NAME: MESSAGE key=value ...`, then the traceback, indented."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; more only for a traceback."""
        head = f"{_time(record)} {record.levelname.lower():7} {_name(record)}: "
        fields = [f"{key}={_value(value)}" for key, value in _fields(record)]
        return " ".join([head + _one_line(record.getMessage()), *fields]) + _traceback(self, record)


class JsonFormatter(logging.Formatter):
    """A JSON object a line, with time, level, logger and message, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        event = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": _name(record),
            "message": record.getMessage(),
            **dict(_fields(record)),
        }
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return json.dumps(event, default=str)


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _name(record: logging.LogRecord) -> str:
    return record.name.removeprefix(_PREFIX)


def _fields(record: logging.LogRecord) -> Iterator[tuple[str, Any]]:
    return ((key, value) for key, value in vars(record).items() if key not in _STANDARD)


def _value(value: object) -> str:
    text = str(value)
    return text if text.isprintable() and not set(text) & set(' "=') and text else json.dumps(text)


def _one_line(text: str) -> str:
    # What a client sends may be in it: it must not be able to forge a line.
    return text if text.isprintable() else json.dumps(text, ensure_ascii=False)[1:-1]


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    if not record.exc_info:
        return ""
    lines = formatter.formatException(record.exc_info).splitlines()
    return "".join(f"\n    {line}" for line in lines)
