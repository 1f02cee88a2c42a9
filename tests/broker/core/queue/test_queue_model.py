"""Drives queue groups with anything in any order, against a model of dictionaries and lists.

Each record is settled, ready, leased, withheld until the disk knows what happened to it, waiting
for a retry, or dead; the model says which, and everything that the core says has to agree.
"""

from collections.abc import Iterator

import pytest

from tapemq_broker.core.queue import lanes
from tests.support.core.queue_machine.machine import QueueMachine
from tests.support.models import model_settings

pytestmark = pytest.mark.models


@pytest.fixture(autouse=True, scope="module")
def _short_slices() -> Iterator[None]:
    """So that what is read together is seldom all of a key."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lanes, "_READ_RECORDS", 3)
        yield


TestQueues = QueueMachine.TestCase
TestQueues.settings = model_settings(50)
