"""Which offsets a reader has had, so that it can tell a record that comes a second time."""


class Positions:
    """The next offset of each partition.

    After a reconnect a broker may deliver again what was not committed. The records of a partition
    come in order, so a record below the next offset is one that has been here before.
    """

    def __init__(self) -> None:
        self.next_offset: dict[int, int] = {}
        self.records = 0
        self.delivered_again = 0
        self.gaps = 0

    def is_new(self, partition: int, offset: int) -> bool:
        """Note a record; whether it is here for the first time."""
        expected = self.next_offset.get(partition, 0)
        if offset < expected:
            self.delivered_again += 1
            return False
        self.gaps += offset - expected
        self.next_offset[partition] = offset + 1
        self.records += 1
        return True

    def have_reached(self, ends: dict[int, int]) -> bool:
        """Whether everything below the ends (next offset by partition) has been here."""
        return all(self.next_offset.get(number, 0) >= end for number, end in ends.items())
