"""What a broker still keeps for clients when all of them are gone."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tapemq_broker.server.engine import Engine
from tapemq_broker.server.server import Server
from tests.support.simulation.history import History

QUIET_S: Final = 40.0
"""By then all have gone: the network holds nothing back for longer than half a minute."""


def leftover(history: History) -> Iterator[str]:
    """Something is kept that nobody will ever use, or counted that is not there."""
    yield from history.leftovers


def look(server: Server) -> Iterator[str]:
    """Whatever is not empty, or not zero."""
    for name, what in {**_of_sessions(server._sessions), **_of_engine(server._engine)}.items():
        if what:
            yield f"{name}: {what!r}"


def _of_sessions(sessions: Any) -> Mapping[str, object]:
    return {
        "connections": sessions.by_number,
        "handshakes": sessions.handshakes._open,
        "tokens": sessions.tokens._by_digest,
        "bytes being published": sessions.memory.used_bytes,
        "bytes of frames": sessions.memory.kept_bytes,
        "bytes for slow connections": sessions.outbound.used_bytes,
    }


def _of_engine(engine: Engine) -> Mapping[str, object]:
    core: Any = engine.core
    turns: Any = engine.logs.turns
    leases, subscriptions = core.queues._leases, core.streams._subscriptions
    return {
        "unanswered requests": engine.unanswered._in_all,
        "sessions with requests": engine.unanswered._counts,
        "crowded sessions": engine.unanswered._crowds,
        "tasks": [task for task in engine._tasks if "Alarm._run" not in repr(task)],
        "receipts": not engine.receipts._waiting.empty,
        "calls": not engine.receipts._calls.empty,
        "settlements": engine.settlements._sessions,
        "who leaves": engine.settlements._leaving,
        "who waits for the disk": engine.durability._waiting,
        "held publishes": engine.held._soonest,
        "turns": [*turns._waiting, *filter(None, [turns._called])],
        "readers to be told": engine._deliveries._waking,
        "deliveries": engine._deliveries._line,
        "leases to be read": engine.leases._line,
        "subscriptions": subscriptions._by_session,
        "subscriptions of topics": subscriptions._by_topic,
        "subscriptions of logs": subscriptions._by_log,
        "consumers": core.queues._consumers._by_session,
        "leases": leases._held,
        "unread leases": leases._unread,
        "consumers that were seen": leases._seen_at,
        "revoked partitions": core._sharing._revoked,
    }
