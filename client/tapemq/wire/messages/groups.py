"""Groups: named positions in a topic."""

from typing import NamedTuple


class ListGroups(NamedTuple):
    """Names of a topic's groups, a page of at most 64. Answered by Names."""

    topic_id: int
    after: str = ""
    deadline_ms: int = 0


class DescribeGroup(NamedTuple):
    """State of a group on one partition. Answered by Group."""

    topic_id: int
    group: str
    partition: int
    deadline_ms: int = 0


class Group(NamedTuple):
    """A group on one partition. ``lag`` counts visible records from ``cursor`` on.

    ``member`` names who reads it now ("": nobody); ``members`` counts all of the group.
    ``commit_time_us`` is 0 as long as nothing was committed.
    """

    kind: str
    cursor: int
    lag: int
    hold: bool
    generation: int
    members: int
    member: str = ""
    commit_time_us: int = 0


class AlterGroup(NamedTuple):
    """Change a group's settings on all partitions (``hold``). Answered by Done."""

    topic_id: int
    group: str
    hold: bool
    deadline_ms: int = 0


class DeleteGroup(NamedTuple):
    """Forget a group without members. Answered by Done."""

    topic_id: int
    group: str
    deadline_ms: int = 0
