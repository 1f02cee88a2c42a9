"""Places of records as command lines name them: PARTITION:OFFSET."""

from typing import NamedTuple

import typer

from tapemq_broker.cli.arguments import is_number


class Place(NamedTuple):
    """One record of a topic."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


def read_place(text: str) -> Place:
    """A place, written as "3:1042", or "3/1042" as `sub` prints it. Raises typer.BadParameter."""
    partition, _, offset = text.replace("/", ":").partition(":")
    if not (is_number(partition) and is_number(offset)):
        raise typer.BadParameter(f"{text!r} is not PARTITION:OFFSET, such as 0:1042")
    return Place(int(partition), int(offset))
