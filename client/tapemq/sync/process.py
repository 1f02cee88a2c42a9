"""``with message.process()``."""

from types import TracebackType

from tapemq.queues.process import M, Settling
from tapemq.queues.verdict import ACK


class Process(Settling[M]):
    """Settles a message by how the block ends: see ``Message.process``."""

    __slots__ = ()

    def __enter__(self) -> M:
        message = self[0]
        message._lease.desk.begin()
        return message

    def __exit__(
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
