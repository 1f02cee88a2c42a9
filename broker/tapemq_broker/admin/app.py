"""The HTTP side: `/healthz`, `/readyz` and `/metrics`. It only reads, and needs no sign-in."""

from collections.abc import Callable
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

_METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Reasons = Callable[[], dict[str, str]]
"""Why the broker is not ready, by a short name; empty when it is."""

Exposition = Callable[[], bytes]
"""The metrics in Prometheus' text format."""


def application(reasons: Reasons, exposition: Exposition) -> Starlette:
    """The ASGI application that answers with what the two functions return."""

    async def healthz(_: Request) -> Response:
        # That this runs is the answer: the event loop is alive.
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        found = reasons()
        if not found:
            return JSONResponse({"status": "ready"})
        listed = [{"reason": reason, "text": text} for reason, text in found.items()]
        return JSONResponse({"status": "not ready", "reasons": listed}, status_code=503)

    async def metrics(_: Request) -> Response:
        return Response(exposition(), media_type=_METRICS_TYPE)

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
        ]
    )
