"""Keeps a queue's subscription alive without asyncio, and tells its desk what is pushed."""

from collections.abc import Sequence
from typing import Any

from tapemq.errors import Error, from_failure
from tapemq.queues.intake import QueueIntake
from tapemq.queues.options import QueueOptions, consume_request
from tapemq.streams.credit import Grant
from tapemq.sync.desk import Desk
from tapemq.sync.link import Link
from tapemq.sync.message import Message
from tapemq.sync.shared import Shared
from tapemq.sync.subscriptions import Subscriptions
from tapemq.wire import messages as m
from tapemq.wire.entries import unpack_tokens


class QueueSubscriber(Subscriptions):
    """One queue's subscription on whichever connection there is."""

    def __init__(self, link: Link, shared: Shared, options: QueueOptions) -> None:
        super().__init__(link, shared, options.topic, options.timeout_s, "queue")
        self.options = options
        self.intake = QueueIntake(options.topic, Message)
        name = f"{options.topic}, group {options.group}"
        self.desk = Desk(link, shared, self.intake, name, options.timeout_s)

    def fail(self, error: Error) -> None:
        """Let whoever iterates get ``error``. What is held is not this queue's any more."""
        self.desk.flush()
        super().fail(error)
        self.desk.cut_off()

    def after_fork(self, error: Error) -> None:
        super().after_fork(error)
        self.desk.after_fork()

    def _plan(self) -> Sequence[m.Consume]:
        return [consume_request(self.options, self.topic_id)]

    def _subscribed(self, number: int, request: m.Consume) -> None:
        self.intake.subscribed(number, Grant(request.credit_records, request.credit_bytes))

    def _cut_off(self) -> None:
        self.desk.cut_off()

    def _pushed(self, message: Any, payload: memoryview) -> None:
        if isinstance(message, m.Leased):
            self.desk.leased(message, payload)
        elif isinstance(message, m.LeaseLost):
            self.desk.lose(unpack_tokens(payload), message.reason)
        else:
            self._ended(from_failure(m.Failure(message.code, message.text)))
        self.changes.happened()
