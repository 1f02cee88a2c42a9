from typing import get_args

from tapemq_broker.core import effects
from tests.support.core.named_tuples import named_tuples


def test_every_effect_is_among_the_effects() -> None:
    others = {effects.Request, effects.SubscriptionKey}
    assert set(get_args(effects.Effect)) == named_tuples(effects) - others
