from datetime import timedelta

import pytest

import tapemq
from tapemq_broker.cli.blocked import explained
from tapemq_broker.cli.errors import CommandError
from tapemq_broker.cli.exits import Exit

LOW = tapemq.BrokerInfo("tapemq", timedelta(), 1, 1, 0, 0, 3 << 20, "disk_low", 5 << 20)


class FakeClient:
    """Knows how its broker is, or does not."""

    def __init__(self, answer: tapemq.BrokerInfo | tapemq.Error) -> None:
        self.answer = answer

    async def status(self) -> tapemq.BrokerInfo:
        if isinstance(self.answer, tapemq.Error):
            raise self.answer
        return self.answer


async def failure(answer: tapemq.BrokerInfo | tapemq.Error, error: tapemq.Error) -> CommandError:
    with pytest.raises(CommandError) as caught:
        async with explained(FakeClient(answer), "t"):  # type: ignore[arg-type]
            raise error
    return caught.value


async def test_a_low_disk_is_named_with_its_figures_and_what_to_free() -> None:
    found = await failure(LOW, tapemq.TimeoutError("not sent"))
    assert found.text == "not sent; 3.0 MiB of its disk are free, 5.0 MiB must stay free"
    assert "tapemq topic rm TOPIC" in found.advice
    assert found.code is Exit.FAILED


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (LOW._replace(blocked=""), tapemq.TimeoutError("late")),
        (tapemq.TimeoutError("no answer"), tapemq.TimeoutError("late")),
        (LOW, tapemq.ConnectionLost("gone")),
    ],
)
async def test_other_failures_stay_as_they_are(
    answer: tapemq.BrokerInfo | tapemq.Error, error: tapemq.Error
) -> None:
    assert (await failure(answer, error)).text == str(error)
