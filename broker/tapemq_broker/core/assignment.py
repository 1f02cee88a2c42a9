"""Who of a group's members reads which partition."""

from collections.abc import Collection, Hashable, Mapping
from itertools import islice
from typing import TypeVar

Member = TypeVar("Member", bound=Hashable)


def share_partitions(
    partitions: int, members: Collection[Member], owners: Mapping[int, Member]
) -> dict[int, Member]:
    """An owner for each partition: evenly (counts differ by at most 1), moving as few as possible.

    ``members`` in order of joining, quick to search; of those without a partition who came first
    gets one first. ``owners`` is who reads now; owners that are no members lose theirs. No
    members: empty.
    """
    held = _held(partitions, members, owners)
    quotas = _quotas(partitions, held)
    for member, mine in held.items():
        del mine[quotas[member] :]
    kept = {partition for mine in held.values() for partition in mine}
    free = (partition for partition in range(partitions) if partition not in kept)
    for member, mine in held.items():
        mine += islice(free, quotas[member] - len(mine))
    return {partition: member for member, mine in held.items() for partition in mine}


def _held(
    partitions: int, members: Collection[Member], owners: Mapping[int, Member]
) -> dict[Member, list[int]]:
    """What is held by those members who come into question."""
    if len(members) > partitions:  # The time this takes must not grow with who has to wait.
        holders = dict.fromkeys(owner for owner in owners.values() if owner in members)
        idle = (member for member in members if member not in holders)
        members = [*holders, *islice(idle, partitions - len(holders))]
    held: dict[Member, list[int]] = {member: [] for member in members}
    for partition in range(partitions):
        owner = owners.get(partition)
        if owner in held:
            held[owner].append(partition)
    return held


def _quotas(partitions: int, held: Mapping[Member, list[int]]) -> dict[Member, int]:
    """Whoever holds most gets one more where it does not divide evenly."""
    least, extra = divmod(partitions, len(held) or 1)
    by_holding = sorted(held, key=lambda member: -len(held[member]))
    return {member: least + (rank < extra) for rank, member in enumerate(by_holding)}
