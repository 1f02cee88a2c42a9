"""The decoders of what the broker keeps in its own logs, and of what it is told at its start.

The entries of state logs lie behind two checksums, so only another version, or a broken one, could
write what is damaged here. What is wrong with them must come out as the one declared error, so that
only what it belongs to is refused, and not the start.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tapemq.batch import decode_columns
from tapemq_broker.cli.setting_sources import ConfigurationError, load
from tapemq_broker.config import settings
from tapemq_broker.core.group import Position
from tapemq_broker.core.packed import BadEntry
from tapemq_broker.core.partition import Partition
from tapemq_broker.core.queue.entries import durable_floor, queue_groups, stream_positions
from tapemq_broker.core.queue.ledger import Ledger
from tapemq_broker.core.topic import decode_topic
from tapemq_broker.server.session_tokens import SessionTokens
from tests.support.fuzz.fuzzing import Decoder
from tests.support.fuzz.logs import bodies_of

BAD: Final = (BadEntry,)
_KINDS: Final = {"settled": b"\0s", "troubled": b"\0t", "dead": b"\0d"}
_GROUP: Final = "billing"
_TOML: Final = b"""
# every kind of value
port = 7077
data_dir = "data"
segment_bytes = "64 MiB"
retention_age_s = 1.5
auto_create_topics = true
"""


def decoders() -> Iterator[Decoder]:
    """All of them."""
    groups = _entries("groups")
    positions = [value for key, value in groups.items() if key == b"audit"]
    yield Decoder("stream position", positions, Position.decode, BAD, is_packed=True)
    heads = [value for key, value in groups.items() if key == _GROUP.encode()]
    yield Decoder("queue head", heads, _queue_with(_GROUP.encode()), BAD, is_packed=True)
    for name, kind in _KINDS.items():
        start = _GROUP.encode() + kind
        parts = {key: value for key, value in groups.items() if key.startswith(start)}
        decode = _queue_with(next(iter(parts)))
        is_packed = name != "settled"
        yield Decoder(f"queue {name}", [*parts.values()], decode, BAD, is_packed=is_packed)
    topics = [value for key, value in _entries("catalog").items() if b"orders" in key]
    yield Decoder("topic", topics, lambda data: decode_topic("t", data), BAD, is_packed=True)
    keys = [key for key in groups if b"\0" in key]
    yield Decoder("key of a group entry", keys, _keyed, BAD)
    yield from _told()


def _told() -> Iterator[Decoder]:
    tokens = SessionTokens()
    tokens.issue(bytes(range(16)), 7)

    def find(data: bytes) -> None:
        assert tokens.find(data) == (7 if data == bytes(range(16)) else None)

    yield Decoder("session token", [bytes(range(16))], find, ())
    yield Decoder("configuration file", [_TOML], _configuration, (ConfigurationError,))
    texts = [b"port=7077", b"segment_bytes=64 MiB", b"retention_age_s=1.5 h", b"log_format=json"]
    yield Decoder("environment", texts, _environment, (ConfigurationError,))


@cache
def _entries(log: str) -> dict[bytes, bytes]:
    """The entries of all such logs in the golden directory."""
    entries: dict[bytes, bytes] = {}
    for body in bodies_of(log):
        values, keys, _ = decode_columns(body)
        for key, value in zip(keys or (), values, strict=True):
            if key is not None and value is not None:
                entries[bytes(key)] = bytes(value)
    return entries


def _queue_with(key: bytes) -> Callable[[bytes], None]:
    """The groups of a partition, with one entry replaced."""
    good = _entries("groups")
    return lambda data: _load(good | {key: data})


def _keyed(key: bytes) -> None:
    """The groups of a partition, with one entry more: a value of the kind that the key says."""
    good = _entries("groups")
    values = {name.partition(b"\0")[2][:1]: value for name, value in good.items()}
    _load(good | {key: values.get(key.partition(b"\0")[2][:1], b"")})


def _load(entries: Mapping[bytes, bytes]) -> None:
    durable_floor(entries)
    list(stream_positions(entries))
    for name, kept in queue_groups(entries).items():
        ledger = Ledger.load(name, Partition(1, 0), kept)
        assert ledger.changes() is not None


def _configuration(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "tapemq.toml")
        path.write_bytes(data)
        load({}, {}, str(path))


def _environment(data: bytes) -> None:
    """A name and a value, as a flag and as a variable."""
    name, _, value = data.decode("utf-8", "surrogateescape").partition("=")
    known = {setting.name for setting in settings()}
    load({}, {f"TAPEMQ_{name.upper()}": value})
    if name in known:
        load({name: value}, {})
