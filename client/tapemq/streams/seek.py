"""A seek of a stream without a group, whose positions are its own. Pure."""

from collections.abc import Collection

from tapemq.errors import Error
from tapemq.streams.intake import Intake
from tapemq.streams.start import WireStart


class Seek:
    """Counts when the broker has assigned all ``partitions`` from ``start`` on, and as a whole.

    ``refusal``: why it does not.
    """

    def __init__(self, intake: Intake, partitions: Collection[int], start: WireStart) -> None:
        self.partitions = frozenset(partitions)
        self.start = start
        self.refusal: Error | None = None
        self._intake = intake
        self._missing = set(partitions)
        self._before = {
            partition: intake.position(assignment)
            for partition, assignment in intake.assignments.items()
            if partition in self.partitions
        }

    @property
    def is_over(self) -> bool:
        """It counts, or was refused."""
        return self.refusal is not None or not self._missing

    def cut_off(self) -> None:
        """The subscriptions are gone: all partitions have to be assigned again."""
        self._missing.update(self.partitions)

    def assigned(self, partition: int) -> bool:
        """A partition was assigned. Returns whether this is what moved it."""
        self._missing.discard(partition)
        return partition in self.partitions

    def undo(self) -> None:
        """Have all partitions read on from where they were."""
        for partition in self.partitions:
            assignment = self._intake.assignments.get(partition)
            if assignment is None:
                continue
            if partition in self._before:
                self._intake.move(assignment, self._before[partition])
            else:
                self._intake.forget(assignment)
