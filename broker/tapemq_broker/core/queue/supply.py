"""What of a partition is ready to be handed out, in which order."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from tapemq_broker.core.effects import Effects
from tapemq_broker.core.queue.lease import Run


class Portion(NamedTuple):
    """Records for one lease; what is counted is the same for each of them."""

    runs: Sequence[Run]
    troubled: bool = False
    failures: int = 0
    crashes: int = 0
    deliveries: int = 0
    replayed: bool = False


class Supply(Protocol):
    """Told of everything that happens to records; says which ones are next."""

    @property
    def cursor(self) -> int:
        """Nothing from here on was handed out."""

    def has_ready(self, *, fresh: bool) -> bool:
        """Whether take() would find something; not ``fresh``: that was handed out before."""

    def take(self, limit: int, *, fresh: bool) -> Portion | None:
        """At most ``limit`` records that are ready; None if there are none."""

    def give_back(self, first: int, end: int, deliveries: int) -> None:
        """Records that were handed out are ready again."""

    def ready(self, offset: int) -> None:
        """A troubled record is ready: it comes back, or its time has come."""

    def stepped_aside(self, offset: int) -> None:
        """A record has failed, and waits."""

    def settled(self, first: int, end: int) -> None:
        """Records are done with."""

    def forget_below(self, offset: int) -> None:
        """Records below an offset are done with, wherever they are."""

    def restart(self) -> None:
        """Begin at the floor, with what the ledger has."""

    def settings_changed(self) -> None:
        """The group's settings are others now."""

    def wanted(self) -> Effects:
        """What has to be found out so that more is ready."""

    def keys_read(self, first: int, keys: Sequence[bytes | None]) -> None:
        """The keys of the records from ``first`` on, which were wanted."""

    def keys_unread(self, first: int, reason: str) -> None:
        """They cannot be read: what is ready can be had, and nothing else will be."""

    @property
    def damage(self) -> str:
        """Why nothing else will be ready until the next start; empty if there is no reason."""

    def obstacle(self) -> tuple[str, str] | None:
        """Why records that are ready are not handed out: a state, and a sentence."""

    def remarks(self) -> list[str]:
        """What else there is to say, in sentences."""
