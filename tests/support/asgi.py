"""Asks an ASGI application without a network."""

from typing import Any, NamedTuple

from starlette.types import ASGIApp


class Answer(NamedTuple):
    """What the application answered."""

    status: int
    content_type: str
    body: bytes


async def ask(app: ASGIApp, path: str, method: str = "GET") -> Answer:
    """Send one request without a body."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "root_path": "",
        "query_string": b"",
        "headers": [],
    }
    await app(scope, receive, send)
    headers = dict(sent[0]["headers"])
    body = b"".join(message["body"] for message in sent[1:])
    return Answer(sent[0]["status"], headers.get(b"content-type", b"").decode(), body)
