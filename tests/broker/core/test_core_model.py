"""Drives the core with anything in any order, against a model of lists and dictionaries.

The model predicts the answer to every command, the watcher sees what subscribers see. Time,
syncs, deliveries and power cuts happen where Hypothesis wants them.
"""

import pytest

from tests.support.core.machine.disk import DiskRules
from tests.support.core.machine.groups import GroupRules
from tests.support.core.machine.publishing import PublishingRules
from tests.support.core.machine.reading import ReadingRules
from tests.support.core.machine.seeing import STEPS_BETWEEN_CRASHES
from tests.support.models import model_settings


class CoreMachine(PublishingRules, ReadingRules, GroupRules, DiskRules):
    """Anything, in any order."""


pytestmark = pytest.mark.models

TestCore = CoreMachine.TestCase
TestCore.settings = model_settings(50)


def test_what_a_start_makes_of_a_hold_that_is_half_switched_off() -> None:
    """A power cut leaves the switch on one of three partitions. The model once called wrong what
    the start then did: to switch it on again there, too, as hold is everywhere or nowhere."""
    machine = CoreMachine()
    machine.create(1)
    machine.grow()
    machine.grow()
    while machine.world.journal:
        machine.sync_round(8)
    machine.join(1, 1, "billing", "", ("earliest", 0), hold=True, credit=0)
    while machine.world.journal:
        machine.sync_round(8)
    machine.hold("billing", False)
    machine.seek("billing", 1, ("earliest", 0))
    assert _holds(machine) == [False, False, False]
    machine.steps_since_crash = STEPS_BETWEEN_CRASHES + 1
    machine.crash(survivors=1 << 2)
    assert _holds(machine) == [True, True, True]


def _holds(machine: CoreMachine) -> list[bool]:
    return [at.hold for _, at in sorted(machine.notes.positions("billing").items())]
