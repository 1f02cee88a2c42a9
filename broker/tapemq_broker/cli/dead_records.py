"""Dead records of a queue group: found, and looked up in their topic."""

import os
from collections.abc import AsyncIterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import typer

import tapemq
from tapemq.streams.lookup import records_at
from tapemq_broker.cli.place import Place
from tapemq_broker.cli.record_text import named

Choice = dict[str, Any]
"""Arguments of `redrive` and `discard` that say which records are meant."""


class Selection(NamedTuple):
    """Which dead records a command line means."""

    everything: bool
    places: Sequence[Place]
    reason: str | None
    key: str | None

    def check(self) -> None:
        """Raise typer.BadParameter unless it is clear which are meant."""
        ways = self.everything + bool(self.places) + (bool(self.reason) or self.key is not None)
        if ways != 1:
            raise typer.BadParameter(
                "say which dead records: just one of PARTITION:OFFSET..., --all, and --reason "
                "with or without --key"
            )


class DeadRecords:
    """The dead records of one group."""

    def __init__(self, client: tapemq.Client, topic: str, group: str) -> None:
        self._client = client
        self._topic = topic
        self._group = group

    async def choices(self, selection: Selection) -> list[Choice]:
        """One or more that together mean what is selected."""
        if selection.everything:
            return [{"everything": True}]
        if selection.key is None and selection.reason:
            return [{"reason": selection.reason}]
        places = selection.places
        if selection.key is not None:
            dead = self.listed(reason=selection.reason, key=selection.key)
            places = [Place(entry.partition, entry.offset) async for entry, _ in dead]
        return [
            {"partition": partition, "offsets": [place.offset for place in some]}
            for partition, some in groupby(sorted(places), key=lambda place: place.partition)
        ]

    async def listed(
        self,
        *,
        partition: int | None = None,
        reason: str | None = None,
        key: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[tuple[tapemq.DeadRecord, tapemq.Record | None]]:
        """Those that fit, in order, with their records; None for one that is not in the log."""
        found = await self._client.dead(
            self._topic,
            self._group,
            partition=partition,
            reason=reason,
            limit=limit if key is None else None,
        )
        count = 0
        for number, some in groupby(found, key=lambda entry: entry.partition):
            entries = {entry.offset: entry for entry in some}
            async for offset, record in records_at(self._client, self._topic, number, entries):
                if key is None or (record is not None and record.key == os.fsencode(key)):
                    yield entries[offset], record
                    count += 1
                    if count == limit:
                        return

    async def one(self, place: Place) -> tuple[tapemq.DeadRecord, tapemq.Record | None] | None:
        """The one at this place; None if it is not dead."""
        for entry in await self._client.dead(self._topic, self._group, partition=place.partition):
            if entry.offset == place.offset:
                offsets = [entry.offset]
                async for _, record in records_at(
                    self._client, self._topic, place.partition, offsets
                ):
                    return entry, record
        return None


def dead_row(entry: tapemq.DeadRecord, record: tapemq.Record | None) -> dict[str, Any]:
    """A dead record in a list."""
    key = named("key", None if record is None else record.key)
    return {
        "place": str(Place(entry.partition, entry.offset)),
        "reason": entry.reason,
        "attempts": entry.failures + entry.crashes,
        "died_at": entry.died_at,
        **key,
        "error": entry.error,
    }


def history(entry: tapemq.DeadRecord) -> dict[str, Any]:
    """All that the group knows of a dead record."""
    return {
        "reason": entry.reason,
        "error": entry.error,
        "failures": entry.failures,
        "crashes": entry.crashes,
        "redriven": entry.replays,
        "first_failed_at": entry.first_failed_at,
        "last_failed_at": entry.last_failed_at,
        "died_at": entry.died_at,
    }
