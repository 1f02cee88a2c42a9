from typing import get_args

from tapemq_broker.core import results
from tests.support.core.named_tuples import named_tuples


def test_every_result_is_among_the_results() -> None:
    assert set(get_args(results.Result)) == named_tuples(results)
