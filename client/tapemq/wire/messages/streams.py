"""Reading a topic as a stream."""

from typing import NamedTuple


class Subscribe(NamedTuple):
    """Read a topic. Answered by Done, then Assigned for each partition that is this reader's.

    ``subscription`` is the client's number for it, unique in the connection. ``group`` "" reads
    without a group: all ``partitions`` (empty: every one). ``start``: "earliest", "latest",
    "offset" or "time", with ``start_value`` an offset or microseconds since 1970; a group that
    has committed goes on from there. ``hold`` keeps retention from removing what the group has
    not read. Credit: how many records and bytes may be sent before more is granted.
    """

    subscription: int
    topic_id: int
    group: str = ""
    start: str = "latest"
    start_value: int = 0
    partitions: list[int] = []  # noqa: RUF012
    member: str = ""
    hold: bool = False
    credit_records: int = 0
    credit_bytes: int = 0
    deadline_ms: int = 0


class Assigned(NamedTuple):
    """Push: from now on this subscription reads ``partition``, starting at ``offset``.

    Deliveries and commits name the ``generation``; one with another generation is void.
    ``seek_epoch`` counts the group's seeks: while it is the same, a reader that was cut off may
    go on behind the last record it handed out, if that is further than ``offset``.
    """

    subscription: int
    partition: int
    generation: int
    offset: int
    seek_epoch: int = 0
    log_epoch: int = 0


class Revoke(NamedTuple):
    """Push: another member takes ``partition``. Commit, then Release within ``deadline_ms``."""

    subscription: int
    partition: int
    generation: int
    deadline_ms: int


class Release(NamedTuple):
    """Client: this partition's records are no longer worked on. Answered by Done."""

    subscription: int
    partition: int
    generation: int


class Detached(NamedTuple):
    """Push: ``partition`` is not read any more by this subscription, and why (``code``).

    With generation 0 the whole subscription has ended.
    """

    subscription: int
    partition: int
    generation: int
    code: int
    text: str


class Deliver(NamedTuple):
    """Push. Payload: whole batches as they rest on disk, with their headers.

    Records below ``offset`` are to be skipped; the next delivery starts at ``next_offset``.
    ``records`` is what this costs of the credit in records; in bytes it is the payload's size.
    """

    subscription: int
    partition: int
    generation: int
    offset: int
    next_offset: int
    records: int


class Credit(NamedTuple):
    """Client: so much more may be sent. Not answered."""

    subscription: int
    records: int
    bytes: int


class Commit(NamedTuple):
    """Client: the group has handled everything below ``offset``. Answered by Done once durable.

    Outside of a subscription (``generation`` 0) only a group without members can be committed.
    """

    topic_id: int
    group: str
    partition: int
    generation: int
    offset: int
    deadline_ms: int = 0


class Seek(NamedTuple):
    """Set a group's position anywhere, back or forth. A member gets Assigned anew.

    ``start`` and ``start_value`` as in Subscribe. Answered by Done once durable.
    """

    topic_id: int
    group: str
    partition: int
    start: str
    start_value: int = 0
    deadline_ms: int = 0


class Unsubscribe(NamedTuple):
    """Leave. Answered by Done; nothing is delivered after it."""

    subscription: int
