"""Redelivered messages begin one at a time: each may be the one that kills its process."""

import threading
from typing import Final

from tapemq.sync.message import Message
from tapemq.sync.promise import Promise
from tapemq.sync.shared import Shared

SURVIVAL_S: Final = 0.01
"""A handler that is at work for so long will hardly kill its process at once."""


class Beginning:
    """A redelivered message that this thread has taken, and may not have survived yet.

    It has when it is settled, when its thread asks for more, or after a while. Until then no other
    thread takes one: innocent ones would be counted with the one that kills. Used under the
    client's lock, but for the waiting.
    """

    def __init__(self, shared: Shared, message: Message) -> None:
        self._shared = shared
        self._message = message
        self._thread = threading.get_ident()
        self._until = shared.time() + SURVIVAL_S
        self._end: Promise[None] = Promise()

    @property
    def is_over(self) -> bool:
        """Whether the thread that asks may take the next one."""
        is_own = self._thread == threading.get_ident()
        is_held = self._message.offset in self._message._lease.held
        return is_own or not is_held or self._shared.time() >= self._until

    def end(self) -> None:
        """Whoever waits may look again."""
        self._end.resolve(None)

    def wait(self, timeout_s: float) -> bool:
        """Wait until there is reason to look again, at most so long."""
        return self._end.wait(min(timeout_s, self._until - self._shared.time()))
