"""Dead records by their keys. The broker does not know keys, so the records are read."""

from collections.abc import Iterable
from contextlib import aclosing
from itertools import groupby

from tapemq.queues.infos import DeadRecord
from tapemq.queues.inquiries import Choice
from tapemq.streams.lookup import Reader, records_at


async def with_key(
    client: Reader, topic: str, dead: Iterable[DeadRecord], key: bytes | str, limit: int | None
) -> list[DeadRecord]:
    """Those with a key, at most so many; ``dead`` is in order of partitions and offsets."""
    wanted = key.encode() if isinstance(key, str) else key
    found: list[DeadRecord] = []
    for partition, some in groupby(dead, key=lambda entry: entry.partition):
        entries = {entry.offset: entry for entry in some}
        async with aclosing(records_at(client, topic, partition, entries)) as records:
            async for offset, record in records:
                if len(found) == limit:
                    return found
                if record is not None and record.key == wanted:
                    found.append(entries[offset])
    return found


def check_alone(choice: Choice) -> None:
    """Raise ValueError for what does not go with a key."""
    if choice.offsets is not None or choice.everything:
        raise ValueError("say which dead records: a key goes with a reason, not with others")


def choices_of(dead: Iterable[DeadRecord]) -> list[Choice]:
    """These records, by partition."""
    by_partition = groupby(dead, key=lambda entry: entry.partition)
    return [Choice(partition, [entry.offset for entry in some]) for partition, some in by_partition]
