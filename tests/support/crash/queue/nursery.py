"""A process that has everything imported and forks consumers: what is killed costs little.

``python -m tests.support.crash.queue.nursery URL JOURNAL SEED KILLS``. There are always some
consumers; the first KILLS that end by SIGKILL were doomed to, those that come later live until
standard input ends. Prints the number of kills so far, one line for each.
"""

import asyncio
import logging
import os
import random
import select
import signal
import sys
from pathlib import Path
from typing import Final

from tests.support.crash.queue.consumer import POINTS, Consumer, Doom
from tests.support.crash.queue.journal import Journal

log = logging.getLogger("nursery")

_AT_A_TIME: Final = 3
_MESSAGES_MAX: Final = 12


class Nursery:
    """Consumers, by process id."""

    def __init__(self, url: str, journal: Path, seed: int, kills: int) -> None:
        self._url = url
        self._journal = Journal(journal)
        self._seed = seed
        self._kills = kills
        self._killed = 0
        self._lives = 0
        self._processes: set[int] = set()

    def run(self) -> int:
        """Until standard input ends. Returns how many consumers have failed."""
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        reader, writer = os.pipe()  # a child's end wakes select()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        failed = 0
        while sys.stdin not in select.select([sys.stdin, reader], [], [], 1)[0]:
            failed += self._reap(os.WNOHANG)
            while len(self._processes) < _AT_A_TIME and not failed:
                self._fork(reader, writer)
            os.set_blocking(reader, False)
            _empty(reader)
        for process in self._processes:
            os.kill(process, signal.SIGTERM)
        while self._processes:
            failed += self._reap(0)
        return failed

    def _reap(self, options: int) -> int:
        """Take leave of those that have ended. Returns how many have failed."""
        failed = 0
        while self._processes:
            process, status = os.waitpid(-1, options)
            if not process:
                break
            self._processes.discard(process)
            code = os.waitstatus_to_exitcode(status)
            if code == -signal.SIGKILL:
                self._killed += 1
                print(self._killed, flush=True)
            elif code not in (0, -signal.SIGTERM):
                failed += 1
                print(f"a consumer ended with {code}", file=sys.stderr)
        return failed

    def _fork(self, *pipe: int) -> None:
        self._lives += 1
        process = os.fork()
        if process:
            self._processes.add(process)
            return
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for descriptor in pipe:
                os.close(descriptor)
            asyncio.run(self._consumer().live(self._url))
        except BaseException:
            log.exception("consumer %d has failed", self._lives)
            os._exit(1)
        os._exit(0)

    def _consumer(self) -> Consumer:
        seed = f"{self._seed}-{self._lives}"
        pick = random.Random(f"doom-{seed}")
        doom = Doom(POINTS[self._lives % len(POINTS)], pick.randint(0, _MESSAGES_MAX))
        is_doomed = self._killed < self._kills
        return Consumer(self._lives, seed, self._journal, doom if is_doomed else None)


def _empty(reader: int) -> None:
    while select.select([reader], [], [], 0)[0]:
        os.read(reader, 4096)


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    url_, journal_, seed_, kills_ = sys.argv[1:]
    sys.exit(1 if Nursery(url_, Path(journal_), int(seed_), int(kills_)).run() else 0)
