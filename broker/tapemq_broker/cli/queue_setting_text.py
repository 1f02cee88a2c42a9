"""Settings of queue groups as command lines write them: NAME=VALUE."""

from collections.abc import Callable, Iterable
from typing import Any, Final, cast

import typer

import tapemq
from tapemq_broker.cli.setting_text import SWITCHES, read_number

_RETRY: Final = "delays such as 1,5,60, or first:1,factor:2,cap:10m,jitter:0.5 or some of these"


def read_queue_settings(texts: Iterable[str]) -> tapemq.QueueSettings:
    """Settings for `alter_queue`. Raises typer.BadParameter."""
    return cast(tapemq.QueueSettings, dict(map(_read, texts)))


def _read(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE, such as max_attempts=3")
    reader = _READERS.get(name)
    if reader is None:
        raise typer.BadParameter(f"there is no setting {name!r}; there are {', '.join(_READERS)}")
    read, allowed = reader
    found = read(value.strip())
    if found is None:
        raise typer.BadParameter(f"{text!r}: {name} is {allowed}")
    return name, found


def _count(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _switch(text: str) -> bool | None:
    return SWITCHES.get(text.lower())


def _word(text: str) -> str | None:
    return text if text in ("block", "park") else None


def _seconds(text: str) -> float | None:
    number = read_number(text, "seconds")
    return number if number is not None and number >= 0 else None


def _retry(text: str) -> tapemq.Backoff | list[float] | None:
    if ":" not in text:
        delays = [_seconds(part) for part in text.split(",")]
        return None if None in delays else cast(list[float], delays)
    fields: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = part.partition(":")
        number = _seconds(value) if name in ("first", "cap") else read_number(value)
        if name not in tapemq.Backoff._fields or number is None:
            return None
        fields[name] = number
    return tapemq.Backoff(**fields)


_DURATION: Final = (_seconds, 'a duration, such as 30 or "5m"')
_COUNT: Final = (_count, "a whole number from 0 on")
_SWITCH: Final = (_switch, "yes or no")
_READERS: Final[dict[str, tuple[Callable[[str], Any], str]]] = {
    "lease": _DURATION,
    "max_attempts": _COUNT,
    "max_age": (_seconds, 'a duration, such as "1d"; 0: no limit'),
    "retry": (_retry, _RETRY),
    "key_lanes": _SWITCH,
    "key_concurrency": _COUNT,
    "key_failure": (_word, "block or park"),
    "look_ahead": _COUNT,
    "single_active": _SWITCH,
    "paused": _SWITCH,
    "hold": _SWITCH,
    "expire_dead": _SWITCH,
    "dead_max": _COUNT,
    "retry_max": _COUNT,
}
