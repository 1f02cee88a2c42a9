import subprocess
import sys

import pytest

from tapemq_broker.admin.listener import listen
from tapemq_broker.admin.service import admin_service
from tests.support.asgi import ask
from tests.support.status import status


@pytest.mark.parametrize("draining", [False, True])
async def test_health_and_metrics_are_the_servers(draining: bool) -> None:
    with listen("127.0.0.1", 0) as listener:
        http = admin_service(lambda: status(topics=3), listener, lambda: draining)
        app = http.application
        assert (await ask(app, "/readyz")).status == (503 if draining else 200)
        assert b"\ntapemq_topics 3.0\n" in (await ask(app, "/metrics")).body


def test_importing_it_imports_what_serving_needs() -> None:
    code = "import sys, tapemq_broker.admin.service; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # What is imported later holds the event loop.
    assert "uvicorn.protocols.http.h11_impl" in done.stdout.split()
