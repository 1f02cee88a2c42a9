"""What breaks off and is tried again, so that nothing else shows it."""

from tapemq.errors import ConnectionLost, ProtocolViolation
from tapemq.network.exchange import Exchange
from tapemq.wire.errors import PROTOCOL_ERROR, TIMED_OUT
from tapemq_broker.server.connection import Connection
from tests.support.simulation.checker import check
from tests.support.simulation.history import History
from tests.support.simulation.protocol_rules import listening


class Dropped:
    """A connection of either side, as far as it is ended here."""

    def abort(self) -> None:
        pass

    close = abort

    def failed(self, *_: object) -> None:
        pass

    @property
    def _host(self) -> "Dropped":
        return self

    def send(self, message: object) -> None:
        pass


def test_only_what_breaks_the_protocol_is_noted() -> None:
    history, peer = History(), Dropped()
    with listening(history):
        Exchange._end(peer, ConnectionLost("the broker does not answer"))  # type: ignore[arg-type]
        Connection.fail(peer, TIMED_OUT, "silent")  # type: ignore[arg-type]
        assert not check(history)
        Exchange._end(peer, ProtocolViolation("an answer too many"))  # type: ignore[arg-type]
        Connection.fail(peer, PROTOCOL_ERROR, "no such message")  # type: ignore[arg-type]
    assert check(history) == {
        "misspoken": [
            "the broker to a client: an answer too many",
            "a client to the broker: no such message",
        ]
    }
