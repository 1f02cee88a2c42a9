"""A disk that does not sync appends: for experiments, and to prove that the tests notice."""

from collections.abc import Callable, Sequence

from tapemq_broker.storage.disk import File
from tapemq_broker.storage.files import OsDisk


class UnsyncedDisk(OsDisk):
    """Says that appends are durable as soon as they are written. A power cut loses them."""

    def sync(self, files: Sequence[File], done: Callable[[Exception | None], None]) -> None:
        self._post(lambda: done(None))
