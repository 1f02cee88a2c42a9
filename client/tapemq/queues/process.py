"""``async with message.process()``."""

import logging
from types import TracebackType
from typing import Generic, TypeVar

from tapemq.queues.leased_record import LeasedRecord
from tapemq.queues.outcome import Exceptions, outcome_of
from tapemq.queues.verdict import ACK

M = TypeVar("M", bound=LeasedRecord)

log = logging.getLogger("tapemq.client")


class Settling(tuple[M, bool, Exceptions, Exceptions], Generic[M]):
    """What both shells make of the end of a block.

    A tuple, because every message has one: message, reraise, reject_on, ignore.
    """

    __slots__ = ()

    def _failed(self, error: BaseException) -> bool:
        """The block ended so. Returns whether that is all, or ``error`` is to be raised."""
        message, reraise, reject_on, ignore = self
        lease = message._lease
        verdict = outcome_of(error, reject_on, ignore)
        lease.desk.finish(verdict, lease, message.offset)
        if verdict is ACK:
            return True
        if not isinstance(error, Exception):
            return False
        log.error("%r failed: %s", message, verdict.verb, exc_info=error)
        return not reraise


class Process(Settling[M]):
    """Settles a message by how the block ends: see ``Message.process``."""

    __slots__ = ()

    async def __aenter__(self) -> M:
        message = self[0]
        message._lease.desk.processing += 1
        return message

    # No await in here: a cancellation could come between the end of the work and its settlement.
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if error is not None:
            return self._failed(error)
        message = self[0]
        lease = message._lease
        lease.desk.finish(ACK, lease, message.offset)
        return True
