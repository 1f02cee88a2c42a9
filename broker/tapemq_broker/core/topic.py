"""A topic: settings, partitions, groups."""

import re
from typing import Final

import msgpack

from tapemq_broker.core.counting import counted
from tapemq_broker.core.group import StreamGroup
from tapemq_broker.core.packed import BadEntry, unpack_map
from tapemq_broker.core.partition import Partition
from tapemq_broker.core.queue.group import QueueGroup
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.results import TopicInfo, TopicSettings

SETTING_TYPES: Final[dict[str, type]] = {
    "retention_age_s": int,
    "retention_bytes": int,
    "segment_bytes": int,
    "ttl_s": int,
    "max_records": int,
    "max_bytes": int,
    "overflow": str,
    "priorities": int,
}
"""Settings of a topic: records older than this may go (0: never); segments beyond this size, per
partition, may go (0: never); size of a segment file (0: the broker's); records older than this
are not handed out by queue groups any more (0: always); most records, and bytes, of a partition
(0: any); what becomes of what is too much, see core.length; levels of priority, see levels_of()."""

_CHOICES: Final = {"overflow": ("refuse", "drop_oldest")}
SEGMENT_BYTES_MIN: Final = 4096
LEVELS_MAX: Final = 10
_NAME: Final = re.compile(r"[A-Za-z0-9_@-][A-Za-z0-9._@-]{0,199}")
_ENTRY: Final = {"topic_id": int, "partitions": int, "version": int, "settings": dict}


class Topic:
    """A topic of the catalog."""

    def __init__(self, info: TopicInfo) -> None:
        self.info = info
        self.partitions = [Partition(info.topic_id, p) for p in range(info.partitions)]
        self.groups: dict[str, StreamGroup] = {}
        self.queue_groups: dict[str, QueueGroup] = {}
        # Names of groups whose deletion is not on disk yet.
        self.leaving: set[str] = set()

    @property
    def levels(self) -> int:
        """How many levels of priority there are; 1: none."""
        return levels_of(self.info.settings)

    @property
    def has_limit(self) -> bool:
        """Whether partitions may be full."""
        settings = self.info.settings
        return "max_records" in settings or "max_bytes" in settings

    def partition(self, number: int) -> Partition:
        """Raises Refused for a number that the topic does not have."""
        if not 0 <= number < len(self.partitions):
            raise Refused(
                "unknown_partition",
                f"topic {self.info.name!r} has {counted(len(self.partitions), 'partition')}, "
                f"from 0 on; {number} is none of them",
            )
        return self.partitions[number]

    def usable_partitions(self) -> list[Partition]:
        """Those that could be opened. Raises Refused if there are none."""
        usable = [partition for partition in self.partitions if not partition.damage]
        if not usable:
            self.partitions[0].check_usable()
        return usable

    def group_partitions(self) -> list[Partition]:
        """Those where groups can be kept. Raises Refused if there are none."""
        usable = [partition for partition in self.partitions if not partition.groups_damage]
        if not usable:
            self.partitions[0].check_groups_usable()
        return usable

    def check_groups_usable(self) -> None:
        """Raise Refused if groups cannot be kept on a partition."""
        for partition in self.partitions:
            partition.check_groups_usable()

    def group(self, name: str) -> StreamGroup:
        """A stream group. Raises Refused for one that does not exist, or is a queue."""
        found = self.groups.get(name)
        if found is None:
            self.check_name_free(name)
            raise self._unknown_group(name)
        return found

    def queue_group(self, name: str) -> QueueGroup:
        """A queue group. Raises Refused for one that does not exist, or is a stream's."""
        found = self.queue_groups.get(name)
        if found is None:
            self.check_name_free(name)
            raise self._unknown_group(name)
        return found

    def _unknown_group(self, name: str) -> Refused:
        return Refused("unknown_group", f"topic {self.info.name!r} has no group {name!r}")

    def check_name_free(self, name: str) -> None:
        """Raise Refused if a group has that name: it is of one kind for ever."""
        kind = "queue" if name in self.queue_groups else "stream" if name in self.groups else ""
        if kind:
            raise Refused(
                "bad_request",
                f"group {name!r} of topic {self.info.name!r} is a {kind} group; groups stay of "
                "the kind that they were made as",
            )

    def check_group_can_be_made(self, name: str) -> None:
        """Raise Refused if a group has that name, or if one had it whose deletion is not complete.

        What a new group has then, perhaps of the other kind, would count as left of the old one.
        """
        self.check_name_free(name)
        if name in self.leaving:
            self.check_groups_usable()  # else it waits for a repair, and a start
            raise Refused(
                "overloaded",
                f"the deletion of group {name!r} of topic {self.info.name!r} is not on disk yet",
                0.1,
            )

    def hold_offset(self, partition: int) -> int | None:
        """What the groups with ``hold`` still need of a partition; None if there are none."""
        positions = (group.positions.get(partition) for group in self.groups.values())
        needed = [p.cursor for p in positions if p is not None and p.hold]
        for group in self.queue_groups.values():
            backlog = group.backlogs.get(partition)
            if backlog is not None and group.terms.policy.hold:
                needed.append(backlog.ledger.hold_offset)
        return min(needed, default=None)

    def change(self, info: TopicInfo) -> None:
        """New settings, or more partitions."""
        for number in range(len(self.partitions), info.partitions):
            self.partitions.append(Partition(info.topic_id, number))
        self.info = info


def check_settings(settings: TopicSettings) -> None:
    """Raise Refused for a setting that does not exist, or a value that it cannot have."""
    for name, value in settings.items():
        kind = SETTING_TYPES.get(name)
        if kind is None:
            known = ", ".join(SETTING_TYPES)
            raise Refused("bad_request", f"no topic setting {name!r}; there are: {known}")
        if kind is str and value not in _CHOICES[name]:
            choices = " or ".join(map(repr, _CHOICES[name]))
            raise Refused("bad_request", f"setting {name!r} is {value!r}, not {choices}")
        if type(value) is not kind or (kind is int and int(value) < 0):
            raise Refused(
                "bad_request", f"setting {name!r} is {value!r}, not a {kind.__name__} >= 0"
            )
    segment_bytes = int(settings.get("segment_bytes", 0))
    if 0 < segment_bytes < SEGMENT_BYTES_MIN:
        raise Refused("bad_request", f"segment_bytes is below {SEGMENT_BYTES_MIN}")
    if "priorities" in settings and not 2 <= int(settings["priorities"]) <= LEVELS_MAX:
        raise Refused(
            "bad_request", f"priorities is {settings['priorities']}, not 2 to {LEVELS_MAX} levels"
        )


def levels_of(settings: TopicSettings) -> int:
    """Levels of priority: partition ``p * levels + level`` has the records of a level; 1: none."""
    return int(settings.get("priorities", 1))


def encode_topic(info: TopicInfo) -> bytes:
    """The value of a topic's entry in the catalog."""
    entry = info._asdict() | {"settings": dict(info.settings)}
    del entry["name"]
    return bytes(msgpack.packb(entry))


def decode_topic(name: str, value: bytes) -> TopicInfo:
    """The inverse; fields and settings of a newer version are skipped. Raises BadEntry."""
    info = TopicInfo(name=name, **unpack_map(value, _ENTRY))
    if not _NAME.fullmatch(name):  # it becomes the name of a directory
        raise BadEntry(f"{name!r} is no name of a topic")
    if info.topic_id == 0:
        raise BadEntry("topic_id is 0")
    try:
        check_settings({key: at for key, at in info.settings.items() if key in SETTING_TYPES})
    except Refused as refused:
        raise BadEntry(str(refused)) from None
    if info.partitions == 0 or info.partitions % levels_of(info.settings):
        raise BadEntry(f"{info.partitions} partitions, of {levels_of(info.settings)} levels")
    return info
