"""An index of schedules that is damaged at one of its calls, and stays so until it is emptied."""

from typing import Any, Final

from tapemq_broker.storage.schedules.index import IndexDamaged, ScheduleIndex, TopicState
from tests.support.scheduled_broker import KeptIndex

_CALLS: Final = {name for name in vars(ScheduleIndex) if not name.startswith("_")} - {
    "reset",
    "close",
}


class DamagedIndex(KeptIndex):
    """``damaged_at``: the numbers of calls, from 1 on, at which it is found to be damaged.

    ``damaged_topic``: only what it says of this one is.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.damaged_at: set[int] = set()
        self.is_damaged = False
        self.damaged_topic = 0
        self.resets = 0
        self.failing_resets: list[OSError] = []

    def __getattribute__(self, name: str) -> Any:
        if name in _CALLS:
            self._call()
        return super().__getattribute__(name)

    def _call(self) -> None:
        self.calls += 1
        self.is_damaged |= self.calls in self.damaged_at
        if self.is_damaged:
            raise IndexDamaged("a page is wrong")

    def state(self, topic_id: int) -> TopicState:
        if topic_id == self.damaged_topic:
            raise IndexDamaged("the row of a topic is wrong")
        return super().state(topic_id)

    def damage_at(self, *calls: int) -> None:
        """Count calls anew, and be damaged at these."""
        self.calls, self.damaged_at = 0, set(calls)

    def reset(self) -> None:
        if self.failing_resets:
            raise self.failing_resets.pop()
        super().reset()
        self.is_damaged, self.damaged_topic = False, 0
        self.resets += 1
