"""An index of schedules that outlives its broker, as a file does, or a part of its history."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from random import Random
from typing import Final

from tapemq_broker.storage.schedules.index import IndexDamaged, Operation
from tapemq_broker.storage.schedules.memory_index import MemoryScheduleIndex

_REMEMBERED: Final = 5
_CALLS: Final = ["apply", "due", "find", "find_key", "forget", "next_due_us", "oldest", "state"]


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


class FailingIndex:
    """A lasting index of which the next call goes wrong as ``trouble`` says: it is "damaged", or
    "failing" for now."""

    def __init__(self, random: Random) -> None:
        self.trouble = ""
        self._lasting: Final = LastingIndex(random)

    def open(self) -> MemoryScheduleIndex:
        """See LastingIndex."""
        index = self._lasting.open()
        for name in _CALLS:
            setattr(index, name, self._failing(getattr(index, name)))
        return index

    def _failing(self, call: Callable[..., object]) -> Callable[..., object]:
        def called(*args: object) -> object:
            trouble, self.trouble = self.trouble, ""
            if trouble == "damaged":
                raise IndexDamaged("as the test wants it")
            if trouble == "failing":
                raise OSError("as the test wants it")
            return call(*args)

        return called
