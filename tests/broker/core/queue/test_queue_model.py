"""Drives queue groups with anything in any order, against a model of dictionaries and lists.

Each record is settled, ready, leased, withheld until the disk knows what happened to it, waiting
for a retry, or dead; the model says which, and everything that the core says has to agree.
"""

import os

from hypothesis import settings

from tests.support.core.queue_machine.machine import QueueMachine

LONG = os.environ.get("TAPEMQ_TEST_LONG") == "1"

TestQueues = QueueMachine.TestCase
TestQueues.settings = settings(
    max_examples=5000 if LONG else 150, stateful_step_count=100 if LONG else 50, deadline=None
)
