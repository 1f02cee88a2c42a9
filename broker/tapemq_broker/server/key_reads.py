"""Reads the keys of records, for queue groups that keep the order of each key."""

import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

from tapemq.batch import BatchError, decode_keys
from tapemq_broker.core.effects import Effects, ReadKeys
from tapemq_broker.core.queue.queues import Queues
from tapemq_broker.server.batches import Batches
from tapemq_broker.server.counters import Counters
from tapemq_broker.server.disk_reads import DiskReads
from tapemq_broker.server.logs import Logs
from tapemq_broker.server.read_retries import ReadRetries
from tapemq_broker.storage.errors import CorruptLog, OffsetOutOfRange
from tapemq_broker.storage.reading import ReadPlan

log = logging.getLogger("tapemq.broker")

_READ_BYTES: Final = 512 * 1024

Keys = list[bytes | None]


class KeyReads:
    """Carries ReadKeys effects out, in a thread: keys are decoded one by one."""

    def __init__(
        self,
        queues: Queues,
        logs: Logs,
        counters: Counters,
        reads: DiskReads,
        run: Callable[[Effects], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        retries: ReadRetries,
    ) -> None:
        self._queues: Final = queues
        self._logs: Final = logs
        self._counters: Final = counters
        self._reads: Final = reads
        self._run: Final = run
        self._spawn: Final = spawn
        self._retries: Final = retries

    def start(self, wish: ReadKeys) -> None:
        """Read some of the keys, and report them."""
        self._spawn(self._read(wish))

    async def _read(self, wish: ReadKeys) -> None:
        async with self._reads.turns:
            await self._read_in_turn(wish)

    async def _read_in_turn(self, wish: ReadKeys) -> None:
        try:
            keys = await self._keys(wish)
        except KeyError:
            return  # the topic is gone
        except (CorruptLog, BatchError, OSError) as error:
            self._failed(wish, error)
            return
        self._run(self._queues.keys_read(wish.log, wish.group, wish.first, keys))

    def _failed(self, wish: ReadKeys, error: Exception) -> None:
        if self._retries.takes(error, lambda: self.start(wish)):
            return
        self._counters.corrupt_reads += 1
        log.error("cannot read the keys of %s: %s", wish.log, error)
        self._run(self._queues.keys_unread(wish.log, wish.group, wish.first, str(error)))

    async def _keys(self, wish: ReadKeys) -> Keys:
        data = self._logs.data(wish.log)
        try:
            plan = data.plan(wish.first, upto=data.durable_offset, max_bytes=_READ_BYTES)
            return await self._reads.run(partial(_keys_of, plan, wish))
        except OffsetOutOfRange as gone:
            return [None] * max(1, min(wish.upto, gone.first_offset) - wish.first)


def _keys_of(plan: ReadPlan, wish: ReadKeys) -> Keys:
    """One for each offset; None also for what is not in the log."""
    chunk = plan.run(True)
    assert chunk is not None
    batches = Batches(wish.first, chunk)
    keys: Keys = []
    offset, stop = wish.first, min(wish.upto, batches.next_offset)
    while offset < stop:
        batch = batches.find(offset)
        if batch is None or batch.base_offset >= stop:
            keys += [None] * (stop - offset)
            break
        keys += [None] * (batch.base_offset - offset)
        start = max(offset, batch.base_offset)
        offset = min(stop, batch.next_offset)
        keys += decode_keys(batch.body)[start - batch.base_offset : offset - batch.base_offset]
    return keys
