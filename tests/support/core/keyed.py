"""Key lanes on a log of one letter a record."""

from tapemq_broker.core.effects import ReadKeys
from tapemq_broker.core.partition import Partition
from tapemq_broker.core.queue.lanes import Lanes
from tapemq_broker.core.queue.lease import Run
from tapemq_broker.core.queue.ledger import Ledger
from tapemq_broker.core.queue.terms import Terms
from tapemq_broker.core.queue.trouble import Place


class Keyed:
    """A supply, and what the log has: a letter for each key, "-" for none."""

    def __init__(self, keys: str, **settings: int | str | bool) -> None:
        self.keys = keys
        partition = Partition(1, 0)
        partition.opened(0, len(keys), len(keys))
        terms = Terms.of({"key_lanes": True, **settings}, 1)
        self.ledger = Ledger("g", partition, terms, 0)
        self.lanes = Lanes(self.ledger)

    def read(self) -> list[Run]:
        """Answer what is wanted, until nothing is; what that was."""
        asked: list[Run] = []
        while wanted := self.lanes.wanted():
            (effect,) = wanted
            assert isinstance(effect, ReadKeys)
            asked.append((effect.first, effect.upto))
            letters = self.keys[effect.first : effect.upto]
            keys = [None if letter == "-" else letter.encode() for letter in letters]
            self.lanes.keys_read(effect.first, keys)
        return asked

    def take(self, limit: int = 1000, *, fresh: bool = True) -> list[int]:
        portion = self.lanes.take(limit, fresh=fresh)
        runs = portion.runs if portion is not None else ()
        return [offset for first, end in runs for offset in range(first, end)]

    def settle(self, *offsets: int) -> None:
        for offset in offsets:
            self.ledger.settle_troubled(offset, offset + 1)
            self.lanes.settled(offset, offset + 1)

    def fail(self, offset: int) -> None:
        self.ledger.trouble(offset).failures += 1
        self.ledger.trouble(offset).place = Place.WITHHELD
        self.lanes.stepped_aside(offset)

    def retry(self, offset: int) -> None:
        self.ledger.troubles[offset].place = Place.READY
        self.lanes.ready(offset)
