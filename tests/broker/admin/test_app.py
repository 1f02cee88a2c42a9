import json

import pytest

from tapemq_broker.admin.app import application
from tests.support.asgi import ask

NOT_READY = {"draining": "the broker is stopping", "disk_low": "no space"}


async def test_healthz_answers_also_when_the_broker_is_not_ready() -> None:
    answer = await ask(application(lambda: NOT_READY, bytes), "/healthz")
    assert (answer.status, json.loads(answer.body)) == (200, {"status": "ok"})


async def test_readyz_says_ready() -> None:
    answer = await ask(application(dict, bytes), "/readyz")
    assert (answer.status, json.loads(answer.body)) == (200, {"status": "ready"})


async def test_readyz_says_all_reasons_against() -> None:
    answer = await ask(application(lambda: NOT_READY, bytes), "/readyz")
    assert answer.status == 503
    assert answer.content_type == "application/json"
    assert json.loads(answer.body) == {
        "status": "not ready",
        "reasons": [
            {"reason": "draining", "text": "the broker is stopping"},
            {"reason": "disk_low", "text": "no space"},
        ],
    }


async def test_readyz_asks_again_each_time() -> None:
    reasons = dict(NOT_READY)
    app = application(lambda: reasons, bytes)
    assert (await ask(app, "/readyz")).status == 503
    reasons.clear()
    assert (await ask(app, "/readyz")).status == 200


async def test_metrics_are_text() -> None:
    answer = await ask(application(dict, lambda: b"a 1\n"), "/metrics")
    assert answer == (200, "text/plain; version=0.0.4; charset=utf-8", b"a 1\n")


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("POST", "/readyz", 405)]
)
async def test_nothing_else_is_answered(method: str, path: str, status: int) -> None:
    assert (await ask(application(dict, bytes), path, method)).status == status
