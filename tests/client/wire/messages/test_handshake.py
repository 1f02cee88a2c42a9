import pytest

from tapemq.wire import messages as m
from tapemq.wire.session import Role
from tests.support.wire_codec import check_codec, examples_of, may_send
from tests.support.wire_examples import Example


@pytest.mark.parametrize("example", examples_of("handshake"), ids=lambda example: example.name)
def test_golden_bytes_both_ways_and_cut_anywhere(example: Example) -> None:
    check_codec(example)


def test_who_may_send_what() -> None:
    for sent in (m.Hello([1], "c"), m.Authenticate(b"")):
        assert may_send(sent) == {Role.CLIENT}
    for example in examples_of("handshake"):
        if example.name in ("Welcome", "Challenge", "Failure", "Flow", "Done"):
            assert may_send(example.message) == {Role.BROKER}
        if example.name in ("Ping", "Pong", "Bye"):
            assert may_send(example.message) == set(Role)


def test_a_hello_needs_little() -> None:
    assert m.Hello([1], "c") == m.Hello([1], "c", "default", [], "none", b"", b"")
