from tapemq_broker.cli.options import DEFAULT_URL
from tapemq_broker.config import Settings


def test_the_default_address_is_that_of_a_broker_with_default_settings() -> None:
    assert f"tapemq://localhost:{Settings().port}" == DEFAULT_URL
