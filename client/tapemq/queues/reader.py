"""What a queue subscribes to and is pushed, without I/O. Both shells build on it."""

from collections.abc import Sequence
from typing import Any

from tapemq.errors import Error, from_failure
from tapemq.network.link_state import C
from tapemq.network.reader import Reader
from tapemq.queues.intake import QueueIntake
from tapemq.queues.ledger import Ledger
from tapemq.queues.options import QueueOptions, consume_request
from tapemq.streams.credit import Grant
from tapemq.wire import messages as m
from tapemq.wire.entries import unpack_tokens


class QueueReader(Reader[C]):
    """Tells a queue's desk what is pushed."""

    options: QueueOptions
    intake: QueueIntake
    desk: Ledger

    def fail(self, error: Error) -> None:
        """Let whoever iterates get ``error``. What is held is not this queue's any more."""
        self.desk.flush()
        super().fail(error)
        self.desk.cut_off()

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
        self._progressed()
