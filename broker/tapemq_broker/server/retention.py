"""What partitions let go of, by age and by size."""

from functools import partial
from typing import Final

from tapemq_broker.config import Settings
from tapemq_broker.server.engine import Engine
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.retention import outgrows_age, retained_from


class Retention:
    """Applies the rules of each topic, or else those of the broker."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings: Final = settings
        self._engine: Final = engine

    def apply(self, log: Log) -> None:
        """Remove what a partition may let go; nothing, if its topic is gone by now."""
        topic = self._engine.core.topics.by_id.get(log.log_id.topic_id)
        if topic is None:
            return
        own = topic.info.settings
        age_s = own.get("retention_age_s", self._settings.retention_age_s)
        size_bytes = own.get("retention_bytes", self._settings.retention_bytes)
        max_age_us, max_bytes = int(age_s * 1_000_000) or None, int(size_bytes) or None
        if max_age_us is None and max_bytes is None:
            return
        now_us = self._engine.age_clock.now_us()
        rules = partial(
            retained_from, log.segments(), now_us, max_age_us=max_age_us, max_bytes=max_bytes
        )
        # There may be very many groups to be asked: not where there is nothing to be removed.
        if rules(hold_offset=None) > log.first_offset:
            offset = rules(hold_offset=topic.hold_offset(log.log_id.partition))
            self._engine.run(self._engine.core.truncate(log.log_id, offset))
        if outgrows_age(log.segment_begun_us, log.last_append_time_us, now_us, max_age_us):
            self._engine.logs.roll(log)
