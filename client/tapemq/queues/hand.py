"""The messages of one lease that are being handed out."""

from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any

from tapemq.queues.lease import Lease
from tapemq.streams.hand_out import Handing
from tapemq.streams.record_batch import RecordBatch, fields_of


class Hand(Handing):
    """Records of a batch, one behind the other, all leased. ``make`` makes one message."""

    def __init__(self, lease: Lease, batch: RecordBatch, make: Callable[..., Any]) -> None:
        super().__init__(batch)
        self.lease = lease
        self.reported = batch.first_offset
        """The broker was told of those below it that their handlers have begun."""
        fields = fields_of(batch, self._values)
        self.messages: Iterator[Any] = map(make, *fields, repeat(lease))
