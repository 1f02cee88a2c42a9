"""An exchange without a socket: the other side is a session in the test's hands."""

from collections.abc import Sequence
from typing import Any

from tapemq.errors import ConnectionLost
from tapemq.network.exchange import Exchange
from tapemq.wire import messages as m
from tapemq.wire.session import Role, Session

WELCOME = m.Welcome(1, b"", 1, b"", 1000, 1 << 20, 1 << 20, 1 << 20, heartbeat_ms=15_000)


class Talk(Exchange):
    """A shell whose bytes go to a session of the other role."""

    def __init__(self) -> None:
        super().__init__(m.Hello([1], "test"), 0.0)
        self.now = 0.0
        self.aborts = 0
        self.broker = Session(Role.BROKER, 0.0)
        self.greet()
        self.heard()
        self.broker.open(frame_bytes_max=1 << 20)
        self.say(WELCOME)

    def _now(self) -> float:
        return self.now

    def _transmit(self, parts: Sequence[bytes]) -> None:
        if self.aborts:
            raise ConnectionLost("gone")
        data = b"".join(parts)
        self.broker.get_buffer()[: len(data)] = data
        self.broker.received(len(data), self.now)

    def _opened(self, welcome: m.Welcome) -> None:
        assert welcome == WELCOME

    def abort(self) -> None:
        self.aborts += 1

    def heard(self) -> list[tuple[Any, int]]:
        """What the broker has got: messages and correlations."""
        return [(received.message, received.correlation) for received in self.broker.events()]

    def say(self, message: Any, correlation: int = 0, payload: bytes = b"") -> None:
        data = self.broker.frame_head(
            message, self.now, correlation=correlation, payload_bytes=len(payload)
        )
        data += payload
        self._session.get_buffer()[: len(data)] = data
        self.received(len(data))

    def end(self, error: Exception | None = None) -> Exception:
        reason = self._over(error)
        self._tell_the_open_requests(reason)
        return reason
