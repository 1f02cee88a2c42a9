"""Publishing to one topic without asyncio: the router, opened in the background."""

from collections.abc import Callable
from typing import Any

from tapemq.errors import Error
from tapemq.publishing.lane import LaneOptions
from tapemq.publishing.router import Router
from tapemq.sync.asking import Asking
from tapemq.sync.link import Link
from tapemq.sync.promise import Changes
from tapemq.sync.shared import Shared
from tapemq.wire import messages as m


class Publisher(Router):
    """See Router. Used under the client's lock.

    ``on_open`` is called when records can be added, ``on_refusal`` (by default fail()) when they
    never will. ``changes``: it was opened, a batch was answered, or all has failed.
    """

    def __init__(
        self,
        link: Link,
        shared: Shared,
        topic: str,
        options: LaneOptions,
        *,
        on_open: Callable[[], None] | None = None,
        on_refusal: Callable[[Error], None] | None = None,
    ) -> None:
        super().__init__(link, shared, shared.clock, topic, options)
        self.changes = Changes()
        self._link = link
        self._shared = shared
        self._on_open = on_open
        self._on_refusal = on_refusal or self.fail
        self._asking: list[Asking] = []
        self._topic: m.Topic | None = None

    @property
    def is_open(self) -> bool:
        """Records can be added."""
        return self._route is not None

    def begin(self) -> None:
        """Learn the topic's partitions, creating it if that is allowed, and become a producer."""
        self._ask(m.OpenProducer(), self._identified)
        self._ask(m.DescribeTopic(self.topic, create=True), self._described)

    def _ask(self, request: m.Message, then: Callable[[Any], None]) -> None:
        asking = Asking(self._link, self._shared, request, then)
        self._asking.append(asking)
        asking.start()

    def _identified(self, answer: Any) -> None:
        if isinstance(answer, Error):
            self._on_refusal(answer)
        else:
            self._identity = answer
            self._open()

    def _described(self, answer: Any) -> None:
        if isinstance(answer, Error):
            self._on_refusal(answer)
        else:
            self._topic = answer
            self._open()

    def _open(self) -> None:
        if self._identity is not None and self._topic is not None and self.failure is None:
            self.routed(self._identity, self._topic)
            self._link.listen(self)
            if self._on_open is not None:
                self._on_open()
            self.changes.happened()

    def close(self) -> None:
        """Stop; whatever is unconfirmed is given up."""
        self._link.unlisten(self)
        for asking in self._asking:
            asking.stop()
        self._asking.clear()

    def _route_again(self) -> None:
        self._ask(m.DescribeTopic(self.topic, create=True), self._looked_up)

    def _looked_up(self, answer: Any) -> None:
        if isinstance(answer, Error):
            self.fail(answer)
        else:
            self.rerouted(answer)

    def _progressed(self) -> None:
        self.changes.happened()
