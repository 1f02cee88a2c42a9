"""What waits for its turn: in order for each topic, and only as long as its session is there."""

from collections import OrderedDict
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")


class Lines(Generic[Item]):
    """A line for each topic where something is being done. What is done now does not stand in it.

    What waits is counted as being published by its connection. When that is gone it is not counted
    any more: who comes and goes could have any amount of memory taken, if it stayed.
    """

    def __init__(self) -> None:
        self._by_topic: Final[dict[int, OrderedDict[int, tuple[int, Item]]]] = {}
        self._by_session: Final[dict[int, dict[int, int]]] = {}
        self._number = 0

    def __contains__(self, topic_id: int) -> bool:
        """Whether something is being done there."""
        return topic_id in self._by_topic

    def __len__(self) -> int:
        return sum(map(len, self._by_session.values()))

    def begin(self, topic_id: int) -> None:
        """Something is being done from now on, until next() has nothing more."""
        self._by_topic[topic_id] = OrderedDict()

    def add(self, topic_id: int, session: int, item: Item) -> None:
        """It comes last."""
        self._number += 1
        self._by_topic[topic_id][self._number] = session, item
        self._by_session.setdefault(session, {})[self._number] = topic_id

    def next(self, topic_id: int) -> Item | None:
        """What is to be done now, after what was done; None, and the line is no more."""
        line = self._by_topic[topic_id]
        if not line:
            del self._by_topic[topic_id]
            return None
        number, (session, item) = line.popitem(last=False)
        of_session = self._by_session[session]
        del of_session[number]
        if not of_session:
            del self._by_session[session]
        return item

    def forget_session(self, session: int) -> None:
        """Nobody waits for what it has asked for."""
        for number, topic_id in self._by_session.pop(session, {}).items():
            del self._by_topic[topic_id][number]
