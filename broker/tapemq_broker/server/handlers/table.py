"""The shape of a handler."""

from collections.abc import Callable
from typing import Any

from tapemq_broker.core.effects import Request
from tapemq_broker.server.connection import Connection

Handler = Callable[[Connection, Any, Request, memoryview], None]
"""Takes the connection, the message, whom to answer, and the payload (a view: copy to keep)."""
