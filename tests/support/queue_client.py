"""A client without comforts that takes records of queues."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from tapemq.batch import decode_columns, iter_batches
from tapemq.wire import messages as m
from tapemq.wire.entries import Tokens, pack_tokens, unpack_runs, unpack_tokens
from tests.support.raw_client import RawClient

Token = tuple[int, int, int]


class Taken(NamedTuple):
    """What came with a lease: the leased records by offset."""

    message: m.Leased
    records: dict[int, bytes | None]

    @property
    def offsets(self) -> list[int]:
        return list(self.records)

    def tokens(self, *offsets: int) -> list[Token]:
        """One for each of these offsets, or for each run of the lease."""
        lease_id = self.message.lease_id
        if offsets:
            return [(lease_id, offset, 1) for offset in offsets]
        return [(lease_id, *run) for run in unpack_runs(self.message.runs)]


class QueueClient(RawClient):
    """Takes leases in the order of coming, and settles them."""

    async def consume(self, topic: m.Topic, group: str = "g", **fields: Any) -> None:
        """Begin to take; ample credit unless ``fields`` say otherwise."""
        wish: dict[str, Any] = {"subscription": 1, "credit_records": 1000, "credit_bytes": 1 << 20}
        wish |= {"topic_id": topic.topic_id, "group": group} | fields
        await self.ask(m.Consume(**wish), m.Done)

    async def leased(self) -> Taken:
        """The next lease."""
        message, payload = await self.push_of(m.Leased)
        records: dict[int, bytes | None] = {}
        for header, body in iter_batches(payload):
            values = decode_columns(body).values
            records |= zip(range(header.base_offset, header.next_offset), values, strict=True)
        mine = {
            offset: records[offset]
            for run in unpack_runs(message.runs)
            for offset in range(run.first_offset, run.first_offset + run.records)
        }
        return Taken(message, mine)

    async def leases(self, records: int) -> list[Taken]:
        """Leases, until they have so many records."""
        taken: list[Taken] = []
        while sum(len(lease.records) for lease in taken) < records:
            taken.append(await self.leased())
        return taken

    async def settle(
        self, verb: str, tokens: Iterable[Token], *, subscription: int = 1, **fields: Any
    ) -> list[Tokens]:
        """Settle, and wait until it is on disk; what is lost."""
        settle = m.Settle(subscription, verb, **fields)
        settled = await self.ask(settle, m.Settled, pack_tokens(tokens))
        lost = unpack_tokens(self.payload)
        assert settled.lost == sum(token.records for token in lost)
        return lost

    def started(self, tokens: Iterable[Token], *, subscription: int = 1) -> None:
        """Say that handlers have begun."""
        self.send(m.Started(subscription), pack_tokens(tokens))
