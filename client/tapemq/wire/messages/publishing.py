"""Producers and their batches."""

from typing import NamedTuple


class OpenProducer(NamedTuple):
    """Ask for a producer id (0), or raise the epoch of one's own. Answered by Producer."""

    producer_id: int = 0
    producer_epoch: int = 0
    deadline_ms: int = 0


class Producer(NamedTuple):
    """Identity under which batches are numbered."""

    producer_id: int
    producer_epoch: int


class Publish(NamedTuple):
    """Append a batch. Payload: its body. Answered by Receipt once ``level`` is reached.

    ``level``: 0 durable (synced), 1 written (given to the operating system).
    ``checksum``: CRC-32 of the body.
    """

    topic_id: int
    partition: int
    checksum: int
    level: int = 0
    deadline_ms: int = 0


class Receipt(NamedTuple):
    """The batch is in the log from ``base_offset`` on. ``level``: what was reached."""

    base_offset: int
    level: int = 0
    duplicate: bool = False
    append_time_us: int = 0
