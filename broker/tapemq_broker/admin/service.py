"""Everything of the HTTP side together. Importing this imports the web framework."""

import socket
from collections.abc import Callable

from tapemq_broker.admin.app import application
from tapemq_broker.admin.http_server import HttpServer
from tapemq_broker.admin.metrics import exposition
from tapemq_broker.admin.readiness import Reading, reasons_against


def admin_service(
    read: Callable[[], Reading], listener: socket.socket, draining: Callable[[], bool]
) -> HttpServer:
    """The HTTP server of the broker of which `read` takes a reading. It is not started yet."""
    app = application(lambda: reasons_against(read(), draining()), exposition(read))
    return HttpServer(app, listener)
