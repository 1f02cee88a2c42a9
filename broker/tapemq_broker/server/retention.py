"""What partitions let go of, by age and by size."""

from typing import Final

from tapemq_broker.config import Settings
from tapemq_broker.core.topic import Topic
from tapemq_broker.server.engine import Engine
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.retention import retained_from


class Retention:
    """Applies the rules of each topic, or else those of the broker."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings: Final = settings
        self._engine: Final = engine

    def apply(self, log: Log) -> None:
        """Remove what a partition may let go; nothing, if its topic is gone by now."""
        topic = self._engine.core.topics.by_id.get(log.log_id.topic_id)
        if topic is not None:
            offset = self._retained_from(topic, log)
            if offset > log.first_offset:
                self._engine.run(self._engine.core.truncate(log.log_id, offset))

    def _retained_from(self, topic: Topic, log: Log) -> int:
        own = topic.info.settings
        age_s = own.get("retention_age_s", self._settings.retention_age_s)
        size_bytes = own.get("retention_bytes", self._settings.retention_bytes)
        if not age_s and not size_bytes:
            return log.first_offset
        return retained_from(
            log.segments(),
            self._engine.age_clock.now_us(),
            max_age_us=int(age_s * 1_000_000) or None,
            max_bytes=int(size_bytes) or None,
            hold_offset=topic.hold_offset(log.log_id.partition),
        )
