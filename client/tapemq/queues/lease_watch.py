"""Tells the watchdog which session it is to keep alive."""

import asyncio

from tapemq.errors import Error
from tapemq.network.connection import Connection
from tapemq.network.link import Link
from tapemq.queues.side_connection import SideTarget
from tapemq.queues.watchdog import Watchdog


class LeaseWatch:
    """One for all queues of a client."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._watchdog = Watchdog(asyncio.get_running_loop().call_soon_threadsafe)
        link.listen(self)
        if link.connection is not None:
            self.link_up(link.connection)

    def link_up(self, connection: Connection) -> None:
        """There is a session to keep alive."""
        address = self._link.address
        assert address is not None
        hello = self._link.hello._replace(resume=connection.limits.session)
        self._watchdog.watch(SideTarget(address, self._link.tls, hello))

    def link_down(self, reason: Error) -> None:
        """There is none now."""
        self._watchdog.watch(None)

    def hold(self, lease_s: float) -> None:
        """Leases of this time are held from now on."""
        self._watchdog.hold(min(lease_s, self._link.limits.heartbeat_ms / 1000))

    def close(self) -> None:
        """Stop."""
        self._link.unlisten(self)
        self._watchdog.close()
