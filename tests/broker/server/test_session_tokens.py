"""Tokens name sessions as long as these last."""

from tapemq_broker.server.session_tokens import SessionTokens


def test_a_token_names_its_session_until_that_is_over() -> None:
    tokens = SessionTokens()
    tokens.issue(bytes(16), 1)
    tokens.issue(bytes(15) + b"\1", 2)
    assert tokens.find(bytes(16)) == 1
    assert tokens.find(bytes(15) + b"\1") == 2
    tokens.forget(bytes(16))
    tokens.forget(bytes(16))
    assert tokens.find(bytes(16)) is None
    assert tokens.find(bytes(15) + b"\1") == 2


def test_what_is_no_token_names_nobody() -> None:
    tokens = SessionTokens()
    tokens.issue(bytes(16), 1)
    for guess in (b"", bytes(15), bytes(17), b"\1" * 16):
        assert tokens.find(guess) is None
