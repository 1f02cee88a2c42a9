"""Settings of queue groups, as an application says them and as the protocol does."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypedDict

from tapemq.queues.verdict import Duration, milliseconds
from tapemq.wire.fields import Settings


class Backoff(NamedTuple):
    """Delays that grow with each failure: ``first``, then ``factor`` times the one before.

    ``cap``: the longest one. ``jitter``: each is drawn from 1 - jitter/2 to 1 + jitter/2 times it,
    so that what failed together does not come back together.
    """

    first: Duration = 1.0
    factor: float = 2.0
    cap: Duration = 600.0
    jitter: float = 0.5


class QueueSettings(TypedDict, total=False):
    """Settings of a queue group; what is left out has the broker's default, or stays."""

    lease: Duration
    """How long a consumer may be silent about a message before others get it; 30 s."""
    max_attempts: int
    """A message that failed or crashed so often is dead; 10. 0: no limit."""
    max_age: Duration | None
    """A record that is older when it is to be delivered is dead; None: no limit."""
    retry: Backoff | Sequence[Duration]
    """Delays between attempts: computed, or a list of which the last one repeats."""
    key_lanes: bool
    """Messages of one key are delivered in order, ``key_concurrency`` at a time; False."""
    key_concurrency: int
    """See key_lanes; 1."""
    key_failure: Literal["block", "park"]
    """A message that waits for its retry holds up those of its key, or does not; "block"."""
    look_ahead: int
    """With key_lanes, so many may be out, and so many more parked with their keys; 100,000."""
    single_active: bool
    """Only one consumer gets messages, until it leaves; False."""
    paused: bool
    """Nothing is delivered; False."""
    hold: bool
    """Retention keeps what is not settled, or dead; True."""
    expire_dead: bool
    """Records past their time to live are dead, instead of settled; False."""
    dead_max: int
    """With so many dead records on a partition it delivers no more; 100,000."""
    retry_max: int
    """With so many messages waiting for a retry on a partition no new ones come; 100,000."""


def wire_settings(settings: Mapping[str, Any]) -> Settings:
    """Translate. Raises ValueError for an unknown one or an impossible value."""
    translated: Settings = {}
    for name, value in settings.items():
        translate = _TRANSLATIONS.get(name)
        if translate is None:
            known = ", ".join(_TRANSLATIONS)
            raise ValueError(f"there is no setting {name!r} of a queue group; there are {known}")
        translated |= translate(name, value)
    return translated


def _duration(name: str, value: Duration | None) -> Settings:
    return {f"{name}_ms": 0 if value is None else milliseconds(value)}


def _count(name: str, value: int) -> Settings:
    if type(value) is not int or value < 0:
        raise ValueError(f"{name} is a whole number from 0 on, not {value!r}")
    return {name: value}


def _switch(name: str, value: bool) -> Settings:
    if type(value) is not bool:
        raise ValueError(f"{name} is True or False, not {value!r}")
    return {name: value}


def _key_failure(name: str, value: str) -> Settings:
    if value not in ("block", "park"):
        raise ValueError(f'{name} is "block" or "park", not {value!r}')
    return {name: value}


def _retry(name: str, value: Backoff | Sequence[Duration]) -> Settings:
    if not isinstance(value, Backoff):
        if not value:
            raise ValueError(f"{name} is a Backoff or a list of at least one delay")
        return {"retry_delays_ms": ",".join(str(milliseconds(delay)) for delay in value)}
    if not 1 <= value.factor <= 100 or not 0 <= value.jitter <= 1:
        raise ValueError(f"{name}: a factor is 1 to 100 and a jitter is 0 to 1, not {value}")
    return {
        "retry_delays_ms": "",
        "retry_base_ms": milliseconds(value.first),
        "retry_factor_percent": round(value.factor * 100),
        "retry_cap_ms": milliseconds(value.cap),
        "retry_jitter_percent": round(value.jitter * 100),
    }


_TRANSLATIONS: Final[dict[str, Callable[[str, Any], Settings]]] = {
    "lease": _duration,
    "max_attempts": _count,
    "max_age": _duration,
    "retry": _retry,
    "key_lanes": _switch,
    "key_concurrency": _count,
    "key_failure": _key_failure,
    "look_ahead": _count,
    "single_active": _switch,
    "paused": _switch,
    "hold": _switch,
    "expire_dead": _switch,
    "dead_max": _count,
    "retry_max": _count,
}
