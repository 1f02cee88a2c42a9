"""The tokens by which a second connection names the session that it keeps alive."""

from hashlib import sha256
from hmac import compare_digest
from typing import Final


class SessionTokens:
    """Numbers of sessions by their tokens.

    Looked up by a digest and compared in constant time: how long it takes says nothing about a
    token that somebody tries to guess.
    """

    def __init__(self) -> None:
        self._by_digest: Final[dict[bytes, tuple[bytes, int]]] = {}

    def issue(self, token: bytes, number: int) -> None:
        """A session has begun."""
        self._by_digest[sha256(token).digest()] = (token, number)

    def find(self, token: bytes) -> int | None:
        """Which session a token was issued to, if that is not over."""
        known, number = self._by_digest.get(sha256(token).digest(), (b"", 0))
        return number if compare_digest(known, token) and known else None

    def forget(self, token: bytes) -> None:
        """A session is over."""
        self._by_digest.pop(sha256(token).digest(), None)
