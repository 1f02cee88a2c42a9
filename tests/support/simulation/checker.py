"""The verdict on a history: which of the promises were broken, and how.

The rules follow Jepsen's checker for Kafka. All values are unique and offsets are given, so each
rule is one pass; nothing is searched for.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from tests.support.simulation.group_rules import (
    position_ahead,
    position_regression,
    redelivered,
    undelivered,
)
from tests.support.simulation.history import History, Outcome
from tests.support.simulation.liveness_rules import stuck
from tests.support.simulation.reader_rules import nonmonotonic, skip
from tests.support.simulation.record_rules import (
    catalog,
    duplicate,
    hole,
    inconsistent_offset,
    lost,
    phantom,
    reordered,
)
from tests.support.simulation.work_rules import miscounted, settled_again, unworked

Rule = Callable[[History], Iterator[str]]

RULES: Final[tuple[Rule, ...]] = (
    *(inconsistent_offset, duplicate, lost, hole, phantom, reordered),
    *(skip, nonmonotonic, catalog),
    *(undelivered, redelivered, position_regression, position_ahead),
    *(settled_again, miscounted, unworked),
    stuck,
)
_SHOWN_MAX: Final = 3


def check(history: History) -> dict[str, list[str]]:
    """Broken rules by name, each with what broke it; empty if all is well."""
    found = {rule.__name__: list(rule(history)) for rule in RULES}
    return {name: complaints for name, complaints in found.items() if complaints}


def verdict(found: dict[str, list[str]]) -> str:
    """The broken rules in words, with a few examples of each."""
    lines = []
    for name, complaints in found.items():
        lines += [f"{name}: {text}" for text in complaints[:_SHOWN_MAX]]
        if len(complaints) > _SHOWN_MAX:
            lines.append(f"{name}: and {len(complaints) - _SHOWN_MAX} more")
    return "\n".join(lines)


def report(history: History) -> dict[str, int]:
    """Counts in the form of Jepsen's reports."""
    outcomes = Counter(publish.outcome for publish in history.publishes)
    present = {value for _, value in history.final_places()}
    recovered = sum(
        publish.outcome is Outcome.UNKNOWN and publish.value in present
        for publish in history.publishes
    )
    return {
        "attempted": len(history.publishes),
        "acked": outcomes[Outcome.OK],
        "failed": outcomes[Outcome.FAILED],
        "unknown": outcomes[Outcome.UNKNOWN] + outcomes[Outcome.PENDING],
        "recovered": recovered,
        "delivered": len(history.deliveries),
        "worked": len(history.works),
        "settled": sum(work.outcome is Outcome.OK for work in history.works),
        "committed": sum(commit.outcome is Outcome.OK for commit in history.commits),
    }
