"""What queue groups cost the broker's core: `python -m benchmarks.queue_state`.

Memory of many ready records and of many leased ones, of which half are settled in random order;
and the time that settling takes, record by record, in frames as the SDK sends them. Then key lanes:
many records behind one blocked key, while others flow, and what it takes to hand these out once it
is not blocked any more. No disk and no network: the core alone, and what it wants to have written.
"""

import argparse
import gc
import os
import random
from collections import deque
from collections.abc import Iterable
from importlib.metadata import version
from itertools import islice
from time import process_time

from benchmarks import procfs
from benchmarks.machine import processor
from tapemq_broker.core import effects as e
from tapemq_broker.core.broker import Broker, Limits
from tapemq_broker.core.queue.verb import Verb
from tapemq_broker.core.queue.wish import Consume
from tapemq_broker.core.results import TopicInfo
from tapemq_broker.core.start import Start
from tapemq_broker.core.topics import entry

MIB = 1 << 20
FRAME_TOKENS = 50
STRIDE = 618_033
LIMITS = Limits(1 << 24, 1 << 20, 10, 10, 10, 10, 5.0)
PLENTY = 1 << 40
KEY = e.SubscriptionKey(1, 1)

Token = tuple[int, int, int]
Settings = dict[str, int | str | bool]


class Core:
    """One topic of one partition, one queue group, one consumer."""

    def __init__(self, records: int) -> None:
        self.broker = Broker(1, LIMITS)
        info = TopicInfo("orders", 1, 1, 1, {})
        self.broker.topics.load(dict(entry(info).changes))  # type: ignore[arg-type]
        self.partition = self.broker.topics.get(1).partitions[0]
        self.partition.opened(0, records, records)
        self.written: dict[bytes, bytes | None] = {}
        self._leases: deque[e.DeliverLease] = deque()
        self._wishes: deque[e.ReadKeys] = deque()

    def run(self, effects: Iterable[e.Effect]) -> None:
        """Do what effects ask for; everything is on disk at once."""
        for effect in effects:
            if isinstance(effect, e.Change):
                self.run(effect.then())
            elif isinstance(effect, e.DeliverLease):
                self._leases.append(effect)
            elif isinstance(effect, e.ReadKeys):
                self._wishes.append(effect)

    def write(self) -> None:
        """Before a round of syncs."""
        self.written.update(self.broker.take_changes(self.partition.groups_log))

    def lease(self, records: int, settings: Settings | None = None) -> list[Token]:
        """Lease so many records: id, first offset and end of each run of a lease."""
        wish = Consume(KEY, 1, "billing", "", Start("earliest"), records, PLENTY, settings or {})
        self.run(self.broker.queues.consume(e.Request(1, 1), wish))
        return self.leased()

    def leased(self) -> list[Token]:
        """Send what is leased: id, first offset and end of each run of a lease."""
        found: list[Token] = []
        while self._leases:
            sent = self._leases.popleft()
            found += [(sent.lease_id, first, upto) for first, upto in sent.runs]
            upto = sent.runs[-1][1]
            self.run(
                self.broker.queues.lease_sent(sent, upto=upto, size_bytes=0, now=0.0, now_us=0)
            )
        return found

    def read_keys(self, records: int) -> float:
        """Answer all that is asked; beyond so many records, all are of other keys. Seconds."""
        spent = 0.0
        while self._wishes:
            asked = self._wishes.popleft()
            keys = [_key(offset, records) for offset in range(asked.first, asked.upto)]
            began = process_time()
            self.run(self.broker.queues.keys_read(asked.log, asked.group, asked.first, keys))
            spent += process_time() - began
        return spent

    def flow(self, leases: Iterable[Token], records: int, most: int) -> tuple[int, float]:
        """Settle what is leased, and what follows; how many records that is, and seconds."""
        todo, acked, spent = deque(leases), 0, 0.0
        while acked < most:
            spent += self.read_keys(records)
            began = process_time()
            todo += self.leased()
            frame = [todo.popleft() for _ in range(min(FRAME_TOKENS, len(todo)))]
            self.settle([(lease_id, first, end - first) for lease_id, first, end in frame])
            count = sum(end - first for _, first, end in frame)
            self.run(self.broker.queues.credit(KEY, count, 0))
            spent += process_time() - began
            acked += count
            if not frame and not self._wishes and not self._leases:
                break
        return acked, spent

    def pace(self, leases: Iterable[Token], records: int, most: int) -> float:
        """The same in µs for each record."""
        acked, spent = self.flow(leases, records, most)
        return spent / max(acked, 1) * 1e6

    def settle(self, tokens: list[Token]) -> None:
        """One frame of acks."""
        self.run(self.broker.queues.settle(e.Request(1, 1), KEY, Verb.ACK, tokens, now_us=0))


def _key(offset: int, records: int) -> bytes:
    others = offset % 100 == 99 or offset >= records
    return b"key-%d" % (offset % 7_919) if others else b"hot"


def growth(before: int) -> str:
    """How far the peak is above what was used before."""
    return f"{(procfs.peak_memory_bytes(os.getpid()) - before) / MIB:8.1f} MiB"


def ready(records: int) -> None:
    """Records that nobody takes."""
    before = procfs.peak_memory_bytes(os.getpid())
    core = Core(records)
    core.lease(0)
    core.write()
    print(f"{records:>12,} ready: peak memory grows by          {growth(before)}")


def half_settled(records: int, write_every: int) -> None:
    """All leased, then half of them settled in random order."""
    core = Core(records)
    gc.collect()
    before = procfs.peak_memory_bytes(os.getpid())
    leases = core.lease(records)
    print(f"{records:>12,} leased: peak memory grows by         {growth(before)}")
    for number, start in enumerate(range(0, records // 2, FRAME_TOKENS)):
        # Every offset comes once, in an order without any order, which takes no memory.
        frame = [at * STRIDE % records for at in range(start, start + FRAME_TOKENS)]
        core.settle([(leases[offset // 1000][0], offset, 1) for offset in frame])
        if number % write_every == 0:
            core.write()
    print(f"{records // 2:>12,} of them settled at random: grows by   {growth(before)}")


def acks(records: int, what: str, shuffled: bool, write_every: int) -> None:
    """CPU time that settling takes, and what is written before each round of syncs."""
    core = Core(records)
    leases = core.lease(records)
    tokens = [(lease, at, 1) for lease, first, end in leases for at in range(first, end)]
    if shuffled:  # as eight workers would: each within what it holds
        for start in range(0, len(tokens), 1600):
            some = tokens[start : start + 1600]
            random.Random(start).shuffle(some)
            tokens[start : start + 1600] = some
    source = iter(tokens)
    frames = iter(lambda: list(islice(source, FRAME_TOKENS)), [])
    settling = writing = 0.0
    for number, frame in enumerate(frames):
        began = process_time()
        core.settle(frame)
        settled = process_time()
        if number % write_every == 0:
            core.write()
            writing += process_time() - settled
        settling += settled - began
    print(
        f"acks {what:28} {settling / records * 1e6:6.2f} µs a record, "
        f"{writing / records * 1e6:6.2f} µs for what is written"
    )


def lanes(records: int, acks: int) -> None:
    """One key is blocked by its first record; every hundredth record is of one of many others."""
    core = Core(records)
    gc.collect()
    before = procfs.peak_memory_bytes(os.getpid())
    core.lease(1000, {"key_lanes": True})
    core.read_keys(records)
    blocking, *others = core.leased()
    _, spent_s = core.flow(others, records, records)
    print(f"{records:>12,} behind a blocked key: grows by       {growth(before)}")
    print(f"looking at them                   {spent_s / records * 1e6:6.2f} µs a record")
    core.partition.durable_offset += acks
    core.run(core.broker.queues.visible(core.partition.log))
    print(f"acks of others, meanwhile         {core.pace([], records, acks):6.2f} µs a record")
    print(
        f"acks of the key, one at a time    {core.pace([blocking], records, acks):6.2f} µs a record"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leased", type=int, default=1_000_000)
    parser.add_argument("--ready", type=int, default=10_000_000)
    parser.add_argument("--parked", type=int, default=1_000_000)
    parser.add_argument("--acks", type=int, default=200_000)
    parser.add_argument("--frames-per-sync", type=int, default=20)
    chosen = parser.parse_args()
    print(f"{processor()}; pyroaring {version('pyroaring')}; {vars(chosen)}")
    lanes(chosen.parked, chosen.acks)
    ready(chosen.ready)
    half_settled(chosen.leased, chosen.frames_per_sync)
    acks(chosen.acks, "in order", False, chosen.frames_per_sync)
    acks(chosen.acks, "in random order of 1,600", True, chosen.frames_per_sync)


if __name__ == "__main__":
    main()
