import pytest

from tapemq_broker.core.queue.verb import Verb


def test_verbs_are_known_by_their_names() -> None:
    assert Verb("ack") is Verb.ACK
    with pytest.raises(ValueError, match="eat"):
        Verb("eat")
