"""What is kept of a queue group on a partition: in memory, and in its entries of the group log."""

from collections.abc import Iterable
from itertools import islice, takewhile
from typing import Final

from pyroaring import BitMap64

from tapemq_broker.core.partition import Partition
from tapemq_broker.core.queue.dead import Dead
from tapemq_broker.core.queue.entries import Head, Kept, chunk_key, dead_key, head_key, trouble_key
from tapemq_broker.core.queue.settled import Settled
from tapemq_broker.core.queue.terms import Terms
from tapemq_broker.core.queue.trouble import Trouble

Changes = dict[bytes, bytes | None]


def below(offsets: BitMap64, end: int) -> list[int]:
    """Those of a set that are below an offset, without looking at the others."""
    return list(takewhile(lambda offset: offset < end, offsets))


_FORGET_AT_ONCE: Final = 1000
"""Records of which a seek forgets what happened; of more, so many before each round of syncs."""


class Ledger:
    """Settled offsets, troubled records, dead records.

    A record is settled unless it is above the floor and not in the set; or it has trouble: a dead
    one that lives again may be below the floor (``revived``), and what says so is its trouble.
    ``purge_from``: what was known before a seek is still being removed, little by little, of dead
    records from that offset on. Until then nothing must be settled, nor live again.
    """

    def __init__(self, group: str, partition: Partition, terms: Terms, floor: int) -> None:
        self.group = group
        self.partition = partition
        self.terms = terms
        self.seek_epoch = 0
        self.settled = Settled(floor)
        self.troubles: dict[int, Trouble] = {}
        self.troubled_offsets = BitMap64()
        self.revived = BitMap64()
        self.dead: dict[int, bytes] = {}
        self.dead_offsets = BitMap64()
        self.dead_reasons: dict[str, BitMap64] = {}
        self.purge_from: int | None = None
        self._stale_troubles: set[int] = set()
        self._stale_dead = BitMap64()
        self._changed_troubles: set[int] = set()
        self._changed_dead: set[int] = set()
        self._head_written = b""

    @classmethod
    def load(cls, group: str, partition: Partition, kept: Kept) -> "Ledger":
        """What was written. Raises BadEntry."""
        head = kept.head
        ledger = cls(group, partition, Terms.load(head.settings, head.version), head.ack_floor)
        ledger.seek_epoch = head.seek_epoch
        ledger._head_written = head.encode()
        for offset, data in kept.dead.items():
            ledger._add_dead(offset, Dead.decode(data).reason, data)
        if head.purge_from is not None:
            ledger.settled.changed.update(kept.chunks)
            ledger._leave_to_purge(head.purge_from, kept.troubles)
            return ledger
        for number, data in kept.chunks.items():
            ledger.settled.load(number, data)
        ledger.settled.raise_floor(head.ack_floor)
        for offset in kept.dead:  # A crash in between may have left them unsettled.
            if offset not in ledger.settled:
                ledger.settled.add(offset, offset + 1)
        for offset, data in sorted(kept.troubles.items()):
            if offset in kept.dead:  # A crash in between: nothing of it was confirmed.
                ledger._changed_troubles.add(offset)
                continue
            ledger.troubles[offset] = Trouble.decode(data)
            ledger.troubled_offsets.add(offset)
            if offset in ledger.settled:
                ledger.revived.add(offset)
        return ledger

    @property
    def head(self) -> Head:
        """What is written under the group's name."""
        terms = self.terms
        floor, epoch = self.settled.floor, self.seek_epoch
        return Head(floor, epoch, terms.version, terms.settings, self.purge_from)

    @property
    def hold_offset(self) -> int:
        """Everything from here on may still be needed."""
        start = self.unsettled_from
        return min(start, self.dead_offsets.min()) if self.dead_offsets else start

    @property
    def newest_us(self) -> int:
        """When one of its records failed last; 0 if none has."""
        return max((trouble.last_us for trouble in self.troubles.values()), default=0)

    @property
    def unsettled_from(self) -> int:
        """The oldest record that is not settled, or where the next one comes."""
        return min(self.settled.floor, self.revived.min()) if self.revived else self.settled.floor

    def unsettled(self) -> int:
        """How many visible records are not settled."""
        above = self.partition.durable_offset - self.settled.floor
        return above - self.settled.count + len(self.revived)

    def is_unsettled(self, offset: int) -> bool:
        """Whether a record is still to be handled."""
        return offset in self.troubles or offset not in self.settled

    def settle_troubled(self, first: int, end: int) -> None:
        """Settle a run of records, whatever has happened to them; others settle at once."""
        for offset in range(first, end):
            self.untrouble(offset)
            self.settled.add(offset, offset + 1)

    def untrouble(self, offset: int) -> None:
        """Forget what failed with a record."""
        if self.troubles.pop(offset, None) is not None:
            self.troubled_offsets.discard(offset)
            self.revived.discard(offset)
            self._changed_troubles.add(offset)

    def trouble(self, offset: int) -> Trouble:
        """The trouble with a record, to be changed; a new one if there was none."""
        self._changed_troubles.add(offset)
        found = self.troubles.get(offset)
        if found is None:
            found = self.troubles[offset] = Trouble()
            self.troubled_offsets.add(offset)
        return found

    def bury(self, offset: int, dead: Dead) -> None:
        """A record has died: it is settled, and remembered."""
        self.settle_troubled(offset, offset + 1)
        self._add_dead(offset, dead.reason, dead.encode())
        self._changed_dead.add(offset)

    def _add_dead(self, offset: int, reason: str, data: bytes) -> None:
        self.dead[offset] = data
        self.dead_offsets.add(offset)
        of_reason = self.dead_reasons.get(reason)
        if of_reason is None:
            of_reason = self.dead_reasons[reason] = BitMap64()
        of_reason.add(offset)

    def revive(self, offset: int, not_before_us: int) -> Trouble:
        """A dead record is to be handed out again."""
        replays = self.forget_dead(offset).replays
        trouble = self.trouble(offset)
        trouble.replays = replays + 1
        trouble.not_before_us = not_before_us
        self.revived.add(offset)
        return trouble

    def forget_dead(self, offset: int) -> Dead:
        """A dead record is dead no more, or nobody's concern; what was known of it."""
        dead = Dead.decode(self.dead.pop(offset))
        self.dead_offsets.discard(offset)
        of_reason = self.dead_reasons[dead.reason]
        of_reason.discard(offset)
        if not of_reason:
            del self.dead_reasons[dead.reason]
        self._changed_dead.add(offset)
        return dead

    def dead_of(self, reason: str) -> BitMap64:
        """Dead records of a reason; "" is any."""
        of_reason = self.dead_reasons.get(reason, BitMap64())
        return of_reason & self.dead_offsets if reason else self.dead_offsets

    def seek(self, floor: int) -> None:
        """Everything below is settled, and nothing else; dead ones below stay dead."""
        self.seek_epoch += 1
        self.settled.reset(floor)
        is_first = self.purge_from is None
        self._leave_to_purge(floor, self.troubles)
        self.troubles = {}
        self.troubled_offsets = BitMap64()
        self.revived = BitMap64()
        if is_first and len(self._stale_troubles) + len(self._stale_dead) <= _FORGET_AT_ONCE:
            self.purge()
            self.purge_from = None

    def _leave_to_purge(self, floor: int, troubles: Iterable[int]) -> None:
        self.purge_from = floor if self.purge_from is None else min(floor, self.purge_from)
        self._stale_troubles.update(troubles)
        dead = self.dead_offsets.copy()
        dead.remove_range(0, floor)
        self.dead_offsets -= dead
        self._stale_dead |= dead

    def purge(self) -> None:
        """Remove some of what was known before a seek; once that is on disk, call it again, until
        ``purge_from`` says that all is removed."""
        if not self._stale_troubles and not self._stale_dead:
            self.purge_from = None
            return
        count = min(len(self._stale_troubles), _FORGET_AT_ONCE)
        self._changed_troubles.update(self._stale_troubles.pop() for _ in range(count))
        for offset in list(islice(self._stale_dead, _FORGET_AT_ONCE - count)):
            self._stale_dead.remove(offset)
            if offset in self.dead:
                self.forget_dead(offset)

    def forget_from(self, end: int) -> None:
        """The log ends at ``end``, because it was repaired: what comes there is new."""
        if self.settled.floor > end:
            if self.purge_from is not None:
                self.seek(end)
                return
            # No seek: what lives again before the end is still to be handled.
            self.seek_epoch += 1
            self.settled.reset(end)
        self.settled.forget_from(end)
        for offset in [offset for offset in self.troubles if offset >= end]:
            self.untrouble(offset)
        for offset in list(self.dead_offsets.iter_equal_or_larger(end)):
            self.forget_dead(offset)

    def gone_below(self, offset: int) -> int:
        """Records below an offset are not in the log any more: how many of them were needed."""
        floor = max(offset, self.settled.floor)
        gone = floor - self.settled.floor - self.settled.count_below(floor)
        gone += self.revived.range_cardinality(0, offset)
        self.settled.raise_floor(floor)
        for troubled in below(self.troubled_offsets, offset):
            self.untrouble(troubled)
        for dead in (*below(self.dead_offsets, offset), *below(self._stale_dead, offset)):
            if dead in self.dead:
                self.forget_dead(dead)
        return gone

    def changes(self) -> Changes:
        """What has to be written so that all is; absolute values, so twice does no harm.

        What says that a record is dead, or has failed, comes before what says that it is settled:
        of very many changes, a crash may leave the first ones alone.
        """
        group = self.group
        changes: Changes = {}
        for offset in self._changed_dead:
            changes[dead_key(group, offset)] = self.dead.get(offset)
        for offset in self._changed_troubles:
            trouble = self.troubles.get(offset)
            changes[trouble_key(group, offset)] = trouble.encode() if trouble else None
        for number in self.settled.changed:
            changes[chunk_key(group, number)] = self.settled.encode(number)
        head = self.head.encode()
        if head != self._head_written:
            changes[head_key(group)] = head
        return changes

    def take_changes(self) -> Changes:
        """The same; whoever takes them writes them."""
        changes = self.changes()
        self._head_written = changes.get(head_key(self.group)) or self._head_written
        self.settled.changed.clear()
        self._changed_troubles.clear()
        self._changed_dead.clear()
        return changes

    def part_keys(self) -> list[bytes]:
        """The keys of all entries but the head: without it they are nothing."""
        group = self.group
        keys = [chunk_key(group, n) for n in {*self.settled.numbers(), *self.settled.changed}]
        troubles = {*self.troubles, *self._stale_troubles, *self._changed_troubles}
        keys += [trouble_key(group, offset) for offset in troubles]
        return keys + [dead_key(group, o) for o in {*self.dead, *self._changed_dead}]

    def close(self) -> None:
        """The group is no more: nothing is to come of what waits."""
        self.troubles.clear()
        self.troubled_offsets.clear()
        self._stale_troubles.clear()
        self._stale_dead.clear()
        self.dead.clear()
        self.dead_offsets.clear()
        self.dead_reasons.clear()
