"""Opening, keeping and ending a session."""

from typing import NamedTuple


class Hello(NamedTuple):
    """Client, first frame. ``resume`` is a session token: this connection only renews for it."""

    versions: list[int]
    client: str
    namespace: str = "default"
    capabilities: list[str] = []  # noqa: RUF012  (a NamedTuple default; never mutated)
    mechanism: str = "none"
    auth: bytes = b""
    resume: bytes = b""


class Challenge(NamedTuple):
    """Broker, while authentication goes on: mechanism-specific bytes."""

    data: bytes


class Authenticate(NamedTuple):
    """Client's answer to a challenge."""

    data: bytes


class Welcome(NamedTuple):
    """Broker: the session is open. Sizes in bytes.

    ``publish_window_bytes``: how many bytes of publish payloads may await their receipts.
    ``boot_epoch`` rises with each start of the broker; ``session`` is this session's token.
    """

    version: int
    broker_id: bytes
    boot_epoch: int
    session: bytes
    publish_window_bytes: int
    frame_bytes_max: int
    batch_bytes_max: int
    record_bytes_max: int
    heartbeat_ms: int
    address: str = ""
    capabilities: list[str] = []  # noqa: RUF012


class Ping(NamedTuple):
    """Either side, after silence. Answered by Pong."""


class Pong(NamedTuple):
    """Answer to Ping."""


class Failure(NamedTuple):
    """Broker's answer to a request that failed, or (correlation 0) the end of the session."""

    code: int
    text: str
    retry_after_ms: int = 0
    address: str = ""


class Bye(NamedTuple):
    """Either side: nothing more will come; the sender closes when its last answers are out."""

    text: str = ""


class Flow(NamedTuple):
    """Broker: the publish window is now this large; 0 blocks. ``reason`` says why it is small."""

    publish_window_bytes: int
    reason: str = ""
    retry_after_ms: int = 0


class Done(NamedTuple):
    """The request succeeded; where it changed something, the change is on disk."""
