"""An index of schedules that outlives its broker, as a file does, or a part of its history."""

from collections.abc import Sequence
from copy import deepcopy
from random import Random
from typing import Final

from tapemq_broker.storage.schedules.index import Operation
from tapemq_broker.storage.schedules.memory_index import MemoryScheduleIndex

_REMEMBERED: Final = 5


class _Index(MemoryScheduleIndex):
    def __init__(self, file: "LastingIndex") -> None:
        super().__init__()
        self._file = file

    def apply(self, topic_id: int, upto: int, operations: Sequence[Operation]) -> None:
        super().apply(topic_id, upto, operations)
        self._file.keep(self._topics)

    def close(self) -> None:
        """The file stays."""


class LastingIndex:
    """Opens as it was last, as it was a few changes ago, or empty."""

    def __init__(self, random: Random) -> None:
        self._random: Final = random
        self._history: list[object] = []

    def keep(self, topics: object) -> None:
        """A transaction was committed."""
        self._history.append(deepcopy(topics))
        del self._history[:-_REMEMBERED]

    def open(self) -> MemoryScheduleIndex:
        """What a start finds."""
        index = _Index(self)
        if self._history and self._random.random() < 0.8:
            last = self._random.random() < 0.6
            kept = self._history[-1] if last else self._random.choice(self._history)
            vars(index)["_topics"] = deepcopy(kept)
        return index
