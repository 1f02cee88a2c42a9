"""Threads that are there before they are needed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from tapemq_broker.storage.errors import StorageError

MakeThreads = Callable[[int, str], ThreadPoolExecutor]
"""Makes so many threads of such a name. ThreadPoolExecutor starts each when it is first needed."""


class NoThreads(StorageError):
    """The system has no more threads for this process."""


def started(count: int, name: str) -> ThreadPoolExecutor:
    """All of them run from now on. Raises NoThreads.

    Where a limit leaves no more, the first to miss one would else be a sync, or a publish.
    """
    threads = ThreadPoolExecutor(count, name)
    all_run = Barrier(count + 1)
    try:
        for _ in range(count):
            threads.submit(all_run.wait)
        all_run.wait()
    except RuntimeError as error:
        all_run.abort()
        threads.shutdown()
        raise NoThreads(
            f"{count} threads {name!r} cannot be started: {error}. Raise the limit on threads: "
            "TasksMax of systemd, pids-limit of a container, or ulimit -u"
        ) from error
    return threads
