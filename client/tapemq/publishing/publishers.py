"""A client's own publishers, one for each topic that it has published to lately."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, Generic, Protocol, TypeVar

from tapemq.errors import Closed, Error

PUBLISHERS_MAX: Final = 10_000
"""As many as a broker has topics if it is not told otherwise: coming back to one that was given up
costs two requests, and the broker another producer to remember. Each takes 6 KB."""

_LOOKED_AT: Final = 4
"""Of the oldest, with each new one. Those that are at work stay, and are looked at again after all
others: one whose topic is full may be so for ever."""


class TopicPublisher(Protocol):
    """A publisher for one topic."""

    @property
    def failed(self) -> bool:
        """Nothing more is taken."""

    @property
    def idle(self) -> bool:
        """Everything is confirmed."""

    def close(self, error: Error) -> None:
        """Give up what is unconfirmed."""


P = TypeVar("P", bound=TopicPublisher)


class Publishers(Generic[P]):
    """By topic. Who publishes to ever new topics must not keep something of each for ever."""

    def __init__(self, make: Callable[[str], P], most: int = PUBLISHERS_MAX) -> None:
        self._make: Final = make
        self._most: Final = most
        self._by_topic: Final[OrderedDict[str, P]] = OrderedDict()  # used last: last

    def __iter__(self) -> Iterator[P]:
        return iter(tuple(self._by_topic.values()))

    def of(self, topic: str) -> P:
        """The publisher of a topic, which is made if there is none that works."""
        publisher = self._by_topic.get(topic)
        if publisher is None or publisher.failed:
            publisher = self._by_topic[topic] = self._make(topic)
            if len(self._by_topic) > self._most:
                self._forget_some()
        self._by_topic.move_to_end(topic)
        return publisher

    def _forget_some(self) -> None:
        for topic, publisher in list(islice(self._by_topic.items(), _LOOKED_AT)):
            if not publisher.idle:
                self._by_topic.move_to_end(topic)
            elif len(self._by_topic) > self._most:
                del self._by_topic[topic]
                publisher.close(Closed(f"nothing was published to {topic} for long"))
