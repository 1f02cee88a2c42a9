"""The broker's settings: every name with its default, unit, limits and meaning.

`Settings()` is the default configuration and `Settings(port=0)` changes one value; a value that is
not allowed raises `SettingError`. Where values come from (flags, environment, a file) is not known
here. Sizes are in bytes (`_bytes`), durations in seconds (`_s`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from math import inf
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, NamedTuple, get_args

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

SIZE_BYTES_MAX = 10**15
DURATION_S_MAX = 10**9
COUNT_MAX = 10**9
"""Far above what anybody wants, and far below what the protocol and timers can hold."""

Value = str | int | float | bool | Path | None

_KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text that is not empty",
    Path: "a path",
}


class SettingError(ValueError):
    """A setting has a value that it cannot have. `name`, `value` and `allowed` say which."""

    def __init__(self, name: str, value: object, allowed: str) -> None:
        super().__init__(f"{name} = {value!r} is not allowed: it must be {allowed}")
        self.name = name
        self.value = value
        self.allowed = allowed


class About(NamedTuple):
    """What a setting means, and what it may be."""

    text: str
    unit: str = ""
    at_least: float = -inf
    at_most: float = inf
    choices: tuple[str, ...] = ()


class Setting(NamedTuple):
    """One of the settings. An `optional` one may be None."""

    name: str
    kind: type
    default: Value
    optional: bool
    about: About

    @property
    def allowed(self) -> str:
        """What the setting may be, in words."""
        about = self.about
        if about.choices:
            return "one of " + ", ".join(about.choices)
        said = _KINDS[self.kind]
        said += f", at least {about.at_least:,.12g}" if about.at_least > -inf else ""
        said += f", at most {about.at_most:,.16g}" if about.at_most < inf else ""
        said += f" ({about.unit})" if about.unit else ""
        return said + (", or left out" if self.optional else "")

    def check(self, value: object) -> None:
        """Raise SettingError unless the setting may have this value."""
        if not (self._fits(value) or (value is None and self.optional)):
            raise SettingError(self.name, value, self.allowed)

    def _fits(self, value: object) -> bool:
        kinds = (int, float) if self.kind is float else (self.kind,)
        if not isinstance(value, kinds) or isinstance(value, bool) != (self.kind is bool):
            return False
        if isinstance(value, int | float) and self.kind is not bool:
            # The last comparison refuses infinity, and all of them NaN.
            return self.about.at_least <= value <= self.about.at_most and value < inf
        return value in self.about.choices if self.about.choices else value != ""


def _size(text: str, at_least: int = 0, at_most: int = SIZE_BYTES_MAX) -> About:
    return About(text, "bytes", at_least, at_most)


def _duration(text: str, at_least: float = 0.001) -> About:
    return About(text, "seconds", at_least, DURATION_S_MAX)


def _count(text: str, at_most: int = COUNT_MAX) -> About:
    return About(text, at_least=1, at_most=at_most)


def _port(text: str) -> About:
    return About(f"{text}; 0 takes a free one.", at_least=0, at_most=65_535)


def _choice(text: str, *choices: str) -> About:
    return About(text, choices=choices)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of a broker. Raises SettingError for a value that is not allowed."""

    # Where
    data_dir: Annotated[Path, About("Directory that keeps all data.")] = Path("tapemq-data")
    host: Annotated[str, About("Address that clients connect to.")] = "127.0.0.1"
    port: Annotated[int, _port("Port that clients connect to")] = 7077
    http_host: Annotated[str, About("Address of health and metrics over HTTP.")] = "127.0.0.1"
    http_port: Annotated[int, _port("Port of health and metrics over HTTP")] = 7078

    # Topics: creation, and the values of those that do not set their own
    auto_create_topics: Annotated[bool, About("Create a topic when it is first used.")] = True
    segment_bytes: Annotated[int, _size("Size at which a log begins a new file.", 4096)] = 64 * MIB
    retention_bytes: Annotated[int, _size("Size that a partition is cut to; 0: none.")] = 0
    retention_age_s: Annotated[float, _duration("Age at which records go; 0: never.", 0)] = 0.0

    # Publishing
    record_bytes_max: Annotated[int, _size("Largest record accepted.", 1, 16 * MIB)] = MIB
    batch_bytes_max: Annotated[int, _size("Largest batch accepted.", KIB, 20 * MIB)] = 4 * MIB
    publish_window_bytes: Annotated[
        int, _size("What one connection may have published without receipts.", KIB)
    ] = 8 * MIB
    publish_memory_bytes: Annotated[
        int, _size("What all connections together may have so; then each has a share.", MIB)
    ] = 256 * MIB
    sync_round_bytes: Annotated[
        int, _size("What one sync covers of who publishes much; the rest waits its turn.", KIB)
    ] = 4 * MIB
    sync: Annotated[
        bool, About("Sync before receipts. With false a power cut LOSES receipted records.")
    ] = True
    sync_threads: Annotated[int, _count("Threads that sync files or recover partitions.", 64)] = 4
    mark_idle_s: Annotated[float, _duration("Idle time until a log's end is marked durable.")] = 0.1

    # Connections
    connections_max: Annotated[int, _count("Most connections at a time.")] = 10_000
    handshakes_max: Annotated[
        int, _count("Connections in their handshake; beyond, the oldest are cut.")
    ] = 2_000
    handshake_deadline_s: Annotated[float, _duration("Time for a connection's handshake.")] = 5.0
    heartbeat_s: Annotated[float, _duration("Silence until a ping; two missed: gone.")] = 15.0
    outbound_high_bytes: Annotated[
        int, _size("Unsent bytes of a connection above which nothing is delivered to it.")
    ] = 256 * KIB
    outbound_low_bytes: Annotated[
        int, _size("Unsent bytes of a connection at which delivery goes on.")
    ] = 64 * KIB
    outbound_bytes_max: Annotated[int, _size("Unsent bytes that cut a connection.")] = 8 * MIB
    outbound_memory_bytes: Annotated[
        int, _size("Memory held for slow connections; beyond, the slowest are cut.", MIB)
    ] = 256 * MIB
    write_stall_s: Annotated[float, _duration("Time without progress that cuts it.")] = 10.0

    # Groups
    revoke_deadline_s: Annotated[float, _duration("Time to release a partition.")] = 5.0
    queue_cache_bytes: Annotated[
        int, _size("Batches kept in memory while queue groups hand out their records.")
    ] = 16 * MIB

    # Limits
    topics_max: Annotated[int, _count("Most topics.")] = 10_000
    partitions_max: Annotated[int, _count("Most partitions of all topics together.")] = 20_000
    groups_max: Annotated[int, _count("Most groups.")] = 10_000
    disk_free_min_bytes: Annotated[
        int | None, _size("Free disk that blocks publishing. Default: 5 %, at most 1 GiB.")
    ] = None
    retention_check_s: Annotated[float, _duration("Time between looks at what may go.")] = 30.0

    # The process
    shutdown_grace_s: Annotated[
        float, _duration("Time that connections have to end at a stop.", 0)
    ] = 8.0
    log_level: Annotated[str, _choice("What is logged.", "debug", "info", "warning", "error")] = (
        "info"
    )
    log_format: Annotated[str, _choice("Form of the log's lines.", "text", "json")] = "text"

    def __post_init__(self) -> None:
        for setting in settings():
            setting.check(getattr(self, setting.name))
        self._check_order("outbound_low_bytes", "outbound_high_bytes")
        self._check_order("outbound_high_bytes", "outbound_bytes_max")
        self._check_order("outbound_bytes_max", "outbound_memory_bytes")
        self._check_order("record_bytes_max", "batch_bytes_max")

    def _check_order(self, smaller: str, larger: str) -> None:
        if getattr(self, smaller) > getattr(self, larger):
            allowed = f"at most {larger} = {getattr(self, larger)}"
            raise SettingError(smaller, getattr(self, smaller), allowed)


def settings() -> Iterator[Setting]:
    """What is known of each setting, in the order of `Settings`."""
    for item in fields(Settings):
        annotation: Any
        annotation, about = get_args(item.type)
        optional = isinstance(annotation, UnionType)
        kind = get_args(annotation)[0] if optional else annotation
        default: Any = item.default
        yield Setting(item.name, kind, default, optional, about)
