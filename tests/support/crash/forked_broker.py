"""A broker that starts in a tenth of the time: forked by a process with everything imported."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType

from tests.support.crash.broker import Broker
from tests.support.sources import ROOT


class ForkedBroker(Broker):
    """Like Broker. kill_if_running() at the end, in any case: it ends the other process, too."""

    environment: Mapping[str, str] = MappingProxyType({})
    """What its process has besides this one's."""

    _nursery: subprocess.Popen[str] | None = None
    _pid = 0

    @property
    def pid(self) -> int:
        assert self._pid, "the broker does not run"
        return self._pid

    def _launch(self, arguments: list[str]) -> str:
        if self._nursery is None:
            self._nursery = subprocess.Popen(
                [sys.executable, "-m", "tests.support.crash.broker_nursery"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
                env={**os.environ, **self.environment},
            )
        assert self._nursery.stdin is not None
        print(json.dumps([str(self.log_path), *arguments]), file=self._nursery.stdin, flush=True)
        self._pid = int(self._line())
        return self._line()

    def _line(self) -> str:
        assert self._nursery is not None
        assert self._nursery.stdout is not None
        return self._nursery.stdout.readline()

    def wait(self) -> int:
        status = self._line()
        self._pid = 0
        assert status.startswith("ended "), status
        return int(status.split()[1])

    def _end(self, number: int) -> int:
        with suppress(ProcessLookupError):  # it has ended by itself, because its disk failed
            os.kill(self.pid, number)
        return self.wait()

    def kill_if_running(self) -> None:
        nursery, self._nursery = self._nursery, None
        if nursery is None:
            return
        if self._pid:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
        nursery.communicate()
