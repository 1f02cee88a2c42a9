"""Drives queue groups with anything in any order, against a model of dictionaries and lists.

Each record is settled, ready, leased, withheld until the disk knows what happened to it, waiting
for a retry, or dead; the model says which, and everything that the core says has to agree.
"""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tapemq_broker.core.queue import lanes
from tests.support.core.queue_machine.machine import QueueMachine

LONG = bool(os.environ.get("TEST_LONG"))


@pytest.fixture(autouse=True, scope="module")
def _short_slices() -> Iterator[None]:
    """So that what is read together is seldom all of a key."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lanes, "_READ_RECORDS", 3)
        yield


TestQueues = QueueMachine.TestCase
TestQueues.settings = settings(
    max_examples=5000 if LONG else 150, stateful_step_count=100 if LONG else 50, deadline=None
)
