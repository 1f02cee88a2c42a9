"""Rules on what broker and SDK say to each other: nothing on the way changes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from unittest.mock import patch

from tapemq.errors import Error, ProtocolViolation
from tapemq.network.exchange import Exchange
from tapemq.wire.errors import LIMIT_EXCEEDED, PROTOCOL_ERROR, ErrorKind
from tapemq_broker.server.connection import Connection
from tests.support.simulation.history import History

_FAULTS: Final = (PROTOCOL_ERROR, LIMIT_EXCEEDED)


def misspoken(history: History) -> Iterator[str]:
    """One side found that the other had broken the protocol: answered twice, for example."""
    yield from history.misspoken


@contextmanager
def listening(history: History) -> Iterator[None]:
    """Note it when a side ends a connection for that: both try again, and nobody else hears it."""
    end, fail = Exchange._end, Connection.fail

    def noted_end(exchange: Exchange, reason: Error) -> None:
        if isinstance(reason, ProtocolViolation):
            history.misspoken.append(f"the broker to a client: {reason}")
        end(exchange, reason)

    def noted_fail(connection: Connection, kind: ErrorKind, text: str) -> None:
        if kind in _FAULTS:
            history.misspoken.append(f"a client to the broker: {text}")
        fail(connection, kind, text)

    with patch.object(Exchange, "_end", noted_end), patch.object(Connection, "fail", noted_fail):
        yield
