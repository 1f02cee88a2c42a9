"""Bugs of the proof itself that a review has found: brokers that are wrong, and passed."""

from typing import Final

from tests.support.proof.bug import Bug

REVIEWED_PROOF: Final = (
    Bug(
        "The simulation started the broker anew before it looked whether all was delivered: "
        "leases of consumers that were gone could last for ever, and no seed noticed.",
        "a review",
        "tests/simulation/test_negative_controls.py::"
        "test_leases_of_consumers_that_are_gone_and_never_end",
    ),
    Bug(
        "The checker of the simulation took any records that were gone from the front of a log "
        "for removed by retention, and nearly no seed sought a group: it passed a broker that "
        "removes what is to be kept, what queue groups hold too, that forgets seeks or dead "
        "records, ignores the delays of retries or the order of keys, or fires a minute late.",
        "a review",
        "tests/simulation/test_negative_controls.py::test_rule_fires",
    ),
    Bug(
        "In the simulation records could fail as often as they liked, but for one at the end of a "
        "run: it passed a broker that hands out more attempts than there are, forgets crashes at a "
        "restart, or lists dead records with wrong counts.",
        "a review",
        "tests/simulation/test_negative_controls.py::test_rule_fires",
    ),
    Bug(
        "The simulation took it for a rebalance whenever two members of a group were handed the "
        "records of a partition: it passed a broker that gives a partition to another member "
        "while the first one reads on.",
        "a review",
        "tests/simulation/test_negative_controls.py::test_rule_fires",
    ),
)
