"""Positions of groups: as the model has them, and as they were noted on disk."""

from collections.abc import Collection, Sequence

from tapemq_broker.core.effects import PutState, Request
from tapemq_broker.core.group import Position

Place = tuple[str, int]


class Notes:
    """For each group and partition, all that was ever put, and what of it is confirmed.

    ``now`` is the model's; None stands for no position. ``going``: groups that are being deleted.
    """

    def __init__(self) -> None:
        self.now: dict[Place, Position] = {}
        self.going: set[str] = set()
        self._put: dict[Place, list[Position | None]] = {}
        self._confirmed: dict[Place, int] = {}
        self._waiting: dict[Request, dict[Place, int]] = {}

    def groups(self) -> set[str]:
        return {group for group, _ in self.now}

    def positions(self, group: str) -> dict[int, Position]:
        """A group's positions, by partition."""
        return {number: at for (name, number), at in self.now.items() if name == group}

    def set_hold(self, group: str, hold: bool, first_offsets: Sequence[int]) -> bool:
        """Switch it everywhere; whether anything changed. What is gone cannot be held."""
        positions = self.positions(group)
        if all(at.hold == hold for at in positions.values()):
            return False
        for number, at in positions.items():
            held = _held(at, first_offsets[number])
            self.now[group, number] = held if hold else at._replace(hold=False)
        return True

    def leave(self, group: str) -> None:
        """It is being deleted."""
        for place in [place for place in self.now if place[0] == group]:
            del self.now[place]
        self.going.add(group)

    def put(self, put: PutState) -> None:
        """A group log was written to."""
        for name, value in put.changes.items():
            place = (name.decode(), put.log.partition)
            at = None if value is None else Position.decode(value)
            self._put.setdefault(place, [None]).append(at)

    def wait(self, request: Request) -> None:
        """A command was carried out; its answer will say that all so far is on disk."""
        self._waiting[request] = {place: len(puts) - 1 for place, puts in self._put.items()}

    def confirm(self, request: Request, group: str, partitions: Collection[int]) -> None:
        """It is answered, for these positions."""
        for place, number in self._waiting.pop(request, {}).items():
            if place[0] == group and place[1] in partitions:
                self._confirmed[place] = max(self._confirmed.get(place, 0), number)

    def check(self) -> None:
        """What was put last is what the model has."""
        last = {place: at[-1] for place, at in self._put.items() if place[0] not in self.going}
        assert {place: at for place, at in last.items() if at is not None} == self.now

    def crash(self, left: dict[Place, Position], first_offsets: Sequence[int]) -> None:
        """After a start: ``left`` may be what was confirmed, or put later, nothing else.

        Of a group that was being deleted it is nothing, or what it would be otherwise.
        """
        deleted = self.going - {group for group, _ in left}
        for place, puts in self._put.items():
            if place[0] in deleted:
                continue
            allowed = puts[self._confirmed.get(place, 0) :]
            found = left.get(place)
            may_be_lost = place[1] >= len(first_offsets)
            if found is not None:
                first_offset = first_offsets[place[1]]
                begun_anew = found._replace(hold=False) == Position(first_offset)
                may_be_lost = may_be_lost or (allowed[0] is None and begun_anew)
                if found.hold and self._was_held(place[0], left):
                    allowed += [_held(at, first_offset) for at in allowed if at is not None]
            assert found in allowed or may_be_lost, f"{place}: {found} is not among {allowed}"
        holds = {(group, at.hold) for (group, _), at in left.items()}
        assert len(holds) == len({group for group, _ in left}), f"held here and not there: {left}"
        self.now = dict(left)
        self.going.clear()
        self._put = {place: [None, at] for place, at in left.items()}
        self._confirmed = dict.fromkeys(left, 1)
        self._waiting.clear()

    def _was_held(self, group: str, left: dict[Place, Position]) -> bool:
        """Whether a place of it was left with hold, which a start then switches on everywhere."""
        places = [place for place in left if place[0] == group and place in self._put]
        return any(
            left[place].hold and left[place] in self._put[place][self._confirmed.get(place, 0) :]
            for place in places
        )


def _held(at: Position, first_offset: int) -> Position:
    """What is gone cannot be held."""
    return at._replace(hold=True, cursor=max(at.cursor, first_offset))
