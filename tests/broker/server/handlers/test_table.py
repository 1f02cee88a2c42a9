"""Every message that a client may send has a handler, and no other has."""

from unittest.mock import Mock

import pytest

from tapemq.wire import messages as m
from tapemq.wire.session import ALLOWED, Role, State
from tapemq_broker.server.handlers import Handlers


def test_the_table_and_the_session_agree() -> None:
    Handlers(Mock(), Mock(), Mock(), Mock())


def test_a_message_without_a_handler_stops_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    now_allowed = ALLOWED[Role.BROKER, State.OPEN] | {m.Topic}
    monkeypatch.setitem(ALLOWED, (Role.BROKER, State.OPEN), now_allowed)
    with pytest.raises(RuntimeError, match="Topic"):
        Handlers(Mock(), Mock(), Mock(), Mock())
