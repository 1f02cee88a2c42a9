"""Keeps schedule logs short: what is done goes, what is left behind is written again."""

import logging
from typing import Final

from tapemq_broker.server.engine import Engine
from tapemq_broker.server.schedules.index_runner import IndexRunner
from tapemq_broker.server.schedules.rows import schedule_of
from tapemq_broker.server.schedules.shelf import Volume
from tapemq_broker.storage.schedules.index import Row, ScheduleIndex

log = logging.getLogger("tapemq.broker")

_SPARSE: Final = 4
"""A log is rewritten where fewer than one entry in so many is pending."""

_ROWS_AT_ONCE: Final = 256
_BYTES_AT_ONCE: Final = 512 * 1024


class Compaction:
    """Looks at a log after each step of the index; does nothing to one of a single segment."""

    def __init__(self, engine: Engine, runner: IndexRunner) -> None:
        self._engine: Final = engine
        self._runner: Final = runner

    async def step(self, volume: Volume) -> None:
        """Remove segments that nothing needs, or write some of the oldest schedules again."""
        if not volume.may_be_used():
            return
        source = self._engine.logs.data(volume.book.log)
        segments = source.segments()
        if len(segments) < 2:
            return
        entries = volume.book.next_offset - source.first_offset
        is_sparse = len(segments) > 2 and entries > _SPARSE * volume.book.count
        rows = _ROWS_AT_ONCE if is_sparse else 1
        topic_id, first_end = volume.topic_id, segments[0].next_offset
        try:
            needed, oldest = await self._runner.run(
                lambda index: _oldest(index, topic_id, rows, first_end)
            )
        except OSError as error:
            log.error("the index of schedules cannot be read, a log stays long: %s", error)
            return
        if not volume.may_be_used():
            return
        if needed >= first_end:
            self._engine.logs.truncate_front(volume.book.log, needed)
        elif is_sparse:
            behind = [row for row in oldest if row.position < first_end]
            self._engine.run(volume.book.rewrite([schedule_of(row) for row in behind]))


def _oldest(
    index: ScheduleIndex, topic_id: int, rows: int, first_end: int
) -> tuple[int, list[Row]]:
    """From which offset on the log is needed, and the schedules that are furthest back."""
    state = index.state(topic_id)
    oldest = index.oldest(topic_id, rows, _BYTES_AT_ONCE)
    needed = [state.upto, *(firing.position for firing in state.firings)]
    from_offset = min(needed + [row.position for row in oldest[:1]])
    if from_offset >= first_end:
        # What goes from the log on the word of a damaged index could never be read again.
        index.check_none_before(topic_id, from_offset)
    return from_offset, oldest
