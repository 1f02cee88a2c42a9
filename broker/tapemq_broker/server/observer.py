"""Between the log and the core at start: what the log says of its producers."""

from typing import Final

from tapemq.batch import Header, Kind, decode_prefix
from tapemq_broker.core.producers import Producers

_FROM_PRODUCERS: Final = (Kind.DATA, Kind.SCHEDULE)


class ProducersObserver:
    """Rebuilds the dedup windows of a log (storage's Observer)."""

    def __init__(self, producers: Producers) -> None:
        self._producers = producers

    def restore(self, state: bytes | None) -> None:
        """Begin from a snapshot, or from nothing."""
        self._producers.restore(state)

    def observe(self, header: Header, body: memoryview) -> None:
        """A batch of the log."""
        if header.kind in _FROM_PRODUCERS:
            prefix = decode_prefix(body)
            self._producers.observe(prefix, header.base_offset, header.append_time_us)

    def snapshot(self) -> bytes:
        """The windows as of now."""
        return self._producers.snapshot()
