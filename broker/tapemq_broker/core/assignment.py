"""Who of a group's members reads which partition."""

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

Member = TypeVar("Member", bound=Hashable)


def share_partitions(
    partitions: int, members: Sequence[Member], owners: Mapping[int, Member]
) -> dict[int, Member]:
    """An owner for each partition: evenly (counts differ by at most 1), moving as few as possible.

    ``owners`` is who reads now; owners that are no members lose theirs. No members: empty.
    """
    if not members:
        return {}
    held: dict[Member, list[int]] = {member: [] for member in members}
    for partition in range(partitions):
        owner = owners.get(partition)
        if owner in held:
            held[owner].append(partition)
    quotas = _quotas(partitions, members, held)
    for member in members:
        del held[member][quotas[member] :]
    kept = {partition for mine in held.values() for partition in mine}
    free = iter([partition for partition in range(partitions) if partition not in kept])
    for member in members:
        while len(held[member]) < quotas[member]:
            held[member].append(next(free))
    return {partition: member for member, mine in held.items() for partition in mine}


def _quotas(
    partitions: int, members: Sequence[Member], held: Mapping[Member, Sequence[int]]
) -> dict[Member, int]:
    """Whoever holds most gets one more where it does not divide evenly."""
    least, extra = divmod(partitions, len(members))
    by_holding = sorted(members, key=lambda member: -len(held[member]))
    return {member: least + (rank < extra) for rank, member in enumerate(by_holding)}
