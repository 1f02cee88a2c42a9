"""What a queue group was told to do, the same on all partitions."""

from typing import NamedTuple

from tapemq_broker.core.packed import BadEntry
from tapemq_broker.core.queue.policy import SETTING_TYPES, Policy
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.results import TopicSettings


class Terms(NamedTuple):
    """Settings as they were given, and the policy that follows; ``version`` rises."""

    settings: TopicSettings
    version: int
    policy: Policy

    @classmethod
    def of(cls, settings: TopicSettings, version: int) -> "Terms":
        """Raises Refused for settings that cannot be."""
        return cls(dict(settings), version, Policy.of(settings))

    @classmethod
    def load(cls, settings: TopicSettings, version: int) -> "Terms":
        """As they were written; those of a newer version are skipped. Raises BadEntry."""
        known = {name: value for name, value in settings.items() if name in SETTING_TYPES}
        try:
            return cls.of(known, version)
        except Refused as refused:
            raise BadEntry(str(refused)) from None

    def changed(self, settings: TopicSettings) -> "Terms":
        """With some settings changed. Raises Refused."""
        return Terms.of({**self.settings, **settings}, self.version + 1)
