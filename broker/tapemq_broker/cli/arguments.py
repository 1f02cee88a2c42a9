"""Arguments that many commands take, and how their texts are read."""

import os
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Annotated, Final, Literal

import typer

import tapemq
from tapemq.wire.names import check_name
from tapemq_broker.cli.setting_text import read_number

_WORDS: Final[tuple[Literal["earliest", "latest"], ...]] = ("earliest", "latest")
_NUMBER_MAX: Final = 2**63 - 1
_DIGITS_MAX: Final = 19
_START_HELP: Final = "earliest, latest, an offset, or a time such as 2026-01-31T08:00Z"


def read_start(text: str) -> tapemq.Start:
    """A place in a topic. Raises typer.BadParameter for a text that is none."""
    for word in _WORDS:
        if text == word:
            return word
    if is_number(text):
        return int(text)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not one of: {_START_HELP}") from None


def is_number(text: str) -> bool:
    """Whether these are digits, no more than an offset or a partition has."""
    return text.isdecimal() and len(text) <= _DIGITS_MAX


def as_given(text: str) -> str | bytes:
    """Text as it is; where the command line has bytes that are no text, those."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text)
    return text


def read_size(text: str) -> int:
    """A number of bytes. Raises typer.BadParameter."""
    return _number(text, "bytes", 'a size, such as 1048576 or "1 MiB"')


def read_seconds(text: str) -> int:
    """A number of whole seconds. Raises typer.BadParameter."""
    return _number(text, "seconds", 'a duration in whole seconds, such as 90 or "7d"')


def duration(text: str) -> float:
    """Seconds above 0, or parts of one, for the parser of an option. Raises typer.BadParameter."""
    seconds = read_number(text.strip(), "seconds")
    if not seconds or seconds < 0:
        raise typer.BadParameter(f'{text!r} is not a duration above 0, such as 1.5 or "7d"')
    return seconds


def read_time(text: str) -> datetime:
    """A time; without a zone it is that of this machine. Raises typer.BadParameter."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is not a time such as 2026-01-31T08:00Z") from None


def whole_number(least: int, most: int = _NUMBER_MAX) -> Callable[[str], int]:
    """Reads a whole number that is at least so much, and no more; for the parser of an option."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise typer.BadParameter(f"{text!r} is not a whole number of at least {least}")
        if number > most:
            raise typer.BadParameter(f"{text!r} is more than {most}")
        return number

    return read


def positive_number(text: str) -> float:
    """A number above 0, for the parser of an option. Raises typer.BadParameter."""
    number = read_number(text)
    if not number or number < 0:
        raise typer.BadParameter(f"{text!r} is not a number above 0")
    return number


def _number(text: str, unit: str, allowed: str) -> int:
    number = read_number(text.strip(), unit)
    if number is None or not 0 <= number <= _NUMBER_MAX or number != int(number):
        raise typer.BadParameter(f"{text!r} is not {allowed}")
    return int(number)


def read_header(text: str) -> tuple[str, str | bytes]:
    """A header, written NAME=VALUE. Raises typer.BadParameter."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE")
    return name, as_given(value)


def read_headers(texts: Iterable[str]) -> dict[str, str | bytes]:
    """Headers; of each name there can be one. Raises typer.BadParameter."""
    headers: dict[str, str | bytes] = {}
    for name, value in map(read_header, texts):
        if name in headers:
            raise typer.BadParameter(f"the header {name!r} is given twice; a record has one")
        headers[name] = value
    return headers


def _name_of(kind: str, text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return check_name(kind, text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _topic(text: str | None) -> str | None:
    return _name_of("topic", text)


def group_name(text: str | None) -> str | None:
    """Checks the name of a group, for the callback of an option. Raises typer.BadParameter."""
    return _name_of("group", text)


Topic = Annotated[str, typer.Argument(metavar="TOPIC", callback=_topic, help="Name of the topic.")]
Group = Annotated[
    str, typer.Argument(metavar="GROUP", callback=group_name, help="Name of the group.")
]
GroupOption = Annotated[
    str | None,
    typer.Option("--group", metavar="GROUP", callback=group_name, help="Read as a group."),
]
Partition = Annotated[
    int | None,
    typer.Option("--partition", metavar="NUMBER", parser=whole_number(0), help="Only this one."),
]
START_HELP = f"Where to begin: {_START_HELP} (UTC, unless it names its zone)."
