"""A stream group: positions on each partition, and who reads them."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import msgpack

from tapemq_broker.core.assignment import share_partitions
from tapemq_broker.core.effects import SubscriptionKey
from tapemq_broker.core.packed import unpack_map
from tapemq_broker.core.refusal import Refused


class Position(NamedTuple):
    """Where a group is on one partition: what rests in the group log.

    ``cursor`` is never beyond what is on disk: else records that get the offsets of lost ones
    after a crash would be passed over.
    """

    cursor: int
    seek_epoch: int = 0
    commit_time_us: int = 0
    hold: bool = False

    def encode(self) -> bytes:
        """The value of the group's entry in the state log."""
        return bytes(
            msgpack.packb(
                {
                    "kind": "stream",
                    "cursor": self.cursor,
                    "seek_epoch": self.seek_epoch,
                    "commit_time_us": self.commit_time_us,
                    "hold": self.hold,
                }
            )
        )

    @classmethod
    def decode(cls, value: bytes) -> "Position":
        """The inverse; fields of a newer version are skipped. Raises BadEntry."""
        return cls(**unpack_map(value, _POSITION))

    def sought(self, offset: int, time_us: int) -> "Position":
        """The position after a seek, anywhere; no reader goes on from where it was before it."""
        epoch = self.seek_epoch + 1
        return self._replace(cursor=offset, seek_epoch=epoch, commit_time_us=time_us)


_POSITION: Final = {"cursor": int, "seek_epoch": int, "commit_time_us": int, "hold": bool}


@dataclass(slots=True)
class Claim:
    """A member's hold on a partition. ``revoked``: it was asked to let go."""

    owner: SubscriptionKey
    generation: int
    revoked: bool = False


class Moves(NamedTuple):
    """What sharing the partitions anew asks for."""

    revoke: list[int]
    assign: list[tuple[int, SubscriptionKey]]


class StreamGroup:
    """Members in order of joining; each partition is claimed by at most one of them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.positions: dict[int, Position] = {}
        self.members: dict[SubscriptionKey, str] = {}
        self.claims: dict[int, Claim] = {}
        self._keys: dict[str, SubscriptionKey] = {}

    @property
    def hold(self) -> bool:
        """Whether retention waits for this group."""
        return any(position.hold for position in self.positions.values())

    def find_member(self, name: str) -> SubscriptionKey | None:
        """The subscription of the member with this name; "" is nobody's."""
        return self._keys.get(name)

    def join(self, key: SubscriptionKey, name: str) -> None:
        """A member comes."""
        self.members[key] = name
        if name:
            self._keys[name] = key

    def leave(self, key: SubscriptionKey) -> None:
        """A member is gone, and with it its claims."""
        self._keys.pop(self.members.pop(key), None)
        for partition in [p for p, claim in self.claims.items() if claim.owner == key]:
            del self.claims[partition]

    def held_by(self, key: SubscriptionKey) -> list[int]:
        """The partitions that a member has, but for those that it was asked to let go."""
        return [p for p, claim in self.claims.items() if claim.owner == key and not claim.revoked]

    def plan_moves(self, partitions: int) -> Moves:
        """Which claims must be given up, and which free partitions go to whom."""
        owners = {p: claim.owner for p, claim in self.claims.items() if not claim.revoked}
        wanted = share_partitions(partitions, self.members, owners)
        revoke = [partition for partition, owner in owners.items() if wanted[partition] != owner]
        assign = [(p, member) for p, member in sorted(wanted.items()) if p not in self.claims]
        return Moves(revoke, assign)

    def release(self, key: SubscriptionKey, partition: int, generation: int) -> None:
        """A member lets go. Raises Refused if it is not the owner (any more)."""
        claim = self.claims.get(partition)
        if claim is None or claim.owner != key or claim.generation != generation:
            raise self._fenced(partition, generation)
        del self.claims[partition]

    def check_claim(self, partition: int, generation: int) -> None:
        """Raise Refused (fenced) unless ``generation`` holds the partition now.

        Generation 0 stands for an outsider, who may act only while the group has no members.
        """
        claim = self.claims.get(partition)
        if generation == 0 and not self.members:
            return
        if claim is None or claim.generation != generation:
            raise self._fenced(partition, generation)

    def _fenced(self, partition: int, generation: int) -> Refused:
        return Refused(
            "fenced",
            f"group {self.name!r}: partition {partition} is not held in generation "
            f"{generation} (any more); another member has it, or nobody",
        )

    def committed(self, partition: int, offset: int, now_us: int) -> Position | None:
        """The position after a commit; None if that is no step forward."""
        before = self.positions[partition]
        if offset <= before.cursor:
            return None
        return before._replace(cursor=offset, commit_time_us=now_us)
