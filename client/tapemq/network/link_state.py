"""What a link knows, without I/O: where the broker may be, and who follows its connections."""

import logging
from typing import Final, Generic, Protocol, TypeVar

from tapemq._clock import Clock
from tapemq.errors import ConnectionLost, Error
from tapemq.network.backoff import Backoff
from tapemq.network.exchange import Exchange
from tapemq.network.url import Address, Target, parse_address
from tapemq.wire import messages as m

log = logging.getLogger("tapemq.client")

ATTEMPT_S: Final = 5.0
"""How long one attempt to connect may take."""

HANG_UP_S: Final = 2.0
"""How long the last bytes may take."""

_STABLE_S: Final = 0.25
"""A connection that was lost sooner does not reset the back-off: it was refused, or of no use. With
5 s, a broker that was killed every second kept its clients away for up to 30 s each time."""

_SILENT: Final = "{} does not answer; is that the broker's own port, and not that of HTTP?"

C = TypeVar("C", bound=Exchange)
C_contra = TypeVar("C_contra", bound=Exchange, contravariant=True)


class LinkListener(Protocol[C_contra]):
    """Told about connections as they come and go."""

    def link_up(self, connection: C_contra) -> None:
        """A new session is open; nothing of an older one is left in it."""

    def link_down(self, reason: Error) -> None:
        """The connection was lost; another one is being made."""


class LinkState(Generic[C]):
    """A shell connects and asks; this notes what came of it and tells the listeners."""

    def __init__(self, target: Target, hello: m.Hello, clock: Clock) -> None:
        self._target = target
        self._hello = hello
        self._clock = clock
        self._backoff = Backoff()
        self._listeners: dict[LinkListener[C], None] = {}
        # What there is to say if the caller's time ends before the first attempt does.
        self._last_error: Error = _silence(target.addresses[0])
        self.closed = False
        self.connection: C | None = None
        self.welcome: m.Welcome | None = None
        self.address: Address | None = None
        """Where the latest connection was made to."""

    @property
    def hello(self) -> m.Hello:
        """What connections begin with."""
        return self._hello

    @property
    def tls(self) -> bool:
        """Whether connections speak TLS."""
        return self._target.tls

    @property
    def limits(self) -> m.Welcome:
        """What the broker said when the latest session opened."""
        assert self.welcome is not None
        return self.welcome

    def listen(self, listener: LinkListener[C]) -> None:
        """Tell ``listener`` from now on."""
        self._listeners[listener] = None

    def unlisten(self, listener: LinkListener[C]) -> None:
        """Do not tell it any more."""
        self._listeners.pop(listener, None)

    def hindrance(self) -> str:
        """Why publishing waits, to be put behind an error's text; "" if it need not."""
        if self.connection is None:
            return f" (no connection: {self._last_error})"
        if self.connection.window.blocked:
            return f" (the broker takes none: {self.connection.window.blocked_because})"
        return ""

    def move(self, address: str) -> None:
        """Go to the broker that a NotHere names."""
        rest = [known for known in self._target.addresses if str(known) != address]
        self._target = Target((parse_address(address), *rest), self._target.tls)
        if self.connection is not None:
            self.connection.abort()

    # What the shell notes

    def _came_up(self, address: Address, connection: C) -> None:
        log.info("connected to %s", address)
        self.address = address
        self.connection = connection
        self.welcome = connection.welcome
        for listener in tuple(self._listeners):
            listener.link_up(connection)

    def _went_down(self, reason: Error, lasted_s: float) -> None:
        log.warning("lost the connection to %s: %s", self._names(), reason)
        self._last_error = reason
        self.connection = None
        for listener in tuple(self._listeners):
            listener.link_down(reason)
        if lasted_s >= _STABLE_S:
            self._backoff.reset()

    def _missed(self, address: Address, error: Exception | None) -> None:
        """An attempt to connect has failed; None: there was no answer in time."""
        if isinstance(error, Error):  # before OSError: some are both
            self._last_error = error
        elif isinstance(error, OSError):
            self._last_error = ConnectionLost(f"{address}: {error.strerror or error}")
        else:
            self._last_error = _silence(address)

    def _not_in_time(self, timeout_s: float) -> ConnectionLost:
        """What to raise when the first connection takes too long."""
        return ConnectionLost(
            f"no connection to {self._names()} within {timeout_s:g} s: {self._last_error}"
        )

    def no_answer(self, timeout_s: float) -> str:
        """Why a request was not answered in time."""
        if self.connection is None:
            return f"no connection within {timeout_s:g} s: {self._last_error}"
        return f"no answer within {timeout_s:g} s"

    def _pause_s(self) -> float:
        """How long to wait before the next attempt."""
        return self._backoff.next_delay_s(self._clock.fraction())

    def _names(self) -> str:
        return ", ".join(map(str, self._target.addresses))


def _silence(address: Address) -> ConnectionLost:
    return ConnectionLost(_SILENT.format(address))
