"""A queue group's settings: what they are called, what they may be, what follows from them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from struct import Struct
from typing import Final
from zlib import crc32

from tapemq.batch import LogId
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.results import TopicSettings

_LEASE_MS_MIN: Final = 100
_PLACE: Final = Struct(">QIQI")
_HASHES: Final = 1 << 32
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {"key_failure": ("block", "park")}
_AT_LEAST: Final[Mapping[str, int]] = {
    "lease_ms": _LEASE_MS_MIN,
    "retry_factor_percent": 100,
    "key_concurrency": 1,
    "look_ahead": 1,
    "dead_max": 1,
    "retry_max": 1,
}
_AT_MOST: Final[Mapping[str, int]] = {"retry_jitter_percent": 200, "retry_factor_percent": 10_000}
_INT_MAX: Final = 1 << 40


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings, with their defaults. Times are in milliseconds.

    ``max_attempts`` and ``max_age_ms``: 0 is no limit. ``retry_delays_ms``: a list such as
    "1000,5000" in place of the formula; its last one repeats.
    """

    lease_ms: int = 30_000
    max_attempts: int = 10
    max_age_ms: int = 0
    retry_base_ms: int = 1000
    retry_factor_percent: int = 200
    retry_cap_ms: int = 600_000
    retry_jitter_percent: int = 50
    retry_delays_ms: str = ""
    key_lanes: bool = False
    key_concurrency: int = 1
    key_failure: str = "block"
    look_ahead: int = 100_000
    single_active: bool = False
    paused: bool = False
    hold: bool = True
    expire_dead: bool = False
    dead_max: int = 100_000
    retry_max: int = 100_000

    @classmethod
    def of(cls, settings: TopicSettings) -> "Policy":
        """What settings say. Raises Refused for one that does not exist, or cannot be so."""
        for name, value in settings.items():
            _check(name, value)
        policy = cls(**settings)  # type: ignore[arg-type]
        _delays_of(policy.retry_delays_ms)
        return policy

    def retry_delay_ms(self, log: LogId, offset: int, failures: int) -> int:
        """How long a record waits after so many failures. The same for the same record."""
        delays = _delays_of(self.retry_delays_ms)
        if delays:
            delay = float(delays[min(failures, len(delays)) - 1])
        else:
            delay = self._growing(failures)
        place = _PLACE.pack(log.topic_id, log.partition, offset, failures & 0xFFFFFFFF)
        spread = crc32(place) / _HASHES - 0.5
        return int(delay * (1 + spread * self.retry_jitter_percent / 100))

    def _growing(self, failures: int) -> float:
        delay: float = self.retry_base_ms
        for _ in range(min(failures - 1, 100)):
            if delay >= self.retry_cap_ms:
                break
            delay = delay * self.retry_factor_percent / 100
        return min(delay, self.retry_cap_ms)


SETTING_TYPES: Final[Mapping[str, type]] = {
    field.name: type(field.default) for field in fields(Policy)
}
"""All settings."""


def _check(name: str, value: int | str | bool) -> None:
    kind = SETTING_TYPES.get(name)
    if kind is None:
        known = ", ".join(SETTING_TYPES)
        raise Refused("bad_request", f"no queue setting {name!r}; there are: {known}")
    if type(value) is not kind:
        raise Refused("bad_request", f"setting {name!r} is {value!r}, not a {kind.__name__}")
    if isinstance(value, str) and value not in _CHOICES.get(name, (value,)):
        choices = " or ".join(_CHOICES[name])
        raise Refused("bad_request", f"setting {name!r} is {value!r}, not {choices}")
    if type(value) is int:
        least, most = _AT_LEAST.get(name, 0), _AT_MOST.get(name, _INT_MAX)
        if not least <= value <= most:
            raise Refused("bad_request", f"setting {name!r} is {value}, not {least} to {most}")


@lru_cache(maxsize=64)
def _delays_of(text: str) -> tuple[int, ...]:
    """The delays of a list. Raises Refused.

    Kept, because each record that fails asks for it, and a list may be long.
    """
    try:
        delays = tuple(map(int, text.split(","))) if text else ()
    except ValueError:
        delays = (-1,)
    if any(delay < 0 or delay > _INT_MAX for delay in delays):
        raise Refused(
            "bad_request", f"retry_delays_ms is {text!r}, not milliseconds such as 1000,5000"
        )
    return delays
