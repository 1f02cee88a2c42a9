import pytest

from tapemq_broker.core.packed import BadEntry
from tapemq_broker.core.queue.terms import Terms
from tapemq_broker.core.refusal import Refused


def test_settings_that_are_not_named_stay() -> None:
    terms = Terms.of({"max_attempts": 3}, 1).changed({"paused": True})
    assert terms.settings == {"max_attempts": 3, "paused": True}
    assert terms.version == 2
    assert (terms.policy.max_attempts, terms.policy.paused) == (3, True)


def test_settings_of_a_newer_broker_are_skipped_but_not_taken() -> None:
    assert Terms.load({"max_attempts": 3, "colour": "red"}, 7).settings == {"max_attempts": 3}
    with pytest.raises(Refused):
        Terms.of({"colour": "red"}, 1)


def test_settings_that_cannot_have_been_written_are_told() -> None:
    with pytest.raises(BadEntry, match="max_attempts"):
        Terms.load({"max_attempts": "many"}, 1)
