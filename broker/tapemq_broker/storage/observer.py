"""Who looks at the batches of a log while it is opened."""

from typing import Protocol

from tapemq.batch import Header


class Observer(Protocol):
    """Derives state from the batches of a log, such as a producer's dedup window.

    At open it is restored and then shown what lies behind the snapshot; what is appended later it
    learns from whoever appends.
    """

    def restore(self, state: bytes | None) -> None:
        """Called first at open: the snapshot to start from, or None to start from nothing.

        Raises ValueError for one that it cannot make sense of; then it is restored anew.
        """

    def observe(self, header: Header, body: memoryview) -> None:
        """Called for each batch behind that snapshot, in order. Do not keep ``body``.

        Raises ValueError for one that it cannot make sense of: then the log is refused.
        """

    def snapshot(self) -> bytes | None:
        """The state as of now; None if nobody can begin here.

        Asked at a clean stop, and in append() when a segment rolls.
        A state that counts the batch that is just being appended must bear to be shown it again.
        """


class Visitor(Protocol):
    """Called by recovery for each batch that it scans and keeps, in order, exactly once.

    Never for what recovery sets aside or refuses, nor for the mark that it appends itself. So the
    log rebuilds its index and feeds its observer without reading twice.
    """

    def __call__(
        self, segment_base: int, position: int, header: Header, body: memoryview
    ) -> None: ...
