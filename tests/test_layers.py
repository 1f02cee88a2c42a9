import pytest

from tests.support.layers import cycle, layer_complaints
from tests.support.sources import PRODUCT, complain, python_files


def test_every_module_stays_in_its_layer() -> None:
    complain([c for path, text in python_files(*PRODUCT) for c in layer_complaints(path, text)])


def test_there_is_no_import_cycle() -> None:
    complain(cycle(python_files(*PRODUCT)))


CLIENT = "client/tapemq"
BROKER = "broker/tapemq_broker"
LAZY = "def f():\n    "


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (f"{CLIENT}/batch/codec.py", "import tapemq.wire"),
        (f"{CLIENT}/batch/codec.py", "from .. import errors"),
        (f"{CLIENT}/batch/codec.py", "import os.path"),
        (f"{CLIENT}/batch/codec.py", f"{LAZY}import time"),
        (f"{CLIENT}/wire/frames.py", "from tapemq import client"),
        (f"{CLIENT}/wire/frames.py", "from ..producer import Producer"),
        (f"{CLIENT}/wire/frames.py", "import asyncio"),
        (f"{CLIENT}/wire/frames.py", "import backports.zstd"),
        (f"{CLIENT}/producer.py", "import tapemq_broker"),
        (f"{CLIENT}/producer.py", f"{LAZY}from tapemq_broker.core import engine"),
        (f"{CLIENT}/producer.py", "from tapemq.testing import broker"),
        (f"{CLIENT}/producer.py", "import uvloop"),
        (f"{CLIENT}/testing/broker.py", "from tapemq_broker.server import start"),
        (f"{CLIENT}/__main__.py", "from tapemq_broker.cli.main import main"),
        (f"{BROKER}/config.py", "import tapemq_broker.server"),
        (f"{BROKER}/storage/log.py", "from tapemq.wire import frames"),
        (f"{BROKER}/storage/log.py", "from tapemq_broker.core import topics"),
        (f"{BROKER}/storage/log.py", "from ..config import Config"),
        (f"{BROKER}/storage/flusher.py", "from asyncio import Future"),
        (f"{BROKER}/core/topics.py", "from tapemq_broker import storage"),
        (f"{BROKER}/core/topics.py", "from tapemq.wire.errors import Fate"),
        (f"{BROKER}/core/topics.py", "from time import sleep"),
        (f"{BROKER}/server/session.py", "from tapemq_broker.admin import metrics"),
        (f"{BROKER}/server/session.py", "import tapemq"),
        (f"{BROKER}/server/session.py", "import flask"),
        (f"{BROKER}/admin/app.py", "from tapemq_broker.cli import main"),
        (f"{BROKER}/util.py", "import tapemq.batch"),
    ],
)
def test_import_across_a_border_is_refused(path: str, text: str) -> None:
    assert len(layer_complaints(path, text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "import time as t\nnow = t.monotonic()",
        "from time import time",
        "import time\nclass A:\n    clock = time.perf_counter_ns",
        "import random\nrandom.random()",
        "from random import choice",
        "from datetime import datetime as dt\ndt.now()",
        "import datetime\ndatetime.datetime.now()",
        "from uuid import uuid4",
        "import os\nos.urandom(8)",
        "import secrets\nsecrets.token_bytes(8)",
    ],
)
def test_clock_or_randomness_outside_a_seam_is_refused(text: str) -> None:
    assert len(layer_complaints(f"{BROKER}/server/session.py", text)) == 1
    assert len(layer_complaints(f"{CLIENT}/producer.py", text)) == 1
    assert layer_complaints(f"{BROKER}/server/clock.py", text) == []
    assert layer_complaints(f"{CLIENT}/_clock.py", text) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (f"{CLIENT}/__init__.py", "from tapemq.producer import Producer\nimport asyncio"),
        (f"{CLIENT}/batch/codec.py", "import zlib, msgpack\nfrom . import header"),
        (f"{CLIENT}/batch/codec.py", f"{LAZY}from backports import zstd"),
        (f"{CLIENT}/wire/frames.py", "from tapemq.batch import header\nfrom .errors import Fate"),
        (f"{CLIENT}/producer.py", "import random\ndef f(rng: random.Random): rng.random()"),
        (f"{CLIENT}/testing/broker.py", f"{LAZY}from tapemq_broker.server import start"),
        (f"{CLIENT}/__main__.py", f"{LAZY}from tapemq_broker.cli.main import main"),
        (f"{BROKER}/storage/log.py", "import os, threading\nfrom tapemq.batch import header"),
        (f"{BROKER}/core/topics.py", "from tapemq_broker.core import groups"),
        (f"{BROKER}/server/session.py", "import asyncio, uvloop\nfrom tapemq_broker import core"),
        (f"{BROKER}/server/session.py", "import time\ndef f(self): self.clock.time()"),
        (f"{BROKER}/admin/app.py", "import starlette.routing\nfrom ..server import broker"),
        (f"{BROKER}/cli/main.py", "import typer, tapemq\nfrom tapemq_broker.admin import app"),
    ],
)
def test_import_within_the_borders_is_allowed(path: str, text: str) -> None:
    assert layer_complaints(path, text) == []


def test_cycle_is_found() -> None:
    sources = {
        f"{BROKER}/core/__init__.py": "",
        f"{BROKER}/core/a.py": "from tapemq_broker.core import b",
        f"{BROKER}/core/b.py": "from .c import C",
        f"{BROKER}/core/c.py": f"{LAZY}import tapemq_broker.core.a",
    }
    assert set(cycle(sources.items())) == {f"tapemq_broker.core.{name}" for name in "abc"}
    sources[f"{BROKER}/core/c.py"] = "from . import d"
    assert cycle(sources.items()) == []
