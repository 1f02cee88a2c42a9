"""Where reading starts when nothing was committed yet."""

from collections.abc import Mapping
from typing import NamedTuple

from tapemq_broker.core.partition import Partition
from tapemq_broker.core.refusal import Refused


class Start(NamedTuple):
    """``kind``: earliest, latest, offset (``value``), or time.

    For time, ``by_time`` has each partition's first offset appended then or later: finding it
    takes the disk, so it is looked up before the command.
    """

    kind: str
    value: int = 0
    by_time: Mapping[int, int] = {}

    def cursor(self, partition: Partition) -> int:
        """Where a group begins on a partition: not beyond what is on disk. Raises Refused."""
        return min(self.resolve(partition), partition.durable_offset)

    def resolve(self, partition: Partition) -> int:
        """The offset on a partition. Raises Refused."""
        if self.kind == "earliest":
            return partition.first_offset
        if self.kind == "latest":
            return partition.durable_offset
        if self.kind == "time":
            return max(self.by_time.get(partition.number, 0), partition.first_offset)
        if self.kind != "offset":
            raise Refused(
                "bad_request", f"start is {self.kind!r}, not earliest, latest, offset or time"
            )
        if self.value > partition.next_offset:
            raise Refused(
                "offset_out_of_range",
                f"partition {partition.number} ends at offset {partition.next_offset}; "
                f"{self.value} is beyond",
            )
        return max(self.value, partition.first_offset)
