"""What the process may open, shared out: a broker that runs out of open files stops."""

import logging
import resource
from dataclasses import replace
from typing import Final

from tapemq_broker.config import Settings
from tapemq_broker.storage.segment_cache import FILES_MAX

_log = logging.getLogger("tapemq.serve")

RESERVED: Final = 1_536
"""For HTTP (100), connections that are just being refused, logs that are being written, and what
else the broker has open."""

_BESIDE_CONNECTIONS: Final = FILES_MAX + RESERVED
_LEAST_SHARE: Final = 4
"""Where there are few, connections and segments that rest have a quarter each."""


def take_all() -> int | None:
    """Have the system allow as many open files as it can; how many those are, None: any number."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return None if hard == resource.RLIM_INFINITY else hard


def segments_within(limit: int | None) -> int:
    """How many segments may stay open that nobody uses."""
    return FILES_MAX if limit is None else min(FILES_MAX, limit // _LEAST_SHARE)


def connections_within(limit: int) -> int:
    """How many connections may be taken; one at least."""
    return max(1, limit // _LEAST_SHARE, limit - _BESIDE_CONNECTIONS)


def fitted(settings: Settings, limit: int | None) -> Settings:
    """The settings, with no more connections than there are files for; says if that is fewer."""
    if limit is None or settings.connections_max <= connections_within(limit):
        return settings
    connections_max = connections_within(limit)
    _log.warning(
        "no more than %d connections are taken, though connections_max is %d: the process may open "
        "%d files, and needs others for its data. Let it open %d (ulimit -n, LimitNOFILE= of "
        "systemd, ulimits: of compose), or set connections_max to %d",
        connections_max,
        settings.connections_max,
        limit,
        settings.connections_max + _BESIDE_CONNECTIONS,
        connections_max,
    )
    return replace(settings, connections_max=connections_max)
