"""Drives the core with anything in any order, against a model of lists and dictionaries.

The model predicts the answer to every command, the watcher sees what subscribers see. Time,
syncs, deliveries and power cuts happen where Hypothesis wants them.
"""

import os

from hypothesis import settings

from tests.support.core.machine.disk import DiskRules
from tests.support.core.machine.groups import GroupRules
from tests.support.core.machine.publishing import PublishingRules
from tests.support.core.machine.reading import ReadingRules


class CoreMachine(PublishingRules, ReadingRules, GroupRules, DiskRules):
    """Anything, in any order."""


LONG = bool(os.environ.get("TEST_LONG"))

TestCore = CoreMachine.TestCase
TestCore.settings = settings(
    max_examples=5000 if LONG else 150, stateful_step_count=100 if LONG else 50
)
