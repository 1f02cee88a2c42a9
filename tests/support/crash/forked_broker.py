"""A broker that starts in a tenth of the time: forked by a process with everything imported."""

import os
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType

from tests.support.crash.broker import Broker
from tests.support.warm_process import WarmParent, WarmProcess


class ForkedBroker(Broker):
    """Like Broker. One with an ``environment`` needs kill_if_running() at the end in any case."""

    environment: Mapping[str, str] = MappingProxyType({})
    """What its process has besides this one's."""

    _parent: WarmParent | None = None
    _running: WarmProcess | None = None

    @property
    def pid(self) -> int:
        assert self._running is not None, "the broker does not run"
        return self._running.pid

    def _launch(self, arguments: list[str]) -> str:
        if self.environment and self._parent is None:
            self._parent = WarmParent(self.environment)
        with self.log_path.open("ab") as log:
            self._running = WarmProcess(
                *("tapemq", "serve", *arguments), stderr=log.fileno(), parent=self._parent
            )
        return self._running.stdout.readline()

    def wait(self) -> int:
        assert self._running is not None
        status = self._running.wait()
        self._running = None
        return status

    def _end(self, number: int) -> int:
        with suppress(ProcessLookupError):  # it has ended by itself, because its disk failed
            os.kill(self.pid, number)
        return self.wait()

    def kill_if_running(self) -> None:
        if self._running is not None:
            self.kill()
        if self._parent is not None:
            self._parent.close()
            self._parent = None
